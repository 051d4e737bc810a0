"""What the flights that may be told have to show, by `full` and `remembered` alike: incident, scenario, repetition."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from healing_runtime.core.status import Stage
from healing_runtime.gate.records import Candidate
from healing_runtime.gate.report import FlightReport


def judged(
    candidate: Candidate,
    min_robustness: float,
    tried: Sequence[FlightReport],
    whole: Callable[[], FlightReport],
    repeated: Callable[[], FlightReport],
) -> Candidate:
    """The candidate after these flights: refused by the first that does not do, or passed with where it takes over.

    Args:
        candidate: as it came to the flights.
        min_robustness: what the scenario asks of each.
        tried: from the places of resumption in the order in which they were tried; the last one counts.
        whole: gives the whole scenario's flight, and is called when the incident is mended.
        repeated: gives the same flight again, and is called when that one does.
    """
    ticks = [report.first_tick for report in tried]
    if complaint := tried[-1].complaint(min_robustness):
        reason = f"from the incident (resumed at tick {', '.join(map(str, ticks))}): {complaint}"
        return refused(candidate, reason, "incident", tried[-1])
    first = whole()
    if complaint := first.complaint(min_robustness):
        return refused(candidate, f"the scenario from its start: {complaint}", "scenario", first)
    digests = [first.digest, repeated().digest]
    if digests[0] != digests[1]:
        facts = {"flight": "repetition", "digests": digests}
        return candidate.stopped(Stage.FLIGHTS, "the same flight twice gave different results.", facts=facts)
    facts = {"incident": [brief(report) for report in tried], "scenario": brief(first), "repeated": True}
    bracket = (ticks[-1], ticks[-2] if len(ticks) > 1 else None)
    return dataclasses.replace(candidate.passed(Stage.FLIGHTS, facts), resume_tick=ticks[-1], bracket=bracket)


def refused(candidate: Candidate, reason: str, flight: str, report: FlightReport) -> Candidate:
    """Refused with a flight that may be told, and where it first went wrong."""
    facts = {"flight": flight, "report": report, "counterexample": report.counterexample}
    return candidate.stopped(Stage.FLIGHTS, f"{reason}.", facts=facts)


def with_facts(candidate: Candidate, **more: object) -> Candidate:
    """A candidate that passed the flights, with more in what they found."""
    *before, flights = candidate.stages
    passed = dataclasses.replace(candidate, stages=tuple(before))
    return passed.passed(Stage.FLIGHTS, {**flights.facts, **more})


def brief(report: FlightReport) -> dict[str, object]:
    """What evidence holds of a flight."""
    return {
        "from_tick": report.first_tick,
        "last_tick": report.last_tick,
        "kept": report.kept,
        "fault": report.fault,
        "robustness": report.robustness,
        "weakest": report.weakest,
        "margins": report.margins,
        "action_step": report.action_step,
        "digest": report.digest,
    }
