"""Stage 7: flights. The incident, the whole scenario, regressions, a repetition; then the held-out neighbourhood."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future

from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core.errors import InputError, SandboxFailed, WorkerFailed
from healing_runtime.core.records import Scenario
from healing_runtime.core.status import Stage
from healing_runtime.gate import neighbourhood
from healing_runtime.gate.build import Garage
from healing_runtime.gate.flights import FlightReport, Leg, ask_flights, reports_of
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.records import Candidate, Context, Course
from healing_runtime.gate.statistics import EXAMINATIONS
from healing_runtime.loop.recorder import keyframe_every
from healing_runtime.sandbox.messages import Message
from healing_runtime.sandbox.zygote import Sandbox

MAX_REGRESSIONS = 10


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


class Trials:
    """The flights stage of one run. Remembers how often each incident was examined."""

    def __init__(self, sandbox: Sandbox, context: Context, kept: KeptPrograms) -> None:
        self._sandbox, self._context, self._kept = sandbox, context, kept
        self._examined: Counter[str] = Counter()

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
        least = scenario.acceptance.min_robustness
        resuming = [Leg(scenario, r.tick, r.carry_for(program), r.pardoned) for r in candidate.resumes]
        incident = self._fly_incident(candidate, program, resuming)
        start = [Leg(scenario)]
        whole, again = self._fly(program, start), self._fly(program, start)
        regressions = self._fly_regressions(candidate, program)

        tried = reports_of(incident.result(), resuming)
        first, repeated = reports_of(whole.result(), start)[0], reports_of(again.result(), start)[0]
        regressed = [(course, reports_of(flown.result(), legs)[0]) for course, legs, flown in regressions]

        kept = tried[-1]
        if complaint := kept.complaint(least):
            ticks = [r.tick for r in candidate.resumes[: len(tried)]]
            reason = f"from the incident (resumed at tick {', '.join(map(str, ticks))}): {complaint}."
            return candidate.stopped(Stage.FLIGHTS, reason, facts={"flight": "incident", "report": kept})
        if complaint := first.complaint(least):
            reason = f"the scenario from its start: {complaint}."
            return candidate.stopped(Stage.FLIGHTS, reason, facts={"flight": "scenario", "report": first})
        if first.digest != repeated.digest:
            reason = "the same flight twice gave different results."
            return candidate.stopped(Stage.FLIGHTS, reason, facts={"flight": "repetition"})
        for course, report in regressed:
            if not report.kept:
                reason = f"regression in {course.scenario.name}: {report.fault}."
                return candidate.stopped(Stage.FLIGHTS, reason, facts={"flight": "regression", "report": report})
        facts = {
            "incident": [brief(r) for r in tried],
            "scenario": brief(first),
            "repeated": True,
            "regressions": [{"scenario": course.scenario.name, **brief(report)} for course, report in regressed],
        }
        before = candidate.resumes[len(tried) - 2].tick if len(tried) > 1 else None
        resume = candidate.resumes[len(tried) - 1].tick
        return dataclasses.replace(candidate.passed(Stage.FLIGHTS, facts), resume_tick=resume, bracket=(resume, before))

    def _fly(self, program: ProgramBlob, legs: Sequence[Leg]) -> Future[Message]:
        return ask_flights(self._sandbox, program, legs, self._context.sim_root)

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
    ) -> list[tuple[Course, list[Leg], Future[Message]]]:
        context = self._context
        if not context.course.scenario.acceptance.regressions:
            return []
        garage = Garage(self._sandbox, context, candidate.source, self._kept)
        garage.keep(context.course, candidate.traced, program)
        flown = []
        for course in context.regressions[:MAX_REGRESSIONS]:
            legs = [Leg(course.scenario)]
            flown.append((course, legs, self._fly(garage.program(course), legs)))
        return flown

    # ------------------------------------------------------------ what may not
    def _held_out(self, candidate: Candidate, program: ProgramBlob) -> Candidate:
        """Counts only: neither the neighbours nor their flights leave this function."""
        nominal = candidate.stages[-1].facts
        before = dataclasses.replace(candidate, stages=candidate.stages[:-1])
        context, incident = self._context, candidate.incident.id
        scenario = context.course.scenario
        acceptance = scenario.acceptance
        if acceptance.samples == 0:
            return before.passed(Stage.FLIGHTS, {**nominal, "neighbourhood": None})
        if self._examined[incident] >= EXAMINATIONS:
            reason = f"the incident's {EXAMINATIONS} examinations on held-out neighbours are spent."
            return before.stopped(Stage.FLIGHTS, reason, facts={"flight": "neighbourhood", "examinations_left": 0})
        self._examined[incident] += 1
        number = self._examined[incident]
        rng = neighbourhood.generator(scenario.seed, incident, candidate.source.sha256, number)
        result = neighbourhood.examine(
            self._sandbox, program, neighbourhood.neighbours(scenario, rng), acceptance, number, context.sim_root
        )
        facts = {"neighbourhood": result._asdict(), "examinations_left": EXAMINATIONS - number}
        if not result.accepted:
            reason = (
                f"held-out neighbours: {result.passed} of {result.flown} flown kept every promise, "
                f"{result.needed} of {result.samples} are needed."
            )
            return before.stopped(Stage.FLIGHTS, reason, facts={"flight": "neighbourhood", **facts})
        return before.passed(Stage.FLIGHTS, {**nominal, **facts})


def brief(report: FlightReport) -> dict[str, object]:
    """What evidence holds of a flight."""
    return {
        "from_tick": report.first_tick,
        "kept": report.kept,
        "robustness": report.robustness,
        "weakest": report.weakest,
        "digest": report.digest,
    }
