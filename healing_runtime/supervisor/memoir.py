"""What a run leaves behind: its folder, its log, its entries in the ledger, its result."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core.codec import digest, plain
from healing_runtime.core.errors import InputError, NotFoundInCatalogue
from healing_runtime.core.platform import pin_platform
from healing_runtime.core.records import Decision, Evidence, Incident, Proposal, Source, StageResult
from healing_runtime.core.status import Outcome, Stage
from healing_runtime.gate.evidence import SEAL, sealed
from healing_runtime.gate.fallback import Admitted
from healing_runtime.gate.records import Course, Surroundings
from healing_runtime.gate.standing import Find, nothing_kept
from healing_runtime.ledger.approvals import REJECTED, Approvals
from healing_runtime.ledger.store import Ledger
from healing_runtime.ledger.vouchers import Vouchers
from healing_runtime.repair.repair import Judged, Repaired
from healing_runtime.supervisor import approval, vouching
from healing_runtime.supervisor.approval import Approval, Bound, Review
from healing_runtime.supervisor.channels import Channels
from healing_runtime.supervisor.continued import ContinuedLog
from healing_runtime.supervisor.deck import Deck
from healing_runtime.supervisor.fallback import TakeOver
from healing_runtime.supervisor.journal import Journal
from healing_runtime.supervisor.machine import Event, Mode
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.supervisor.regressions import keep
from healing_runtime.supervisor.result import IncidentStory, RunResult, document
from healing_runtime.supervisor.sources import patch_diff, sim_hash
from healing_runtime.telemetry.mcap import LogDrain, LogWriter, digest_of, read_log
from healing_runtime.telemetry.record import Claim, RunFolder

MANIFEST_FORMAT = 4
LEDGER = "ledger.sqlite3"
"""Name of the ledger, beside the run folders."""
PATCH_FILES = ("patch.diff", "patched.py", "evidence.json")
STANDS_ON = "stands-on.json"
"""How the file ends that holds the evidence with which a remembered patch came, as the gate of the run saw it."""


class Memoir:
    """Writes a run's record as things happen. One object a run.

    Attributes:
        can_go_on: whether the run is vouched for, without which no other process takes it up.
    """

    can_go_on = False
    _vouchers = Vouchers(None)  # a replay vouches for nothing: what it judged came from a record

    def __init__(
        self,
        prepared: Prepared,
        folder: RunFolder,
        ledger: Ledger | None,
        started: float,
        strict: bool,
        narrate: Callable[[str], None],
        *,
        claim: Claim | None = None,
        continued: ContinuedLog | None = None,
    ) -> None:
        self.prepared, self.folder, self.ledger = prepared, folder, ledger
        self.stories: list[IncidentStory] = []
        self.evidence_of: Find = nothing_kept
        self._started, self._strict = started, strict
        self._exchanges = folder.exchanges()
        self._claim, self._continued = claim, continued
        self._asked: dict[str, Any] = {}
        if ledger is not None:
            self._vouchers = Vouchers.here()
        log = continued.path if continued else folder.log_path
        writer = LogWriter(log, Channels(prepared.table), run=folder.run_id)
        self._drain = LogDrain(writer)
        self.journal = Journal(prepared.scenario, prepared.table, self._drain.write, narrate)

    @classmethod
    def open(
        cls,
        prepared: Prepared,
        settings: Any,
        program: ProgramBlob,
        fallback: Admitted | None,
        regressions: Sequence[Any],
        surroundings: Surroundings,
        confinement: str,
        started: float,
        narrate: Callable[[str], None],
    ) -> Memoir:
        """Make the run folder and its manifest; nothing of a run exists before this."""
        parent = settings.out or prepared.workspace.runs
        ledger = Ledger(parent / LEDGER) if settings.remember else None
        folder = RunFolder.create(parent, prepared.scenario.name)
        claim = folder.claim()
        fingerprint = pin_platform()
        manifest = {
            "format": MANIFEST_FORMAT,
            "run_id": folder.run_id,
            "created_utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "scenario": plain(prepared.scenario),
            "scenario_file": {
                "path": str(prepared.loaded.path),
                "sha256": prepared.loaded.sha256,
                "text": prepared.loaded.text,
            },
            "notes": list(prepared.loaded.notes),
            "controller": plain(prepared.source),
            "fallback": None if prepared.fallback is None else plain(prepared.fallback),
            "fallback_admission": None if fallback is None else fallback.document(),
            "assertion_files": plain(prepared.files),
            "regressions": plain(list(regressions)),
            "robot": {"name": prepared.robot.name, "sim_sha256": sim_hash(prepared.sim_root)},
            "surroundings": surroundings.hashes,
            "brain": settings.brain,
            "memory": settings.memory,
            "program_sha256": program.sha256,
            "ground_truth": prepared.robot.ground_truth,
            "fingerprint": plain(fingerprint),
            "confinement": confinement,
        }
        manifest["inputs_sha256"] = inputs_of(manifest)
        folder.write_manifest(manifest)
        if ledger is not None:
            ledger.record_run(
                folder.run_id, {"scenario": prepared.scenario.name, "folder": str(folder.path), **_head(manifest)}
            )
        memoir = cls(prepared, folder, ledger, started, settings.strict, narrate, claim=claim)
        memoir.can_go_on = memoir._vouchers.vouch(vouching.begun(folder.run_id, manifest["inputs_sha256"]))
        return memoir

    @classmethod
    def reopen(
        cls,
        prepared: Prepared,
        settings: Any,
        continued: ContinuedLog,
        manifest: Mapping[str, Any],
        started: float,
        narrate: Callable[[str], None],
    ) -> Memoir:
        """Go on with a run: from here on it has no result, until it ends again.

        Its log is written anew beside the old one and put in its place at the end; what the ledger has of it stays.
        """
        folder = continued.folder
        ledger = Ledger(folder.path.parent / LEDGER)
        try:
            ledger.run(folder.run_id)
        except NotFoundInCatalogue:
            begun = {"scenario": prepared.scenario.name, "folder": str(folder.path), **_head(manifest)}
            ledger.record_run(folder.run_id, begun)
        folder.forget_result()
        ledger.finish_run(folder.run_id, None)
        memoir = cls(prepared, folder, ledger, started, settings.strict, narrate, continued=continued)
        memoir.can_go_on = True
        return memoir

    # ------------------------------------------------------------ as things happen
    @property
    def incidents(self) -> int:
        """Incidents so far."""
        return len(self.stories)

    def regressions(self, courses: tuple[Course, ...]) -> None:
        """The scenarios that no patch of this run may lose, before any patch is judged."""
        self._vouchers.vouch(vouching.qualified(self.folder.run_id, plain(list(courses))))
        keep(self.folder, courses)

    def transition(self, tick: int, event: Event, before: Mode, after: Mode) -> None:
        """A change of mode."""
        self.journal.event(tick, event.value, before=before.value, after=after.value)

    def incident(self, incident: Incident) -> IncidentStory:
        """A new incident: its snapshot and what is known of it."""
        story = IncidentStory(incident)
        self.stories.append(story)
        snapshot = incident.snapshot
        document = {
            **{k: plain(getattr(incident, k)) for k in ("id", "assertion", "clause", "english", "tick", "robustness")},
            "severity": incident.severity.value,
            "status": incident.status.word,
            "snapshot": {
                "tick": snapshot.tick,
                "state_hash": snapshot.state_hash,
                "recipe_actions": plain(snapshot.recipe_actions),
                "onsets": plain(snapshot.onsets),
                "carry": [plain(v) for v in snapshot.carry],
            },
        }
        self._vouchers.vouch(vouching.happened(self.folder.run_id, incident.id, document))
        self.folder.write_incident(incident.id, "incident.json", document)
        self.journal.event(
            incident.tick,
            "incident",
            id=incident.id,
            assertion=incident.assertion,
            status=incident.status.word,
            robustness=incident.robustness,
            state_hash=snapshot.state_hash,
        )
        if self.ledger is not None:
            self.ledger.record_incident(
                incident.id,
                self.folder.run_id,
                {
                    "assertion": incident.assertion,
                    "english": incident.english,
                    "clause": incident.clause,
                    "tick": incident.tick,
                    "t_s": incident.tick / self.prepared.scenario.control_hz,
                    "robustness": plain(incident.robustness),
                    "scenario": self.prepared.scenario.name,
                },
                again=self._continued is not None,
            )
        return story

    def attempt(self, story: IncidentStory, judged: Judged) -> None:
        """A proposal and what the gate said, verbatim."""
        attempt, decision = judged.attempt, judged.decision
        story.attempts.append((attempt, decision.accepted))
        for phase, seconds in decision.wall_s.items():
            story.breakdown_s[phase] = story.breakdown_s.get(phase, 0.0) + seconds
        story.breakdown_s["propose"] += judged.propose_s
        entry = {
            "brain": attempt.brain,
            "proposal": plain(attempt.proposal),
            "policy": decision.policy,
            "accepted": decision.accepted,
            "stages": plain(attempt.stages),
            "wall_s": plain(decision.wall_s),
            "stage_s": plain(decision.stage_s),
        }
        if decision.not_remembered:
            entry["not_remembered"] = decision.not_remembered
        number = len(story.attempts)
        if not decision.accepted:  # an acceptance is vouched for with its evidence
            self._vouch(story, attempt.proposal, decision, None)
        if (stands_on := self.evidence_of(attempt.proposal.stands_on)) is not None:
            self.folder.write_incident(story.incident.id, f"attempt-{number:02d}-{STANDS_ON}", stands_on)
        self.folder.write_incident(story.incident.id, f"attempt-{number:02d}.json", entry)
        self.journal.event(
            story.incident.tick,
            "attempt",
            incident=story.incident.id,
            number=number,
            brain=attempt.brain,
            proposal=digest(attempt.proposal.source),
            accepted=decision.accepted,
            stages=attempt.stages,
        )
        if self.ledger is not None:
            self.ledger.record_attempt(story.incident.id, self.folder.run_id, number, entry)

    def exchange(self, exchange: Any) -> None:
        """A prompt and an answer of a remote brain, verbatim; keys were cut out before."""
        self._exchanges += 1
        self.folder.write_incident(exchange.incident_id, f"exchange-{self._exchanges:02d}.json", plain(exchange))

    def accepted(
        self,
        story: IncidentStory,
        outcome: Repaired,
        sources: tuple[Source, Source],
        evidence: Evidence,
    ) -> None:
        """A patch that is about to fly: durable before it does."""
        document = self._write_patch(story, outcome, sources, evidence)
        if self.ledger is not None:
            self.ledger.record_patch(sources[1].sha256, {**document, **self._asked, "state": "probation"})

    def asked(
        self,
        story: IncidentStory,
        outcome: Repaired,
        sources: tuple[Source, Source],
        evidence: Evidence,
        program: ProgramBlob,
    ) -> Review:
        """A patch that waits for a person: as durable as one that flies, and what there is to decide on."""
        document = self._write_patch(story, outcome, sources, evidence)
        scenario, incident = self.prepared.scenario, story.incident
        review = Review(
            run=self.folder.run_id,
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
        if self.ledger is not None:
            approval.keep_program(self.folder, program)
            Approvals(self.ledger).ask(review.bound.patch, {**document, **self._asked})
        return review

    def decided(self, story: IncidentStory, decision: Approval) -> None:
        """A person decided; a rejection is a refusal with the reason given, in every place that tells of the patch."""
        number = len(story.attempts)
        self.folder.write_incident(story.incident.id, approval.file_of(number), plain(decision))
        facts = {"by": decision.by, "note": decision.note, "evidence": decision.bound.evidence}
        self._tell_approval(story, decision.decision, **facts)
        if decision.decision == REJECTED:
            result = StageResult(Stage.APPROVAL, False, f"a reviewer rejected it: {decision.note}")
            self._withdraw(story, result, "rejected")

    def _tell_approval(self, story: IncidentStory, decision: str, **facts: Any) -> None:
        self.journal.event(
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

    def _write_patch(
        self, story: IncidentStory, outcome: Repaired, sources: tuple[Source, Source], evidence: Evidence
    ) -> dict[str, Any]:
        """The files of an accepted patch, and what the ledger keeps of it."""
        before, after = sources
        story.patch = after.sha256
        story.resume_tick, story.bracket = outcome.decision.resume_tick, outcome.decision.bracket
        diff = patch_diff(before, after)
        incident = story.incident.id
        self.folder.write_incident(incident, "patch.diff", diff)
        self.folder.write_incident(incident, "patched.py", after.text)
        proven = sealed(evidence)
        self._vouch(story, outcome.proposal, outcome.decision, proven[SEAL])
        self.folder.write_incident(incident, "evidence.json", proven)
        decision = outcome.decision
        return {
            "run_id": self.folder.run_id,
            "incident": incident,
            "brain": outcome.brain,
            "controller": before.name,
            "scenario": self.prepared.scenario.name,
            "diagnosis": outcome.proposal.diagnosis,
            "before": before.text,
            "after": after.text,
            "diff": diff,
            "evidence": proven,
            "decision": plain({key: getattr(decision, key) for key in ("resume_tick", "bracket", "program_sha256")}),
        }

    def _vouch(self, story: IncidentStory, proposal: Proposal, decision: Decision, evidence: str | None) -> None:
        """The gate of this run said so, of the attempt that is the last one."""
        run, incident = self.folder.run_id, story.incident.id
        self._vouchers.vouch(vouching.judged(run, incident, len(story.attempts), proposal, decision, evidence))

    def swapped(self, story: IncidentStory, resume: int) -> None:
        """The patch flies."""
        self.journal.event(resume, "swap", incident=story.incident.id, patch=story.patch, bracket=story.bracket)

    def probation_failed(self, story: IncidentStory, result: StageResult) -> None:
        """The patch broke a promise while it was watched: its attempt is a refusal, its files are kept as such."""
        self.journal.event(story.incident.tick, "probation_failed", incident=story.incident.id, stage=result)
        self._withdraw(story, result, "rolled_back")

    def _withdraw(self, story: IncidentStory, result: StageResult, state: str) -> None:
        """An accepted attempt is a refusal after all."""
        attempt, _ = story.attempts[-1]
        attempt = dataclasses.replace(attempt, stages=(*attempt.stages, result))
        story.attempts[-1] = (attempt, False)
        number, incident = len(story.attempts), story.incident.id
        name = f"attempt-{number:02d}.json"
        entry = self.folder.read_incident(incident, name)
        entry |= {"accepted": False, "stages": plain(attempt.stages)}
        self.folder.write_incident(incident, name, entry)
        self.folder.set_aside(incident, PATCH_FILES, f"attempt-{number:02d}-{state.replace('_', '-')}-")
        if self.ledger is not None:
            self.ledger.record_attempt(incident, self.folder.run_id, number, entry)
            if story.patch:
                self.ledger.set_patch_state(story.patch, state, self.folder.run_id)
        story.patch = story.resume_tick = story.bracket = story.time_to_heal_s = None

    def healed(self, story: IncidentStory) -> None:
        """Probation is over."""
        story.healed, story.ending = True, "healed"
        self._ending(story)
        if self.ledger is not None and story.patch:
            self.ledger.set_patch_state(story.patch, "active", self.folder.run_id)

    def refused(self, story: IncidentStory) -> None:
        """No patch; `story.ending` says why."""
        self._ending(story)

    def taken_over(self, taken: TakeOver) -> None:
        """The fallback flies."""
        facts = {"controller": taken.source.name, "sha256": taken.source.sha256, "action_step": taken.action_step}
        self.journal.event(taken.tick, "fallback", incident=taken.incident, cause=taken.cause, **facts)

    # ------------------------------------------------------------ ending
    def conclude(
        self, deck: Deck, outcome: Outcome, final_sha256: str, reason: str = "", fallback: TakeOver | None = None
    ) -> RunResult:
        """Close the log, compute the digest, write the result."""
        for assertion, tick in () if fallback is None else fallback.violated:
            self.journal.event(tick, "violation_recorded", assertion=assertion)
        self._close_log()
        if outcome is not Outcome.AWAITING_APPROVAL:
            approval.forget_program(self.folder)
        result = document(
            run_id=self.folder.run_id,
            scenario=self.prepared.scenario,
            outcome=outcome,
            verdicts=deck.verdicts(),
            incidents=self.stories,
            onsets=deck.recorder.onsets,
            controllers=(self.prepared.source.sha256, final_sha256),
            ticks=deck.tick,
            final_branch=deck.final_branch,
            digest=digest_of(read_log(self.folder.log_path).messages),
            wall_time_s=time.monotonic() - self._started,
        )
        result["fallback"] = None if fallback is None else fallback.document(self.prepared.scenario.control_hz)
        if reason:
            result["reason"] = reason
        self.folder.write_result(result)
        if self.ledger is not None:
            self.ledger.finish_run(self.folder.run_id, result)
            self.ledger.close()
        if self._claim is not None:
            self._claim.close()
        return RunResult(result, outcome, self.folder.path, self._strict)

    def interrupted(self, error: BaseException) -> None:
        """Leave a whole log behind when a run ends by an exception, which says where; the folder then has no result."""
        with contextlib.suppress(Exception):
            self._close_log()
        if self._claim is not None:
            self._claim.close()
        if self.ledger is not None:
            path = self.folder.path
            error.add_note(f"The record lies in {path}; heal run --resume {path} goes on with it.")
            with contextlib.suppress(Exception):
                self.ledger.finish_run(self.folder.run_id, {"outcome": "aborted", "reason": type(error).__name__})
                self.ledger.close()

    def _close_log(self) -> None:
        self.journal.close()
        self._drain.close()
        if self._continued is not None:
            self._continued.put_in_place()

    def _ending(self, story: IncidentStory) -> None:
        self.folder.write_incident(
            story.incident.id, "ending.json", {"ending": story.ending, "detail": story.detail, "patch": story.patch}
        )


def refuse_bad_place(parent: Path) -> None:
    """Find out before anything is built that no run can be written below `parent`; makes nothing.

    Raises:
        InputError: it is a file, or the nearest folder that is there cannot be written to.
    """
    there = next(p for p in (parent.absolute(), *parent.absolute().parents) if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(
            f"no run can be written to {parent}: {there} is no folder that can be written to; give another --out."
        )


def inputs_of(manifest: Mapping[str, Any]) -> str:
    """Hash of a manifest but for the hash itself; tells one that was changed or damaged."""
    return digest({key: value for key, value in manifest.items() if key != "inputs_sha256"})


def _head(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {k: manifest[k] for k in ("created_utc", "brain", "program_sha256")}
