"""What a flight stopped for: the incident in the tick where it stands, and the signals that had no value there."""

from __future__ import annotations

from healing_runtime.core.records import Incident
from healing_runtime.core.status import Severity, Status
from healing_runtime.stl.bind import Requirement
from healing_runtime.supervisor.deck import Deck
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.supervisor.telling import lost_signals


def incident_at(deck: Deck, assertion: str, number: int, words: tuple[str, str]) -> Incident:
    """The n-th incident of a run, frozen where the deck stands; `words` are its clause and the English reading."""
    row = deck.recorder.packed[deck.tick]
    interface = deck.slot.live.interface
    ended = deck.tick == deck.scenario.duration_ticks
    now = interface.verdicts(row)[assertion]
    verdict = interface.verdicts(row, ended=True)[assertion] if ended and not now.status.violated else now
    clause, english = words
    return Incident(
        id=f"{number:04d}-{assertion.replace('/', '-')}",
        assertion=assertion,
        clause=clause,
        english=english,
        severity=next((r.severity for r in interface.judged if r.id == assertion), Severity.CRITICAL),
        status=verdict.status,
        tick=deck.tick,
        robustness=verdict.rho if verdict.status is Status.INVALID else verdict.rho_hi,
        snapshot=deck.freeze(),
    )


def is_mission(deck: Deck, assertion: str) -> bool:
    """Whether the live program judges it as the mission."""
    return any(r.mission and r.id == assertion for r in deck.slot.live.interface.requirements)


def requirement_of(prepared: Prepared, assertion: str) -> Requirement | None:
    """The assertion as bound from the files; None for what the controller's own code asks."""
    return next((r for r in prepared.requirements if r.id == assertion), None)


def lost_at(deck: Deck, prepared: Prepared, incident: Incident) -> dict[str, str]:
    """Signals without a value at an incident."""
    recorder, tick = deck.recorder, incident.tick
    action = recorder.packed[tick][deck.slot.live.interface.slices["action"]]
    rows = (recorder.true[tick], recorder.observed[tick], action)
    requirement, hz = requirement_of(prepared, incident.assertion), prepared.scenario.control_hz
    return lost_signals(incident, requirement, prepared.table, rows, hz)
