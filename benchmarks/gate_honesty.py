"""Does the gate keep the bound that its evidence claims, and does it let good patches pass? No speed is measured here.

Patches of known making go through the whole gate, each as a repair of an incident of the catalogue: sound controllers
whose gains are moved until some neighbours no longer bear it, and what a good engineer may write. Then each is flown on
neighbours of its own, whose key no gate uses, and `honesty.py` tests the gate against them.

python benchmarks/gate_honesty.py                                               # some of each kind
python benchmarks/gate_honesty.py --patches 120 --variants 1000 --witnesses 1000   # all that there is: hours
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from gate_cases import WEAKENED, Case, Patch, Weakening, incident_of, variants, witnesses
from honesty import ERROR, Rule, Tried, audit, characteristic, least_rate, reaches

from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core import codec, perturb
from healing_runtime.core.records import Acceptance, Proposal, Scenario
from healing_runtime.core.status import Stage
from healing_runtime.gate.flights import FlightReport, Leg, ask_flights, reports_of
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import candidate_of, decide, full
from healing_runtime.gate.records import Candidate, Context
from healing_runtime.gate.statistics import EXAMINATIONS, examination_confidence, lower_bound, passes_needed
from healing_runtime.sandbox.zygote import Sandbox
from healing_runtime.telemetry import progress as progress_kinds

PATCHES, VARIANTS, WITNESSES, FLIGHTS, SEED = 8, 4, 1, 256, 1
CHUNK = 32
GOOD_RATE, MUST_ACCEPT = 0.99, 0.95

_REACHED = {True: "shown", False: "NOT SO", None: "open: too few were flown to tell"}

Judge = Callable[[Sandbox, Case, str, str], tuple[Tried, ProgramBlob | None]]


# ---------------------------------------------------------------- one patch
def through_the_gate(sandbox: Sandbox, case: Case, name: str, text: str) -> tuple[Tried, ProgramBlob | None]:
    """Every stage of the gate; a patch that held-out neighbours refuse is offered again, as a brain might do.

    Gives the program too, which a refused patch has as well if it came as far.
    """
    incident = dataclasses.replace(case.incident, id=f"{case.incident.id} of {name}")
    stages = full(sandbox, case.context, KeptPrograms.none())
    candidate = candidate_of(Proposal("", "file", text), incident, case.resumes, case.context.original)
    judged, examinations = decide("full", stages, candidate)[1], 1
    while _stage(judged) == "neighbourhood" and examinations < EXAMINATIONS:
        judged, examinations = decide("full", stages, candidate)[1], examinations + 1
    return _tried(name, judged, examinations), judged.program


def _tried(name: str, judged: Candidate, examinations: int) -> Tried:
    last = judged.stages[-1]
    claimed = last.facts["neighbourhood"]["lower_bound"] if last.accepted else 0.0
    return Tried(name, _stage(judged), last.reason, examinations, claimed)


def _stage(judged: Candidate) -> str:
    """Where a candidate was refused, for flights which of them."""
    last = judged.stages[-1]
    if last.accepted:
        return ""
    return str(last.facts.get("flight", "flights")) if last.stage is Stage.FLIGHTS else last.stage.value


def fresh_flights(
    sandbox: Sandbox, program: ProgramBlob, context: Context, flights: int, key: Sequence[Any]
) -> list[FlightReport]:
    """Fly neighbours drawn from a key of the study's own."""
    digest = hashlib.sha256(codec.canonical(["fresh flights", *key])).digest()
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
    return flown(sandbox, program, context, [perturb.draw(context.course.scenario, rng) for _ in range(flights)])


def flown(
    sandbox: Sandbox, program: ProgramBlob, context: Context, scenarios: Sequence[Scenario]
) -> list[FlightReport]:
    """The flights of a program, as the gate reports them."""
    chunks = [[Leg(s) for s in scenarios[i : i + CHUNK]] for i in range(0, len(scenarios), CHUNK)]
    asked = [ask_flights(sandbox, program, legs, context.sim_root, with_log=False) for legs in chunks]
    return [report for legs, job in zip(chunks, asked, strict=True) for report in reports_of(job.result(), legs)]


