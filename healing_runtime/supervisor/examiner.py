"""Where the supervisor meets the gate: the run's context, where a patch may resume, and what brains are given."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from healing_runtime import stl
from healing_runtime.brains.brain import BrainContext, Exchange
from healing_runtime.compile.interface import FINITE_ACTION
from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core import perturb
from healing_runtime.core.platform import fingerprint
from healing_runtime.core.records import Decision, Evidence, Incident, Proposal, Scenario, Source
from healing_runtime.core.status import GatePolicy
from healing_runtime.gate import fallback, policy
from healing_runtime.gate.evidence import evidence
from healing_runtime.gate.fallback import Admitted
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.records import Context, Course, Resume
from healing_runtime.gate.standing import Find, nothing_kept
from healing_runtime.gate.trials import resume_ticks
from healing_runtime.repair.repair import Repaired
from healing_runtime.repair.request import brain_seed
from healing_runtime.sandbox.spare import SPARE
from healing_runtime.sandbox.zygote import Sandbox
from healing_runtime.supervisor.deck import Deck
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.supervisor.regressions import Regressions
from healing_runtime.supervisor.surroundings import here

if TYPE_CHECKING:
    from healing_runtime.supervisor.recall import TakenOver

WORKERS = 2


class Examiner:
    """Builds the initial controller and judges patches, in confined workers."""

    def __init__(
        self,
        sandbox: Sandbox,
        prepared: Prepared,
        narrate: Callable[[str], None],
        kept: KeptPrograms,
        recall: TakenOver | None = None,
        evidence: Find = nothing_kept,
    ) -> None:
        self.sandbox, self.prepared, self._narrate, self._kept = sandbox, prepared, narrate, kept
        self._recall, self._evidence = recall, evidence
        self.course = Course(prepared.scenario, prepared.files)
        self._sim_root = str(prepared.sim_root)
        self.regressions = Regressions(prepared, narrate)
        self._surroundings = getattr(prepared.loaded, "surroundings", None) or here(prepared, self.regressions.listed)
        self.keep_regressions: Callable[[tuple[Course, ...]], None] = lambda courses: None
        self._gate: policy.Gate | None = None
        self._qualified: tuple[Course, ...] = ()
        self._offered: tuple[Resume, ...] = ()

    @staticmethod
    def workers() -> Sandbox:
        """The sandbox of a run. Runs of one process that follow each other share a zygote, and no worker."""
        return Sandbox(WORKERS, spare=SPARE)

    def admit(self) -> ProgramBlob:
        """The initial controller's program: syntax, trace, passes, export, build."""
        return self._build(self.prepared.source)

    def admit_fallback(self) -> Admitted | None:
        """The scenario's fallback, examined before take-off: as `admit`, and flown from drawn states."""
        source = self.prepared.fallback
        if source is None:
            return None
        self._narrate(f"examining the fallback {source.name}")
        admitted = fallback.admit(self.sandbox, source, self.context, self._kept)
        if not admitted.remembered:
            self._narrate(f"{source.name} flew well {_from_where(self.prepared.scenario)}")
        return admitted

    def _build(self, source: Source, patch: bool = False) -> ProgramBlob:
        original = self.prepared.source if patch else None
        return policy.admit(self.sandbox, source, self.course, self.prepared.table, self._kept, original)

    # ------------------------------------------------------------ judging
    def judge_for(
        self, incident: Incident, deck: Deck, flying: Source, deadline_s: float = math.inf
    ) -> Callable[[Proposal], Decision]:
        """The gate for one incident: proposal -> decision. BudgetSpent where the deadline comes first."""
        self._offered = resumes = self._resumes(incident, deck)
        recorded: Callable[[Proposal], Decision | None] | None = None
        if self._recall is not None:
            if self._recall.takes_over_at(incident.id):
                self._offered = (self._resume(incident.tick, deck, incident.tick, handed_over=True),)
            recorded = self._recall.judge_for(incident, self._build, flying)

        def judge(proposal: Proposal) -> Decision:
            taken_over = None if recorded is None else recorded(proposal)
            if taken_over is not None:
                return taken_over
            with self.sandbox.until(deadline_s):
                return self.gate().judge(proposal, incident, resumes, flying)

        return judge

    def gate(self) -> policy.Gate:
        """The run's gate. Its regressions are flown once, for the first patch that is judged in full."""
        if self._gate is None:
            spent = {} if self._recall is None else self._recall.examined()
            context = dataclasses.replace(self.context, examined=spent)
            self._gate = policy.Gate(self.sandbox, context, self._kept, self._evidence, self._qualify)
        return self._gate

    def close(self) -> None:
        """Let go of the gate. They hold each other, and all that was flown lay about until a collection found it."""
        self._gate = None

    def _qualify(self) -> tuple[Course, ...]:
        self._qualified = self.gate().qualify(self.regressions.courses())
        self.keep_regressions(self._qualified)
        return self._qualified

    def program(self, decision: Decision) -> ProgramBlob:
        """The executable that a decision accepted, and no other."""
        taken_over = None if self._recall is None else self._recall.program(decision)
        if taken_over is not None:
            return taken_over
        program = self.gate().program
        if program is None or program.sha256 != decision.program_sha256:
            raise RuntimeError("the gate holds another program than the one it accepted")
        return program

    def evidence(self, outcome: Repaired, incident: Incident, flying: Source) -> Evidence:
        """What stands behind an accepted patch."""
        taken_over = None if self._recall is None else self._recall.evidence(outcome.decision)
        if taken_over is not None:
            return taken_over
        flown = self._qualified if outcome.decision.policy == GatePolicy.FULL else ()
        return evidence(
            outcome.decision,
            dataclasses.replace(self.context, regressions=flown),
            incident,
            outcome.proposal,
            flying,
            brain=outcome.brain,
            confinement=self.sandbox.confinement,
            fingerprint=fingerprint(),
        )

    def _resumes(self, incident: Incident, deck: Deck) -> tuple[Resume, ...]:
        ticks = resume_ticks(self.prepared.scenario, incident.tick)
        return tuple(self._resume(tick, deck, incident.tick) for tick in ticks)

    def _resume(self, tick: int, deck: Deck, trip: int, *, handed_over: bool = False) -> Resume:
        """Where a patch may take over; at tick 0 it starts as a run starts.

        Pardoned is what is closed on record when the patch takes over, and nothing else: what was broken in this very
        tick under `freeze`, or where the robot is handed over. Under `rewind` a patch keeps every promise, from tick 0
        too, where the trip may have been.
        """
        closes = handed_over or self.prepared.scenario.policy.on_violation == "freeze"
        pardoned = deck.broken_here() if closes and tick == trip else ()
        if tick == 0:
            return Resume(0, pardoned=pardoned)
        flew, carry = deck.carry_before(tick)
        return Resume(tick, carry, flew.interface, pardoned)

    def carry_at(self, tick: int, program: ProgramBlob) -> Vectors:
        """The memory with which an accepted program takes over at `tick`: what the gate's flight started with."""
        resume = next(r for r in self._offered if r.tick == tick)
        carry = resume.carry_for(program)
        return Vectors(program.carry.floats.copy(), program.carry.ints.copy()) if carry is None else carry

    @functools.cached_property
    def context(self) -> Context:
        """The run as the gate sees it, before its regressions are known."""
        p = self.prepared
        return Context(self.course, p.source, p.table, self._sim_root, surroundings=self._surroundings)

    # ------------------------------------------------------------ words
    def words(self, assertion: str) -> tuple[str, str]:
        """A clause as written and its English reading."""
        for requirement in self.prepared.requirements:
            if requirement.id == assertion:
                return requirement.text, stl.explain(requirement.formula, mission=requirement.mission)
        if assertion == FINITE_ACTION:
            return "all entries of the action are finite", "The controller's action is finite in every tick."
        for statement in self.prepared.parsed.contract:
            if f"controller/{statement.slug}" == assertion:
                return statement.text, f"The controller's own assertion '{statement.label}' holds in every tick."
        return assertion, f"The controller's own assertion '{assertion}' holds in every tick."

    def brain_context(self, narrate: Callable[[str], None], record: Callable[[Exchange], None]) -> BrainContext:
        """What a brain is made with."""
        p = self.prepared
        return BrainContext(
            sandbox=self.sandbox,
            robot_name=p.robot.name,
            sim_root=p.sim_root,
            seed=brain_seed(p.scenario),
            narrate=narrate,
            record=record,
            signals=p.table,
            deadline_s=p.scenario.policy.wall_budget_s,
        )


def _from_where(scenario: Scenario) -> str:
    """Where the flights of a fallback before take-off began, as far as they were drawn at all."""
    drawn = perturb.drawn(scenario)
    if any(name in scenario.perturb.initial for name in drawn):
        return f"from {fallback.STATES} drawn states"
    differ = "differ in what else perturb draws" if drawn else "differ in their noise alone, for perturb draws nothing"
    return f"{fallback.STATES} times from the scenario's own state; the flights {differ}"
