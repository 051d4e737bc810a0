"""What a run that goes on takes over from its record: recorded actions, what the gate said, the proposals made.

What the gate said of a proposal is taken over where this workspace's ledger has it and the user's private cache vouches
for it, with the executable of that sha256; where anything is missing or differs, the gate judges from there on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from healing_runtime.brains import catalogue
from healing_runtime.brains.brain import Brain, BrainContext
from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core.codec import digest, plain, read
from healing_runtime.core.errors import NotFoundInCatalogue
from healing_runtime.core.records import Decision, Evidence, Incident, Proposal, RepairRequest, Source, StageResult
from healing_runtime.core.status import AFTER_THE_GATE
from healing_runtime.gate.evidence import SEAL, sealed, unsealed
from healing_runtime.gate.policy import candidate_of
from healing_runtime.gate.trials import spent
from healing_runtime.ledger.store import Ledger
from healing_runtime.ledger.vouchers import Vouchers
from healing_runtime.supervisor import vouching
from healing_runtime.supervisor.approval import kept_program
from healing_runtime.supervisor.recall import Build, Recalled, SnapshotDiffers, must_agree
from healing_runtime.supervisor.record import Record, RecordedBrain
from healing_runtime.telemetry.record import RunFolder


@dataclasses.dataclass(frozen=True)
class Entry:
    """An attempt in the ledger, and the incident's patches by their hash."""

    attempt: Mapping[str, Any]
    patches: Mapping[str, Mapping[str, Any]]

    def decision(self, source: Source) -> tuple[Decision, Evidence | None] | None:
        """What the gate said then, with the evidence of an acceptance; None where something of it is missing."""
        try:
            stages = tuple(read(StageResult, stage) for stage in self.attempt["stages"])
            judged = tuple(stage for stage in stages if stage.stage not in AFTER_THE_GATE)
            decision = Decision(
                str(self.attempt["policy"]),
                all(stage.accepted for stage in judged),
                judged,
                wall_s=dict(self.attempt["wall_s"]),
                stage_s=dict(self.attempt["stage_s"]),
                not_remembered=str(self.attempt.get("not_remembered", "")),
            )
            if not decision.accepted:
                return decision, None
            patch = self.patches[source.sha256]
            where = patch["decision"]
            accepted = dataclasses.replace(
                decision,
                resume_tick=int(where["resume_tick"]),
                bracket=None if where["bracket"] is None else tuple(where["bracket"]),
                program_sha256=str(where["program_sha256"]),
            )
            return accepted, unsealed(patch["evidence"])
        except (KeyError, TypeError, ValueError):
            return None


def entries_of(record: Record, ledger: Ledger) -> dict[str, list[Entry]]:
    """What the ledger knows of the run's attempts, by incident, in order."""
    run, found = record.folder.run_id, dict[str, list[Entry]]()
    patches = {(p["incident"], p["sha256"]): p for p in ledger.patches() if p["run"] == run}
    for incident in record.folder.incident_ids():
        try:
            attempts = ledger.incident(f"{run}/{incident}")["attempts"]
        except NotFoundInCatalogue:
            continue
        found[incident] = [Entry(a, {s: p for (i, s), p in patches.items() if i == incident}) for a in attempts]
    return found


