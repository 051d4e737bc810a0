"""What a run writes down of an accepted patch, from its evidence to its last state: in folder, log and ledger."""

from __future__ import annotations

import dataclasses
from typing import Any

from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core.codec import digest, plain
from healing_runtime.core.records import Evidence, Scenario, Source, StageResult
from healing_runtime.core.status import Stage
from healing_runtime.gate.evidence import SEAL, sealed
from healing_runtime.ledger.approvals import REJECTED, Approvals
from healing_runtime.ledger.store import Ledger
from healing_runtime.ledger.vouchers import Vouchers
from healing_runtime.repair.repair import Repaired
from healing_runtime.supervisor import approval, vouching
from healing_runtime.supervisor.approval import Approval, Bound, Review
from healing_runtime.supervisor.journal import Journal
from healing_runtime.supervisor.result import IncidentStory
from healing_runtime.supervisor.sources import patch_diff
from healing_runtime.telemetry.record import RunFolder

PATCH_FILES = ("patch.diff", "patched.py", "evidence.json")


class PatchWriter:
    """Writes down what becomes of accepted patches. One object a run."""

    def __init__(
        self, scenario: Scenario, folder: RunFolder, ledger: Ledger | None, journal: Journal, vouchers: Vouchers
    ) -> None:
        self._scenario, self._folder, self._ledger = scenario, folder, ledger
        self._journal, self._vouchers = journal, vouchers
        self._asked: dict[str, Any] = {}

    def accepted(
        self,
        story: IncidentStory,
        outcome: Repaired,
        sources: tuple[Source, Source],
        evidence: Evidence,
    ) -> None:
        """A patch that is about to fly: durable before it does."""
        document = self._write(story, outcome, sources, evidence)
        if self._ledger is not None:
            self._ledger.record_patch(sources[1].sha256, {**document, **self._asked, "state": "probation"})

    def asked(
        self,
        story: IncidentStory,
        outcome: Repaired,
        sources: tuple[Source, Source],
        evidence: Evidence,
        program: ProgramBlob,
    ) -> Review:
        """A patch that waits for a person: as durable as one that flies, and what there is to decide on."""
        document = self._write(story, outcome, sources, evidence)
        scenario, incident = self._scenario, story.incident
        review = Review(
            run=self._folder.run_id,
            incident=incident.id,
            assertion=incident.assertion,
            english=incident.english,
            t_s=incident.tick / scenario.control_hz,
            number=len(story.attempts),
            brain=outcome.brain,
            diagnosis=outcome.proposal.diagnosis,
            diff=document["diff"],
            evidence=document["evidence"],
            bound=Bound(
                sources[1].sha256,
                document["evidence"][SEAL],
                digest(scenario),
                program.sha256,
            ),
        )
        self._asked = {"approval": approval.document_of(review)}
        self._tell_approval(story, "pending")
        if self._ledger is not None:
            approval.keep_program(self._folder, program)
            Approvals(self._ledger).ask(review.bound.patch, {**document, **self._asked})
        return review

    def decided(self, story: IncidentStory, decision: Approval) -> None:
        """A person decided; a rejection is a refusal with the reason given, in every place that tells of the patch."""
        number = len(story.attempts)
        self._folder.write_incident(story.incident.id, approval.file_of(number), plain(decision))
        facts = {"by": decision.by, "note": decision.note, "evidence": decision.bound.evidence}
        self._tell_approval(story, decision.decision, **facts)
        if decision.decision == REJECTED:
            result = StageResult(Stage.APPROVAL, False, f"a reviewer rejected it: {decision.note}")
            self._withdraw(story, result, "rejected")

    def swapped(self, story: IncidentStory, resume: int) -> None:
        """The patch flies."""
        self._journal.event(resume, "swap", incident=story.incident.id, patch=story.patch, bracket=story.bracket)

    def probation_failed(self, story: IncidentStory, result: StageResult) -> None:
        """The patch broke a promise while it was watched: its attempt is a refusal, its files are kept as such."""
        self._journal.event(story.incident.tick, "probation_failed", incident=story.incident.id, stage=result)
        self._withdraw(story, result, "rolled_back")

    def stays(self, story: IncidentStory) -> None:
        """Probation is over."""
        if self._ledger is not None and story.patch:
            self._ledger.set_patch_state(story.patch, "active", self._folder.run_id)

    def _write(
        self, story: IncidentStory, outcome: Repaired, sources: tuple[Source, Source], evidence: Evidence
    ) -> dict[str, Any]:
        """The files of an accepted patch, and what the ledger keeps of it."""
        before, after = sources
        decision = outcome.decision
        story.patch, story.resume_tick, story.bracket = after.sha256, decision.resume_tick, decision.bracket
        diff = patch_diff(before, after)
        run, incident = self._folder.run_id, story.incident.id
        self._folder.write_incident(incident, "patch.diff", diff)
        self._folder.write_incident(incident, "patched.py", after.text)
        proven = sealed(evidence)
        number = len(story.attempts)
        self._vouchers.vouch(vouching.judged(run, incident, number, outcome.proposal, decision, proven[SEAL]))
        self._folder.write_incident(incident, "evidence.json", proven)
        return {
            "run_id": run,
            "incident": incident,
            "brain": outcome.brain,
            "controller": before.name,
            "scenario": self._scenario.name,
            "diagnosis": outcome.proposal.diagnosis,
            "before": before.text,
            "after": after.text,
            "diff": diff,
            "evidence": proven,
            "decision": plain({key: getattr(decision, key) for key in ("resume_tick", "bracket", "program_sha256")}),
        }

    def _tell_approval(self, story: IncidentStory, decision: str, **facts: Any) -> None:
        self._journal.event(
            story.incident.tick,
            "approval",
            incident=story.incident.id,
            number=len(story.attempts),
            patch=story.patch,
            resume_tick=story.resume_tick,
            bracket=story.bracket,
            decision=decision,
            **facts,
        )

    def _withdraw(self, story: IncidentStory, result: StageResult, state: str) -> None:
        """An accepted attempt is a refusal after all."""
        attempt, _ = story.attempts[-1]
        attempt = dataclasses.replace(attempt, stages=(*attempt.stages, result))
        story.attempts[-1] = (attempt, False)
        number, incident = len(story.attempts), story.incident.id
        name = f"attempt-{number:02d}.json"
        entry = self._folder.read_incident(incident, name)
        entry |= {"accepted": False, "stages": plain(attempt.stages)}
        self._folder.write_incident(incident, name, entry)
        self._folder.set_aside(incident, PATCH_FILES, f"attempt-{number:02d}-{state.replace('_', '-')}-")
        if self._ledger is not None:
            self._ledger.record_attempt(incident, self._folder.run_id, number, entry)
            if story.patch:
                self._ledger.set_patch_state(story.patch, state, self._folder.run_id)
        story.patch = story.resume_tick = story.bracket = story.time_to_heal_s = None
