"""The judgement on one flight: whatever is not decided, not there or not a number is no pass."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import gate_kit as kit
import numpy as np
import pytest

from healing_runtime.core.records import FinalVerdict, Trace
from healing_runtime.core.status import Severity, Status
from healing_runtime.gate.report import report
from healing_runtime.loop.rollout import Flight, inside_limits

INTERFACE: Any = SimpleNamespace(slices={"action": slice(0, 1), "state_floats": slice(1, None)})


def verdict(id="floor", status=Status.TRUE, rho=1.0, severity=Severity.CRITICAL, mission=False, broken=None):
    return FinalVerdict(id, status, rho, rho, severity, mission, 2, broken)


def flight(*verdicts, commands=(5.0, 5.0, 5.0, 5.0), true=0.0, first=0, trip=None, memory=()):
    packed = np.asarray(commands, np.float64)[:, None]
    rows = len(packed)
    kept = np.asarray(memory or [0.0] * rows, np.float64)[:, None]
    observed = np.stack([np.arange(rows) / 10, np.zeros(rows)], axis=1)
    trace = Trace("s", 50, first, observed, np.full((rows, 2), true), packed.copy(), np.hstack([packed, kept]))
    return Flight(
        trace=trace,
        verdicts=verdicts,
        trip_tick=trip,
        tripped=("floor",) if trip is not None else (),
        mission_satisfied=True,
        robustness=1.0,
        finite=bool(np.isfinite(packed).all() and np.isfinite(trace.true).all()),
        within_limits=bool(inside_limits(packed, kit.TABLE.action).all()),
    )


def judged(*verdicts, mission=None, **kwargs):
    return report(flight(*verdicts, **kwargs), INTERFACE, kit.TABLE, mission)


MISSION = verdict("holds", mission=True)


def test_a_flight_that_keeps_its_promises_is_kept():
    found = judged(verdict(rho=0.5), MISSION, mission="holds")
    assert (found.kept, found.robustness, found.weakest) == (True, 0.5, "floor")
    assert found.counterexample == found.log == {} and found.margins == {"floor": 0.5, "holds": 1.0}


def test_nan_in_the_memory_is_no_pass_though_no_command_shows_it():
    found = judged(verdict(), MISSION, mission="holds", first=10, memory=(0.0, 0.0, np.nan, 0.0))
    assert not found.kept and "NaN is kept in the memory" in found.fault and found.counterexample["tick"] == 12


@pytest.mark.parametrize(
    ("verdicts", "mission", "fault"),
    [
        ((), None, "nothing shows that it is right"),
        ((verdict(status=Status.UNKNOWN),), None, "nothing shows that it is right"),
        ((verdict(status=Status.VACUOUS),), None, "nothing shows that it is right"),
        ((verdict(severity=Severity.WARNING),), None, "nothing shows that it is right"),
        ((verdict("controller/clip"),), None, "nothing shows that it is right"),
        ((verdict(),), "holds", "mission holds was not judged"),
        ((verdict(), verdict("other", mission=True)), "holds", "mission holds was not judged"),
        ((verdict(), verdict("holds", Status.UNKNOWN, mission=True)), "holds", "mission holds ended unknown"),
        ((verdict(), verdict("holds", Status.VACUOUS, mission=True)), "holds", "mission holds ended vacuous"),
        ((verdict(), verdict("holds", Status.INVALID, mission=True)), "holds", "mission holds ended invalid"),
        ((verdict(rho=math.nan), MISSION), "holds", "floor: its robustness is -inf"),
        ((verdict(rho=-math.inf), MISSION), "holds", "floor: its robustness is -inf"),
        ((verdict(status=Status.INVALID, rho=math.nan), MISSION), "holds", "floor ended invalid"),
    ],
)
def test_what_is_not_decided_or_not_a_number_is_no_pass(verdicts, mission, fault):
    found = judged(*verdicts, mission=mission)
    assert not found.kept and fault in found.fault
    assert found.complaint(-math.inf) == found.fault, "not even with the lowest of thresholds"


@pytest.mark.parametrize(
    ("kwargs", "fault", "tick"),
    [
        ({"commands": (5, 5, math.nan, 5)}, "not finite", 12),
        ({"true": math.nan}, "not finite", 10),
        ({"commands": (5, 20.1, 5, 5)}, "outside its limits", 11),
        ({"commands": (5, 5, 5, -1)}, "outside its limits", 13),
        ({"commands": (0, 0, 19, 0), "hz": 100}, "faster than its rate", 12),
        ({"trip": 13}, "floor violated at tick 13", 13),
    ],
)
def test_the_first_bad_tick_is_named_with_its_values(kwargs, fault, tick, monkeypatch):
    hz = kwargs.pop("hz", 50)
    flown = flight(verdict(), MISSION, first=10, **kwargs)
    found = report(flown._replace(trace=at(flown.trace, hz)), INTERFACE, kit.TABLE, "holds")
    assert not found.kept and fault in found.fault
    assert found.counterexample["tick"] == tick
    assert found.counterexample["values"]["altitude_m"] == pytest.approx((tick - 10) / 10)


def at(trace, hz):
    return Trace(
        trace.scenario, hz, *(getattr(trace, n) for n in ("first_tick", "observed", "true", "action", "packed"))
    )


def test_a_command_that_keeps_its_rate_in_float32_is_within_it():
    """At 19 N a float32 is exact to 1e-6 N; a controller that limits its own rate must not fail by a rounding."""
    rate, hz = np.float32(0.01), 100_000
    commands = [np.float32(19.0)]
    while len(commands) < 50:
        commands.append(commands[-1] + rate)
    kept = flight(verdict(), MISSION, commands=commands)
    assert report(kept._replace(trace=at(kept.trace, hz)), INTERFACE, kit.TABLE, "holds").kept
    faster = flight(verdict(), MISSION, commands=(19.0, 19.0 + 1.01 * rate))
    assert not report(faster._replace(trace=at(faster.trace, hz)), INTERFACE, kit.TABLE, "holds").kept
