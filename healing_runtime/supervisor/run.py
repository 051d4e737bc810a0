"""One flight with its incidents: fly, notice, pause, have it repaired, swap, watch."""

from __future__ import annotations

import time
from collections.abc import Callable

from healing_runtime.compile.loader import Loader
from healing_runtime.compile.programs import Program
from healing_runtime.core.codec import digest
from healing_runtime.core.errors import OutsideError
from healing_runtime.core.records import Evidence, Incident, Source, StageResult
from healing_runtime.core.status import Outcome, Stage, Status
from healing_runtime.repair.repair import Reason, Refused, Repaired
from healing_runtime.supervisor.approval import AWAITING, by_people
from healing_runtime.supervisor.deck import Checkpoint, Deck
from healing_runtime.supervisor.examiner import Examiner
from healing_runtime.supervisor.fallback import EXPIRED, Fallback, TakeOver, fly_on
from healing_runtime.supervisor.machine import Event, Machine, Mode
from healing_runtime.supervisor.memoir import Memoir
from healing_runtime.supervisor.noticing import incident_at, is_mission, lost_at, requirement_of
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.supervisor.remembering import Remembering
from healing_runtime.supervisor.repairing import Repairing
from healing_runtime.supervisor.result import ABORTED, IncidentStory, RunResult
from healing_runtime.supervisor.settings import Settings
from healing_runtime.supervisor.telling import told

Narrate = Callable[[str], None]
UNHEALED = (Mode.HELD, Mode.REPAIRING, Mode.READY)
"""Modes in which the flight stands at a trip, and nothing that was accepted flies."""


