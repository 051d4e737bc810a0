"""P7: time to heal with the embedded brain, nothing cached but the package.

python benchmarks/p7_heal.py                              # a spread over robots and faults
python benchmarks/p7_heal.py --scenarios 1000 --seeds 3   # every healable scenario, three times
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measuring import Result, main, whole_number

from healing_runtime import workspace
from healing_runtime.core.records import Scenario

MUST_REACH_S = 3.0
SCENARIOS, SEEDS = 12, 1
NEUROJIT_S = 44.83


def healed_in(scenario: str, seed: int, out: Path) -> float:
    """Seconds that all incidents of one run took, in a process of its own; infinite where one was not healed."""
    command = [
        sys.executable,
        "-m",
        "healing_runtime",
        "run",
        scenario,
        "--seed",
        str(seed),
        "--out",
        str(out),
        "--no-memory",
        "--json",
    ]
    root = workspace.catalogue_root()
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    incidents = json.loads(done.stdout).get("incidents", [])
    return sum(i["time_to_heal_s"] if i["healed"] else np.inf for i in incidents) if incidents else np.inf


def spread_out(scenarios: Sequence[Scenario], count: int) -> list[str]:
    """Names of so many scenarios, at even distances in the order of robots and of faults; all if there are less.

    The same ones every time. A robot and a kind of fault have about the share that they have in the catalogue.
    """
    ordered = sorted(scenarios, key=lambda s: (s.robot, [fault.kind for fault in s.faults], s.name))
    chosen = min(count, len(ordered))
    return [ordered[(2 * i + 1) * len(ordered) // (2 * chosen)].name for i in range(chosen)]


def measure() -> list[Result]:
    """Healable scenarios of the catalogue; every seed of every one counts, unhealed ones as infinitely long."""
    count, seeds = whole_number("--scenarios", SCENARIOS), range(1, whole_number("--seeds", SEEDS) + 1)
    home = workspace.open(workspace.catalogue_root())
    healable = [s for s in (home.scenario(name).scenario for name in home.scenario_names()) if s.healable == "yes"]
    flown = spread_out(healable, count)
    with tempfile.TemporaryDirectory() as out:
        seconds = np.array([healed_in(name, seed, Path(out)) for name in flown for seed in seeds])
    names = np.repeat(flown, len(seeds))
    median = float(np.median(seconds))
    low, high = (float(v) for v in np.percentile(seconds, [25, 75], method="nearest"))
    each = ", ".join(f"{name} {np.median(seconds[names == name]):.1f} s" for name in flown)
    return [
        Result(
            "P7",
            "time to heal, embedded brain, cold",
            f"{median:.2f} s",
            f"{MUST_REACH_S:g} s",
            median / MUST_REACH_S,
            (high - low) / 2 / MUST_REACH_S if np.isfinite(high) else 0.0,
            f"median ≤ {MUST_REACH_S:g} s over the healable catalogue (NeuroJIT: {NEUROJIT_S} s)",
            median <= MUST_REACH_S,
            len(seconds),
            note=f"{len(flown)} of {len(healable)} scenarios: {each}",
        )
    ]


if __name__ == "__main__":
    main(measure)
