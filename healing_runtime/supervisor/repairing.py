"""Where a run meets the repair of an incident: the memory first, then its brain, or the embedded one in its place."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from healing_runtime.brains import catalogue
from healing_runtime.brains.brain import Brain, BrainContext
from healing_runtime.core.errors import OutsideError
from healing_runtime.core.records import Decision, Incident, Proposal, RepairRequest, Source
from healing_runtime.repair.repair import Budget, Judged, Reason, Refused, Repaired, from_memory, repair
from healing_runtime.repair.request import request_for
from healing_runtime.supervisor.deck import Deck
from healing_runtime.supervisor.examiner import Examiner
from healing_runtime.supervisor.memoir import Memoir
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.supervisor.remembering import Remembering
from healing_runtime.supervisor.result import IncidentStory
from healing_runtime.supervisor.settings import Settings


class Repairing:
    """Has patches written and judged, and counts the attempts. One object a run."""

    def __init__(
        self,
        prepared: Prepared,
        settings: Settings,
        examiner: Examiner,
        memoir: Memoir,
        remembering: Remembering,
        narrate: Callable[[str], None],
    ) -> None:
        self._prepared, self._settings, self._examiner = prepared, settings, examiner
        self._memoir, self._remembering, self._narrate = memoir, remembering, narrate
        self._attempts_left = prepared.scenario.policy.max_attempts
        self._brain: Brain | None = None

    def patch_for(
        self, incident: Incident, story: IncidentStory, deck: Deck, flying: Source, deadline: float
    ) -> Repaired | Refused:
        """A patch that the gate accepts, in place of the controller that is `flying`; or why there is none."""
        prepared = self._prepared
        request = request_for(
            incident,
            prepared.scenario,
            flying.text,
            prepared.files,
            prepared.table,
            deck.slot.live.interface,
            deck.trace(),
            [attempt for attempt, _ in story.attempts],
        )
        judge = self._examiner.judge_for(incident, deck, flying, deadline)

        def tell(judged: Judged) -> None:
            self._attempts_left -= 1
            self._memoir.incidents.attempt(story, judged)
            refusal = judged.decision.refusal
            said = f"refused by {refusal.stage}: {refusal.reason}" if refusal else "accepted"
            if why := judged.decision.not_remembered:
                self._narrate(f"patch by {judged.attempt.brain}: judged in full, {why}")
            self._narrate(f"patch by {judged.attempt.brain}: {said}")

        asked = time.perf_counter()
        remembered = self._remembering.proposals(incident, flying, request.attempts)
        looked_up_s = time.perf_counter() - asked
        outcome = from_memory(request, remembered, judge, Budget(self._attempts_left, deadline), tell, looked_up_s)
        if isinstance(outcome, Repaired):
            return outcome
        return self._ask(outcome, judge, deadline, tell, story)

    def close(self) -> None:
        """Let go of the brain, if one was asked."""
        if self._brain is not None:
            self._brain.close()

    def _ask(
        self,
        request: RepairRequest,
        judge: Callable[[Proposal], Decision],
        deadline: float,
        tell: Callable[[Judged], None],
        story: IncidentStory,
    ) -> Repaired | Refused:
        """Ask the brain; where it cannot be reached, the embedded one goes on if that is allowed."""
        try:
            brain = self._live_brain()
        except OutsideError as error:
            outcome: Repaired | Refused = Refused(Reason.BRAIN_UNAVAILABLE, str(error))
        else:
            self._narrate(f"asking {brain.name}")
            outcome = repair(request, brain, judge, Budget(self._attempts_left, deadline), tell)
        if isinstance(outcome, Repaired) or not self._embedded_goes_on_after(outcome):
            return outcome
        note = f"{self._settings.brain} is unavailable ({outcome.detail}); the embedded brain goes on"
        story.notes.append(note)
        self._narrate(note)
        if self._brain is not None:
            self._brain.close()
        self._brain = catalogue.make("embedded", self._context())
        tried = tuple(attempt for attempt, _ in story.attempts)
        request = dataclasses.replace(request, attempts=tried)
        return repair(request, self._brain, judge, Budget(self._attempts_left, deadline), tell)

    def _embedded_goes_on_after(self, refused: Refused) -> bool:
        """Whether the embedded brain goes on. A replay asks nobody: its brain plays the record back."""
        settings = self._settings
        return (
            refused.reason is Reason.BRAIN_UNAVAILABLE
            and settings.brain_fallback
            and (settings.make_brain is None or settings.reopen is not None)
            and (self._brain is None or self._brain.name != "embedded")
        )

    def _live_brain(self) -> Brain:
        if self._brain is None:
            context, make = self._context(), self._settings.make_brain
            self._brain = make(context) if make else catalogue.make(self._settings.brain, context)
        return self._brain

    def _context(self) -> BrainContext:
        return self._examiner.brain_context(self._narrate, self._memoir.incidents.exchange)
