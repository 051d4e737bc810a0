"""P7: time to heal with the embedded brain, nothing cached but the package."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measuring import Result, main

from healing_runtime import workspace

MUST_REACH_S = 3.0
SEEDS = (1, 2, 3)
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
        "--json",
    ]
    root = workspace.catalogue_root()
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    incidents = json.loads(done.stdout).get("incidents", [])
    return sum(i["time_to_heal_s"] if i["healed"] else np.inf for i in incidents) if incidents else np.inf


def measure() -> list[Result]:
    """The healable scenarios of the catalogue; every seed of every one counts, unhealed ones as infinitely long."""
    home = workspace.open(workspace.catalogue_root())
    healable = [name for name in home.scenario_names() if home.scenario(name).scenario.healable == "yes"]
    with tempfile.TemporaryDirectory() as out:
        seconds = np.array([healed_in(name, seed, Path(out)) for name in healable for seed in SEEDS])
    names = np.repeat(healable, len(SEEDS))
    median = float(np.median(seconds))
    low, high = (float(v) for v in np.percentile(seconds, [25, 75], method="nearest"))
    each = ", ".join(f"{name} {np.median(seconds[names == name]):.1f} s" for name in healable)
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
            note=each,
        )
    ]


if __name__ == "__main__":
    main(measure)
