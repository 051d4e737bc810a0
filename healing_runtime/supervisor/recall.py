"""A run begun at one of its incidents: what came before is taken over from the record, not asked and judged again.

The plant follows the recorded actions, in float64, to the incident's snapshot; patches that earlier incidents ended
with are built and swapped in where they were, without the gate. At the incident the state, tick and memory must be the
snapshot's, bit for bit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core.codec import digest, plain, read
from healing_runtime.core.errors import InputError, RecordError
from healing_runtime.core.records import Decision, Evidence, Incident, Proposal, Source, StageResult
from healing_runtime.core.status import AFTER_THE_GATE, Stage
from healing_runtime.supervisor.comparing import content_of, same
from healing_runtime.supervisor.record import Record, RecordedBrain, cause

Build = Callable[[Source, bool], ProgramBlob]
"""The program of a controller; True says that it is a patch, with which the asserts of its original fly."""


class SnapshotDiffers(Exception):
    """The flight to an incident did not come out at its snapshot."""


@dataclasses.dataclass(frozen=True)
class Recalled:
    """One incident of the record: its snapshot, and for each attempt what the gate said and where it was swapped in."""

    id: str
    tick: int
    actions: np.ndarray
    snapshot: Mapping[str, Any]
    decisions: tuple[Decision, ...]


class TakenOver(Protocol):
    """What a run takes over from a record: by `Recall`, or by `resumption.Resumption`."""

    def actions(self, incidents: int) -> np.ndarray | None:
        """The recorded actions to follow after so many incidents; None where the controller flies."""
        ...

    def meet(self, incident: Incident) -> None:
        """An incident happened. Raises where the record has another one at this place."""
        ...

    def takes_over_at(self, incident: str) -> bool:
        """Whether the robot is handed to another controller at an incident."""
        ...

    def judge_for(
        self, incident: Incident, build: Build, flying: Source
    ) -> Callable[[Proposal], Decision | None] | None:
        """What the gate said of the proposals; None where the gate has to say it."""
        ...

    def program(self, decision: Decision) -> ProgramBlob | None:
        """The executable of an accepted proposal that was taken over; None for the gate's own."""
        ...

    def evidence(self, decision: Decision) -> Evidence | None:
        """The evidence of an accepted proposal that was taken over; None where it is to be written."""
        ...

    def examined(self) -> Mapping[str, int]:
        """Examinations on held-out neighbours that incidents have spent in what was taken over."""
        ...


class Recall:
    """What is taken over up to an incident. One object a run.

    Attributes:
        incident: the id of the incident at which the run begins.
        other: a controller to hand the robot to there, in place of the recorded proposals.
        reached: whether the flight came to that incident.
    """

    def __init__(self, incidents: tuple[Recalled, ...], other: Source | None = None, *, trusted: bool = True) -> None:
        self.incident, self.tick, self.other = incidents[-1].id, incidents[-1].tick, other
        self.reached = False
        self._trusted = trusted
        self._incidents = {recalled.id: recalled for recalled in incidents}
        self._order = incidents
        self._programs: dict[str, ProgramBlob] = {}
        self._waiting: dict[str, Iterator[Decision]] = {}

    @classmethod
    def of(cls, record: Record, incident: str, width: int, other: Source | None = None) -> Recall:
        """The incidents of a record up to `incident`; an action of the robot has `width` entries.

        Raises:
            InputError: the run has no such incident.
            RecordError: one of them is damaged.
        """
        ids = record.folder.incident_ids()
        if incident not in ids:
            there = f"it has {', '.join(ids)}" if ids else "it has none"
            raise InputError(f"the run {record.manifest['run_id']} has no incident '{incident}'; {there}.")
        swaps = _swaps(record)
        return cls(tuple(recalled(record, i, swaps, width) for i in ids[: ids.index(incident) + 1]), other)

    def by_recipe(self) -> Recall:
        """The same beginning, reached by flying and judging everything again."""
        return Recall(self._order, self.other, trusted=False)

    def actions(self, incidents: int) -> np.ndarray | None:
        """The recorded actions to follow after so many incidents; None from the last one on."""
        return self._order[incidents].actions if self._trusted and incidents < len(self._order) else None

    def meet(self, incident: Incident) -> None:
        """An incident happened; where it is one of the record's, it is that one. SnapshotDiffers if it is another."""
        if self.reached or not self._trusted:
            self.reached = self.reached or incident.id == self.incident
            return
        then = self._incidents.get(incident.id)
        if then is None or then.tick != incident.tick:
            raise SnapshotDiffers(f"another incident came first: {incident.id} at tick {incident.tick}")
        must_agree(incident, then)
        self.reached = incident.id == self.incident

    def takes_over_at(self, incident: str) -> bool:
        """Whether the robot is handed to another controller at an incident."""
        return self.other is not None and incident == self.incident

    def judge_for(self, incident: Incident, build: Build, flying: Source) -> Callable[[Proposal], Decision] | None:
        """What the gate said of each recorded proposal; None where the gate has to say it."""
        other = self.other if incident.id == self.incident else None
        if other is not None:
            decisions = iter((_taken(incident.tick),))
        elif self._trusted and not self.reached:
            decisions = self._waiting.setdefault(incident.id, iter(self._incidents[incident.id].decisions))
        else:
            return None

        def judge(proposal: Proposal) -> Decision:
            decision = _next(decisions, incident.id)
            if not decision.accepted:
                return decision
            text = proposal.source
            source = other or dataclasses.replace(flying, text=text, sha256=digest(text))
            program = build(source, other is None)
            self._programs[program.sha256] = program
            return dataclasses.replace(decision, program_sha256=program.sha256)

        return judge

    def program(self, decision: Decision) -> ProgramBlob | None:
        """The executable of an accepted proposal that was taken over; None for the gate's own."""
        return self._programs.get(decision.program_sha256 or "")

    def evidence(self, decision: Decision) -> Evidence | None:
        """It is written anew."""
        return None

    def examined(self) -> Mapping[str, int]:
        """The gate begins to count at the incident."""
        return {}


