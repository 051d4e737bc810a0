"""Stage 7: flights. The incident, the whole scenario, regressions, a repetition; then the held-out neighbourhood."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core.bearing import bearing
from healing_runtime.core.errors import InputError, SandboxFailed, WorkerFailed
from healing_runtime.core.records import Decision, Scenario
from healing_runtime.core.status import GatePolicy, Stage
from healing_runtime.gate import neighbourhood, nominal
from healing_runtime.gate.build import Garage
from healing_runtime.gate.flights import Leg, ask_flights, latency_of, reports_of
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.records import Candidate, Context, Course
from healing_runtime.gate.statistics import EXAMINATIONS
from healing_runtime.loop.recorder import keyframe_every
from healing_runtime.sandbox.leash import call_off
from healing_runtime.sandbox.messages import Message
from healing_runtime.sandbox.zygote import Sandbox
from healing_runtime.workspace.plants import load_robot

MAX_REGRESSIONS = 10
LEFT = "examinations_left"
"""Fact of a candidate that came as far as its neighbours: how often its incident may still be examined."""


def resume_ticks(scenario: Scenario, trip_tick: int) -> tuple[int, ...]:
    """Where a patch may take over, in the order in which it is tried.

    `freeze`: the trip tick. `rewind`: the keyframes 1, 2, 4, 8, … before the trip, and last tick 0.
    """
    if scenario.policy.on_violation == "freeze":
        return (trip_tick,)
    every = keyframe_every(scenario.control_hz)
    last = (trip_tick - 1) // every  # the keyframe of the trip tick itself would only fly the violation again
    ticks, back = [], 0
    while (number := last - back) > 0:
        ticks.append(number * every)
        back = 2 * back + 1
    return (*ticks, 0)


def spent(decision: Decision) -> int:
    """Examinations that a decision's incident had spent after it: however they ended, and only `full` examines.

    It may have been read from somewhere: what is no such count stands for all of them.
    """
    facts = decision.stages[-1].facts if decision.stages else {}
    if decision.policy != GatePolicy.FULL or LEFT not in facts:
        return 0
    left = facts[LEFT]
    return EXAMINATIONS - left if type(left) is int and 0 <= left <= EXAMINATIONS else EXAMINATIONS


class Trials:
    """The flights stage of one run. Remembers how often each incident was examined."""

    def __init__(self, sandbox: Sandbox, context: Context, kept: KeptPrograms) -> None:
        self._sandbox, self._context, self._kept = sandbox, context, kept
        self._examined: Counter[str] = Counter(context.examined)

    def __call__(self, candidate: Candidate) -> Candidate:
        """Fly the candidate's program; refuse with the first flight that does not keep its promises."""
        if candidate.program is None:
            return candidate.stopped(Stage.FLIGHTS, "there is no program to fly.")
        try:
            flown = self._nominal(candidate, candidate.program)
            return flown if flown.refused else self._held_out(flown, candidate.program)
        except SandboxFailed:
            raise
        except (InputError, WorkerFailed) as error:
            return candidate.stopped(Stage.FLIGHTS, f"a flight did not end well: {error}")

    # ------------------------------------------------------------ what may be told to the brain
    def _nominal(self, candidate: Candidate, program: ProgramBlob) -> Candidate:
        """The incident, the scenario, its repetition, the regressions: flown side by side, judged in this order."""
        scenario = self._context.course.scenario
        resuming = [Leg(scenario, r.tick, r.carry_for(program), r.pardoned) for r in candidate.resumes]
        start = [Leg(scenario)]
        asked: list[Future[Message]] = []
        regressions: list[tuple[Course, list[Leg], Future[Message]]] = []
        try:
            asked.append(self._fly_incident(candidate, program, resuming))
            asked.append(self._fly(program, start, timed=True))
            asked.append(self._fly(program, start))
            for flying in self._fly_regressions(candidate, program):
                regressions.append(flying)
            return self._judged(candidate, resuming, start, asked, regressions)
        finally:  # what is still flying when the verdict is certain flies for nothing
            call_off([*asked, *(flown for *_, flown in regressions)])

    def _judged(
        self,
        candidate: Candidate,
        resuming: Sequence[Leg],
        start: Sequence[Leg],
        flown: Sequence[Future[Message]],
        regressions: Sequence[tuple[Course, list[Leg], Future[Message]]],
    ) -> Candidate:
        incident, whole, again = flown
        passed = nominal.judged(
            candidate,
            self._context.course.scenario.acceptance.min_robustness,
            reports_of(incident.result(), resuming),
            lambda: reports_of(whole.result(), start)[0],
            lambda: reports_of(again.result(), start)[0],
        )
        if passed.refused:
            return passed
        regressed = []
        for course, legs, future in regressions:
            (report,) = reports_of(future.result(), legs)
            if not report.kept:
                reason = f"regression in {course.scenario.name}: {report.fault}"
                return nominal.refused(candidate, reason, "regression", report)
            regressed.append({"scenario": course.scenario.name, "sha256": course.sha256, **nominal.brief(report)})
        passed = nominal.with_facts(passed, regressions=regressed)
        return dataclasses.replace(passed, latency=latency_of(whole.result()))

    def _fly(self, program: ProgramBlob, legs: Sequence[Leg], *, timed: bool = False) -> Future[Message]:
        least = self._context.course.scenario.acceptance.min_robustness
        sim_root = self._context.sim_root
        return ask_flights(self._sandbox, program, legs, sim_root, min_robustness=least, timed=timed)

    def _fly_incident(self, candidate: Candidate, program: ProgramBlob, legs: Sequence[Leg]) -> Future[Message]:
        """Resume candidates in order, in one worker, up to the first that keeps every promise."""
        return ask_flights(
            self._sandbox,
            program,
            legs,
            self._context.sim_root,
            recipe=candidate.incident.snapshot.recipe_actions,
            onsets=candidate.incident.snapshot.onsets,
            until="first_kept",
            min_robustness=self._context.course.scenario.acceptance.min_robustness,
        )

    def _fly_regressions(
        self, candidate: Candidate, program: ProgramBlob
    ) -> Iterator[tuple[Course, list[Leg], Future[Message]]]:
        context = self._context
        if not context.course.scenario.acceptance.regressions:
            return
        garage = Garage(self._sandbox, context, candidate.source, self._kept)
        garage.keep(context.course, candidate.traced, program)
        for course in context.regressions[:MAX_REGRESSIONS]:
            legs = [Leg(course.scenario)]
            yield course, legs, self._fly(garage.program(course), legs)

    # ------------------------------------------------------------ what may not
    def _held_out(self, candidate: Candidate, program: ProgramBlob) -> Candidate:
        """Counts only: neither the neighbours nor their flights leave this function."""
        told = candidate.stages[-1].facts
        before = dataclasses.replace(candidate, stages=candidate.stages[:-1])
        context, incident = self._context, candidate.incident.id
        scenario = context.course.scenario
        acceptance = scenario.acceptance
        if acceptance.samples == 0:
            return before.passed(Stage.FLIGHTS, {**told, "neighbourhood": None})
        if self._examined[incident] >= EXAMINATIONS:
            reason = f"the incident's {EXAMINATIONS} examinations on held-out neighbours are spent."
            return before.stopped(Stage.FLIGHTS, reason, facts={"flight": "neighbourhood", LEFT: 0})
        self._examined[incident] += 1
        number = self._examined[incident]
        rng = neighbourhood.generator(scenario.seed, incident, candidate.source.sha256, number)
        with bearing(load_robot(scenario.robot, context.sim_root)) as bears:
            drawn = neighbourhood.neighbours(scenario, rng, bears)
        left = {LEFT: EXAMINATIONS - number}
        try:
            result = neighbourhood.examine(self._sandbox, program, drawn, acceptance, number, context.sim_root)
        except SandboxFailed:
            raise
        except (InputError, WorkerFailed) as error:  # what the worker said of it may tell which neighbour it flew
            reason = f"held-out neighbours: a flight did not end well ({neighbourhood.end_of(error)})."
            return before.stopped(Stage.FLIGHTS, reason, facts={"flight": "neighbourhood", **left})
        if not result.accepted:
            facts = {"neighbourhood": result.counts, **left}
            reason = (
                f"held-out neighbours: {result.passed} of {result.flown} flown kept every promise, "
                f"{result.needed} of {result.samples} are needed."
            )
            return before.stopped(Stage.FLIGHTS, reason, facts={"flight": "neighbourhood", **facts})
        return before.passed(Stage.FLIGHTS, {**told, "neighbourhood": result._asdict(), **left})
