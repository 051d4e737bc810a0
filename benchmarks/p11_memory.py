"""P11: resident memory over a million supervised ticks, and over many heals, each in one process."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from flying import program
from measuring import Result, main, whole_number
from p4_replay import faulty_landing

from healing_runtime import Runtime, load_scenario, workspace
from healing_runtime.loop.recorder import Recorder
from healing_runtime.loop.rollout import advance
from healing_runtime.loop.slot import Slot

TICKS = 1_000_000
HEALS = 30
BY_BRAIN = 30
"""So many heals ask the brain, each with a seed of its own; the ones after them meet the same again, in the memory."""
HEALED = "lander/neuro_lander"
WARM_UP = 0.2
"""Part of the readings that is not counted: pools, caches and the allocator's arenas fill once."""
FLAT = 1.02


def resident_mib() -> float:
    """Memory of the calling process in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def flown(ticks: int) -> Iterator[float]:
    """Landings with monitors, faults and keyframes, as a run flies them; the memory after each."""
    course = faulty_landing()
    scenario, plant, supervised = course.scenario, course.robot.make(), program(course, course.files)
    done = 0
    while done < ticks:
        plant.reset(scenario, scenario.seed)
        recorder = Recorder(scenario, plant.signals, plant.release)
        stop = advance(plant, Slot(supervised), recorder, supervised.start(), 0, scenario.duration_ticks)
        done += stop.tick + 1
        yield resident_mib()


def healed(heals: int) -> Iterator[float]:
    """Whole runs of a scenario that is healed once each, by the brain and then from memory; the memory after each."""
    with tempfile.TemporaryDirectory() as out, contextlib.chdir(workspace.catalogue_root()):
        for number in range(heals):
            result = Runtime(load_scenario(HEALED), seed=number % BY_BRAIN, out=out).run()
            brain = result.document["incidents"][0]["attempts"][-1]["brain"]
            if result.outcome != "healed" or (brain == "memory") != (number >= BY_BRAIN):
                raise RuntimeError(f"run {number} ended {result.outcome}, its patch by {brain}")
            yield resident_mib()


def judged(what: str, readings: np.ndarray, amount: str) -> Result:
    """Growth from the warm-up to the end, as medians of the first and the last tenth of what counts."""
    counted = readings[int(WARM_UP * len(readings)) :]
    tenth = max(1, len(counted) // 10)
    first, last = float(np.median(counted[:tenth])), float(np.median(counted[-tenth:]))
    return Result(
        "P11",
        f"resident memory over {amount}",
        f"{last:.1f} MiB",
        f"{first:.1f} MiB",
        last / first,
        float(np.ptp(counted)) / first,
        f"flat: ≤ {FLAT}× what it was after the warm-up",
        last <= FLAT * first,
        len(readings),
        note=f"{what}; {1024 * (last - first) / len(counted):+.0f} KiB each, most {readings.max():.1f} MiB",
    )


def measure() -> list[Result]:
    """Both, one after the other; `--heals N` for another number of them, from memory after the first thirty."""
    heals = whole_number("--heals", HEALS)
    by = f"{min(heals, BY_BRAIN)} by the embedded brain, {max(0, heals - BY_BRAIN)} from memory"
    return [
        judged("landings with monitors, faults and keyframes", np.array(list(flown(TICKS))), f"{TICKS:,} ticks"),
        judged(f"{HEALED}, a run each, {by}", np.array(list(healed(heals))), f"{heals} heals"),
    ]


if __name__ == "__main__":
    main(measure)
