"""Answers of flight workers that are not what was asked for, and errors of a kind that nobody expects: refusals all."""

from __future__ import annotations

import copy
import dataclasses
from concurrent.futures import Future

import gate_kit as kit
import pytest

from healing_runtime.core import codec
from healing_runtime.core.errors import InputError, UnitError, WorkerFailed
from healing_runtime.gate import neighbourhood
from healing_runtime.gate.build import exporter, tracer
from healing_runtime.gate.flights import FlightReport, Leg, reports_of
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate
from healing_runtime.gate.records import Candidate, Resume, Traced
from healing_runtime.gate.trials import Trials
from healing_runtime.sandbox.messages import Message

KEPT = FlightReport(True, "", 0, 100, None, 1.0, "above-floor", "sha256:0")
FAILED = dataclasses.replace(KEPT, kept=False, fault="it fell")
LEGS = [Leg(kit.scenario())]


def answer(*reports):
    return Message({"reports": codec.plain(list(reports))})


@pytest.mark.parametrize(
    "message",
    [
        Message(),
        Message({"reports": None}),
        answer(),
        answer(KEPT, KEPT),
        answer({"kept": True}),
        answer(dataclasses.replace(KEPT, first_tick=7)),
        answer(dataclasses.replace(KEPT, fault="it fell")),
        answer(dataclasses.replace(FAILED, fault="")),
        answer({**codec.plain(KEPT), "robustness": "much"}),
    ],
)
def test_reports_that_are_not_those_of_the_flights_are_the_workers_failure(message):
    with pytest.raises(WorkerFailed, match="answered outside the schema"):
        reports_of(message, LEGS)
    assert reports_of(answer(KEPT), LEGS) == (KEPT,)


def test_nan_is_no_robustness():
    assert dataclasses.replace(KEPT, robustness=float("nan")).complaint(0.0)
    with pytest.raises(WorkerFailed, match="answered outside the schema"):
        reports_of(answer(dataclasses.replace(KEPT, robustness=float("nan"))), LEGS)


class Answering:
    """A sandbox in which every job ends in the same way."""

    workers = 2

    def __init__(self, end):
        self.end = end

    def submit(self, job):
        future = Future()
        try:
            future.set_result(self.run(job))
        except Exception as error:
            future.set_exception(error)
        return future

    def run(self, job):
        if isinstance(self.end, Exception):
            raise self.end
        return copy.deepcopy(self.end)


class Built:
    sha256 = "sha256:1"


@pytest.fixture
def flown(monkeypatch):
    """The flights stage on a program that nobody needs to load, with whatever its workers answer."""

    def flown(end):
        monkeypatch.setattr("healing_runtime.gate.flights.wire.blob_message", lambda program: ({}, ()))
        context = kit.context(samples=0)
        proposal, source = kit.proposal(kit.GOOD), kit.source(kit.GOOD)
        candidate = Candidate(proposal, source, context.original, kit.incident(), (Resume(0),), program=Built())
        return Trials(Answering(end), context, KeptPrograms.none())(candidate).stages[-1]

    return flown


def test_the_flights_stage_takes_honest_reports_alone(flown):
    assert flown(answer(KEPT)).accepted
    for end in (answer(), answer(KEPT, KEPT), Message({"reports": [1]}), Message()):
        found = flown(end)
        assert not found.accepted and "answered outside the schema" in found.reason


@pytest.mark.parametrize("error", [InputError("no"), UnitError("no"), WorkerFailed("killed by signal 40")])
def test_an_error_of_any_kind_is_a_refusal_of_the_stage(flown, error):
    found = flown(error)
    assert not found.accepted and found.stage == "flights"
    source, course = kit.source(kit.GOOD), kit.course()
    candidate = Candidate(kit.proposal(kit.GOOD), source, source, kit.incident(), ())
    found = tracer(Answering(error), source, course, kit.TABLE)(candidate).stages[-1]
    assert not found.accepted and found.stage == "trace"


def test_an_error_of_any_kind_is_a_refusal_of_a_build(sandbox):
    source, course = kit.source(kit.GOOD), kit.course()
    candidate = Candidate(kit.proposal(kit.GOOD), source, source, kit.incident(), ())
    traced = tracer(sandbox, source, course, kit.TABLE)(candidate)
    for error in (UnitError("no"), WorkerFailed("killed by signal 40")):
        found = exporter(Answering(error), course, kit.TABLE, KeptPrograms.none())(traced).stages[-1]
        assert not found.accepted and found.stage == "export"
    nothing = dataclasses.replace(traced, traced=Traced((), None, "a\nb\x1b[2J" + "c" * 9000))
    reason = exporter(sandbox, course, kit.TABLE, KeptPrograms.none())(nothing).stages[-1].reason
    assert reason.startswith("a b?[2Jc") and len(reason) <= 4000


def test_more_reports_than_flights_pass_no_examination(monkeypatch):
    """A worker gets so many neighbours; one that reports a thousand kept flights has not flown them."""
    monkeypatch.setattr("healing_runtime.gate.flights.wire.blob_message", lambda program: ({}, ()))
    acceptance = kit.scenario().acceptance
    drawn = neighbourhood.neighbours(kit.scenario(), neighbourhood.generator(1, "i", "c", 1))
    with pytest.raises(WorkerFailed, match=f"1000 reports of {neighbourhood.CHUNK} flights"):
        neighbourhood.examine(Answering(answer(*[KEPT] * 1000)), Built(), drawn, acceptance, 1, "")


def test_a_regression_with_a_strange_answer_does_not_qualify(sandbox, monkeypatch):
    monkeypatch.setattr("healing_runtime.gate.policy.Garage.program", lambda self, course: Built())
    monkeypatch.setattr("healing_runtime.gate.flights.wire.blob_message", lambda program: ({}, ()))
    for end in (answer(KEPT, KEPT), UnitError("no")):
        assert Gate(Answering(end), kit.context(), KeptPrograms.none()).qualify([kit.course()]) == ()
    assert Gate(Answering(answer(KEPT)), kit.context(), KeptPrograms.none()).qualify([kit.course()])