class HandingOver:
    """The brain of a run that hands its robot to another controller at an incident, and asks nobody after it."""

    def __init__(self, before: RecordedBrain, recall: Recall) -> None:
        self.name = before.name
        self._before, self._recall = before, recall
        self._offered = False

    def propose(self, request: Any) -> tuple[Proposal, ...]:
        """The recorded proposals of earlier incidents; at the incident the controller, once."""
        if not self._recall.reached:
            proposals = self._before.propose(request)
            self.name = self._before.name
            return proposals
        if self._offered or self._recall.other is None:
            return ()
        self._offered, self.name = True, self._recall.other.name
        return (Proposal(f"{self._recall.other.name} takes over", "file", self._recall.other.text),)

    def close(self) -> None:
        """Nothing to let go of."""


def must_agree(incident: Incident, recalled: Recalled) -> None:
    """SnapshotDiffers unless an incident is the recorded one, its state and memory to the last bit."""
    fresh = incident.snapshot
    if not same(recalled.snapshot.get("tick"), fresh.tick):
        raise SnapshotDiffers(f"the tick in the snapshot of {incident.id} differs")
    if fresh.state_hash != recalled.snapshot["state_hash"]:
        raise SnapshotDiffers(f"the state hash of {incident.id} differs")
    if not same(recalled.snapshot["carry"], plain(list(fresh.carry))):
        raise SnapshotDiffers(f"the memory in the snapshot of {incident.id} differs")


def recalled(record: Record, incident: str, swaps: Mapping[str, list[tuple[int, Any]]], width: int) -> Recalled:
    """An incident of a record, with the places of `swaps`. RecordError if it is damaged."""
    folder = record.folder
    try:
        written = folder.read_incident(incident, "incident.json")
        snapshot, tick = written["snapshot"], written["tick"]
        if type(tick) is not int:
            raise TypeError("its tick is no whole number")
        actions = np.asarray(snapshot["recipe_actions"], np.float64).reshape(-1, width)
        if written["id"] != incident or len(actions) != tick or not np.isfinite(actions).all():
            raise ValueError("its snapshot has no recipe")
        if not isinstance(snapshot["state_hash"], str) or not isinstance(snapshot["carry"], list):
            raise TypeError("its snapshot has no state")
        places = iter(swaps.get(incident, ()))
        decisions = tuple(_decision(entry, places) for entry in folder.read_attempts(incident))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise RecordError(f"{folder.path}: the incident {incident} is damaged: {cause(error)[:200]}.") from None
    return Recalled(incident, tick, actions, snapshot, decisions)


def _decision(entry: Mapping[str, Any], places: Iterator[tuple[int, Any]]) -> Decision:
    """What the gate said of an attempt. One that was rejected or rolled back had been accepted."""
    stages = tuple(read(StageResult, stage) for stage in entry["stages"])
    judged = tuple(stage for stage in stages if stage.stage not in AFTER_THE_GATE)
    accepted = all(stage.accepted for stage in judged)
    tick, bracket = next(places, (None, None)) if accepted else (None, None)
    return Decision(str(entry["policy"]), accepted, judged, tick, None if bracket is None else tuple(bracket))


def _taken(tick: int) -> Decision:
    """The decision to try a controller: nobody was asked, it takes over in the tick that tripped."""
    return Decision("from-incident", True, (StageResult(Stage.CONTRACT, True, "tried on the incident"),), tick)


def _next(decisions: Iterator[Decision], incident: str) -> Decision:
    decision = next(decisions, None)
    if decision is None or (decision.accepted and decision.resume_tick is None):
        raise RecordError(f"the record does not say where a patch of {incident} took over.")
    return decision


def _swaps(record: Record) -> dict[str, list[tuple[int, Any]]]:
    """By incident, the ticks at which its patches took over, or would have, and what else was tried, in order."""
    swaps: dict[str, list[tuple[int, Any]]] = {}
    for message in record.log.messages:
        if message.topic == "/event":
            event = content_of(message)
            rejected = event.get("event") == "approval" and event.get("decision") == "rejected"
            if (rejected or event.get("event") == "swap") and isinstance(event.get("incident"), str):
                tick = event.get("resume_tick" if rejected else "tick", 0)
                swaps.setdefault(event["incident"], []).append((tick, event.get("bracket")))
    return swaps
