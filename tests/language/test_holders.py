"""`tensorlang.assert` in whatever JAX can hold it in: kept, refused with "harvest first", or violated; never lost."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.interpreters import partial_eval

from healing_runtime.core.errors import InputError
from healing_runtime.core.status import Status
from healing_runtime.language.harvest import harvest, labels
from healing_runtime.language.primitive import assert_
from tests.language.test_transformations import ALL, NO_PAIR, base

GOOD, BAD = jnp.float32(0.5), jnp.float32(50.0)
REFUSED = r"harvest first|is violated|is invalid"


# ---------------------------------------------------------------- everything that can hold one
def custom_vmapped(x):
    @jax.custom_batching.custom_vmap
    def f(x):
        return base(x)

    f.def_vmap(lambda size, batched, x: (jax.vmap(base)(x), batched[0]))
    return f(x)


def rooted(x):
    def solve(f, guess):
        assert_(3.0 - x, "kept")
        return x

    return lax.custom_root(lambda v: v - x, 0.0, solve, lambda g, y: y / g(1.0))


def added(a, b):
    assert_(3.0 - a, "kept")
    return a + b


def sharded(x):
    spec = jax.sharding.PartitionSpec()
    return jax.shard_map(base, mesh=jax.make_mesh((1,), ("i",)), in_specs=spec, out_specs=spec)(x)


def closing(x):
    limit = 2.0 * x

    def inner(y):
        assert_(3.0 - limit, "kept")
        return y * limit

    f = jax.custom_vjp(inner)
    f.defvjp(lambda y: (inner(y), None), lambda _, g: (g,), optimize_remat=True)
    return f(x)


def on_a_reference(x):
    ref = jax.new_ref(x)
    ref[...] = base(ref[...])
    return ref[...]


HOLDERS = {
    "associative_scan": lambda x: lax.associative_scan(added, jnp.stack([x, x, x]))[2],
    "axis_name": lambda x: jax.vmap(lambda y: base(y) + lax.psum(y, "i"), axis_name="i")(jnp.stack([x, x]))[0],
    "axis_size": lambda x: jax.vmap(base, in_axes=None, out_axes=None, axis_size=3)(x),
    "custom_root": rooted,
    "custom_vjp, optimised": closing,
    "custom_vmap": custom_vmapped,
    "donated": lambda x: jax.jit(base, donate_argnums=0)(x + 0.0),
    "map in batches": lambda x: lax.map(base, jnp.stack([x] * 5), batch_size=2)[4],
    "named_call": jax.named_call(base, name="named"),
    "policy dots": jax.checkpoint(base, policy=jax.checkpoint_policies.dots_saveable),
    "policy everything": jax.checkpoint(base, policy=jax.checkpoint_policies.everything_saveable),
    "reduce": lambda x: lax.reduce(jnp.stack([x, x]), jnp.float32(0), added, (0,)),
    "reduce_window": lambda x: lax.reduce_window(
        jnp.stack([x, x]), jnp.float32(0), lambda a, b: added(a, b), (2,), (1,), "VALID"
    )[0],
    "reference": on_a_reference,
    "sequential_vmap": lambda x: jax.custom_batching.sequential_vmap(base)(x),
    "shard_map": sharded,
    "spmd_axis_name": lambda x: jax.vmap(base, axis_name="i", spmd_axis_name="i")(jnp.stack([x, x]))[0],
    "static argument": lambda x: jax.jit(lambda n, y: base(y) * n, static_argnums=0)(2, x),
}
NOT_OPENED = {"custom_vmap", "reduce", "reduce_window", "sequential_vmap", "shard_map"}


@pytest.mark.parametrize("name", HOLDERS)
def test_it_is_kept_and_never_lowered_nor_eagerly_passed_over(name):
    function = HOLDERS[name]
    assert labels(jax.make_jaxpr(function)(GOOD)) == ("kept",)
    with pytest.raises(InputError, match="harvest first"):
        jax.jit(function).lower(GOOD)
    with pytest.raises((InputError, AssertionError), match=REFUSED):
        function(BAD)


@pytest.mark.parametrize("name", HOLDERS)
def test_it_is_harvested_or_the_holder_is_named(name):
    if name in NOT_OPENED:
        with pytest.raises(InputError, match=r'^the assert "kept" stands inside \w+; move it outside of it\.$'):
            harvest(HOLDERS[name])(GOOD)
    else:
        _, found = jax.jit(harvest(HOLDERS[name]))(BAD)
        assert Status(int(found["kept"].status)) is Status.FALSE


@pytest.mark.parametrize("name", HOLDERS)
def test_it_is_kept_where_nothing_reads_the_result(name):
    def unused(x):
        HOLDERS[name](x)
        return x

    with pytest.raises(InputError, match="harvest first"):
        jax.jit(unused).lower(GOOD)
    with pytest.raises(InputError, match="harvest first"):
        jax.jit(lambda x: lax.scan(lambda c, _: (unused(c), None), x, None, length=2)[0]).lower(GOOD)
    slim, _ = partial_eval.dce_jaxpr(jax.make_jaxpr(unused)(GOOD).jaxpr, [False])
    assert labels(slim) == ("kept",)


FREE = {"reference"}  # a reference is not batched, transposed or differentiated from outside


@pytest.mark.parametrize("name", sorted(set(HOLDERS) - FREE))
def test_a_transpose_refuses(name):
    with pytest.raises((InputError, AssertionError, NotImplementedError), match=rf"{REFUSED}|Transpose rule"):
        jax.linear_transpose(HOLDERS[name], BAD)(BAD)


# ---------------------------------------------------------------- gradients, of every two transformations
def boolean(x):
    assert_(x < 3.0, "kept")
    return x * 1.5


def constant(x):
    assert_(False, "kept")
    return x * 1.5


def stopped(x):
    assert_(3.0 - lax.stop_gradient(x), "kept")
    return x * 1.5


ASSERTS = {"margin": base, "Boolean": boolean, "constant": constant, "stopped": stopped}
BACKWARDS = {
    "grad": jax.grad,
    "hessian": jax.hessian,
    "jacfwd": jax.jacfwd,
    "jacrev": jax.jacrev,
    "linearize": lambda f: lambda x: jax.linearize(f, x)[1](GOOD),
    "pull back": lambda f: lambda x: jax.vjp(f, x)[1](GOOD),
    "vjp": lambda f: lambda x: jax.vjp(f, x)[0],
    "vjp with aux": lambda f: lambda x: jax.vjp(lambda y: (f(y), f(y)), x, has_aux=True)[0],
}
LOOPS = {"scan", "map", "fori_loop", "lax.while_loop", "tl.while_loop"}
NOT_DIFFERENTIABLE = (ValueError, TypeError)  # while loops backwards, custom_vjp forwards: JAX says so itself


def never_lost(chain, asserting, backwards):
    """Refused, violated, or still in the jaxpr; and run eagerly it never passes."""
    function = ASSERTS[asserting]
    for name in reversed(chain):
        function = ALL[name].ours(function)
    x = jnp.float32(1.99) if "tl.while_loop" in chain else BAD
    try:
        assert labels(jax.make_jaxpr(BACKWARDS[backwards](function))(x)) == ("kept",)
    except (InputError, AssertionError) as refusal:
        if "harvest first" not in str(refusal) and "is violated" not in str(refusal):
            raise
    except NOT_DIFFERENTIABLE:
        pass
    with pytest.raises((InputError, AssertionError, *NOT_DIFFERENTIABLE)):
        BACKWARDS[backwards](function)(x)


@pytest.mark.parametrize("backwards", BACKWARDS)
@pytest.mark.parametrize("asserting", ASSERTS)
@pytest.mark.parametrize("name", ALL)
def test_a_gradient_never_loses_it(name, asserting, backwards):
    never_lost((name,), asserting, backwards)


@pytest.mark.parametrize("asserting", ASSERTS)
@pytest.mark.parametrize("pair", [p for p in itertools.product(sorted(LOOPS), ALL) if p not in NO_PAIR], ids="-".join)
def test_a_gradient_of_a_loop_never_loses_it(pair, asserting):
    never_lost(pair, asserting, "vjp")


@pytest.mark.slow
@pytest.mark.parametrize("pair", [p for p in itertools.product(ALL, repeat=2) if p not in NO_PAIR], ids="-".join)
def test_no_gradient_of_any_two_loses_it(pair):
    for asserting, backwards in itertools.product(ASSERTS, BACKWARDS):
        never_lost(pair, asserting, backwards)


def test_a_custom_derivative_is_silent_once_harvested():
    """Its rule often calls the function itself; the harvested function's rule judges nothing and is compiled."""
    for name in ("custom_jvp", "custom_vjp"):
        function = harvest(ALL[name].ours(base))
        assert float(jax.jit(jax.grad(lambda x, f=function: f(x)[0]))(BAD)) == 2.0


