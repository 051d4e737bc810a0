"""Thousands of formulas and traces, ours beside the definition, rtamt and reelay.

CI takes a sample; `slow` marks the sweep of tens of thousands. Nothing here is compiled: formulas differ, shapes do
not, and single operations over many traces at a time are then the cheapest way.
"""

from __future__ import annotations

import itertools
import logging
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime import stl
from healing_runtime.stl.formula import atoms as atoms_of
from healing_runtime.stl.lattice import EXACT
from healing_runtime.stl.offline import _before

LENGTHS = (1, 2, 3, 5, 9, 14)
MORE = pytest.param(80, marks=[pytest.mark.slow, pytest.mark.timeout(3000)], id="sweep")
HERE = pytest.param(1, id="sample")


def first(disagreements):
    return list(itertools.islice(disagreements, 1))


@pytest.mark.parametrize("times", [HERE, MORE])
def test_every_sample_against_the_definition(brute, comparing, times):
    """Past, future and nested, at every sample, in the three ways to end, with NaN in a third of the traces."""
    formulas, pairs = brute.Formulas(seed=101 * times), 0
    for _ in range(8 * times):
        f = formulas.random.choice([formulas.anything, formulas.implied])()
        for length in (formulas.random.choice(LENGTHS[:4]), formulas.random.choice(LENGTHS[4:])):
            given = comparing.traces(formulas, 24, length, nans=0.3)
            end = formulas.random.choice(["truncate", "ended", "running"])
            assert first(comparing.offline_disagreements(brute, f, given, end)) == []
            pairs += len(given)
    assert pairs == 384 * times


@pytest.mark.parametrize("times", [HERE, MORE])
def test_every_prefix_against_the_definition(brute, comparing, times):
    """The monitor's verdict at every tick, and what it would be if the run ended there."""
    formulas, pairs = brute.Formulas(seed=202 * times), 0
    for _ in range(5 * times):
        f = formulas.random.choice([formulas.online, formulas.online, formulas.implied_online])()
        given = comparing.traces(formulas, 20, 14, nans=0.3)
        assert first(comparing.online_disagreements(brute, f, given)) == []
        pairs += len(given)
    assert pairs == 100 * times


@pytest.mark.parametrize("times", [HERE, MORE])
def test_online_is_offline_bit_for_bit_at_every_prefix(brute, comparing, times):
    """Atoms are the input: `x > 0` has the margin x, any float."""
    formulas = brute.Formulas(seed=303 * times)
    rng = np.random.default_rng(times)
    for _ in range(4 * times):
        f = at_zero(formulas.online())
        given = {name: rng.normal(size=(40, 14)).astype(np.float32) for name in "xy"}
        rows = [{name: given[name][row] for name in "xy"} for row in range(40)]
        now, ended, _ = comparing.online([comparing.resolved(brute, f)], rows)
        running = prefixes(comparing.resolved(brute, f), given)
        for ours, bound in zip((now.rho_lo, now.rho_hi), running, strict=True):
            np.testing.assert_array_equal(ours[:, :, 0], np.asarray(bound).T, err_msg=brute.text(f))
        for length in formulas.random.sample(range(1, 15), 3):
            whole = comparing.offline(brute, f, [{n: r[n][:length] for n in "xy"} for r in rows], "ended")
            for ours, theirs in zip(ended, whole, strict=True):
                if theirs is not whole[1]:
                    np.testing.assert_array_equal(ours[length - 1, :, 0], theirs[:, 0], err_msg=brute.text(f))


def at_zero(f):
    if f[0] == "pred":
        return (*f[:2], ">", 0.0)
    return tuple(at_zero(part) if isinstance(part, tuple) and part and isinstance(part[0], str) else part for part in f)


