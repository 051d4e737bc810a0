"""Interval arithmetic behind the pass `finite`: every rule holds, in the arithmetic that XLA computes with."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.scipy.special import erf

from healing_runtime.language.passes.intervals import Interval, compared, of_constant
from healing_runtime.language.passes.transfer import _RULES, transferred
from healing_runtime.language.primitive import reset

FLOATS, INTEGERS = (np.float32, np.float64), (np.int32, np.int8, np.uint8)


def gathered(mode, filler=None):
    return lambda x: jnp.stack([x, x, x]).at[jnp.array([0, 5])].get(mode=mode, fill_value=filler)


# Functions of one element that bind a primitive; some bind it in several ways.
BINDS = {
    "abs": [jnp.abs],
    "add": [lax.add],
    "broadcast_in_dim": [lambda x: lax.broadcast(x, (2,))],
    "clamp": [lax.clamp],
    "concatenate": [lambda x, y: lax.concatenate([x[None], y[None]], 0)],
    "convert_element_type": [
        lambda x, to=to: lax.convert_element_type(x, to) for to in (bool, jnp.float16, *FLOATS, *INTEGERS)
    ],
    "copy": [jnp.copy],
    "cos": [lax.cos],
    "cosh": [lax.cosh],
    "div": [lax.div, lambda x: lax.div(x, x.dtype.type(41)), lambda x: lax.div(x.dtype.type(3), x)],
    "dynamic_slice": [lambda x: lax.dynamic_slice(jnp.stack([x, x]), (1,), (1,))],
    "erf": [erf],
    "exp": [lax.exp],
    "exp2": [lax.exp2],
    "gather": [gathered(None), gathered("clip"), gathered("fill", 7), gathered("fill")],
    "integer_pow": [lambda x, y=y: lax.integer_pow(x, y) for y in (-3, -2, 2, 3, 4, 6)],
    "iota": [lambda x: lax.iota(x.dtype, 5) + 0 * x],
    "log1p": [lax.log1p],
    "logistic": [lax.logistic],
    "max": [lax.max],
    "min": [lax.min],
    "mul": [lax.mul],
    "neg": [lax.neg],
    "reduce_max": [lambda x, y: jnp.max(jnp.stack([x, y]))],
    "reduce_min": [lambda x, y: jnp.min(jnp.stack([x, y]))],
    "reduce_sum": [lambda x: lax.reduce_sum_p.bind(jnp.full(40, x), axes=(0,), out_sharding=None)],
    "reshape": [lambda x: lax.reshape(x, (1,))],
    "rev": [lambda x: lax.rev(jnp.stack([x, x]), (0,))],
    "select_n": [lambda x, y: lax.select_n(x > y, x, y), lambda x, y, z: lax.select_n(z > 0, x, y)],
    "sign": [lax.sign],
    "sin": [lax.sin],
    "slice": [lambda x: lax.slice(jnp.stack([x, x]), (0,), (1,))],
    "sort": [lambda x, y: lax.sort((x[None], y[None]))],
    "sqrt": [lax.sqrt],
    "square": [lax.square],
    "squeeze": [lambda x: lax.squeeze(x[None], (0,))],
    "stack": [lambda x, y: jnp.stack([x, y])],
    "stop_gradient": [lax.stop_gradient],
    "sub": [lax.sub],
    "tanh": [lax.tanh],
    "tensorlang.reset": [reset],
    "tile": [lambda x: jnp.tile(x[None], 2)],
    "transpose": [lambda x: jnp.stack([x[None], x[None]]).T],
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
    return {n for e in jaxpr.jaxpr.eqns for n in ({e.primitive.name} | (names(e.params["jaxpr"]) if "jaxpr" in e.params else set()))}


def awkward(dtype):
    """Numbers at which arithmetic is not what it is on paper."""
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return np.unique(np.array([limits.min, limits.min + 1 if limits.min else 1, -7, -1, 0, 1, 2, 3, 49, 100, limits.max - 1, limits.max]).clip(limits.min, limits.max)).astype(dtype)
    limits = np.finfo(dtype)
    sizes = [0.0, limits.tiny, 1e-30, 1e-19, 1e-12, 1e-9, limits.eps, 0.3, 1 - limits.eps, 1.0, 1 + limits.eps, 3.0, 41.0, 80.0, 88.0, 709.0, 2.0**24, 1e19, limits.max, np.inf]
    return np.array([*(-x for x in sizes[::-1]), *sizes], dtype)


def boxes(dtype, count, rng):
    """Pairs of ends with values between them, the ends themselves among these."""
    points = awkward(dtype)
    for _ in range(count):
        a, b = np.sort(rng.choice(points, 2))
        inside = points[(points >= a) & (points <= b)]
        with np.errstate(all="ignore"):
            drawn = (a + rng.uniform(0, 1, 8) * (np.float64(b) - a)).astype(dtype) if np.isfinite([a, b]).all() else inside
        drawn = drawn[(drawn >= a) & (drawn <= b)]
        values = np.concatenate([inside, drawn, [a, b]]).astype(dtype)
        yield Interval(float(a), float(b)), rng.choice(values, 24)


def every(rule, dtype):
    """What binds a rule's primitive, compiled for whole boxes at once, with its jaxpr; what takes no such dtype is left out."""
    for function in BINDS[rule]:
        count = function.__code__.co_argcount - len(function.__defaults__ or ()) if hasattr(function, "__code__") else 1
        yield function, count


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS], ids=lambda d: d.__name__)
@pytest.mark.parametrize("rule", sorted(_RULES))
def test_a_rule_holds_every_value(rule, dtype):
    """Property: whatever is computed from values inside of boxes lies inside of the bounds, and off zero where they are."""
