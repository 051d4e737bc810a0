"""P8: the patch memory: a look-up among many entries, and time to heal on a hit, re-validation included.

python benchmarks/p8_memory.py                              # a spread over robots and faults
python benchmarks/p8_memory.py --scenarios 12 --hits 41     # more of both
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
from measuring import Result, in_turns, main, spread, whole_number
from p7_heal import spread_out

from healing_runtime import Runtime, workspace
from healing_runtime.compile.cache import Cache
from healing_runtime.core.codec import digest
from healing_runtime.core.records import Decision, Incident, Proposal, Snapshot, Source
from healing_runtime.core.status import Severity, Status
from healing_runtime.gate.evidence import evidence
from healing_runtime.gate.records import Context, Course, Surroundings
from healing_runtime.ledger.patch_memory import PatchMemory
from healing_runtime.ledger.sealed import SealedEvidence
from healing_runtime.ledger.store import Ledger
from healing_runtime.repair.repair import Repaired
from healing_runtime.supervisor.preparation import prepare
from healing_runtime.supervisor.remembering import Remembering

ENTRIES = 400
LOOK_UPS = 400
LOOK_UP_MS, NEUROJIT_MS = 2.0, 2.2
HEALED_S = 0.5
SCENARIOS, HITS = 3, 15
FLOWN = "lander/neuro_lander"


def remembered(ledger: Ledger, sealed: SealedEvidence) -> tuple[Remembering, Incident, Source]:
    """A memory of many failed controllers of one scenario, each with a patch as long as a shipped controller."""
    flown = prepare(FLOWN, home=workspace.open(workspace.catalogue_root()))
    surroundings = Surroundings("sha256:runtime", "sha256:simulation", "sha256:others")
    course = Course(flown.scenario, flown.files)
    context = Context(course, flown.source, flown.table, str(flown.sim_root), surroundings=surroundings)
    memory = Remembering(PatchMemory(ledger, sealed), context)
    snapshot = Snapshot(35, "", np.zeros((35, 1)), ())
    incident = Incident("0001-a", "a", "", "", Severity.CRITICAL, Status.FALSE, 35, -0.3, snapshot)
    failed = flown.source
    for n in range(ENTRIES):
        failed = dataclasses.replace(failed, sha256=digest(f"controller {n}"))
        text = f"{flown.source.text}\n# {n}\n"
        proposal = Proposal("the thrust is zero", "file", text)
        decision = Decision("full", True, ())
        stood = evidence(
            decision, context, incident, proposal, failed, brain="embedded", confinement="", fingerprint={}
        )
        memory.hold(Repaired(proposal, decision, "embedded"), incident, failed, stood, "run")
        memory.keep()
    return memory, incident, failed


def looking_up(scratch: Path) -> Result:
    """As a run looks up: hashes of what is bound, the query, the proposal."""
    sealed = SealedEvidence(Cache(scratch / "cache"))
    with Ledger(scratch / "ledger.sqlite3") as ledger:
        memory, incident, failed = remembered(ledger, sealed)

        def look_up() -> None:
            if len(memory.proposals(incident, failed, ())) != 1:
                raise RuntimeError("the memory does not hold what was put in")

        seconds = in_turns({"look up": look_up, "look up again": look_up}, LOOK_UPS)
    ours_ms = float(np.median(seconds["look up"])) * 1e3
    return Result(
        "P8",
        f"look-up among {ENTRIES} entries",
        f"{ours_ms:.3f} ms",
        f"{NEUROJIT_MS} ms (NeuroJIT, published, not measured here)",
        ours_ms / NEUROJIT_MS,
        spread(seconds["look up"], seconds["look up again"]),
        f"≤ {LOOK_UP_MS:g} ms",
        ours_ms <= LOOK_UP_MS,
        LOOK_UPS,
        note=f"95 % within {float(np.percentile(seconds['look up'], 95)) * 1e3:.3f} ms",
    )


def healing(scenario: str, hits: int, out: Path) -> tuple[float, np.ndarray]:
    """Seconds of a heal by the embedded brain, and of as many heals from memory after it; infinite where not healed."""
    home = workspace.open(workspace.catalogue_root())

    def heal(by: str) -> float:
        document = Runtime(scenario, workspace=home, out=out).run().document
        incidents = document["incidents"]
        others = {attempt["brain"] for incident in incidents for attempt in incident["attempts"]} - {by}
        return np.inf if others or document["outcome"] != "healed" else sum(i["time_to_heal_s"] for i in incidents)

    return heal("embedded"), np.array([heal("memory") for _ in range(hits)])


def measure() -> list[Result]:
    """The look-up; then hits on healable scenarios, in this process, each after one heal by the brain."""
    count, hits = whole_number("--scenarios", SCENARIOS), whole_number("--hits", HITS)
    home = workspace.open(workspace.catalogue_root())
    healable = [s for s in (home.scenario(name).scenario for name in home.scenario_names()) if s.healable == "yes"]
    with tempfile.TemporaryDirectory(prefix="heal-bench-") as name:
        results = [looking_up(Path(name) / "look-up")]
        for scenario in dict.fromkeys((FLOWN, *spread_out(healable, count - 1))):
            first, seconds = healing(scenario, hits, Path(name) / "runs")
            median = float(np.median(seconds))
            low, high = (float(v) for v in np.percentile(seconds, [25, 75], method="nearest"))
            results.append(
                Result(
                    "P8",
                    f"time to heal on a hit, {scenario}",
                    f"{median:.3f} s",
                    f"{first:.2f} s (by the embedded brain, once)",
                    median / first,
                    (high - low) / 2 / first if np.isfinite(high) else 0.0,
                    f"≤ {HEALED_S:g} s",
                    median <= HEALED_S,
                    hits,
                    note=f"policy 'remembered'; from {seconds.min():.3f} s to {seconds.max():.3f} s",
                )
            )
    return results


if __name__ == "__main__":
    main(measure)
