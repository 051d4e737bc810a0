from __future__ import annotations

import dataclasses

import gate_kit as kit
import pytest

from healing_runtime.gate import nominal
from healing_runtime.gate.policy import candidate_of
from healing_runtime.gate.report import FlightReport
from healing_runtime.gate.trials import resume_ticks


@pytest.mark.parametrize(
    ("trip", "ticks"),
    [
        (0, (0,)),
        (1, (0,)),
        (12, (0,)),
        (13, (12, 0)),
        (24, (12, 0)),
        (100, (96, 84, 60, 12, 0)),
        (240, (228, 216, 192, 144, 48, 0)),
    ],
)
def test_rewind_goes_back_by_doubling_and_last_to_the_start(trip, ticks):
    scenario = dataclasses.replace(kit.scenario(), control_hz=48)
    assert resume_ticks(scenario, trip) == ticks


def test_freeze_goes_on_from_the_trip():
    assert resume_ticks(kit.scenario(policy="freeze"), 37) == (37,)


def flown(tick=0, robustness=1.0, digest="sha256:1", fault=""):
    return FlightReport(not fault, fault, tick, 100, None, robustness, "floor", digest, counterexample={"tick": 3})


CANDIDATE = candidate_of(kit.proposal(kit.GOOD), kit.incident(), (), kit.source(kit.DROPS))


def test_where_it_takes_over_is_the_last_place_that_was_tried():
    tried = (flown(24, 0.0), flown(12))
    judged = nominal.judged(CANDIDATE, 0.1, tried, flown, flown)
    assert not judged.refused and (judged.resume_tick, judged.bracket) == (12, (12, 24))
    assert [f["from_tick"] for f in judged.stages[-1].facts["incident"]] == [24, 12]


def test_the_first_flight_that_does_not_do_refuses_with_its_counterexample_and_no_more_is_flown():
    def never():
        raise AssertionError("nobody waits for it")

    bad = flown(fault="floor violated at tick 3")
    for tried, whole, flight in (((bad,), never, "incident"), ((flown(),), lambda: bad, "scenario")):
        (refusal,) = nominal.judged(CANDIDATE, 0.1, tried, whole, never).stages
        assert refusal.facts["flight"] == flight and refusal.counterexample == {"tick": 3}


def test_a_flight_that_does_not_repeat_refuses_with_both_digests():
    (refusal,) = nominal.judged(CANDIDATE, 0.1, (flown(),), flown, lambda: flown(digest="sha256:2")).stages
    assert refusal.facts == {"flight": "repetition", "digests": ["sha256:1", "sha256:2"]}
