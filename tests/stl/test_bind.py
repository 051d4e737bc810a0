"""Assertion files against a robot's table, and the monitor over its flat vectors."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from healing_runtime import stl
from healing_runtime.core.errors import AssertionSyntaxError, FileFormatError, Location, UnitError
from healing_runtime.core.records import AssertionFile, AssertionText
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.core.status import Severity, Status

HEIGHT, VELOCITY = Signal("altitude", "m", scale=2.0), Signal("velocity", "m/s", (3,), ("x", "y", "z"), scale=4.0)
TABLE = SignalTable(
    Layout((HEIGHT, VELOCITY)),
    Layout((Signal("thrust", "N"),)),
    Layout((VELOCITY, HEIGHT, Signal("landed"), Signal("altitude_age", "s"))),
)


def file(*formulas, mission=(), name="safe", **extra):
    texts = [
        AssertionText(f"{name}{i}", formula, Location(f"{name}.yaml", i + 3, 14), **extra)
        for i, formula in enumerate(formulas)
    ]
    texts += [
        AssertionText(f"m{i}", formula, Location(f"{name}.yaml", i + 40, 14), mission=True)
        for i, formula in enumerate(mission)
    ]
    return AssertionFile(name, f"{name}.yaml", "", "box", tuple(texts), {"high": "5 m"}, {"low": "altitude < 1 m"}, {})


def fly(bound, rows):
    """Verdict words (now, ended) of every requirement at every tick; rows are (altitude, vz, landed, sensed, age)."""
    monitor = stl.online_all(bound, TABLE, 10)
    update, state, words = jax.jit(monitor.update), monitor.init(), []
    for altitude, vz, landed, sensed, age in rows:
        true = TABLE.true.pack({"velocity": [0, 0, vz], "altitude": altitude, "landed": landed, "altitude_age": age})
        observed = TABLE.observed.pack({"velocity": [0, 0, vz], "altitude": sensed})
        state, out = update(state, true.astype(np.float32), observed.astype(np.float32))
        words.append([[Status(int(s)).word for s in side.status] for side in (out.now, out.ended)])
    return words


def test_a_flight():
    bound = stl.bind(
        [
            file(
                "altitude < high",
                "always (low implies abs(velocity.z) < 1 m/s)",
                mission=["eventually[0 s, 1 s] landed"],
            )
        ],
        TABLE,
        10,
    )
    assert [r.id for r in bound] == ["safe0", "safe1", "m0"]
    assert [r.mission for r in bound] == [False, False, True]
    words = fly(bound, [(2, -3, 0, 2, 0), (0.5, -0.5, 0, 0.5, 0), (0, -2, 1, 0, 0), (9, 0, 1, 9, 0)])
    assert words[0] == [["unknown"] * 3, ["true", "vacuous", "unknown"]]
    assert words[1] == [["unknown"] * 3, ["true", "true", "unknown"]]
    assert words[2] == [["unknown", "false", "true"], ["true", "false", "true"]]
    assert words[3] == [["false", "false", "true"], ["false", "false", "true"]]


def test_a_stale_sensor_is_invalid_and_only_where_it_is_read():
    bound = stl.bind([file("observed(altitude) < high", "altitude < high")], TABLE, 10)
    words = fly(bound, [(1, 0, 0, 1, 0), (1, 0, 0, 1, 0.2), (1, 0, 0, 1, 0.3), (1, 0, 0, 1, 0)])
    assert [now for now, _ in words] == [["unknown"] * 2, ["unknown"] * 2, *[["invalid", "unknown"]] * 2]
    words = fly(bound, [(1, 0, 0, 1, 0), (1, 0, 0, 1, float("nan"))])
    assert [now for now, _ in words] == [["unknown"] * 2, ["invalid", "unknown"]]


def test_true_and_observed_are_kept_apart():
    bound = stl.bind([file("observed(altitude) < high", "observed(velocity.z) < 1 m/s", "altitude < high")], TABLE, 10)
    words = fly(bound, [(1, 0, 0, 9, 0)])
    assert words[0][0] == ["false", "unknown", "unknown"]


def test_alone_and_in_a_batch_the_verdicts_are_the_same():
    formulas = [
        "always ((once[0 s, 3 s] low) implies abs(velocity.z) < 1 m/s)",
        "always (rise(landed) implies eventually[0.2 s, 2 s] (low))",
        "always (held_for[2 s](low) implies always[0 s, 1 s] (velocity.z < 1 m/s))",
    ]
    bound = stl.bind([file(*formulas)], TABLE, 10)
    rng = np.random.default_rng(5)
    true = rng.normal(size=(80, TABLE.true.size)).astype(np.float32)
    true[:, -1] = 0
    observed = np.zeros((80, TABLE.observed.size), np.float32)
    outs = []
    for alone in (True, False):
        monitor = stl.online_all(bound, TABLE, 10, alone=alone)

        def step(state, row, monitor=monitor):
            return monitor.update(state, *row)

        outs.append(
            jax.jit(lambda step=step, monitor=monitor: jax.lax.scan(step, monitor.init(), (true, observed))[1])()
        )
    for one, other in zip(*map(jax.tree.leaves, outs), strict=True):
        np.testing.assert_array_equal(one, other)


def test_scale_is_the_promise_s_own():
    bound = stl.bind([file("always (low implies abs(velocity.z) < 1 m/s)", "altitude < high")], TABLE, 10)
    assert [r.scale for r in bound] == [4.0, 2.0]
    own = stl.bind([file("always (low implies abs(velocity.z) < 1 m/s)", scale={"m/s": 0.5})], TABLE, 10)
    assert own[0].scale == 0.5
    assert own[0].severity is Severity.CRITICAL


def test_mistakes_are_found_where_they_are():
    with pytest.raises(FileFormatError, match="rename one"):
        stl.bind([file("low"), file("low")], TABLE, 10)
    with pytest.raises(UnitError) as caught:
        stl.bind([file("low", "always (altitude < 5 s)")], TABLE, 10)
    assert str(caught.value.where) == "safe.yaml:4:33"
    with pytest.raises(AssertionSyntaxError, match="known only after the run"):
        stl.bind([file("always (low implies eventually landed)")], TABLE, 10)
    with pytest.raises(AssertionSyntaxError, match="looks back"):
        stl.bind([file("once (always[0 s, 1 s] low)")], TABLE, 10)
    with pytest.raises(AssertionSyntaxError, match="write 'eventually"):
        stl.bind([file(mission=["landed"])], TABLE, 10)


def test_a_negative_tolerance_is_refused():
    with pytest.raises(AssertionSyntaxError, match="'-1 m' is negative"):
        stl.bind([file("altitude == 3 m", tolerance="-1 m")], TABLE, 10)
    (bound,) = stl.bind([file("altitude == 3 m", tolerance="0 m")], TABLE, 10)
    assert bound.formula.arguments[0].tolerance == 0


def test_no_requirements_is_an_empty_monitor():
    assert fly((), [(1, 0, 0, 1, 0)]) == [[[], []]]


def test_a_restarted_promise_is_judged_afresh_and_nothing_else_is():
    """After a violation in tick 1: its own leaves go back, another's verdict and the mission's deadline stay."""
    formulas = (
        "always (altitude > 0 m)",
        "always (velocity.z < 5 m/s)",
        "(always (altitude > 0 m)) or (eventually landed)",
    )
    bound = stl.bind([file(*formulas, mission=["eventually[0 s, 0.3 s] landed"])], TABLE, 10)
    monitor = stl.online_all(bound, TABLE, 10)
    update, initial = jax.jit(monitor.update), monitor.init()
    assert all(jax.tree.structure(marks) == jax.tree.structure(initial) for marks in monitor.restarts)
    assert all(type(mark) is bool for mark in jax.tree.leaves(monitor.restarts))
    state, words, worst = initial, [], []
    for tick, altitude in enumerate([1, -1, 2, 3, -1]):
        vector = TABLE.true.pack({"velocity": [0, 0, 9], "altitude": altitude, "landed": 0, "altitude_age": 0})
        state, out = update(state, vector.astype(np.float32), np.zeros(4, np.float32))
        words.append([Status(int(s)).word for s in out.now.status])
        worst.append([float(out.ended.rho[i]) for i in (0, 2)])
        if tick == 1:
            marks = monitor.restarts[0]
            state = jax.tree.map(lambda mark, first, now: first if mark else now, marks, initial, state)
    promise, latched, shared, mission = zip(*words, strict=True)
    assert promise == ("unknown", "false", "unknown", "unknown", "false")
    assert latched == ("false",) * 5
    assert shared == ("unknown",) * 5
    assert mission == ("unknown", "unknown", "unknown", "false", "false")
    assert worst == [[1, 1], [-1, -1], [2, -1], [2, -1], [-1, -1]]


def test_what_judges_is_every_assertion_and_the_one_mission_that_is_named():
    bound = stl.bind([file("low", "not low", mission=["eventually low", "eventually (not low)"])], TABLE, 10)
    assert [r.id for r in stl.judging(bound, "m1")] == ["safe0", "safe1", "m1"]
    assert [r.id for r in stl.judging(bound, None)] == ["safe0", "safe1"]
    assert stl.judging((), "m1") == ()
