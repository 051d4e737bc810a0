"""The primitive and its harvest, against plain Python, under every transformation that a controller may use."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from healing_runtime.core.errors import InputError
from healing_runtime.core.margins import Margin
from healing_runtime.core.status import Status
from healing_runtime.language.harvest import first_violation, harvest, labels
from healing_runtime.language.primitive import assert_, assert_p, reset


def said(value, margin, label):
    assert_(margin, label)
    return value


def record(found):
    return float(found.rho), bool(found.ok), int(found.at_index), Status(int(found.status))


# ---------------------------------------------------------------- the primitive itself
def test_eager_violation_raises():
    assert_(1.0, "fine")
    assert_(jnp.array([True, True]), "fine")
    with pytest.raises(AssertionError, match='"low" is violated: margin -1'):
        assert_(jnp.array([2.0, -1.0]), "low")
    with pytest.raises(AssertionError, match="invalid"):
        assert_(jnp.nan, "broken")
    with pytest.raises(AssertionError, match="violated"):
        assert_(Margin(jnp.float32(0), jnp.array(False)), "tie")


def test_lowering_without_harvest_refuses():
    with pytest.raises(InputError, match="harvest first"):
        jax.jit(lambda x: said(x, x, "kept")).lower(1.0)


@pytest.mark.parametrize(
    "transform",
    [
        jax.jit,
        lambda f: lambda x: jax.vmap(f)(jnp.stack([x, x]))[0],
        lambda f: lambda x: jax.jvp(f, (x,), (x,))[0],
        lambda f: lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=2)[0],
        lambda f: lambda x: lax.cond(x > 0, f, lambda y: y, x),
        lambda f: lambda x: lax.fori_loop(0, 3, lambda i, c: f(c), x),
        lambda f: lambda x: lax.while_loop(lambda c: c < 9.0, lambda c: f(c) + 5.0, x),
        jax.checkpoint,
        lambda f: jax.jit(jax.jit(f)),
    ],
)
def test_it_stays_in_the_jaxpr_and_is_harvested(transform):
    function = transform(lambda x: said(x * 1.0, 3.0 - x, "kept"))
    assert labels(jax.make_jaxpr(function)(2.0)) == ("kept",)
    out, found = jax.jit(harvest(function))(2.0)
    assert float(found["kept"].rho) <= 1.0
    assert float(out) == float(jax.jit(lambda x: harvest(function)(x)[0])(2.0))


def test_a_batched_assert_takes_the_worst_lane():
    _, found = harvest(lambda x: jax.vmap(lambda y: said(y, y, "lane"))(x))(jnp.array([1.0, -2.0, 3.0]))
    assert record(found["lane"]) == (-2.0, False, -1, Status.FALSE)


def test_batching_the_harvest_keeps_the_lanes():
    _, found = jax.vmap(harvest(lambda y: said(y, y, "lane")))(jnp.array([1.0, -2.0]))
    assert found["lane"].rho.tolist() == [1.0, -2.0]
    assert found["lane"].status.tolist() == [Status.TRUE, Status.FALSE]


# ---------------------------------------------------------------- records
def test_untaken_branch_is_vacuous():
    def function(x):
        return lax.switch(jnp.int32(x), [lambda: said(1.0, 2.0, "a"), lambda: said(2.0, -1.0, "b"), lambda: 3.0])

    for index, (a, b) in enumerate(
        [(Status.TRUE, Status.VACUOUS), (Status.VACUOUS, Status.FALSE), (Status.VACUOUS, Status.VACUOUS)]
    ):
        out, found = harvest(function)(float(index))
        assert float(out) == index + 1
        assert (Status(int(found["a"].status)), Status(int(found["b"].status))) == (a, b)


def test_at_index_is_the_first_worst_iteration():
    values = jnp.array([3.0, 1.0, -1.0, 2.0, -1.0])
    _, found = harvest(lambda v: lax.scan(lambda c, x: (said(c, x, "step"), None), 0.0, v)[0])(values)
    assert record(found["step"]) == (-1.0, False, 2, Status.FALSE)


def test_at_index_counts_the_outermost_loop():
    def outer(i, c):
        return lax.fori_loop(0, 3, lambda j, d: said(d, 10.0 - 3.0 * i - j, "inner"), c)

    _, found = harvest(lambda x: lax.fori_loop(0, 4, outer, x))(0.0)
    assert record(found["inner"]) == (-1.0, False, 3, Status.FALSE)


def test_nan_wins_and_is_invalid():
    values = jnp.array([1.0, jnp.nan, -5.0, jnp.nan])
    _, found = harvest(lambda v: lax.scan(lambda c, x: (said(c, x, "step"), None), 0.0, v)[0])(values)
    rho, _, index, status = record(found["step"])
    assert np.isnan(rho) and index == 1 and status is Status.INVALID


def test_a_tie_is_the_violated_one():
    def function(x):
        assert_(Margin(x, x >= 0), "tie")
        assert_(Margin(x, x > 0), "tie")
        return x

    _, found = harvest(function)(0.0)
    assert record(found["tie"]) == (0.0, False, -1, Status.FALSE)


def test_a_tie_is_where_it_is_violated():
    def step(c, ok):
        assert_(Margin(c, ok), "tie")
        return c, None

    for oks, at in (([True, True, False, False], 2), ([False, True, True, False], 0), ([True, True], 0)):
        _, found = harvest(lambda oks: lax.scan(step, 0.0, oks)[0])(jnp.array(oks))
        assert record(found["tie"]) == (0.0, all(oks), at, Status.TRUE if all(oks) else Status.FALSE)
        assert int(found["tie"].violated_at) == (-1 if all(oks) else at)


def test_an_invalid_margin_is_a_violation_whatever_its_boolean_says():
    def function(x):
        assert_(Margin(jnp.nan * x, x > 0), "not (nan > 1)")
        return x

    _, found = harvest(function)(1.0)
    assert Status(int(found["not (nan > 1)"].status)) is Status.INVALID
    assert first_violation(found) == ("not (nan > 1)", -1)
    with pytest.raises(AssertionError, match="invalid"):
        function(1.0)


def test_a_loop_without_trips_is_vacuous():
    _, found = harvest(lambda x: lax.while_loop(lambda c: c < 0.0, lambda c: said(c, c, "never"), x))(1.0)
    assert record(found["never"]) == (np.inf, True, -1, Status.VACUOUS)


def test_scan_keeps_results_lengths_and_direction():
    def function(xs):
        return lax.scan(lambda c, x: (said(c + x, 5.0 - c, "sum"), c * x), 0.0, xs, reverse=True)

    xs = jnp.arange(5.0)
    (total, products), found = harvest(function)(xs)
    wanted, wanted_products = lax.scan(lambda c, x: (c + x, c * x), 0.0, xs, reverse=True)
    assert float(total) == float(wanted) and products.tolist() == wanted_products.tolist()
    assert record(found["sum"])[:3] == (-5.0, False, 4)


def test_a_condition_with_an_assert_is_refused():
    with pytest.raises(InputError, match="move it into the body"):
        harvest(lambda x: lax.while_loop(lambda c: said(c < 3.0, c, "in-condition"), lambda c: c + 1.0, x))(1.0)


# ---------------------------------------------------------------- derivatives
def test_gradient_of_a_margin():
    gradient = jax.grad(lambda x: harvest(lambda y: said(y, 4.0 - y * y, "square"))(x)[1]["square"].rho)(3.0)
    assert float(gradient) == -6.0


def test_gradient_through_a_loop():
    def worst(k):
        def step(c, _):
            assert_(1.0 - c, "cap")
            return c + k, None

        return harvest(lambda: lax.scan(step, 0.0, None, length=4)[0])()[1]["cap"].rho

    assert float(jax.grad(worst)(1.0)) == -3.0


@jax.custom_jvp
def doubled(x):
    assert_(2.0 - x, "custom")
    return x * x


doubled.defjvp(lambda primals, tangents: (primals[0] ** 2, 7.0 * tangents[0]))


@jax.custom_vjp
def tripled(x):
    assert_(2.0 - x, "custom")
    return 3.0 * x


tripled.defvjp(lambda x: (3.0 * x, None), lambda _, g: (5.0 * g,))


@pytest.mark.parametrize(("function", "value", "slope"), [(doubled, 9.0, 7.0), (tripled, 9.0, 5.0)])
def test_custom_derivatives_survive(function, value, slope):
    harvested = jax.jit(harvest(function))
    out, found = harvested(3.0)
    assert float(out) == value and record(found["custom"])[0] == -1.0
    assert float(jax.grad(lambda x: harvest(function)(x)[0])(3.0)) == slope


def test_checkpoint_survives():
    function = harvest(lambda x: jax.checkpoint(lambda y: said(jnp.sin(y), y, "inside"))(x))
    assert float(jax.grad(lambda x: function(x)[0])(0.5)) == pytest.approx(np.cos(0.5))
    assert "remat" in str(jax.make_jaxpr(function)(0.5))


def test_reset_is_an_identity_with_rules():
    assert float(jax.jit(reset)(2.0)) == 2.0
    assert float(jax.grad(lambda x: reset(x) * 3.0)(2.0)) == 3.0
    assert jax.vmap(reset)(jnp.arange(3.0)).tolist() == [0.0, 1.0, 2.0]


def test_names_in_the_ir():
    assert str(assert_p) == "tensorlang.assert"


# ---------------------------------------------------------------- cost
def test_nothing_of_it_is_computed_where_nothing_reads_it():
    """A tick reads the worst margin alone: XLA takes iterations, order and statuses out of loops and branches."""

    def function(x):
        def step(c, _):
            assert_(3.0 - c, "cap")
            return lax.cond(c > 1.0, lambda a: said(jnp.sin(a), 2.5 - a, "up"), lambda a: a * 0.9, c), None

        return lax.scan(step, x, None, length=400)[0]

    def margins_only(x):
        out, found = harvest(function)(x)
        return out, found["cap"].rho, found["up"].rho

    def carried(f):
        text = jax.jit(f).lower(1.0).compile().as_text() or ""
        return [re.findall(r"(\w+)\[\]", line.split(" while(")[0]) for line in text.split("\n") if " while(" in line]

    assert carried(margins_only) == [["s32", "f32", "f32", "f32"]]  # the trip, the value, two worst margins
    assert carried(lambda x: harvest(function)(x)[0]) == [["s32", "f32"]]
    assert [len(types) for types in carried(harvest(function))] > [8]
