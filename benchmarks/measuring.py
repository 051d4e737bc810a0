"""What the benchmarks share: measuring in turns, and one way to report."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Mapping

import numpy as np

from healing_runtime.core.platform import fingerprint, pin_environment

pin_environment()


@dataclasses.dataclass(frozen=True)
class Result:
    """One line of the table. `spread` is by how much the limit differs from itself, `count` the number of rounds."""

    subject: str
    what: str
    ours: str
    limit: str
    ratio: float
    spread: float
    must_reach: str
    reached: bool
    count: int
    note: str = ""


def in_turns(subjects: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of every round, the subjects one after the other within a round; one round before is a warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for n in range(rounds + 1):
        for name, run in subjects.items():
            start = time.perf_counter()
            run()
            if n:
                seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def spread(first: np.ndarray, second: np.ndarray) -> float:
    """Half the interquartile range of the ratio of two measurements of the same thing."""
    low, high = np.percentile(first / second, [25, 75])
    return float(high - low) / 2


def whole_number(option: str, default: int) -> int:
    """What the command line gives for an option, 1 or more; ends the program in one line where it is no such number."""
    arguments = sys.argv[1:]
    if option not in arguments:
        return default
    given = arguments[arguments.index(option) + 1 :][:1]
    if not given or not given[0].isdecimal() or int(given[0]) < 1:
        print(f"{option} takes a whole number, 1 or more.", file=sys.stderr)
        sys.exit(2)
    return int(given[0])


def text(option: str) -> str:
    """What the command line gives for an option, empty where it is not there; ends the program in one line without."""
    arguments = sys.argv[1:]
    if option not in arguments:
        return ""
    given = arguments[arguments.index(option) + 1 :][:1]
    if not given or given[0].startswith("--"):
        print(f"{option} takes a text.", file=sys.stderr)
        sys.exit(2)
    return given[0]


def main(measure: Callable[[], list[Result]]) -> None:
    """Measure and print: JSON with `--json`, else a table and the machine."""
    results = measure()
    if "--json" in sys.argv[1:]:
        print(json.dumps([dataclasses.asdict(r) for r in results]))
        return
    for r in results:
        verdict = "reached" if r.reached else "missed"
        print(
            f"{r.subject} {r.what}\n    ours {r.ours} · limit {r.limit} · ratio {r.ratio:.2f} ± {r.spread:.2f}",
            end=" · ",
        )
        print(f"must reach {r.must_reach}: {verdict} ({r.count} rounds){'; ' + r.note if r.note else ''}")
    machine = fingerprint()
    print(f"{machine['cpu_model']}, {machine['visible_cores']} cores visible, NPROC={machine['nproc']}")
