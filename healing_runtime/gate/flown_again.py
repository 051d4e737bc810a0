"""Stage 7 of a remembered patch: the incident and the whole scenario again; the stored bound stands for the rest.

All that one worker does before its first flight costs as much as four landings, so the incident and the scenario share
one. The repetition flies in another, beside it: the same twice in one process would be half a proof.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import NamedTuple

from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core.errors import InputError, SandboxFailed, WorkerFailed
from healing_runtime.core.status import Stage
from healing_runtime.gate import nominal
from healing_runtime.gate.flights import FlightReport, Leg, ask_flights, reports_of
from healing_runtime.gate.records import Candidate, Context, Standing
from healing_runtime.sandbox.leash import call_off
from healing_runtime.sandbox.messages import Message
from healing_runtime.sandbox.zygote import Sandbox


class Flights(NamedTuple):
    """What came of the places of resumption that were tried then, of the scenario, and of its repetition."""

    tried: tuple[FlightReport, ...]
    whole: FlightReport
    repeated: FlightReport


class FlownAgain:
    """The flights of a patch whose evidence stands.

    One that breaks a promise refuses it. Where they come out otherwise than then, or a worker does not survive them, it
    is not the patch of its evidence, or not a program that can be used here: `full` has to judge it.
    """

    def __init__(self, sandbox: Sandbox, context: Context) -> None:
        self._sandbox, self._context = sandbox, context

    def __call__(self, candidate: Candidate) -> Candidate:
        """Fly what has to be flown; take over what was proved."""
        program, stood = candidate.program, candidate.standing
        if program is None or stood is None:
            return candidate.differing(Stage.FLIGHTS, "it has no program, or no evidence")
        try:
            return self._judged(candidate, stood, self._fly(candidate, program, stood))
        except SandboxFailed:
            raise
        except (InputError, WorkerFailed) as error:
            return candidate.differing(Stage.FLIGHTS, f"a flight did not end well: {error}")

    def _fly(self, candidate: Candidate, program: ProgramBlob, stood: Standing) -> Flights:
        scenario, snapshot = self._context.course.scenario, candidate.incident.snapshot
        start = [Leg(scenario)]
        resumes = candidate.resumes[: len(stood.flown[0])]
        legs = [Leg(scenario, r.tick, r.carry_for(program), r.pardoned) for r in resumes] + start
        sim_root = self._context.sim_root
        least = scenario.acceptance.min_robustness
        asked: list[Future[Message]] = []
        try:
            recipe, onsets = snapshot.recipe_actions, snapshot.onsets
            asked.append(
                ask_flights(self._sandbox, program, legs, sim_root, recipe=recipe, onsets=onsets, min_robustness=least)
            )
            asked.append(ask_flights(self._sandbox, program, start, sim_root, min_robustness=least))
            reports, repeated = reports_of(asked[0].result(), legs), reports_of(asked[1].result(), start)[0]
        finally:  # where one did not end well the other flies for nothing
            call_off(asked)
        if len(reports) != len(legs):
            raise WorkerFailed("it flew less than it was asked for")
        return Flights(reports[:-1], reports[-1], repeated)

    def _judged(self, candidate: Candidate, stood: Standing, flights: Flights) -> Candidate:
        tried, whole, repeated = flights
        if not tried:
            return candidate.differing(Stage.FLIGHTS, "there is no place to resume")
        least = self._context.course.scenario.acceptance.min_robustness
        passed = nominal.judged(candidate, least, tried, lambda: whole, lambda: repeated)
        if passed.refused:
            return passed
        flown = (tuple(report.digest for report in tried), whole.digest)
        sooner = any(not report.complaint(least) for report in tried[:-1])
        if sooner or (self._context.surroundings.exact and flown != stood.flown):
            return candidate.differing(Stage.FLIGHTS, "its flights did not come out as its evidence has them")
        return nominal.with_facts(
            passed,
            regressions=None,
            neighbourhood=stood.neighbourhood,
            stands_on=stood.sha256,
            drawn_for=stood.drawn_for,
        )
