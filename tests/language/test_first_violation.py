"""The first violation: label, iteration and order as plain Python meets them, in loops, branches and batches."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from healing_runtime.core.status import Status
from healing_runtime.language.harvest import first_violation, harvest
from healing_runtime.language.primitive import assert_
from healing_runtime.language.records import NEVER


def said(value, margin, label):
    assert_(margin, label)
    return value


def record(found):
    return float(found.rho), bool(found.ok), int(found.at_index), Status(int(found.status))


def test_the_first_violation_is_not_the_worst():
    values = jnp.array([3.0, -1.0, -5.0, 2.0])
    _, found = harvest(lambda v: lax.scan(lambda c, x: (said(c, x, "step"), None), 0.0, v)[0])(values)
    assert (int(found["step"].at_index), int(found["step"].violated_at)) == (2, 1)
    assert first_violation(found) == ("step", 1)


def test_nothing_violated_and_nothing_reached_name_nothing():
    _, found = harvest(lambda x: said(x, x, "fine"))(1.0)
    assert first_violation(found) is None and first_violation({}) is None
    assert (int(found["fine"].violated_at), int(found["fine"].order)) == (-1, NEVER)
    _, found = harvest(lambda x: lax.cond(x > 0, lambda: x, lambda: said(x, x, "untaken")))(1.0)
    assert first_violation(found) is None


def in_a_body(x):
    def step(c, v):
        assert_(2.0 - v, "by time")
        assert_(1.5 - c, "by value")
        return c + 1.0, None

    return lax.scan(step, x, jnp.arange(5.0))[0]


def nested(x):
    def outer(i, c):
        assert_(9.0 - i, "outer")
        c = lax.fori_loop(0, 3, lambda j, d: said(d + 1.0, 4.0 - d, "inner"), c)
        assert_(3.5 - c, "after inner")
        return c

    return lax.fori_loop(0, 3, outer, x)


def branches(x):
    x = lax.cond(x > 0, lambda a: said(said(a, 1.0, "quiet"), a - 9.0, "taken"), lambda a: said(a, -1.0, "other"), x)
    assert_(-x, "after the branch")
    return x


def in_turn(x):
    x = lax.while_loop(lambda c: c < 3.0, lambda c: said(c + 1.0, 9.0 - c, "first loop"), x)
    x = lax.fori_loop(0, 4, lambda i, c: said(c + 1.0, 4.5 - c, "second loop"), x)
    assert_(-x, "last")
    return x


@pytest.mark.parametrize(
    ("function", "x", "ranked"),
    [
        (in_a_body, 0.0, [("by time", 2), ("by value", 2)]),
        (in_a_body, -9.0, [("by time", 2)]),
        (in_a_body, 9.0, [("by value", 0), ("by time", 2)]),
        (nested, 0.0, [("inner", 1), ("after inner", 1)]),
        (nested, 1.0, [("after inner", 0), ("inner", 1)]),
        (branches, 1.0, [("taken", -1), ("after the branch", -1)]),
        (branches, -1.0, [("other", -1)]),
        (in_turn, 0.0, [("second loop", 2), ("last", -1)]),
        (in_turn, 9.0, [("second loop", 0), ("last", -1)]),
    ],
)
def test_the_order_of_violations(function, x, ranked):
    """Iteration first, then the place in the body; loops and branches in their turn."""
    for ours in (function, jax.jit(function), jax.checkpoint(function)):
        _, found = jax.jit(harvest(ours))(x)
        violated = [label for label in found if int(found[label].order) != NEVER]
        violated.sort(key=lambda label: int(found[label].order))
        assert [(label, int(found[label].violated_at)) for label in violated] == ranked
        assert first_violation(found) == ranked[0]


def test_the_first_violation_across_lanes_is_each_lanes_own():
    xs = jnp.array([-9.0, 0.0, 1.0, 9.0])
    _, batched = jax.jit(jax.vmap(harvest(nested)))(xs)
    for lane, x in enumerate(xs):
        _, single = harvest(nested)(x)
        mine = jax.tree.map(lambda leaf, lane=lane: leaf[lane], batched)
        assert first_violation(mine) == first_violation(single)
        for got, wanted in zip(jax.tree.leaves(mine), jax.tree.leaves(single), strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_lanes_of_lanes_in_a_branch_in_a_loop():
    """cond in scan in two batches of the harvested function; NaN in a nested lane; a branch that a lane never takes."""

    def function(x):
        def step(c, _):
            return lax.cond(c > 1.0, lambda a: said(a * 2.0, 5.0 - a, "up"), lambda a: a + 0.5, c), None

        return lax.scan(step, x, None, length=3)[0]

    xs = jnp.array([[-9.0, 0.75], [3.0, jnp.nan]])
    _, found = jax.jit(jax.vmap(jax.vmap(harvest(function))))(xs)
    up = found["up"]
    assert up.status.tolist() == [[Status.VACUOUS, Status.TRUE], [Status.FALSE, Status.VACUOUS]]
    assert up.violated_at.tolist() == [[-1, -1], [1, -1]] and up.at_index.tolist() == [[-1, 2], [2, -1]]
    _, judged = jax.jit(jax.vmap(harvest(lambda x: lax.scan(lambda c, _: (said(c, c, "nan"), None), x, None, 2)[0])))(
        xs[1]
    )
    assert judged["nan"].status.tolist() == [Status.TRUE, Status.INVALID]
    assert judged["nan"].violated_at.tolist() == [-1, 0]


def test_a_batch_inside_is_one_judgement():
    def function(xs):
        return lax.scan(lambda c, x: (jax.vmap(lambda y: said(y, y - x, "lane"))(c), None), xs, jnp.arange(4.0))[0]

    _, found = harvest(function)(jnp.array([5.0, 1.5, 2.5]))
    assert record(found["lane"]) == (-1.5, False, 3, Status.FALSE) and int(found["lane"].violated_at) == 2
