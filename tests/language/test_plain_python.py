"""Whole programs harvested, against the same programs in plain Python: every record, and where Python would stop."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


class Log:
    """Plain Python's asserts: label, margin and iteration of the outermost loop."""

    def __init__(self):
        self.seen, self.index = [], -1

    def __call__(self, margin, label):
        self.seen.append((label, float(margin), self.index))

    def loop(self, items):
        outermost = self.index == -1
        for i, item in enumerate(items):
            self.index = i if outermost else self.index
            yield item
        self.index = -1 if outermost else self.index


def reverse(x):
    def step(c, v):
        assert_(3.0 - c - v, "a")
        assert_(v - c, "b")
        return c + 0.5 * v, c

    return lax.scan(step, x, jnp.array([4.0, -1.0, 2.0, 0.5]), reverse=True)[0]


def plain_reverse(log, x):
    for v in log.loop([0.5, 2.0, -1.0, 4.0]):
        log(3.0 - x - v, "a")
        log(v - x, "b")
        x += 0.5 * v
    return x


def without_trips(x):
    x = lax.scan(lambda c, v: (said(c, -1.0, "scan"), None), x, jnp.zeros(0))[0]
    x = lax.fori_loop(0, 0, lambda i, c: said(c, -1.0, "fori"), x)
    x = lax.while_loop(lambda c: c < -100.0, lambda c: said(c, -1.0, "while"), x)

    def outer(i, c):
        c = lax.while_loop(lambda d: d < i - 1, lambda d: said(d + 1.0, 1.5 - d, "inner"), c)
        return said(c, 2.5 - c, "outer")

    return lax.fori_loop(0, 5, outer, x)


def plain_without_trips(log, x):
    for i in log.loop(range(5)):
        while x < i - 1:
            log(1.5 - x, "inner")
            x += 1.0
        log(2.5 - x, "outer")
    return x


def one_label_in_two_branches(x):
    """cond in while in scan; some scans have no trip of the while."""

    def up(n, a):
        return said(said(a - 1.0, 3.0 - a, "both"), a - 1.0, "up")

    def down(n, a):
        return said(said(a + 1.5, a + 1.0, "both"), 2.0 - n, "down")

    def step(c, v):
        def body(s):
            d = lax.cond(s[1] > v, up, down, *s)
            return s[0] + 1.0, said(d, 4.0 - d, "after")

        n, c = lax.while_loop(lambda s: (s[0] < jnp.abs(v)) & (s[1] < 9.0), body, (0.0, c))
        return said(c, n - 0.5, "trips"), None

    return lax.scan(step, x, jnp.array([1.0, 0.0, 3.0, -2.0, 4.0]))[0]


def plain_one_label_in_two_branches(log, x):
    for v in log.loop([1.0, 0.0, 3.0, -2.0, 4.0]):
        n = 0.0
        while n < abs(v) and x < 9.0:
            if x > v:
                log(3.0 - x, "both")
                log(x - 1.0, "up")
                x -= 1.0
            else:
                log(x + 1.0, "both")
                log(2.0 - n, "down")
                x += 1.5
            log(4.0 - x, "after")
            n += 1.0
        log(n - 0.5, "trips")
    return x


@jax.jit
def called(x):
    return said(x * 1.5, 2.0 - x, "called")


def called_again(x):
    x = called(x)
    x = called(said(x, x - 1.0, "between") + 0.25)
    x = jax.checkpoint(called)(x)
    return lax.cond(x > 1.0, lambda y: called(called(y)), lambda y: called(said(y, y, "called")), x)


def plain_called_again(log, x):
    def called(x):
        log(2.0 - x, "called")
        return x * 1.5

    x = called(x)
    log(x - 1.0, "between")
    x = called(called(x + 0.25))
    if x > 1.0:
        return called(called(x))
    log(x, "called")
    return called(x)


def nan(x):
    def step(c, v):
        assert_(v, "slice")
        return jnp.where(v > 2.0, jnp.nan, said(c, c - 0.5, "carry")), None

    x = lax.scan(step, x, jnp.array([1.0, 3.0, jnp.nan, -1.0]))[0]
    return said(x, x, "end")


def plain_nan(log, x):
    for v in log.loop([1.0, 3.0, np.nan, -1.0]):
        log(v, "slice")
        log(x - 0.5, "carry")
        x = np.nan if v > 2.0 else x
    log(x, "end")
    return x


