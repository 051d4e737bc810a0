"""P10: what the gate costs before anything flies, for all that ships and good variants; how soon it refuses attacks.

python benchmarks/p10_gate.py --slow   # and the attacks that take their limit
"""

from __future__ import annotations

import itertools
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from gate_cases import ROOT, sound_variants
from gate_corpus import Refused, refusals
from gate_jobs import DTYPE, HZ, Request
from measuring import Result, in_turns, main, spread

from healing_runtime import workspace
from healing_runtime.compile import export
from healing_runtime.core.codec import digest
from healing_runtime.core.records import Incident, Proposal, Scenario, Snapshot, Source
from healing_runtime.core.signals import SignalTable
from healing_runtime.core.status import Severity, Status
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import candidate_of, decide, full
from healing_runtime.gate.records import Context, Course
from healing_runtime.language import controller, source, trace
from healing_runtime.sandbox.messages import Job, Limits, Message
from healing_runtime.sandbox.zygote import DEFAULT_MODULES, Sandbox

ROUNDS = 2
TO_PASSES_MS, EXPORT_MS, REFUSED_S = 50.0, 100.0, 10.0
LIMITS = Limits(wall_s=30.0, cpu_s=30.0, memory_bytes=4 << 30)


class Subject(NamedTuple):
    """A source that is in order, the controller that it is a patch of, and the robot's signals."""

    name: str
    text: str
    original: Source
    table: SignalTable


def subjects() -> list[Subject]:
    """Every controller of the catalogue, as a patch of itself, and every good variant."""
    home = workspace.open(ROOT)
    names = sorted(
        p.relative_to(ROOT / "controllers").with_suffix("").as_posix() for p in ROOT.glob("controllers/*/*.py")
    )
    shipped = [(name, name, home.controller(name).text) for name in names]
    return [
        Subject(name, text, home.controller(of), home.robot(of.partition("/")[0]).signals)
        for name, of, text in (*shipped, *sound_variants())
    ]


def fresh(text: str) -> Iterator[Source]:
    """The source again and again, never the same text twice, so that nothing is remembered of it."""
    for n in itertools.count():
        changed = f"{text}\n# {n}\n"
        yield Source("patch", "patch", changed, digest(changed.encode()))


def stages_of(subject: Subject, sandbox: Sandbox) -> Callable[[Source], object]:
    """The gate's own stages from the contract to the passes, for patches of a subject's original."""
    scenario = Scenario("", subject.original.name.partition("/")[0], "", (), None, 10, HZ, HZ, 0, {}, {})
    context = Context(Course(scenario, ()), subject.original, subject.table, "")
    stages = full(sandbox, context, KeptPrograms.none())[:5]
    incident = Incident("", "", "", "", Severity.CRITICAL, Status.FALSE, 0, 0.0, Snapshot(0, "", np.zeros((0, 1)), ()))

    def judge(text: Source) -> None:
        decision, _ = decide(
            "to passes", stages, candidate_of(Proposal("", "file", text.text), incident, (), subject.original)
        )
        if decision.refusal is not None:
            raise RuntimeError(f"{subject.name}: {decision.refusal.stage.value}: {decision.refusal.reason}")

    return judge


def seconds_of(subject: Subject, sandbox: Sandbox) -> dict[str, np.ndarray]:
    """Everything that is measured of one source, in turns."""
    texts, judge = fresh(subject.text), stages_of(subject, sandbox)
    parsed = source.parse(subject.text, name=subject.name, path=subject.name)
    done = trace.trace(controller.load(parsed), subject.table, 1.0 / HZ, DTYPE)

    def job(name: str) -> None:
        header = vars(Request(next(texts), subject.table))
        sandbox.run(Job(f"gate_jobs:{name}", Message(header), LIMITS))

    return in_turns(
        {
            "bare": lambda: job("to_trace"),
            "to passes": lambda: job("to_passes"),
            "bare again": lambda: job("to_trace"),
            "stages": lambda: judge(next(texts)),
            "export": lambda: export.export_controller(done, None, HZ),
            "export again": lambda: export.export_controller(done, None, HZ),
        },
        ROUNDS,
    )


def row(
    what: str, seconds: Mapping[str, Mapping[str, np.ndarray]], names: tuple[str, str, str, str], limit_ms: float
) -> Result:
    """The median over all sources and rounds, and the source that takes longest. `names`: ours, peer, two alike."""
    ours, peer, first, second = (np.concatenate([s[name] for s in seconds.values()]) * 1e3 for name in names)
    medians = {name: float(np.median(s[names[0]])) * 1e3 for name, s in seconds.items()}
    low, high = np.percentile(ours, [5, 95])
    slowest = max(medians, key=medians.__getitem__)
    return Result(
        "P10",
        f"{what}, {len(seconds)} sources",
        f"{np.median(ours):.1f} ms",
        f"{np.median(peer):.1f} ms ({names[1]})",
        float(np.median(ours / peer)),
        spread(first, second),
        f"median ≤ {limit_ms:g} ms",
        float(np.median(ours)) <= limit_ms,
        ours.size,
        note=f"5 to 95 %: {low:.0f} to {high:.0f} ms; slowest {slowest}, {medians[slowest]:.0f} ms",
    )


def refusal_row(refused: list[Refused]) -> Result:
    """The longest refusal, and medians by stage."""
    took: defaultdict[str, list[float]] = defaultdict(list)
    for one in refused:
        took[one.stage or "ACCEPTED"].append(one.took_s)
    slowest = max(refused, key=lambda one: one.took_s)
    all_s = np.array([one.took_s for one in refused])
    by_stage = ", ".join(f"{stage} {len(s)}: {np.median(s) * 1e3:.0f} ms" for stage, s in took.items())
    return Result(
        "P10",
        f"{len(refused)} attacks refused, the longest",
        f"{slowest.took_s:.2f} s",
        f"{np.median(all_s) * 1e3:.1f} ms (median)",
        slowest.took_s / float(np.median(all_s)),
        0.0,
        f"each ≤ {REFUSED_S:g} s",
        slowest.took_s <= REFUSED_S and "ACCEPTED" not in took,
        len(refused),
        note=f"{slowest.name}; medians by stage: {by_stage}",
    )


def measure() -> list[Result]:
    """All sources in turns, then all attacks."""
    here = Path(__file__).parent
    with Sandbox(modules=(*DEFAULT_MODULES, "gate_jobs"), path=[here]) as sandbox:
        seconds = {s.name: seconds_of(s, sandbox) for s in subjects()}
        refused = list(refusals(sandbox, "--slow" in sys.argv[1:]))
    bare = ("bare", "bare", "bare again")
    return [
        row("fork, syntax, trace and passes in a confined worker", seconds, ("to passes", *bare), TO_PASSES_MS),
        row(
            "contract to passes as the gate runs them, StableHLO included",
            seconds,
            ("stages", *bare),
            TO_PASSES_MS + EXPORT_MS,
        ),
        row("StableHLO alone", seconds, ("export", "bare", "export", "export again"), EXPORT_MS),
        refusal_row(refused),
    ]


if __name__ == "__main__":
    main(measure)
