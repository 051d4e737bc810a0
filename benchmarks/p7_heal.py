"""P7: time to heal with the embedded brain, nothing cached but the package; and what is not healed, with the reason.

python benchmarks/p7_heal.py                              # a spread over robots and faults
python benchmarks/p7_heal.py --only lander_planar         # those whose name holds this text
python benchmarks/p7_heal.py --scenarios 1000 --seeds 3   # every failing scenario not labelled `no`, three times
python benchmarks/p7_heal.py --runs runs.jsonl            # one line of JSON a run besides, as they end
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measuring import Result, main, text, whole_number

from healing_runtime import workspace
from healing_runtime.compile.cache import VARIABLE
from healing_runtime.core.records import Scenario

MUST_REACH_S = 3.0
SCENARIOS, SEEDS = 12, 1
NEUROJIT_S = 44.83


@dataclasses.dataclass(frozen=True)
class Run:
    """One scenario with one seed, flown in a process of its own.

    Attributes:
        scenario: name of what was flown.
        label: `yes` or `unknown`, as the scenario says.
        seed: of the run.
        healed_s: seconds that all incidents took; infinite where one was not healed, or where none came.
        cpu_s: CPU time, user and system, of the run with all its workers.
        reason: why it was not healed; empty where it was.
    """

    scenario: str
    label: str
    seed: int
    healed_s: float
    cpu_s: float
    reason: str

    @property
    def robot(self) -> str:
        """The first part of the name."""
        return self.scenario.partition("/")[0]


def flown(scenario: Scenario, seed: int) -> Run:
    """Fly and heal with an empty cache, an empty ledger and no patch memory."""
    before = _children_s()
    with tempfile.TemporaryDirectory(prefix="heal-bench-") as name:
        options = ["--seed", str(seed), "--out", f"{name}/runs", "--brain", "embedded", "--no-memory", "--json"]
        done = subprocess.run(
            [sys.executable, "-m", "healing_runtime", "run", scenario.name, *options],
            cwd=workspace.catalogue_root(),
            env={**os.environ, VARIABLE: f"{name}/cache"},
            capture_output=True,
            text=True,
            check=False,
        )
    seconds, reason = _read(done)
    return Run(scenario.name, scenario.healable, seed, seconds, _children_s() - before, reason)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _read(done: subprocess.CompletedProcess[str]) -> tuple[float, str]:
    """Seconds to heal, and the reason where it was not healed."""
    try:
        incidents = json.loads(done.stdout)["incidents"]
    except (ValueError, KeyError):
        said = done.stderr.strip().splitlines() or ["nothing said"]
        return np.inf, f"exit code {done.returncode}: {said[-1]}"
    if not incidents:
        return np.inf, "no incident"
    unhealed = [_why(incident) for incident in incidents if not incident["healed"]]
    if unhealed:
        return np.inf, "; ".join(unhealed)
    return sum(incident["time_to_heal_s"] for incident in incidents), ""


def _why(incident: dict) -> str:
    """The assertion, how the repair ended, and what the gate said to each attempt."""
    said = "".join(f"; {attempt['stage']}: {attempt['reason']}" for attempt in incident["attempts"])
    return f"{incident['assertion']} at {incident['t_s']:.2f} s: {incident['ending']}{said}"


def spread_out(scenarios: Sequence[Scenario], count: int) -> list[str]:
    """Names of so many scenarios, at even distances in the order of robots and of faults; all if there are less.

    The same ones every time. A robot and a kind of fault have about the share that they have in the catalogue.
    """
    ordered = sorted(scenarios, key=lambda s: (s.robot, [fault.kind for fault in s.faults], s.name))
    chosen = min(count, len(ordered))
    return [ordered[(2 * i + 1) * len(ordered) // (2 * chosen)].name for i in range(chosen)]


def candidates() -> list[Scenario]:
    """The catalogue's failing scenarios but those labelled `no`.

    `unknown` is also what a scenario without a label is; those that fail give a reason.
    """
    home = workspace.open(workspace.catalogue_root())
    scenarios = [home.scenario(name).scenario for name in home.scenario_names()]
    return [s for s in scenarios if s.healable == "yes" or (s.healable == "unknown" and s.healable_reason)]


def told(runs: Sequence[Run]) -> str:
    """A row a robot and label with the quartiles of the time to heal, then every run that did not heal."""
    rows = [f"{'robot':14} {'label':8} {'healed':>9} {'from s':>8} {'median s':>9} {'to s':>8} {'CPU s':>7}"]
    groups = sorted({(run.robot, run.label) for run in runs})
    for robot, label in [*groups, ("all", "")]:
        group = [run for run in runs if robot == "all" or (run.robot, run.label) == (robot, label)]
        healed = sum(not run.reason for run in group)
        low, middle, high = quartiles(group)
        cpu = np.median([run.cpu_s for run in group])
        rows.append(
            f"{robot:14} {label:8} {healed:>3} of {len(group):>2} {low:8.2f} {middle:9.2f} {high:8.2f} {cpu:7.1f}"
        )
    rows += [f"not healed: {r.scenario} ({r.label}), seed {r.seed}: {r.reason}" for r in runs if r.reason]
    return "\n".join(rows)


def quartiles(runs: Sequence[Run]) -> tuple[float, float, float]:
    """Of the time to heal, unhealed ones as infinitely long."""
    low, middle, high = np.percentile([run.healed_s for run in runs], [25, 50, 75], method="nearest")
    return float(low), float(middle), float(high)


def measure() -> list[Result]:
    """Every seed of every scenario counts, unhealed ones as infinitely long and those labelled `unknown` too."""
    seeds = range(1, whole_number("--seeds", SEEDS) + 1)
    only, lines = text("--only"), text("--runs")
    found = [scenario for scenario in candidates() if only in scenario.name]
    if not found:
        print(f"--only {only}: no scenario that can be healed has this in its name.", file=sys.stderr)
        sys.exit(2)
    chosen = set(spread_out(found, whole_number("--scenarios", SCENARIOS)))
    runs: list[Run] = []
    for scenario in (scenario for scenario in found if scenario.name in chosen):
        for seed in seeds:
            runs.append(run := flown(scenario, seed))
            took = run.reason or f"healed in {run.healed_s:.2f} s"
            place = f"{len(runs)} of {len(chosen) * len(seeds)}"
            print(f"{place} {run.scenario}: {took} ({run.cpu_s:.1f} s of CPU)", file=sys.stderr, flush=True)
            if lines:
                with Path(lines).open("a") as file:
                    file.write(json.dumps(_plain(run)) + "\n")
    print(told(runs), file=sys.stderr)
    low, median, high = quartiles(runs)
    missed = [run.scenario for run in runs if run.reason]
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
            len(runs),
            note=f"{len(runs) - len(missed)} of {len(runs)} healed, {len(chosen)} of {len(found)} scenarios flown; "
            f"quartiles {low:.2f} s and {high:.2f} s; not healed: {', '.join(dict.fromkeys(missed)) or 'none'}",
        )
    ]


def _plain(run: Run) -> dict:
    """As JSON writes it: an infinite time is a word."""
    fields = dataclasses.asdict(run)
    return fields if np.isfinite(run.healed_s) else fields | {"healed_s": "inf"}


if __name__ == "__main__":
    main(measure)