def test_what_a_custom_rule_does_not_run_is_not_judged_until_harvested():
    """JAX runs a custom derivative in place of the function: the harvest looks at the function, always."""
    f = jax.custom_jvp(base)
    f.defjvp(lambda primals, tangents: (1.5 * primals[0], 1.5 * tangents[0]))
    assert float(jax.jvp(f, (BAD,), (GOOD,))[0]) == 75.0
    _, found = jax.jvp(harvest(f), (BAD,), (GOOD,))[0]
    assert Status(int(found["kept"].status)) is Status.FALSE


def test_what_a_linear_solve_never_runs_is_not_judged_and_not_harvested():
    def doubled(v):
        assert_(3.0 - v, "kept")
        return 2.0 * v

    def solved(x):
        return lax.custom_linear_solve(doubled, x, lambda matvec, b: b / 2.0, symmetric=True)

    assert float(jax.jit(solved)(BAD)) == 25.0
    with pytest.raises(InputError, match='the assert "kept" stands inside custom_linear_solve; move it outside'):
        harvest(solved)(BAD)


# ---------------------------------------------------------------- batches
def uneven(x):
    return lax.while_loop(lambda c: c < 4.0, lambda c: base(c) + 1.0, x)


def test_a_batch_that_leaves_a_loop_lane_by_lane_is_refused():
    xs = jnp.array([0.0, 3.5])
    for batch in (xs, xs[:1]):
        with pytest.raises(InputError, match="leave before others; harvest first, then batch"):
            jax.vmap(uneven)(batch)
    _, found = jax.vmap(harvest(uneven))(xs)
    for lane, x in enumerate(xs):
        _, single = harvest(uneven)(x)
        for got, wanted in zip(found["kept"], single["kept"], strict=True):
            assert got[lane] == wanted


