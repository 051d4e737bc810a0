"""What decided a verdict: held against the definition, and against what happens when the named sample is changed."""

from __future__ import annotations

import numpy as np
import pytest

from healing_runtime import stl
from healing_runtime.core.status import Status
from healing_runtime.stl import atoms as atom_values
from healing_runtime.stl.diagnosis import diagnose
from healing_runtime.stl.formula import Apply, Predicate, atoms
from healing_runtime.stl.offline import verdicts
from healing_runtime.stl.ticks import exact_period, in_ticks

LENGTH = 12
TINY = float(np.finfo(np.float32).tiny)


def resolved(text):
    return in_ticks(stl.parse(text), exact_period(1.0))


def keys_of(formula, data):
    import jax.numpy as jnp

    arrays = {name: jnp.asarray(values, jnp.float32) for name, values in data.items()}
    like = jnp.zeros(len(next(iter(arrays.values()))), jnp.float32)
    return {a: np.asarray(atom_values.key(a, lambda r: arrays[r.signal], like)) for a in atoms(formula)}


def rho(key):
    return 0.0 if abs(key) == TINY else float(key)


def test_the_named_value_is_the_robustness(brute):
    """For every kind of formula, every verdict and both ways in which a recording can end."""
    formulas, seen = brute.Formulas(seed=21), dict.fromkeys(("value", "begin", "end"), 0)
    for _ in range(600):
        f, data = formulas.anything(), formulas.trace(LENGTH)
        formula = resolved(brute.text(f))
        keys = keys_of(formula, data)
        for end in ("ended", "running"):
            for start in (0, LENGTH - 2):
                lo, hi = brute.bounds(f, data, start, end)
                status = Status.FALSE if hi < 0 else Status.TRUE if lo > 0 else Status.UNKNOWN
                found = diagnose(formula, keys, status, start=start, end=end)
                where = (brute.text(f), data, start, end, found)
                seen[found.why] += 1
                if status is not Status.UNKNOWN:
                    assert found.value == brute.rounded(hi if status is Status.FALSE else lo), where
                if found.why == "value" and status is not Status.UNKNOWN:
                    assert found.value == found.sign * rho(keys[found.part][found.tick]), where
                if found.why == "begin":
                    assert np.isinf(found.value), where
                # Nothing but samples that are not there leaves a verdict open, and only there is nothing named.
                assert (found.why == "end") == (status is Status.UNKNOWN), where
                if found.why == "end":
                    assert isinstance(found.part, Apply) and 0 <= found.tick < LENGTH, where
    assert min(seen.values()) > 40, seen


def distinct(formula, rng, length=LENGTH):
    """Keys no two of which are equal, not even but for their sign."""
    names = list(dict.fromkeys(atoms(formula)))
    values = rng.permutation(np.arange(1, 2 * len(names) * length, 2)) * rng.choice([-1, 1], len(names) * length)
    return dict(zip(names, values.reshape(len(names), length).astype(np.float32), strict=True))


def robustness(formula, keys, end="ended"):
    """The upper bound at the first sample, as `offline` computes it from atoms that are signals."""
    numbers = {a: i for i, a in enumerate(keys)}
    signals = {f"v{i}": keys[a] for a, i in numbers.items()}
    return float(verdicts(over_values(formula, numbers), signals, 1.0, end=end).rho_hi[0])


def over_values(part, numbers):
    from dataclasses import replace

    from healing_runtime.stl.formula import Number, Reference

    if isinstance(part, Apply):
        return replace(part, arguments=tuple(over_values(p, numbers) for p in part.arguments))
    return Predicate(">", Reference(f"v{numbers[part]}"), Number(0.0))


def test_the_robustness_moves_with_the_named_sample_and_with_no_other(brute):
    """Where no two values are equal, half a step of the named sample is half a step of the robustness."""
    formulas, rng, moved = brute.Formulas(seed=22), np.random.default_rng(22), 0
    for _ in range(250):
        formula = resolved(brute.text(formulas.anything()))
        keys = distinct(formula, rng)
        before = robustness(formula, keys)
        if not before < 0:
            continue
        found = diagnose(formula, keys, Status.FALSE)
        assert found.value == before
        if found.why != "value":
            continue
        for step in (-0.5, 0.5):
            changed = {a: key.copy() for a, key in keys.items()}
            changed[found.part][found.tick] += step
            assert robustness(formula, changed) == before + found.sign * step, (formula, keys, found)
        others = {a: key + np.float32(0.5) for a, key in keys.items()}
        others[found.part][found.tick] -= 0.5
        assert robustness(formula, others) == before, (formula, keys, found)
        moved += 1
    assert moved > 50


def test_mending_what_is_named_ends_the_violation(brute):
    """Set the named sample right, look again: each is a new one, and in the end nothing is violated."""
    formulas, rng, mended = brute.Formulas(seed=23), np.random.default_rng(23), 0
    while mended < 60:
        f = formulas.online()
        if any(word in brute.text(f) for word in ("iff", "xor", "rise", "fall")):
            continue  # there a sample speaks for both sides
        formula = resolved(brute.text(f))
        keys, named = distinct(formula, rng), set()
        if len({id(a) for a in atoms(formula)}) > len(keys):
            continue  # and so does an atom that occurs twice
        while robustness(formula, keys) < 0:
            found = diagnose(formula, keys, Status.FALSE)
            if found.why == "begin":
                break  # no sample is old enough: nothing to mend
            assert (found.part, found.tick) not in named, (brute.text(f), found)
            named.add((found.part, found.tick))
            keys[found.part][found.tick] = found.sign * np.inf
        else:
            mended += bool(named)


