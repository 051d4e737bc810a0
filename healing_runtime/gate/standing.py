"""Whether a stored verdict still stands: all that a remembered patch must have in common with the evidence it names.

Nothing is believed for being written there. The evidence must have the hash under which it is named, be by `full`, and
hold every stage; each hash in it is compared with what is flown now, and the bound is calculated again from the counts.
Whatever is missing, unknown, of another form or not equal is said in words, and the patch is judged in full.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from healing_runtime.core import codec
from healing_runtime.core.records import Acceptance, Evidence, Scenario
from healing_runtime.core.status import AFTER_THE_GATE, GatePolicy, Stage
from healing_runtime.gate import statistics
from healing_runtime.gate.records import Candidate, Context, Standing

Find = Callable[[str], Any]
"""Evidence as plain JSON by its hash; None where it is not known."""

_NOT_STOOD_ON: Mapping[str, str] = {
    GatePolicy.REMEMBERED: "its evidence is by 'remembered' and stands on other evidence; only 'full' is stood on",
    GatePolicy.PREVALIDATED: "its evidence is by 'prevalidated', which is not available yet; only 'full' is stood on",
}


def nothing_kept(_: str) -> None:
    """No evidence is known."""


def standing(candidate: Candidate, context: Context, find: Find) -> Standing | str:
    """The evidence that a candidate's proposal names, if it holds; else why it does not."""
    named = candidate.proposal.stands_on
    document = find(named) if isinstance(named, str) else None
    if document is None:
        return "its evidence is not kept here"
    try:
        evidence = codec.read(Evidence, document)
        whole = codec.digest(document) == named == codec.digest(evidence)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return "its evidence is not of this version's form"
    if not whole:
        return "its evidence does not have the hash under which it was kept"
    if evidence.policy != GatePolicy.FULL:
        return _NOT_STOOD_ON.get(evidence.policy, "its evidence is by no policy of the gate")
    if (differing := _differing(evidence, candidate, context)) is not None:
        return f"{differing} is not what its evidence is about"
    return _standing(named, evidence, context.course.scenario)


def _differing(evidence: Evidence, candidate: Candidate, context: Context) -> str | None:
    """The first thing that is not equal, or not known well enough to be called equal."""
    course, there = context.course, evidence.bound_to
    here = context.bound_to
    pairs: tuple[tuple[str, Any, Any], ...] = (
        ("the patch", evidence.controller_after, candidate.source.sha256),
        ("the controller that failed", evidence.controller_before, candidate.flying.sha256),
        ("the controller that the scenario names", there.get("original"), here["original"]),
        ("the assertions", dict(evidence.assertions), {file.name: file.sha256 for file in course.files}),
        ("the scenario", evidence.scenario, codec.digest(course.scenario)),
        ("the runtime", there.get("runtime"), here["runtime"]),
        ("the simulation", there.get("simulation"), here["simulation"]),
        ("the robot's other scenarios", there.get("others"), here["others"]),
        ("the platform", dict(evidence.fingerprint), codec.plain(context.surroundings.fingerprint)),
    )
    return next((what for what, then, now in pairs if not then or then != now), None)


def _standing(sha256: str, evidence: Evidence, scenario: Scenario) -> Standing | str:
    """What the stages of the evidence hold, if it is all that an acceptance by `full` holds."""
    judged = [stage for stage in Stage if stage not in AFTER_THE_GATE]
    if [result.stage for result in evidence.stages] != judged or not all(r.accepted for r in evidence.stages):
        return "its evidence does not hold every stage of the gate"
    facts = {result.stage: result.facts for result in evidence.stages}
    flights = facts[Stage.FLIGHTS]
    try:
        exported = _text(facts[Stage.EXPORT]["stablehlo"])
        flown = (
            tuple(_text(flight["digest"]) for flight in flights["incident"]),
            _text(flights["scenario"]["digest"]),
        )
        neighbourhood = _examined(flights["neighbourhood"], scenario.acceptance)
        drawn_for = _drawn_for(evidence, scenario.seed, neighbourhood)
    except (KeyError, TypeError, ValueError) as error:
        return f"its evidence does not prove what the scenario asks ({error})"
    return Standing(sha256, exported, flown, neighbourhood, drawn_for)


def _examined(found: Any, acceptance: Acceptance) -> Mapping[str, Any] | None:
    """The stored counts with the bound that follows from them. ValueError where it does not clear the threshold."""
    if acceptance.samples == 0:
        if found is not None:
            raise ValueError("neighbours were flown, and none are asked for")
        return None
    number, samples, flown, passed = (_count(found[key]) for key in ("number", "samples", "flown", "passed"))
    if samples != acceptance.samples or not 1 <= number <= statistics.EXAMINATIONS or not passed <= flown <= samples:
        raise ValueError("the counts of its neighbours are none")
    confidence = statistics.examination_confidence(acceptance.confidence)
    bound = statistics.lower_bound(passed, samples, confidence)
    if not bound >= acceptance.min_pass_rate:
        raise ValueError(f"{passed} of {samples} neighbours prove a pass rate of {bound:.4g}")
    needed = statistics.passes_needed(samples, acceptance.min_pass_rate, confidence)
    counts = {"accepted": True, "number": number, "samples": samples, "flown": flown, "passed": passed}
    return counts | {
        "needed": needed,
        "confidence": confidence,
        "lower_bound": bound,
        "digest": _text(found["digest"]),
    }


def _drawn_for(evidence: Evidence, seed: int, counts: Mapping[str, Any] | None) -> str:
    """The incident that was mended then. ValueError where the counted neighbours were not drawn for it."""
    incident = _text(evidence.incident["id"])
    key = None if counts is None else [seed, incident, evidence.controller_after, counts["number"]]
    if evidence.seeds["neighbourhood"] != key:
        raise ValueError("its neighbours were drawn with another key")
    return incident


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a count is none")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a hash is missing")
    return value


# ---------------------------------------------------------------- in the stages
def same_program(export: Callable[[Candidate], Candidate]) -> Callable[[Candidate], Candidate]:
    """Stage 6 of a remembered patch: it exports to the program that was judged then."""

    def check(candidate: Candidate) -> Candidate:
        built = export(candidate)
        if built.refused:
            return built
        if built.standing is None or built.stages[-1].facts.get("stablehlo") != built.standing.exported:
            before = dataclasses.replace(built, stages=built.stages[:-1])
            return before.differing(Stage.EXPORT, "its program is not the one that its evidence is about")
        return built

    return check