def tried(
    sandbox: Sandbox, case: Case, patch: Patch, flights: int, seed: int, judge: Judge = through_the_gate
) -> Tried:
    """Judge a patch, then fly it afresh."""
    judged, program = judge(sandbox, case, patch.name, patch.text)
    if program is None:
        return judged
    key = [seed, patch.name, codec.digest(patch.text)]
    reports = fresh_flights(sandbox, program, case.context, flights, key)
    least = case.context.course.scenario.acceptance.min_robustness
    clear = sum(not report.complaint(least) for report in reports)
    return dataclasses.replace(judged, fresh=tuple(report.kept for report in reports), clear=clear)


def rule_of(acceptance: Acceptance) -> Rule:
    """The rule that a scenario asks the gate for."""
    confidence = examination_confidence(acceptance.confidence)
    needed = passes_needed(acceptance.samples, acceptance.min_pass_rate, confidence)
    if needed is None:
        raise ValueError("no patch could pass")
    claim = lower_bound(needed, acceptance.samples, confidence)
    return Rule(acceptance.samples, needed, EXAMINATIONS, claim)


def must_follow(rule: Rule, case: Case) -> None:
    """ValueError where the scenario of a case asks the gate for another rule than the one that it is judged by."""
    scenario = case.context.course.scenario
    asked = rule_of(scenario.acceptance)
    if asked != rule:
        raise ValueError(f"{scenario.name} asks the gate for {asked}, and it would be judged by {rule}.")


# ---------------------------------------------------------------- many
@dataclasses.dataclass(frozen=True)
class Plan:
    """How many patches of each kind to try, how often each is flown afresh, and the seed of all draws."""

    patches: int = PATCHES
    variants: int = VARIANTS
    witnesses: int = WITNESSES
    flights: int = FLIGHTS
    seed: int = SEED


def written(plan: Plan) -> list[Patch]:
    """Variants and witnesses, at even distances in all that there are."""
    return [*_spread(variants(), plan.variants), *_spread(witnesses(), plan.witnesses)]


