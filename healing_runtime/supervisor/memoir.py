"""What a run leaves behind, from the making of its folder to its result; its log, and its entries in the ledger."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core.codec import plain
from healing_runtime.core.errors import NotFoundInCatalogue
from healing_runtime.core.records import Incident
from healing_runtime.core.status import Outcome
from healing_runtime.gate.fallback import Admitted
from healing_runtime.gate.records import Course, Surroundings
from healing_runtime.ledger.store import Ledger
from healing_runtime.ledger.vouchers import Vouchers
from healing_runtime.supervisor import approval, vouching
from healing_runtime.supervisor.channels import Channels
from healing_runtime.supervisor.continued import ContinuedLog
from healing_runtime.supervisor.deck import Deck
from healing_runtime.supervisor.fallback import TakeOver
from healing_runtime.supervisor.incident_writer import IncidentWriter
from healing_runtime.supervisor.journal import Journal
from healing_runtime.supervisor.machine import Event, Mode
from healing_runtime.supervisor.manifest import begun, manifest_of
from healing_runtime.supervisor.patch_writer import PatchWriter
from healing_runtime.supervisor.places import LEDGER
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.supervisor.regressions import keep
from healing_runtime.supervisor.result import IncidentStory, RunResult, document
from healing_runtime.telemetry.claim import Claim
from healing_runtime.telemetry.mcap import LogDrain, LogWriter, digest_of, read_log
from healing_runtime.telemetry.record import RunFolder


class Memoir:
    """Writes a run's record as things happen. One object a run.

    Attributes:
        incidents, patches: write down what becomes of each.
        stories: what became of each incident, for the result.
        can_go_on: whether the run is vouched for, without which no other process takes it up.
    """

    can_go_on = False

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
        self._started, self._strict = started, strict
        self._claim, self._continued = claim, continued
        # A replay vouches for nothing: what it judged came from a record.
        self._vouchers = Vouchers(None) if ledger is None else Vouchers.here()
        log = continued.path if continued else folder.log_path
        writer = LogWriter(log, Channels(prepared.table), run=folder.run_id)
        self._drain = LogDrain(writer)
        self.journal = Journal(prepared.scenario, prepared.table, self._drain.write, narrate)
        shared = (prepared.scenario, folder, ledger, self.journal, self._vouchers)
        self.incidents = IncidentWriter(*shared, again=continued is not None)
        self.patches = PatchWriter(*shared)

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
        manifest = manifest_of(
            folder.run_id, prepared, settings, program.sha256, fallback, regressions, surroundings, confinement
        )
        folder.write_manifest(manifest)
        if ledger is not None:
            ledger.record_run(folder.run_id, begun(prepared, str(folder.path), manifest))
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
            ledger.record_run(folder.run_id, begun(prepared, str(folder.path), manifest))
        folder.forget_result()
        ledger.finish_run(folder.run_id, None)
        memoir = cls(prepared, folder, ledger, started, settings.strict, narrate, continued=continued)
        memoir.can_go_on = True
        return memoir

    # ------------------------------------------------------------ as things happen
    def regressions(self, courses: tuple[Course, ...]) -> None:
        """The scenarios that no patch of this run may lose, before any patch is judged."""
        self._vouchers.vouch(vouching.qualified(self.folder.run_id, plain(list(courses))))
        keep(self.folder, courses)

    def transition(self, tick: int, event: Event, before: Mode, after: Mode) -> None:
        """A change of mode."""
        self.journal.event(tick, event.value, before=before.value, after=after.value)

    def incident(self, incident: Incident) -> IncidentStory:
        """A new incident; returns the story of what becomes of it."""
        story = IncidentStory(incident)
        self.stories.append(story)
        self.incidents.happened(incident)
        return story

    def healed(self, story: IncidentStory) -> None:
        """Probation is over."""
        story.healed, story.ending = True, "healed"
        self.incidents.ended(story)
        self.patches.stays(story)

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
        try:
            self.journal.close()
        finally:
            self._drain.close()
        if self._continued is not None:
            self._continued.put_in_place()