XS = [-9.0, -3.0, -1.5, -1.0, -0.25, 0.0, 0.5, 1.0, 1.25, 2.0, 2.5, 3.0, 4.5, 8.0, np.nan]


@pytest.mark.parametrize(
    ("ours", "plain"),
    [
        (reverse, plain_reverse),
        (without_trips, plain_without_trips),
        (one_label_in_two_branches, plain_one_label_in_two_branches),
        (called_again, plain_called_again),
        (nan, plain_nan),
    ],
)
def test_it_stops_where_plain_python_stops(ours, plain):
    """Alone, and as lanes of one batch of the harvested function, which part in every loop and branch."""
    single, (_, lanes) = jax.jit(harvest(ours)), jax.jit(jax.vmap(harvest(ours)))(np.array(XS, np.float32))
    for lane, x in enumerate(XS):
        log = Log()
        value = plain(log, x)
        out, found = single(np.float32(x))
        np.testing.assert_allclose(out, value, rtol=1e-6)
        agrees(found, log)
        agrees(jax.tree.map(lambda leaf, lane=lane: leaf[lane], lanes), log)


def agrees(found, log):
    violated = [(label, i, order) for order, (label, rho, i) in enumerate(log.seen) if not rho > 0]
    firsts = {label: (i, order) for label, i, order in reversed(violated)}
    assert first_violation(found) == (violated[0][:2] if violated else None)
    for label, got in found.items():
        assert (int(got.violated_at), int(got.order)) == firsts.get(label, (-1, NEVER)), label
        rhos = [(rho, i) for name, rho, i in log.seen if name == label]
        status = Status(int(got.status))
        if not rhos:
            assert status is Status.VACUOUS
            continue
        worst = next((pair for pair in rhos if np.isnan(pair[0])), None) or min(rhos)
        np.testing.assert_allclose(got.rho, worst[0], rtol=1e-6)
        assert int(got.at_index) == worst[1], label
        assert status is (Status.INVALID if np.isnan(worst[0]) else Status.FALSE if label in firsts else Status.TRUE)


def test_a_map_in_batches_is_judged_batch_by_batch():
    """Each assert for all elements of a batch at once; what is left over comes after the loop, outside of it."""

    def function(xs):
        return lax.map(lambda y: said(said(y, 3.0 - y, "high"), y - 0.25, "low"), xs, batch_size=2)

    harvested = jax.jit(harvest(function))
    for xs, first in (
        ([0.0, 5.0, 1.0, 1.0, 9.0], ("high", 0)),
        ([1.0, 1.0, 5.0, 0.0, 9.0], ("high", 1)),
        ([1.0, 1.0, 1.0, 0.0, 9.0], ("low", 1)),
        ([1.0, 1.0, 1.0, 1.0, 9.0], ("high", -1)),
        ([1.0, 1.0, 1.0, 1.0, 1.0], None),
    ):
        assert first_violation(harvested(jnp.array(xs))[1]) == first


# ---------------------------------------------------------------- oracle: the same program in plain Python
@jax.jit
@harvest
def walk(values, c):
    def step(c, x):
        assert_(3.0 - c, "cap")
        c = lax.cond(x > 0, lambda a: said(a + x, 2.0 - a, "up"), lambda a: said(a - 1.0, a + 2.0, "down"), c)
        return c, None

    return lax.scan(step, c, values)[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=5, max_size=5), st.integers(-3, 3))
def test_against_plain_python(xs, start):
    seen: dict[str, list[tuple[float, int]]] = {"cap": [], "up": [], "down": []}
    stops = []
    c = float(start)
    for i, x in enumerate(xs):
        for label, rho in (("cap", 3.0 - c), ("up", 2.0 - c) if x > 0 else ("down", c + 2.0)):
            seen[label].append((rho, i))
            stops += [(label, i)] * (rho <= 0)
        c = c + x if x > 0 else c - 1.0
    out, found = walk(np.array(xs, np.float32), np.float32(start))
    assert float(out) == c
    assert first_violation(found) == (stops[0] if stops else None)
    for label, values in seen.items():
        if not values:
            assert record(found[label])[3] is Status.VACUOUS
            continue
        rho, index = min(values)
        # A margin at zero is violated here: a bare number is asserted to be positive.
        assert record(found[label]) == (rho, rho > 0, index, Status.TRUE if rho > 0 else Status.FALSE)