def _spread(patches: Sequence[Patch], count: int) -> list[Patch]:
    taken = min(count, len(patches))
    return [patches[(2 * i + 1) * len(patches) // (2 * taken)] for i in range(taken)]


def weakened(plan: Plan) -> Iterator[Patch]:
    """Drawn one by one, since drawing takes flights."""
    makers: dict[str, Weakening] = {}
    for i in range(plan.patches):
        controller = WEAKENED[i % len(WEAKENED)]
        if controller not in makers:
            makers[controller] = Weakening(controller)
        drawn = makers[controller].draw(np.random.default_rng([plan.seed, i]))
        yield drawn._replace(name=f"{i}, {drawn.name}")
    for maker in makers.values():
        maker.close()


def study(plan: Plan, rule: Rule, found: list[Tried]) -> None:
    """Try them all, and put each into `found` as soon as it is flown. ValueError where a case has another rule."""
    good = written(plan)
    total = plan.patches + len(good)
    cases: dict[str, Case] = {}
    with Sandbox() as sandbox, progress_kinds.for_stream(sys.stderr) as shown:
        shown.phase(f"{total} patches through the gate, then {plan.flights} fresh flights each")
        for i, patch in enumerate(itertools.chain(good, weakened(plan))):
            shown.advance(i / total, f"{patch.scenario}: {patch.name}")
            if patch.scenario not in cases:
                cases[patch.scenario] = incident_of(patch.scenario, sandbox)
                must_follow(rule, cases[patch.scenario])
            judged = tried(sandbox, cases[patch.scenario], patch, plan.flights, plan.seed)
            found.append(dataclasses.replace(judged, name=f"{patch.scenario}: {patch.name}"))


# ---------------------------------------------------------------- telling it
def document(found: Sequence[Tried], rule: Rule) -> dict[str, Any]:
    """All that was found, as plain JSON."""
    result = audit(found, rule)
    sound = [t for t in found if t.fresh and t.clear >= GOOD_RATE * len(t.fresh)]
    passed = sum(t.accepted for t in sound)
    refused = Counter(t.stage for t in sound if not t.accepted)
    return {
        "rule": dataclasses.asdict(rule),
        "error": ERROR,
        "honest": result.honest,
        "patches": len(found),
        "accepted": sum(t.accepted for t in found),
        "broken": result.broken,
        "claims_p": min(result.claims.values(), default=1.0),
        "binomial_p": min(result.binomial.values(), default=1.0),
        "gate_alone": result.gate_alone,
        "fresh_alone": result.fresh_alone,
        "acceptances_p": result.acceptances,
        "characteristic": [band._asdict() for band in characteristic(found, rule)],
        "good": {
            "rate": GOOD_RATE,
            "patches": len(sound),
            "accepted": passed,
            "least": least_rate(passed, len(sound)),
            "must_accept": MUST_ACCEPT,
            "reached": reaches(MUST_ACCEPT, passed, len(sound)),
            "refused": dict(refused),
        },
        "tried": [
            {"name": t.name, "stage": t.stage, "reason": t.reason, "examinations": t.examinations}
            | {"claimed": t.claimed, "passed": sum(t.fresh), "clear": t.clear, "flown": len(t.fresh)}
            for t in found
        ],
    }


def lines(told: dict[str, Any]) -> Iterator[str]:
    """The same in words."""
    for t in told["tried"]:
        verdict = f"accepted, at least {t['claimed']:.3f}" if not t["stage"] else f"{t['stage']}: {t['reason']}"
        yield f"{t['passed']:>4} of {t['flown']}, {t['clear']:>4} clearly  {t['name']}: {verdict}"
    yield ""
    yield "true rate (measured)  patches  accepted  expected of an honest gate  binomial at the measured rate"
    for band in told["characteristic"]:
        yield (
            f"{band['low']:.2f} to {band['high']:.2f}{band['patches']:>17}{band['accepted']:>10}"
            f"{band['expected']:>29.2f}{band['binomial']:>31.2f}"
        )
    good, limit = told["good"], told["error"] / 2
    yield ""
    yield (
        f"claims: {told['accepted']} of {told['patches']} accepted, {len(told['broken'])} rejected; least adjusted p "
        f"{told['claims_p']:.3g}, must be {limit:g} or more; of the binomial test alone {told['binomial_p']:.3g}"
    )
    yield (
        f"acceptances: the gate alone {told['gate_alone']}, fresh flights alone {told['fresh_alone']}; "
        f"p {told['acceptances_p']:.3g}, must be {limit:g} or more"
    )
    yield (
        f"clear in {good['rate']:.0%} or more of the fresh flights: {good['accepted']} of {good['patches']} accepted, "
        f"at least {good['least']:.3f} (95 %); must reach {good['must_accept']:g}, which is "
        f"{_REACHED[good['reached']]}; the others refused by {good['refused']}"
    )
    yield f"the gate is {'not rejected' if holds(told) else 'REJECTED'}"


def holds(told: dict[str, Any]) -> bool:
    """False where it is shown that the gate claims too much, or that it refuses too many good patches."""
    return told["honest"] and told["good"]["reached"] is not False


def main(arguments: Sequence[str] | None = None) -> int:
    """Study, and print a table or a document. Exit code 1 where the gate is rejected, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else "",
        epilog="Example: python benchmarks/gate_honesty.py --patches 30 --json",
    )
    parser.add_argument("--patches", type=int, default=PATCHES, help=f"weakened patches to try ({PATCHES})")
    parser.add_argument("--variants", type=int, default=VARIANTS, help=f"of what an engineer may write ({VARIANTS})")
    parser.add_argument("--witnesses", type=int, default=WITNESSES, help=f"of the catalogue's repairs ({WITNESSES})")
    parser.add_argument("--flights", type=int, default=FLIGHTS, help=f"fresh flights of each ({FLIGHTS})")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of all that is drawn ({SEED})")
    parser.add_argument("--json", action="store_true", help="a JSON document")
    options = parser.parse_args(arguments)
    rule = rule_of(Acceptance())
    if options.flights < rule.samples * rule.examinations:
        parser.error(f"--flights: take {rule.samples * rule.examinations} or more; the gate may fly as many.")
    plan = Plan(options.patches, options.variants, options.witnesses, options.flights, options.seed)
    if min(dataclasses.astuple(plan)) < 0:
        parser.error("all numbers are 0 or more.")
    found: list[Tried] = []
    status = 0
    try:
        study(plan, rule, found)
    except KeyboardInterrupt:
        print(f"stopped; this is what {len(found)} patches show.", file=sys.stderr)
        status = 130
    told = document(found, rule)
    print(json.dumps(told) if options.json else "\n".join(lines(told)))
    return status or (0 if holds(told) else 1)


if __name__ == "__main__":
    sys.exit(main())
