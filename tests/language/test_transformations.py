"""`tensorlang.assert` under every transformation and every two of them: kept, named, harvested like plain Python."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from healing_runtime.core.errors import InputError
from healing_runtime.core.status import Status
from healing_runtime.language.execution.functions import while_loop
from healing_runtime.language.harvest import first_violation, harvest, labels
from healing_runtime.language.primitive import assert_


class Log:
    """What plain Python sees: each margin with the iteration of the outermost loop."""

    def __init__(self):
        self.seen, self.depth, self.index = [], 0, -1

    @contextmanager
    def at(self, i):
        self.index = i if self.depth == 0 else self.index
        self.depth += 1
        yield
        self.depth -= 1
        self.index = self.index if self.depth else -1

    def base(self, x):
        self.seen.append((3.0 - x, self.index))
        return 1.5 * x

    def repeat(self, f, x, trips, wanted=lambda x: True):
        for i in range(trips):
            with self.at(i):
                x = f(x) if wanted(x) else x
        return x


def base(x):
    assert_(3.0 - x, "kept")
    return x * 1.5


def custom_jvp(f):
    g = jax.custom_jvp(f)
    g.defjvp(lambda primals, tangents: (f(primals[0]), 2.0 * tangents[0]))
    return g


def custom_vjp(f):
    g = jax.custom_vjp(f)
    g.defvjp(lambda x: (f(x), None), lambda _, t: (2.0 * t,))
    return g


class Twin(NamedTuple):
    ours: Callable
    plain: Callable


def identity(log, f):
    return f


ALL: dict[str, Twin] = {
    "jit": Twin(jax.jit, identity),
    "nested jit": Twin(lambda f: jax.jit(lambda x: jax.jit(f)(x)), identity),
    "vmap": Twin(
        lambda f: lambda x: jax.vmap(f, in_axes=(None,), axis_size=2)(x)[0],
        identity,
    ),
    "vmap of lanes": Twin(
        lambda f: lambda x: jax.vmap(f)(jnp.stack([x, x - 1.0]))[0],
        lambda log, f: lambda x: [f(x), f(x - 1.0)][0],
    ),
    "jvp": Twin(lambda f: lambda x: jax.jvp(f, (x,), (x,))[0], identity),
    "scan": Twin(
        lambda f: lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=2)[0],
        lambda log, f: lambda x: log.repeat(f, x, 2),
    ),
    "map": Twin(
        lambda f: lambda x: lax.map(f, jnp.stack([x, x]))[1],
        lambda log, f: lambda x: [log.repeat(f, x, 1), log.repeat(f, x, 1)][1],
    ),
    "cond": Twin(lambda f: lambda x: lax.cond(jnp.float32(1.0) > 0, f, lambda y: y, x), identity),
    "switch": Twin(lambda f: lambda x: lax.switch(jnp.int32(1), [lambda y: y, f], x), identity),
    "fori_loop": Twin(
        lambda f: lambda x: lax.fori_loop(0, 3, lambda i, c: f(c), x), lambda log, f: lambda x: log.repeat(f, x, 3)
    ),
    "tl.while_loop": Twin(
        lambda f: lambda x: while_loop(lambda c: c < 2.0, f, x, max_trips=4),
        lambda log, f: lambda x: log.repeat(f, x, 4, lambda c: c < 2.0),
    ),
    "lax.while_loop": Twin(
        lambda f: lambda x: lax.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, f(c[1])), (0, x))[1],
        lambda log, f: lambda x: log.repeat(f, x, 2),
    ),
    "checkpoint": Twin(jax.checkpoint, identity),
    "custom_jvp": Twin(custom_jvp, identity),
    "custom_vjp": Twin(custom_vjp, identity),
    "unused": Twin(lambda f: lambda x: (f(x), x)[1], lambda log, f: lambda x: (f(x), x)[1]),
}
# A batch of lanes that stop at different trips is refused; forward derivatives do not exist for custom_vjp.
NO_PAIR = {("vmap of lanes", "tl.while_loop"), ("jvp", "custom_vjp")}
CHAINS = [(name,) for name in ALL] + [p for p in itertools.product(ALL, repeat=2) if p not in NO_PAIR]


def twins(chain):
    log, ours = Log(), base
    plain = log.base
    for name in reversed(chain):
        ours, plain = ALL[name].ours(ours), ALL[name].plain(log, plain)
    return ours, plain, log


@pytest.mark.parametrize("chain", CHAINS, ids="-".join)
def test_it_is_kept_in_the_jaxpr_and_is_never_lowered(chain):
    ours, _, _ = twins(chain)
    jaxpr = jax.make_jaxpr(ours)(jnp.float32(0.7))
    assert labels(jaxpr) == ("kept",) and "tensorlang.assert[label=kept]" in str(jaxpr)
    with pytest.raises(InputError, match="harvest first"):
        jax.jit(ours).lower(jnp.float32(0.7))


@pytest.fixture(scope="module")
def all_harvested():
    """All chains in one compilation."""
    functions = {chain: harvest(twins(chain)[0]) for chain in CHAINS if not chain_is_slow(chain)}
    return jax.jit(lambda x: {chain: function(x) for chain, function in functions.items()})


@pytest.mark.parametrize("x", [0.7, 2.2])
def test_it_is_harvested_as_plain_python_sees_it(x, all_harvested):
    """Value, worst margin, first iteration and status."""
    found = all_harvested(jnp.float32(x))
    for chain in found:
        _, plain, log = twins(chain)
        value = plain(x)
        (out, asserts), name = found[chain], "-".join(chain)
        np.testing.assert_allclose(out, value, rtol=1e-6, err_msg=name)
        got = asserts["kept"]
        if not log.seen:
            assert Status(int(got.status)) is Status.VACUOUS, name
            continue
        rho, index = min(log.seen, key=lambda pair: pair[0])
        assert float(got.rho) == pytest.approx(rho, abs=1e-5), name
        assert "map" in chain or int(got.at_index) == index, name
        assert Status(int(got.status)) is (Status.TRUE if rho > 0 else Status.FALSE), name
        violated = [index for rho, index in log.seen if rho <= 0]
        assert first_violation(asserts) == (("kept", int(got.violated_at)) if violated else None), name
        assert "map" in chain or int(got.violated_at) == (violated or [-1])[0], name


def chain_is_slow(chain):
    return chain[0] == "nested jit" and len(chain) == 2


@pytest.mark.parametrize("name", sorted(ALL))
def test_an_eager_violation_raises(name):
    ours = ALL[name].ours(base)
    with pytest.raises((AssertionError, InputError), match=r"is violated|harvest first"):
        if name == "tl.while_loop":
            ours = ALL["scan"].ours(ours)
            ours(jnp.float32(1.9))
        ours(jnp.float32(50.0))


@pytest.mark.parametrize("name", sorted(set(ALL) - {"lax.while_loop"}))
def test_the_gradient_of_the_harvested_function(name):
    ours = ALL[name].ours(base)
    slope = jax.grad(lambda x: harvest(ours)(x)[1]["kept"].rho)(jnp.float32(0.7))
    value = jax.grad(lambda x: harvest(ours)(x)[0])(jnp.float32(0.7))

    def silent(x):
        return x * 1.5

    wrapped = {"custom_jvp": lambda f: lambda x: 2.0 * x, "custom_vjp": lambda f: lambda x: 2.0 * x}
    expected = jax.grad(wrapped.get(name, ALL[name].ours)(silent))(jnp.float32(0.7))
    assert float(value) == pytest.approx(float(expected), rel=1e-5)
    # A custom derivative is the function's own, not its asserts'.
    assert "custom" in name or float(slope) < 0.0


def test_lanes_of_a_batch_have_their_own_results():
    def function(x):
        def step(c, _):
            assert_(3.0 - c, "cap")
            return lax.cond(c > 1.0, up, lambda a: a * 1.0, c), None

        def up(a):
            assert_(2.5 - a, "up")
            return a + 1.0

        return lax.scan(step, x, None, length=4)[0]

    xs = jnp.array([0.5, 1.5, jnp.nan, 4.0])
    _, batched = jax.jit(jax.vmap(harvest(function)))(xs)
    for lane, x in enumerate(xs):
        _, single = jax.jit(harvest(function))(x)
        for label in ("cap", "up"):
            for got, wanted in zip(batched[label], single[label], strict=True):
                np.testing.assert_array_equal(got[lane], wanted, err_msg=f"{label} at {x}")
    assert [Status(int(s)) for s in batched["up"].status] == [
        Status.VACUOUS,
        Status.FALSE,
        Status.VACUOUS,
        Status.FALSE,
    ]
    assert batched["cap"].status[2] == Status.INVALID and batched["cap"].at_index.tolist() == [0, 3, 0, 3]


def test_a_batch_over_both_branches_is_refused():
    def function(x):
        return lax.cond(x > 0, base, lambda y: y, x)

    with pytest.raises(InputError, match="harvest first, then batch"):
        jax.vmap(function)(jnp.array([1.0, -1.0]))
    assert jax.vmap(lambda x: lax.cond(x > 0, lambda y: y, lambda y: -y, x))(jnp.array([1.0, -1.0])).tolist() == [1, 1]
