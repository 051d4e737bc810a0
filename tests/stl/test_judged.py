"""A recording, judged: as the monitors of a run say, as the definition says where no monitor can."""

from __future__ import annotations

from fractions import Fraction

import jax
import numpy as np

from healing_runtime import stl
from healing_runtime.core.errors import Location
from healing_runtime.core.status import Severity, Status
from healing_runtime.stl import Requirement
from healing_runtime.stl.formula import Predicate, atoms
from healing_runtime.stl.judged import _is_online, judge
from healing_runtime.stl.text import Text
from healing_runtime.stl.ticks import in_ticks

LENGTH = 14


def requirement(text, name="r", hz=1):
    formula = in_ticks(stl.parse(text), Fraction(1, hz))
    where = Location("file.yaml", 1, 1)
    return Requirement(name, formula, Severity.CRITICAL, False, text, 1.0, "file", where, Text(text, where))


def one(text, dtype=np.float32, known=None, **signals):
    (found,) = judge([requirement(text)], {k: np.asarray(v, np.float64) for k, v in signals.items()}, dtype, known)
    return found


def expected(brute, f, data, end):
    lo, hi = brute.bounds(f, data, 0, end)
    return Status.FALSE if hi < 0 else Status.TRUE if lo > 0 else Status.UNKNOWN


def first_violation(brute, f, data):
    """The first prefix that no continuation can mend, by the bounds; else the last sample if the end is false."""
    for t in range(LENGTH):
        if expected(brute, f, {name: values[: t + 1] for name, values in data.items()}, "running") is Status.FALSE:
            return t
    return LENGTH - 1 if expected(brute, f, data, "ended") is Status.FALSE else None


def test_verdict_violation_and_reason_are_those_of_the_definition(brute):
    formulas, violated = brute.Formulas(seed=31), 0
    tuples = [formulas.online() for _ in range(24)]
    data = formulas.trace(LENGTH)
    requirements = [requirement(brute.text(f), f"r{i}") for i, f in enumerate(tuples)]
    signals = {name: np.array(values) for name, values in data.items()}
    for f, found in zip(tuples, judge(requirements, signals, np.float32), strict=True):
        status, where = expected(brute, f, data, "ended"), brute.text(f)
        assert found.status in ((status, Status.VACUOUS) if status is Status.TRUE else (status,)), where
        assert found.violated_at == first_violation(brute, f, data), where
        if status is Status.FALSE:
            violated += 1
            assert found.decided_by.value == brute.rounded(brute.bounds(f, data, 0, "ended")[1]), where
            assert found.violated_by.value < 0 or found.violated_by.value == 0.0, where
            assert found.violated_by.tick <= found.violated_at, where
    assert violated > 8


def test_what_no_monitor_can_judge_is_violated_when_nothing_to_come_can_mend_it(brute):
    formulas, early = brute.Formulas(seed=32), 0
    while early < 3:
        f, data = formulas.anything(2), formulas.trace(LENGTH)
        if _is_online(requirement(brute.text(f)).formula):
            continue
        found = one(brute.text(f), **data)
        where = (brute.text(f), data, found)
        assert found.status is expected(brute, f, data, "ended"), where
        latest = first_violation(brute, f, data)
        if found.status is not Status.FALSE:
            assert found.violated_at is None, where
            continue
        assert found.violated_at <= latest, where
        early += found.violated_at < LENGTH - 1
        if found.violated_at < LENGTH - 1:
            for _ in range(20):
                seen, other = found.violated_at + 1, formulas.trace(LENGTH)
                mixed = {name: values[:seen] + other[name][seen:] for name, values in data.items()}
                assert expected(brute, f, mixed, "ended") is Status.FALSE, where


def test_a_batch_is_judged_as_each_alone():
    texts = ["always (x < 3)", "eventually[0 ticks, 2 ticks] (x > 9)", "always (eventually (x < 1))", "always true"]
    x = np.arange(6.0)
    together = judge([requirement(t, t) for t in texts], {"x": x}, np.float32)
    alone = [one(text, x=x) for text in texts]
    assert [j.status for j in together] == [j.status for j in alone]
    assert [j.violated_at for j in together] == [j.violated_at for j in alone] == [3, 2, 5, None]


def test_nan_is_invalid_when_it_comes_and_nothing_once_decided():
    nan = np.nan
    found = one("always (x < 3)", x=[0, nan, 5])
    assert (found.status, found.violated_at, found.violated_by.why) == (Status.INVALID, 1, "nan")
    found = one("always (x < 3)", x=[0, 5, nan, 4])
    assert (found.status, found.violated_at, found.decided_by.tick) == (Status.FALSE, 1, 1)
    found = one("eventually (x > 3)", x=[0, 5, nan])
    assert (found.status, found.violated_at, found.decided_by.tick) == (Status.TRUE, None, 1)


def test_one_sample_is_judged_or_unknown():
    assert one("always (x < 3)", x=[1]).status is Status.TRUE
    found = one("eventually[0 ticks, 2 ticks] (x > 3)", x=[1])
    assert (found.status, found.decided_by.why, found.violated_at) == (Status.UNKNOWN, "end", None)


def test_values_that_a_run_logged_are_taken_as_they_are():
    formula = requirement("always ((x < 3) and (x <= 3))").formula
    strict, weak = (a for a in atoms(formula) if isinstance(a, Predicate))
    text = "always ((x < 3) and (x <= 3))"
    known = {strict: np.array([1.0, 0.25]), weak: np.array([1.0, 2.0])}
    assert one(text, known=known, x=[9, 9]).robustness == 0.25
    # Robustness zero does not say whether the comparison holds: its sign does.
    found = one(text, known={strict: np.array([1.0, 0.0]), weak: np.array([1.0, 0.0])}, x=[9, 9])
    assert (found.status, found.decided_by.part) == (Status.FALSE, strict)
    assert one("always (x <= 3)", known={weak: np.array([0.0])}, x=[9]).status is Status.TRUE
    assert one(text, known={strict: np.array([1.0, np.nan]), weak: np.ones(2)}, x=[0, 0]).status is Status.INVALID


def test_a_file_is_judged_in_the_digits_it_was_written_in():
    barely = [0.5 - 1e-12]
    assert one("always (x < 0.5)", x=barely).status is Status.FALSE
    with jax.enable_x64(True):
        assert one("always (x < 0.5)", np.float64, x=barely).status is Status.TRUE


def test_nothing_to_judge_is_no_verdict():
    assert judge([], {"x": np.zeros(3)}, np.float32) == ()