@pytest.mark.parametrize(
    "function",
    [
        # The condition sees a lane only through the carry, after two trips.
        lambda x: lax.while_loop(lambda c: c[0] < 4.0, lambda c: (c[1], c[2], base(x)), (0.0, 0.0, 0.0))[0],
        # Through a constant of the condition; through one of the body.
        lambda x: lax.while_loop(lambda c: c < x, lambda c: base(c) + 1.0, 0.0),
        lambda x: lax.while_loop(lambda c: c < 3.0, lambda c: base(c) + x, 0.0),
        # Inside another loop, which all lanes share.
        lambda x: lax.fori_loop(0, 2, lambda i, c: uneven(c), x),
    ],
)
def test_however_the_condition_sees_a_lane(function):
    with pytest.raises(InputError, match="leave before others"):
        jax.vmap(function)(jnp.array([1.0, 2.0]))


def test_a_loop_that_all_lanes_leave_together_is_batched():
    def shared(x):
        return lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, base(c[1])), (0, x))[1]

    _, found = harvest(jax.vmap(shared))(jnp.array([0.1, 0.2]))
    assert float(found["kept"].rho) == pytest.approx(3.0 - 0.2 * 2.25)


# ---------------------------------------------------------------- other ways to run a function
def test_without_jit_loops_are_python_and_a_violation_raises():
    def body(c):
        assert_(c < 3.0, "kept")
        return c + 1.0

    loops = {
        "scan": lambda x: lax.scan(lambda c, _: (body(c), None), x, None, length=5)[0],
        "fori_loop": lambda x: lax.fori_loop(0, 5, lambda i, c: body(c), x),
        "while_loop": lambda x: lax.while_loop(lambda c: c < 5.0, body, x),
        "cond": lambda x: lax.cond(x < 3.0, lambda: body(x + 3.0), lambda: x),
        "jit": jax.jit(lambda x: body(x + 3.0)),
    }
    with jax.disable_jit():
        for function in loops.values():
            with pytest.raises(AssertionError, match='"kept" is violated'):
                function(1.0)


def test_shapes_alone_judge_nothing_and_exports_are_refused():
    assert jax.eval_shape(base, BAD).shape == ()
    with pytest.raises(InputError, match="harvest first"):
        jax.export.export(jax.jit(base))(GOOD)
    _, found = jax.export.export(jax.jit(harvest(base)))(GOOD).call(BAD)
    assert Status(int(found["kept"].status)) is Status.FALSE


def test_a_harvest_inside_a_harvest_keeps_its_own():
    def outer(x):
        out, inner = harvest(base)(x)
        assert_(inner["kept"].rho + 1.0, "outer")
        return out

    _, found = jax.jit(harvest(outer))(3.5)
    assert set(found) == {"outer"} and float(found["outer"].rho) == 0.5
