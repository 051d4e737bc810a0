"""Interval arithmetic behind the pass `finite`: every rule holds, in the arithmetic that XLA computes with."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.scipy.special import erf

from healing_runtime.language.passes.intervals import Interval, of_constant
from healing_runtime.language.passes.transfer import _RULES, transferred
from healing_runtime.language.primitive import reset

FLOATS, INTEGERS = (np.float32, np.float64), (np.int32, np.int8, np.uint8)


def gathered(mode, filler=None):
    return lambda x: jnp.stack([x, x, x]).at[jnp.array([0, 5])].get(mode=mode, fill_value=filler)


# Functions of one element that bind a primitive; some bind it in several ways.
BINDS = {
    "abs": (1, [lax.abs]),
    "add": (2, [lax.add]),
    "broadcast_in_dim": (1, [lambda x: lax.broadcast(x, (2,))]),
    "clamp": (3, [lax.clamp]),
    "concatenate": (2, [lambda x, y: lax.concatenate([x[None], y[None]], 0)]),
    "convert_element_type": (
        1,
        [lambda x, to=to: lax.convert_element_type(x, to) for to in (bool, jnp.float16, *FLOATS, *INTEGERS)],
    ),
    "copy": (1, [jnp.copy]),
    "cos": (1, [lax.cos]),
    "cosh": (1, [lax.cosh]),
    "div": (2, [lax.div, lambda x, y: lax.div(x, x.dtype.type(41)), lambda x, y: lax.div(x.dtype.type(3), x)]),
    "dynamic_slice": (1, [lambda x: lax.dynamic_slice(jnp.stack([x, x]), (1,), (1,))]),
    "erf": (1, [erf]),
    "exp": (1, [lax.exp]),
    "exp2": (1, [lax.exp2]),
    "gather": (1, [gathered(None), gathered("clip"), gathered("fill", 7), gathered("fill")]),
    "integer_pow": (1, [lambda x, y=y: lax.integer_pow(x, y) for y in (-3, -2, 2, 3, 4, 6)]),
    "iota": (1, [lambda x: lax.iota(x.dtype, 5) + 0 * x]),
    "log1p": (1, [lax.log1p]),
    "logistic": (1, [lax.logistic]),
    "max": (2, [lax.max]),
    "min": (2, [lax.min]),
    "mul": (2, [lax.mul]),
    "neg": (1, [lax.neg]),
    "reduce_max": (2, [lambda x, y: jnp.max(jnp.stack([x, y]))]),
    "reduce_min": (2, [lambda x, y: jnp.min(jnp.stack([x, y]))]),
    "reduce_sum": (1, [lambda x: lax.reduce_sum_p.bind(jnp.full(40, x), axes=(0,), out_sharding=None)]),
    "reshape": (1, [lambda x: lax.reshape(x, (1,))]),
    "rev": (1, [lambda x: lax.rev(jnp.stack([x, x]), (0,))]),
    "select_n": (3, [lambda x, y, z: lax.select_n(x > y, x, y), lambda x, y, z: lax.select_n(z > 0, x, y)]),
    "sign": (1, [lax.sign]),
    "sin": (1, [lax.sin]),
    "slice": (1, [lambda x: lax.slice(jnp.stack([x, x]), (0,), (1,))]),
    "sort": (2, [lambda x, y: lax.sort((x[None], y[None]))]),
    "sqrt": (1, [lax.sqrt]),
    "square": (1, [lax.square]),
    "squeeze": (1, [lambda x: lax.squeeze(x[None], (0,))]),
    "stack": (2, [lambda x, y: jnp.stack([x, y])]),
    "stop_gradient": (1, [lax.stop_gradient]),
    "sub": (2, [lax.sub]),
    "tanh": (1, [lax.tanh]),
    "tensorlang.reset": (1, [reset]),
    "tile": (1, [lambda x: jnp.tile(x[None], 2)]),
    "transpose": (1, [lambda x: jnp.stack([x[None], x[None]]).T]),
}


def bounds(jaxpr, args):
    """Bounds on the results of a closed jaxpr."""
    env = dict(zip(jaxpr.jaxpr.invars, args, strict=True))
    env |= {v: of_constant(c) for v, c in zip(jaxpr.jaxpr.constvars, jaxpr.consts, strict=True)}

    def read(v):
        return of_constant(v.val, v.aval.dtype) if hasattr(v, "val") else env[v]

    for eqn in jaxpr.jaxpr.eqns:
        operands, inner = [read(v) for v in eqn.invars], eqn.params.get("jaxpr")
        env.update(zip(eqn.outvars, bounds(inner, operands) if inner else transferred(eqn, operands), strict=True))
    return [read(v) for v in jaxpr.jaxpr.outvars]


def names(jaxpr):
    found = {eqn.primitive.name for eqn in jaxpr.jaxpr.eqns}
    return found.union(*(names(eqn.params["jaxpr"]) for eqn in jaxpr.jaxpr.eqns if "jaxpr" in eqn.params))


def awkward(dtype):
    """Numbers at which arithmetic is not what it is on paper, in order."""
    if np.issubdtype(dtype, np.integer):
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        return np.unique(np.clip([low, low + 1, -7, -1, 0, 1, 2, 3, 49, 100, high - 1, high], low, high)).astype(dtype)
    of = np.finfo(dtype)
    around = [0.0, 1e-30, 1e-19, 1e-12, 1e-9, 0.3, 1.0, 3.0, 3.71803, 41.0, 80.0, 88.0, 709.0, 2.0**24, 1e19]
    sizes = np.sort(np.array([*around, of.tiny, of.eps, 1 - of.eps, 1 + of.eps, of.max, np.inf], dtype))
    return np.concatenate([-sizes[:0:-1], sizes])


def box(dtype, rng):
    """Bounds and values between them, the bounds among these; half of the boxes lie close around one number."""
    points = awkward(dtype)
    a, b = np.sort(rng.choice(points, 2) if rng.random() < 0.7 else points[rng.integers(len(points) - 1) :][:2])
    inside = points[(points >= a) & (points <= b)]
    if np.isfinite([a, b]).all():
        share = rng.uniform(0, 1, 12)
        drawn = (a * (1.0 - share) + b * share).astype(dtype)
        inside = np.concatenate([inside, drawn[(drawn >= a) & (drawn <= b)]])
    values = np.concatenate([[a, b], rng.choice(inside, VALUES - 2)]).astype(dtype)
    if a < 0 < b and rng.random() < 0.5:  # without zero
        gap = rng.choice(points[(points > 0) & (points <= b)])
        return Interval(float(a), float(b), float(gap)), np.where(np.abs(values.astype(float)) < gap, b, values)
    return Interval(float(a), float(b)), values


BOXES, VALUES = 150, 24
DTYPES = [*FLOATS, *INTEGERS]


@pytest.fixture(scope="module", params=DTYPES, ids=lambda dtype: dtype.__name__)
def shown(request):
    """Of one dtype: boxes; by rule the programs that bind it, and what XLA makes of values drawn from the boxes."""
    dtype, rng, programs = request.param, np.random.default_rng(0), {}
    drawn = [[box(dtype, rng) for _ in range(3)] for _ in range(BOXES)]
    rows = [rng.permuted([values for _, values in column], axis=1).ravel() for column in zip(*drawn, strict=True)]
    with jax.enable_x64():
        for rule, (count, functions) in BINDS.items():
            for place, function in enumerate(functions):
                try:
                    programs[rule, place] = function, jax.make_jaxpr(function)(*np.ones(count, dtype))
                except TypeError:  # a function of floating-point numbers, or of signed ones
                    assert np.issubdtype(dtype, np.integer)

        @jax.jit
        @jax.vmap
        def every(*args):
            return {at: jax.tree.leaves(f(*args[: len(jaxpr.in_avals)])) for at, (f, jaxpr) in programs.items()}

        return drawn, programs, every(*rows)


@pytest.mark.parametrize("rule", sorted(BINDS))
def test_a_rule_holds_every_value(rule, shown):
    """Property: what is computed from values inside of boxes lies inside of the bounds, and off zero where they are."""
    drawn, programs, outs = shown
    for at in (at for at in programs if at[0] == rule):
        _, jaxpr = programs[at]
        assert rule in names(jaxpr) or not jaxpr.eqns
        for k, args in enumerate(drawn):
            intervals = [interval for interval, _ in args[: len(jaxpr.in_avals)]]
            for out, bound in zip(outs[at], bounds(jaxpr, intervals), strict=True):
                found = np.asarray(out).reshape(BOXES, -1)[k].astype(np.float64)
                found = found[~np.isnan(found)]
                told = f"{at} of {intervals}: {bound}, not {found.min(initial=np.inf)} to {found.max(initial=-np.inf)}"
                assert ((found >= bound.low) & (found <= bound.high) & (np.abs(found) >= bound.gap)).all(), told


def test_every_rule_is_shown():
    assert BINDS.keys() == {*_RULES, "sort"}  # which has as many results as operands


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x * y,
        lambda x, y: x - y,
        lambda x, y: jnp.clip(x, -0.5, 2.0) / (jnp.abs(y) + 0.5),
        lambda x, y: jnp.sqrt(x * x) + y**2,
        lambda x, y: jnp.where(x > y, x, -y),
        lambda x, y: jnp.max(jnp.stack([x, y])) * jnp.exp(-jnp.abs(x)),
        lambda x, y: jnp.tanh(x) * jnp.sin(y) + jnp.sum(jnp.array([x, y, 1.0])),
        lambda x, y: (x * y) ** 4 / 3.0,
    ],
)
def test_rules_hold_together(function):
    """Property: on boxes of inputs, no sampled value leaves the interval."""
    jaxpr = jax.make_jaxpr(function)(0.0, 0.0)
    rng = np.random.default_rng(0)
    values = jax.vmap(function)
    for _ in range(10):
        low = rng.uniform(-3, 2, 2)
        high = low + rng.uniform(0, 3, 2)
        (interval,) = bounds(jaxpr, [Interval(*pair) for pair in zip(low, high, strict=True)])
        samples = rng.uniform(low, high, (200, 2)).astype(np.float32)
        found = np.asarray(values(samples[:, 0], samples[:, 1]))
        slack = 1e-4 * (1 + np.abs(found).max())
        assert found.min() >= interval.low - slack and found.max() <= interval.high + slack
