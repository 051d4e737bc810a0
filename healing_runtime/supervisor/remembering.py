"""Where a run meets the patch memory: what it is asked for, and what is left in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from healing_runtime.core.codec import digest
from healing_runtime.core.records import Attempt, Evidence, Incident, Proposal, Source
from healing_runtime.gate.records import Context
from healing_runtime.ledger.patch_memory import Binding, Entry, PatchMemory
from healing_runtime.repair.repair import Repaired


@dataclasses.dataclass(frozen=True)
class Remembering:
    """One run's dealings with the memory; without one, nothing is offered and nothing kept.

    Nor is anything offered for incidents that are `answered` already, by the record of a run that goes on.
    """

    memory: PatchMemory | None
    context: Context
    answered: frozenset[str] = frozenset()

    def proposals(self, incident: Incident, flying: Source, tried: Sequence[Attempt]) -> tuple[Proposal, ...]:
        """What healed just this before, without what this incident has tried already."""
        if self.memory is None or incident.id in self.answered:
            return ()
        refused = {attempt.proposal.source for attempt in tried}
        return tuple(p for p in self.memory.look_up(self._binding(incident, flying)) if p.source not in refused)

    def hold(self, outcome: Repaired, incident: Incident, flying: Source, evidence: Evidence, run: str) -> None:
        """A patch that is about to fly."""
        if self.memory is not None:
            features = {
                "robot": self.context.course.scenario.robot,
                "scenario": self.context.course.scenario.name,
                "clause": incident.clause,
                "status": incident.status.word,
                "severity": incident.severity,
                "tick": incident.tick,
                "robustness": incident.robustness,
                "state_hash": incident.snapshot.state_hash,
                "brain": outcome.brain,
                "run": run,
                "incident": incident.id,
            }
            self.memory.hold(Entry(self._binding(incident, flying), outcome.proposal, evidence, features))

    def keep(self) -> None:
        """It stayed."""
        if self.memory is not None:
            self.memory.keep()

    def forget(self, patch: str) -> None:
        """It was rolled back."""
        if self.memory is not None:
            self.memory.forget(patch)

    def _binding(self, incident: Incident, flying: Source) -> Binding:
        course, surroundings = self.context.course, self.context.surroundings
        return Binding(
            original=self.context.original.sha256,
            controller=flying.sha256,
            assertions=digest({file.name: file.sha256 for file in course.files}),
            scenario=digest(course.scenario),
            runtime=digest([surroundings.runtime, surroundings.simulation]),
            assertion=incident.assertion,
        )