def prefixes(formula, given):
    """Bounds of the value at the first sample by the samples up to each one; arrays [rows, ticks].

    The offline references over all prefixes at once: of no part is anything known after the last sample of a prefix.
    """
    length = given["x"].shape[1]
    unseen = jnp.arange(length)[None, :] > jnp.arange(length)[:, None]

    def bounds(x, y, after):
        found = _before(formula, {atom: {"x": x, "y": y}[atom.left.signal] for atom in atoms_of(formula)}, after, EXACT)
        return found.lo[0], found.hi[0]

    each = jax.vmap(jax.vmap(bounds, (None, None, 0)), (0, 0, None))
    return each(jnp.asarray(given["x"]), jnp.asarray(given["y"]), unseen)


def with_peers(make, count, comparable):
    found = []
    while len(found) < count:
        f = make()
        if comparable(f) and f[0] != "pred":
            found.append(f)
    return found


def knows(f):
    """rtamt's own iff and xor are unsound, and nobody else has held_for."""
    return not re.search("held_for|iff|xor", repr(f))


def ours(comparing, brute, f, given):
    formula = stl.parse(brute.text(f))
    rho = jax.vmap(lambda data: stl.robustness(formula, data, 1.0))(comparing.arrays(given))
    return np.asarray(rho)


@pytest.mark.parametrize("times", [HERE, MORE])
def test_truncated_robustness_against_rtamt_offline(brute, comparing, rtamt_oracle, times):
    formulas = brute.Formulas(seed=404 * times)
    for f in with_peers(formulas.anything, 10 * times, knows):
        given = comparing.traces(formulas, 12, formulas.random.choice(LENGTHS[1:]))
        mine = ours(comparing, brute, f, given)
        for row, data in enumerate(given):
            theirs = quietly(rtamt_oracle.rtamt_offline, f, data)
            np.testing.assert_array_equal(mine[row], theirs, err_msg=brute.text(f))
            np.testing.assert_array_equal(mine[row], rtamt_oracle.brute(f, data), err_msg=brute.text(f))


@pytest.mark.parametrize("times", [HERE, MORE])
def test_past_formulas_against_rtamt_online(brute, comparing, rtamt_oracle, times):
    """Sound for formulas of the past without a repeated sub-formula that has a state."""

    def sound(f):
        states = [rtamt_oracle.to_rtamt(g) for g in rtamt_oracle.walk(f) if g[0] in rtamt_oracle.PAST]
        return len(set(states)) == len(states)

    formulas = brute.Formulas(seed=505 * times)

    def comparable(f):
        return knows(f) and sound(f)

    for f in with_peers(lambda: formulas.past(3), 6 * times, comparable):
        given = comparing.traces(formulas, 10, 14)
        # Under an outermost `always` the monitor keeps the least so far of what the formula is worth at every tick.
        now, _, _ = comparing.online([comparing.resolved(brute, ("always", None, f))], given)
        mine = ours(comparing, brute, f, given)
        for row, data in enumerate(given):
            theirs = quietly(rtamt_oracle.rtamt_online, f, data)
            np.testing.assert_array_equal(mine[row], theirs, err_msg=brute.text(f))
            np.testing.assert_array_equal(now.rho_hi[:, row, 0], np.minimum.accumulate(theirs), err_msg=brute.text(f))


@pytest.mark.parametrize("times", [HERE, MORE])
def test_past_formulas_against_reelay(brute, comparing, rtamt_oracle, times):
    """Sound for operators without bounds and for [0, b] with b at least 1."""

    def comparable(f):
        if re.search("held_for|iff|xor|prev|rise|fall", repr(f)):
            return False
        windowed = rtamt_oracle.UN | rtamt_oracle.BIN
        parts = rtamt_oracle.walk(f)
        return all(g[1] is None or g[1][0] == 0 < g[1][1] for g in parts if g[0] in windowed)

    formulas = brute.Formulas(seed=606 * times)
    for f in with_peers(lambda: formulas.past(3), 6 * times, comparable):
        given = comparing.traces(formulas, 20, 14)
        mine = ours(comparing, brute, f, given)
        for row, data in enumerate(given):
            np.testing.assert_array_equal(mine[row], rtamt_oracle.reelay_online(f, data), err_msg=brute.text(f))


def quietly(call, *arguments):
    level = logging.getLogger().level
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(*arguments)
    finally:
        logging.getLogger().setLevel(level)  # rtamt_oracle turns it down