class Resumption:
    """What a run that goes on takes over from its record (see `recall.TakenOver`). One object a resumption."""

    def __init__(
        self,
        folder: RunFolder,
        incidents: tuple[Recalled, ...],
        entries: Mapping[str, list[Entry]],
        scenario_sha256: str,
        vouchers: Vouchers,
    ) -> None:
        self._folder, self._scenario, self._vouchers = folder, scenario_sha256, vouchers
        self._incidents, self._entries = incidents, entries
        self._met = 0
        self._judging_anew = False
        self._programs: dict[str, ProgramBlob] = {}
        self._evidence: dict[str, Evidence] = {}
        self._examined: dict[str, int] = {}

    def actions(self, incidents: int) -> np.ndarray | None:
        """The recorded actions up to the next recorded incident; none after the last, or once the gate judged anew."""
        known = incidents < len(self._incidents) and not self._judging_anew
        return self._incidents[incidents].actions if known else None

    def meet(self, incident: Incident) -> None:
        """An incident happened. SnapshotDiffers if the record has another one at this place."""
        if self._met < len(self._incidents):
            then = self._incidents[self._met]
            if (then.id, then.tick) != (incident.id, incident.tick):
                raise SnapshotDiffers(f"{incident.id} at tick {incident.tick} came in place of {then.id}")
            must_agree(incident, then)
        self._met += 1

    def takes_over_at(self, incident: str) -> bool:
        """Nobody does."""
        return False

    def judge_for(self, incident: Incident, build: Build, flying: Source) -> Callable[[Proposal], Decision | None]:
        """What the gate said of each recorded proposal; None from the first one on that it has to judge (again)."""
        entries = self._entries.get(incident.id, [])

        def judge(proposal: Proposal) -> Decision | None:
            written = plain(proposal)
            entry = next((e for e in entries if e.attempt.get("proposal") == written), None)
            if self._judging_anew or entry is None:
                self._judging_anew = True
                return None
            source = candidate_of(proposal, incident, (), flying).source
            found = entry.decision(source)
            vouched = found is not None and self._vouched(incident.id, entry, proposal, *found)
            if found is None or not vouched or not self._holds(found[0], source, build):
                self._judging_anew = True
                return None
            decision, evidence = found
            if evidence is not None:
                self._evidence[str(decision.program_sha256)] = evidence
            self._examined[incident.id] = max(self._examined.get(incident.id, 0), spent(decision))
            return decision

        return judge

    def program(self, decision: Decision) -> ProgramBlob | None:
        """The executable of an accepted proposal that was taken over; None for the gate's own."""
        return self._programs.get(decision.program_sha256 or "")

    def evidence(self, decision: Decision) -> Evidence | None:
        """The evidence as it was written then; None where the gate judged anew."""
        return self._evidence.get(decision.program_sha256 or "")

    def examined(self) -> Mapping[str, int]:
        """Examinations on held-out neighbours in what was taken over so far."""
        return dict(self._examined)

    def _vouched(
        self, incident: str, entry: Entry, proposal: Proposal, decision: Decision, evidence: Evidence | None
    ) -> bool:
        """Whether the gate of this run said just that, and the evidence is of what it accepted."""
        seal = None
        if evidence is not None:
            seal = sealed(evidence)[SEAL]
            is_of = (evidence.program_sha256, evidence.controller_after, evidence.scenario)
            if is_of != (decision.program_sha256, digest(proposal.source), self._scenario):
                return False
        run, number = self._folder.run_id, entry.attempt.get("number", 0)
        return self._vouchers.vouched(vouching.judged(run, incident, number, proposal, decision, seal))

    def _holds(self, decision: Decision, source: Source, build: Build) -> bool:
        """Whether the accepted executable is to be had: as it waited, from the cache, or built to those bytes."""
        if not decision.accepted:
            return True
        program = kept_program(self._folder, str(decision.program_sha256)) or build(source, True)
        self._programs[program.sha256] = program
        return program.sha256 == decision.program_sha256


class GoingOn:
    """The brain of a run that goes on: first the recorded proposals of an incident, then the brain that the run has."""

    def __init__(self, folder: RunFolder, brain: str, context: BrainContext) -> None:
        self.name = "recorded"
        self._folder, self._brain, self._context = folder, brain, context
        self._recorded = RecordedBrain(folder)
        self._left: dict[str, int] = {}
        self._live: Brain | None = None

    def propose(self, request: RepairRequest) -> tuple[Proposal, ...]:
        """The next recorded proposal, or how the incident ended then; after them what the live brain proposes."""
        incident = request.incident_id
        self._left.setdefault(incident, len(self._folder.read_attempts(incident)))
        if self._left[incident] > 0 or self._folder.read_ending(incident).get("ending", "healed") != "healed":
            self._left[incident] -= 1
            proposals = self._recorded.propose(request)
            self.name = self._recorded.name
            return proposals
        if self._live is None:
            self._live = catalogue.make(self._brain, self._context)
        proposals = self._live.propose(request)
        self.name = self._live.name
        return proposals

    def close(self) -> None:
        """Let go of the live brain, if there is one."""
        if self._live is not None:
            self._live.close()