class Run:
    """One flight with its incidents."""

    def __init__(
        self,
        prepared: Prepared,
        settings: Settings,
        examiner: Examiner,
        memoir: Memoir,
        remembering: Remembering,
        program: Program,
        loader: Loader,
        narrate: Narrate,
        fallback: Fallback | None = None,
    ) -> None:
        self.prepared, self.settings, self.examiner = prepared, settings, examiner
        self.memoir, self.remembering, self.loader, self.narrate = memoir, remembering, loader, narrate
        examiner.keep_regressions = memoir.regressions
        scenario = prepared.scenario
        self.deck = Deck(prepared.robot.make(), scenario, program, memoir.journal)
        self.machine = Machine(memoir.transition)
        self.source = prepared.source
        self.repairing = Repairing(prepared, settings, examiner, memoir, remembering, narrate)
        self.decide = settings.decide or by_people(memoir.ledger, settings.approve)
        self.fallback = fallback
        self.taken: TakeOver | None = None

    # ------------------------------------------------------------ the story
    def to_the_end(self) -> RunResult:
        """Fly; on a violation heal and fly on; what nothing can mend the fallback flies on, or the run ends there."""
        try:
            return self._told()
        except BaseException as error:
            self.memoir.interrupted(error)
            raise
        finally:
            self.repairing.close()
            self.examiner.close()
            self.deck.plant.close()

    def _told(self) -> RunResult:
        try:
            self.narrate(f"flying {self.prepared.scenario.name}")
            for note in self.prepared.loaded.notes:
                self.narrate(note)
            if not self.prepared.robot.ground_truth:
                self.narrate("this robot has no ground truth: assertions read what its sensors say")
            while broken := self._fly():
                if not self._heal(broken):
                    break
            self._fall_back()
            return self._conclude()
        except OutsideError as error:
            # Whatever failed outside, the flight so far is whole and is told as such.
            self.narrate(f"aborted: {error}")
            if self.memoir.stories and not self.memoir.stories[-1].ending:
                self._unhealed(self.memoir.stories[-1], ABORTED, str(error))
            self._fall_back()
            return self._conclude(aborted=str(error))

    def _fly(self) -> tuple[str, ...]:
        """Fly on; returns what was broken, empty at a good end."""
        cut = self.settings.until_tick
        recall = self.settings.recall
        recorded = None if recall is None else recall.actions(len(self.memoir.stories))
        stop = self.deck.fly(pause_at=-1 if cut is None else cut, recorded=recorded)
        broken = () if stop.paused else self.deck.broken(stop)
        if broken:
            self.machine.fire(Event.VIOLATION if stop.tripped else Event.MISSION_MISSED, stop.tick)
        return broken

    def _heal(self, broken: tuple[str, ...]) -> bool:
        """Pause, have a patch written and judged, swap it in, watch it. False if the violation stays."""
        deck, machine = self.deck, self.machine
        noticed = time.perf_counter()
        machine.fire(Event.PAUSE, deck.tick)
        words = self.examiner.words(broken[0])
        incident = incident_at(deck, broken[0], len(self.memoir.stories) + 1, words)
        if self.settings.recall is not None:
            self.settings.recall.meet(incident)
        story = self.memoir.incident(incident)
        t_s = incident.tick / self.prepared.scenario.control_hz
        story.lost = lost_at(deck, self.prepared, incident)
        requirement = requirement_of(self.prepared, incident.assertion)
        self.narrate(f"t = {t_s:.2f} s: {told(incident, requirement, story.lost)}")
        if self.settings.brain == "none":
            return self._unhealed(story, "no_brain")
        if self._freezes and is_mission(deck, incident.assertion):
            return self._unhealed(story, "mission_needs_rewind", "a missed mission can be mended by rewinding only")
        deadline = self._deadline()
        checkpoint = deck.checkpoint()
        while True:
            machine.fire(Event.REPAIR, deck.tick)
            outcome = self.repairing.patch_for(incident, story, deck, self.source, deadline)
            if isinstance(outcome, Refused):
                machine.fire(Event.REFUSED, deck.tick)
                return self._unhealed(story, outcome.reason.value, outcome.detail)
            machine.fire(Event.ACCEPTED, deck.tick)
            patched = _patched(self.source, outcome)
            evidence = self.examiner.evidence(outcome, incident, self.source)
            if self._asks(incident):
                asked = time.monotonic()
                approved = self._approved(outcome, story, patched, evidence)
                waited_s = time.monotonic() - asked
                deadline, noticed = deadline + waited_s, noticed + waited_s
                if approved is None:
                    return False
                if not approved:
                    self.remembering.forget(patched.sha256)
                    continue
            self._swap(outcome, story, patched, evidence)
            story.time_to_heal_s = time.perf_counter() - noticed
            if self._probation(incident, story, checkpoint):
                self.source = patched
                self.memoir.healed(story)
                self.remembering.keep()
                return True

    @property
    def _freezes(self) -> bool:
        return self.prepared.scenario.policy.on_violation == "freeze"

    def _deadline(self) -> float:
        """When the repair of an incident has spent its wall budget, rollbacks included; never in a replay."""
        budget_s = self.prepared.scenario.policy.wall_budget_s
        return time.monotonic() + budget_s if self.settings.wall_budget else float("inf")

    def _unhealed(self, story: IncidentStory, ending: str, detail: str = "") -> bool:
        story.ending, story.detail = ending, detail
        self.memoir.incidents.ended(story)
        return False

    # ------------------------------------------------------------ asking a person
    def _asks(self, incident: Incident) -> bool:
        """Whether a patch waits for a person. A controller that somebody hands the robot to is no patch."""
        recall = self.settings.recall
        handed_over = recall is not None and recall.takes_over_at(incident.id)
        return self.prepared.scenario.policy.approval == "human" and not handed_over

    def _approved(self, outcome: Repaired, story: IncidentStory, patched: Source, evidence: Evidence) -> bool | None:
        """What a person decided on an accepted patch; None if nobody did, and the run ends awaiting it."""
        tick = self.deck.tick
        self.machine.fire(Event.ASK, tick)
        review = self.memoir.patches.asked(
            story, outcome, (self.source, patched), evidence, self.examiner.program(outcome.decision)
        )
        self.memoir.journal.flush()
        decision = self.decide(review)
        if decision is None:
            story.ending = AWAITING
            self.narrate(f"patch {patched.sha256[7:19]} waits for approval")
            if self.memoir.ledger is not None and not self.memoir.can_go_on:
                self.narrate("but this run cannot go on: the private cache, which would vouch for it, is not used")
            return None
        self.memoir.patches.decided(story, decision)
        approved = decision.decision == "approved"
        self.machine.fire(Event.APPROVED if approved else Event.REJECTED, tick)
        self.narrate(f"{decision.decision} by {decision.by}" + (f": {decision.note}" if decision.note else ""))
        return approved

    # ------------------------------------------------------------ swapping
    def _swap(self, outcome: Repaired, story: IncidentStory, patched: Source, evidence: Evidence) -> None:
        """Write down what the gate accepted while it loads, and put it in between two ticks."""
        deck = self.deck
        resume = deck.tick if outcome.decision.resume_tick is None else outcome.decision.resume_tick
        blob = self.examiner.program(outcome.decision)
        loading = self.loader.load(blob)
        self.memoir.patches.accepted(story, outcome, (self.source, patched), evidence)
        self.remembering.hold(outcome, story.incident, self.source, evidence, self.memoir.folder.run_id)
        program = loading.result()
        carry = self.examiner.carry_at(resume, blob)
        handed_over = self.settings.recall is not None and self.settings.recall.takes_over_at(story.incident.id)
        pardoned = self._close_obligations() if self._freezes or handed_over else ()
        self.machine.fire(Event.SWAP, deck.tick)
        story.breakdown_s["swap"] += deck.swap_in(program, resume, carry, pardoned, evidence.valid_until_tick)
        self.memoir.patches.swapped(story, resume)
        self.narrate(f"swapped in at t = {resume / self.prepared.scenario.control_hz:.2f} s")

    def _close_obligations(self) -> tuple[str, ...]:
        """Under `freeze` what is broken stays false on record, whatever happens later; returns its ids."""
        deck, broken = self.deck, self.deck.broken_here()
        deck.closed |= {v.id: v for v in deck.verdicts() if v.id in broken}
        return broken

    def _probation(self, incident: Incident, story: IncidentStory, checkpoint: Checkpoint) -> bool:
        """Fly the probation window. A violation in it rolls back and counts as a refusal."""
        deck, scenario = self.deck, self.prepared.scenario
        until = max(incident.tick, deck.tick) + scenario.policy.probation_ticks
        stop = deck.fly(pause_at=until)
        broken = deck.broken(stop) if not stop.paused else ()
        if not broken:
            self.machine.fire(Event.PROBATION_PASSED, stop.tick)
            deck.slot.settle()
            return True
        self.machine.fire(Event.ROLLED_BACK, stop.tick)
        facts = {"flight": "probation", "counterexample": deck.counterexample(stop.tick, broken)}
        result = StageResult(Stage.PROBATION, False, f"{broken[0]} was violated at tick {stop.tick}", facts=facts)
        self.remembering.forget(story.patch or "")
        self.memoir.patches.probation_failed(story, result)
        self.narrate(f"rolled back: {result.reason}")
        deck.roll_back(checkpoint)
        return False

    # ------------------------------------------------------------ falling back
    def _fall_back(self) -> None:
        """Let the fallback fly on from a trip that stays broken, or from where a patch is no longer valid.

        The deck stands there, in a tick whose action was not applied; nothing is left to fly at the last one.
        """
        deck, unhealed = self.deck, self.machine.mode in UNHEALED
        if self.fallback is None or deck.tick >= self.prepared.scenario.duration_ticks:
            return
        if not unhealed and not (deck.expired and self.machine.mode is Mode.NOMINAL):
            return
        story = self.memoir.stories[-1]
        incident, cause = (story.incident.id, story.ending) if unhealed else (None, EXPIRED)
        self.machine.fire(Event.FALL_BACK, deck.tick)
        until = -1 if self.settings.until_tick is None else self.settings.until_tick
        t_s, name = deck.tick / self.prepared.scenario.control_hz, self.fallback.source.name
        self.narrate(f"t = {t_s:.2f} s: the fallback {name} takes over ({cause.replace('_', ' ')})")
        self.taken = fly_on(deck, self.fallback, incident, cause, self.memoir.taken_over, until)
        self.source = self.fallback.source

    # ------------------------------------------------------------ ending
    def _conclude(self, aborted: str = "") -> RunResult:
        deck = self.deck
        if self.machine.mode not in (Mode.ENDED, Mode.AWAITING):
            self.machine.fire(Event.FINISH, deck.tick)
        outcome, final = self._outcome(aborted), self.source.sha256
        return self.memoir.conclude(deck, outcome, final, aborted or self._ended_early(), self.taken)

    def _ended_early(self) -> str:
        """Why the flight did not go on to its end, where no incident says it."""
        if self.taken is not None:
            return self.taken.stopped
        expired = f"the patch was validated up to tick {self.deck.valid_until}, and the scenario names no fallback"
        return expired if self.deck.expired else ""

    def _outcome(self, aborted: str) -> Outcome:
        if self.taken is not None:
            return Outcome.VIOLATED if self.taken.stopped else Outcome.FALLBACK
        if self.deck.expired and not aborted:
            return Outcome.VIOLATED
        unhealed = [s for s in self.memoir.stories if not s.healed]
        if aborted or any(s.ending == Reason.BRAIN_UNAVAILABLE.value for s in unhealed):
            return Outcome.ABORTED
        if any(s.ending == AWAITING for s in unhealed):
            return Outcome.AWAITING_APPROVAL
        if unhealed or any(v.mission and v.status is not Status.TRUE for v in self.deck.verdicts()):
            return Outcome.VIOLATED
        return Outcome.HEALED if self.memoir.stories else Outcome.SUCCEEDED


def _patched(source: Source, outcome: Repaired) -> Source:
    text = outcome.proposal.source
    return Source(source.name, source.path, text, digest(text))