# ---------------------------------------------------------------- single stories
def story(text, status, end="ended", start=0, **signals):
    formula = resolved(text)
    found = diagnose(formula, keys_of(formula, signals), status, start=start, end=end)
    return (found.part.text, found.tick, found.sign, found.value, found.why) if found else None


def test_a_violated_promise_names_its_worst_sample():
    x = [0, 2, 5, 3, 0]
    assert story("always (x < 1)", Status.FALSE, x=x) == ("x < 1", 2, 1, -4.0, "value")
    assert story("always (x < 1)", Status.FALSE, end="running", x=x[:2]) == ("x < 1", 1, 1, -1.0, "value")


def test_equals_are_told_by_the_earliest_sample_and_the_leftmost_clause():
    assert story("always (x < 1)", Status.FALSE, x=[0, 3, 3])[:2] == ("x < 1", 1)
    assert story("always ((x < 1) and (y < 1))", Status.FALSE, x=[0, 3], y=[0, 3])[:2] == ("x < 1", 1)
    assert story("always ((x < 1) and (y < 1))", Status.FALSE, x=[0, 3], y=[3, 3])[:2] == ("y < 1", 0)
    assert story("(x < 3) until (y > 0)", Status.FALSE, x=[0, 0], y=[-1, -1])[:2] == ("y > 0", 0)


def test_an_implication_names_the_promise_and_not_its_trigger():
    text = "always (p implies eventually[0 ticks, 2 ticks] (x < 1))"
    assert story(text, Status.FALSE, p=[0, 1, 0, 0], x=[9, 7, 5, 6]) == ("x < 1", 2, 1, -4.0, "value")
    assert story("always (not (x > 3))", Status.FALSE, x=[0, 5]) == ("x > 3", 1, -1, -2.0, "value")


def test_both_sides_of_a_broken_implication_are_told():
    formula = resolved("always (((x < 1) and p) implies (y < 1))")
    found = diagnose(formula, keys_of(formula, {"x": [9, 0.5], "p": [1, 1], "y": [9, 4]}), Status.FALSE)
    assert (found.part.text, found.sign, found.value) == ("x < 1", -1, -0.5)
    (other,) = (d for d in found.beside if d.sign > 0)
    assert (other.part.text, other.tick, other.value) == ("y < 1", 1, -3.0)
    assert {d.part.text for d in found.beside} == {"p", "y < 1"}


def test_zero_is_decided_by_the_comparison():
    text = "always ((x <= 3) and (x < 3))"
    assert story(text, Status.FALSE, x=[3.0]) == ("x < 3", 0, 1, 0.0, "value")


def test_a_true_verdict_names_what_came_closest():
    assert story("always (x < 5)", Status.TRUE, x=[0, 4, 1]) == ("x < 5", 1, 1, 1.0, "value")
    assert story("eventually (x > 3)", Status.TRUE, x=[0, 4, 9]) == ("x > 3", 2, 1, 6.0, "value")


def test_an_open_verdict_names_the_window_that_reaches_past_the_end():
    text = "always (p implies eventually[0 ticks, 3 ticks] q)"
    assert story(text, Status.UNKNOWN, p=[0, 1, 0], q=[0, 0, 0])[:2] == ("eventually[0 ticks, 3 ticks] q", 1)
    assert story("always (x < 1)", Status.UNKNOWN, end="running", x=[0, 0])[:2] == ("always (x < 1)", 0)


def test_a_vacuous_verdict_names_what_came_closest_to_triggering():
    text = "always ((x > 3) implies (y < 1))"
    assert story(text, Status.VACUOUS, x=[0, 2, 1], y=[0, 0, 0]) == ("x > 3", 1, 1, -1.0, "value")
    chain = "always[1 ticks, 2 ticks] ((x > 3) implies ((y > 3) implies (x > 0)))"
    assert story(chain, Status.VACUOUS, x=[9, 4, 4], y=[9, 0, 2])[:2] == ("y > 3", 2)


def test_an_invalid_verdict_names_the_first_clause_without_a_value():
    nan = float("nan")
    assert story("always ((x < 1) and (y < 1))", Status.INVALID, x=[0, 0, nan], y=[0, nan, nan])[:2] == ("y < 1", 1)
    assert story("always ((x < 1) and (y < 1))", Status.INVALID, x=[0, nan], y=[0, nan])[:2] == ("x < 1", 1)
    assert story("always (x < 1)", Status.INVALID, x=[0, 0]) is None


def test_a_window_before_the_first_sample_is_named_as_such():
    assert story("held_for[3 ticks] (x < 1)", Status.FALSE, start=1, x=[0, 0, 0])[1:] == (1, 1, -np.inf, "begin")


def test_long_recordings_are_no_burden():
    """A hang is what this looks for: an unbounded until over very many samples."""
    n = 20_000
    x = np.zeros(n, np.float32)
    x[14_000] = 5.0
    found = story("(x < 1) until (y > 0)", Status.FALSE, x=x, y=np.where(np.arange(n) < n - 1, -9.0, 1.0))
    assert found == ("x < 1", 14_000, 1, -4.0, "value")


@pytest.mark.parametrize("window", ["", "[2 ticks, 4 ticks]"])
@pytest.mark.parametrize("operator", ["until", "since"])
def test_until_and_since_name_the_hold_that_broke(operator, window):
    text = f"(x < 1) {operator}{window} (y > 0)"
    past = operator == "since"
    y = [9, -9, -9, -9] if past else [-9, -9, -9, 9]
    found = story(text, Status.FALSE, start=3 if past else 0, x=[0, 3, 0, 0], y=y)
    assert found[:2] == ("x < 1", 1)
