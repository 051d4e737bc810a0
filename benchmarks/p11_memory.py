"""P11: memory over a million supervised ticks, and over a thousand heals, each in one process.

python benchmarks/p11_memory.py                              # both; the heals take a second or two each
python benchmarks/p11_memory.py --heals 200 --ticks 100000   # less of both
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from flying import program
from measuring import Result, main, whole_number
from p4_replay import faulty_landing
from scipy.stats import theilslopes

from healing_runtime import Runtime, load_scenario, workspace
from healing_runtime.compile.cache import VARIABLE
from healing_runtime.loop.recorder import Recorder
from healing_runtime.loop.rollout import advance
from healing_runtime.loop.slot import Slot
from healing_runtime.telemetry import progress

TICKS, HEALS = 1_000_000, 1_000
BY_BRAIN = 50
"""Every so many heals one has a new seed and is the embedded brain's; the others meet it again, in the memory."""
HEALED = "lander/neuro_lander"
FLAT_MIB = 5.0
"""What may be added in the whole of P11: over a million ticks, or 1,000 heals. One trace or executable kept at each
heal would be fifty and more."""
CONFIDENCE = 0.95
BLOCKS = 50
"""The slope goes through the medians of so many blocks: single readings hang together too much to be counted."""


class Reading(NamedTuple):
    """What is held between two landings, or two runs. Memory is what lies in RAM, of the process and of all."""

    own_mib: float
    all_mib: float
    files: int
    threads: int
    children: int
    temporary: int


def reading() -> Reading:
    """Of this process, now."""
    own = psutil.Process()
    children = own.children(recursive=True)
    resident = [process.memory_info().rss / 2**20 for process in (own, *children)]
    temporary = len(os.listdir(tempfile.gettempdir()))
    return Reading(resident[0], sum(resident), own.num_fds(), own.num_threads(), len(children), temporary)


def flown(ticks: int) -> Iterator[Reading]:
    """Landings with monitors, faults and keyframes, as a run flies them; what is held after each."""
    course = faulty_landing()
    scenario, plant, supervised = course.scenario, course.robot.make(), program(course, course.files)
    done = 0
    while done < ticks:
        plant.reset(scenario, scenario.seed)
        recorder = Recorder(scenario, plant.signals, plant.release)
        stop = advance(plant, Slot(supervised), recorder, supervised.start(), 0, scenario.duration_ticks)
        done += stop.tick + 1
        yield reading()


def healed(heals: int, out: Path) -> Iterator[Reading]:
    """Whole runs of a scenario that is healed once each, by the brain and then from memory; what is held after each."""
    with contextlib.chdir(workspace.catalogue_root()), progress.for_stream(sys.stderr) as shown:
        shown.phase(f"{heals} runs of {HEALED}")
        for number in range(heals):
            result = Runtime(load_scenario(HEALED), seed=number // BY_BRAIN, out=out).run()
            brain = result.document["incidents"][0]["attempts"][-1]["brain"]
            if result.outcome != "healed" or (brain == "memory") != bool(number % BY_BRAIN):
                raise RuntimeError(f"run {number} ended {result.outcome}, its patch by {brain}")
            held = reading()
            told = f"{number + 1} heals: {held.own_mib:.1f}, with its children {held.all_mib:.1f} MiB"
            shown.advance((number + 1) / heals, told)
            yield held


def judged(what: str, mib: np.ndarray, amount: int, whole: int, of: str) -> Result:
    """The slope over the second half by Theil and Sen, with its interval; the limit is for its upper end."""
    half = mib[len(mib) // 2 :]
    blocks = np.array([np.median(block) for block in np.array_split(half, min(BLOCKS, len(half)))])
    slope, low, high = np.nan, -np.inf, np.inf
    if len(blocks) > 2:
        at = (np.arange(len(blocks)) + 0.5) * amount / 2 / len(blocks) / whole
        slope, _, low, high = np.asarray(theilslopes(blocks, at, CONFIDENCE), float)
    per = f"MiB per {whole:,} {of}"
    first, last = float(blocks[0]), float(blocks[-1])
    return Result(
        "P11",
        f"{what}, over {amount:,} {of}",
        f"{slope:+.2f} {per} (95 %: {low:+.2f} to {high:+.2f}) in the second half",
        f"{FLAT_MIB:g} {per}",
        last / first,
        float(np.ptp(blocks)) / first,
        f"flat: the upper end is {FLAT_MIB:g} or less",
        bool(high <= FLAT_MIB),
        len(mib),
        note="MiB at the start, after a tenth, a quarter, half, three quarters, at the end: "
        + ", ".join(f"{mib[int(part * (len(mib) - 1))]:.1f}" for part in (0, 0.1, 0.25, 0.5, 0.75, 1)),
    )


def counted(readings: list[Reading], amount: int) -> Result:
    """What else could pile up, in the middle and at the end."""
    table = np.array(readings)[:, 2:].astype(int)
    middle, last = table[len(table) // 2], table[-1]
    told = " + ".join(f"{count} {name}" for count, name in zip(last, Reading._fields[2:], strict=True))
    return Result(
        "P11",
        f"open files, threads, children, temporary files, after {amount:,} heals",
        told,
        " + ".join(map(str, middle)),
        float(last.sum() / middle.sum()),
        0.0,
        "no more than after half of the heals",
        bool((last <= middle).all()),
        len(readings),
    )


def measure() -> list[Result]:
    """Both, one after the other, with everything that they write in a folder of their own."""
    ticks, heals = whole_number("--ticks", TICKS), whole_number("--heals", HEALS)
    over_ticks = np.array([held.own_mib for held in flown(ticks)])
    results = [judged("memory of landings with monitors, faults and keyframes", over_ticks, ticks, TICKS, "ticks")]
    with tempfile.TemporaryDirectory(prefix="heal-bench-") as scratch:
        os.environ[VARIABLE] = str(Path(scratch, "cache"))
        tempfile.tempdir = str(Path(scratch, "temporary"))
        os.mkdir(tempfile.tempdir)
        readings: list[Reading] = []
        try:
            for held in healed(heals, Path(scratch, "runs")):
                readings.append(held)
        except KeyboardInterrupt:
            if not readings:
                raise
            heals = len(readings)
            print(f"stopped; this is what {heals} heals show.", file=sys.stderr)
    by = f"{-(-heals // BY_BRAIN)} by the embedded brain, the others from memory"
    own, together = (np.array([held[n] for held in readings]) for n in range(2))
    results += [
        judged(f"memory of the process, {HEALED} ({by})", own, heals, HEALS, "heals"),
        judged("memory of the process and its children", together, heals, HEALS, "heals"),
        counted(readings, heals),
    ]
    return results


if __name__ == "__main__":
    main(measure)
