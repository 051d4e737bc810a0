"""P5: worlds in lockstep against the same bare PyBullet loop for each of them; two processes against two bare ones."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from flying import Course, batch_program
from measuring import Result, in_turns, main, spread
from p4_replay import bare, faulty_landing, stepping

from healing_runtime import workspace
from healing_runtime.core.records import Scenario
from healing_runtime.sandbox.batch import Batch

LANES = 32
ROUNDS, PROCESS_ROUNDS = 7, 5


def worlds(flown: Course, lanes: int) -> list[Scenario]:
    """The landing from another place in every lane, with noise of its own."""
    x, y, z = flown.scenario.initial["position_m"]
    return [
        dataclasses.replace(
            flown.scenario,
            seed=lane,
            initial={**flown.scenario.initial, "position_m": (x - 0.01 * lane, y + 0.01 * lane, z)},
        )
        for lane in range(lanes)
    ]


def prepared() -> tuple[Callable[[], object], Callable[[], object]]:
    """(the batch's flights, the bare loop of as many worlds, one after the other), ready to run again and again."""
    flown, home = faulty_landing(), workspace.open(workspace.catalogue_root())
    batch, scenarios = Batch(flown.robot, batch_program(flown, LANES), home), worlds(flown, LANES)
    glimpses = batch.fly(scenarios)
    ended = [g.trip_tick for g in glimpses if g.trip_tick is not None]
    if ended:
        raise RuntimeError(f"{len(ended)} of the benchmark's flights end early")
    actions = glimpses[0].trace.action[: flown.scenario.duration_ticks]
    calls, plant = stepping(flown._replace(scenario=scenarios[0]), actions)
    alone = bare(flown._replace(scenario=scenarios[0]), calls, plant)
    return lambda: batch.fly(scenarios), lambda: [alone() for _ in range(LANES)] and None


def work() -> None:
    """A process of the second measurement: runs what each line of its input names, and says when it is done."""
    ours, alone = prepared()
    subjects: dict[str, Callable[[], object]] = {"ours": ours, "bare": alone}
    print("ready", flush=True)
    for line in sys.stdin:
        subjects[line.strip()]()
        print("done", flush=True)


def gains(rounds: int) -> dict[str, np.ndarray]:
    """By how much two processes together are faster than one of them, for both subjects, in turns."""
    command = [sys.executable, str(Path(__file__)), "--work"]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(2)
    ]

    def heard(chosen: list[subprocess.Popen[str]], wanted: str) -> None:
        for worker in chosen:
            assert worker.stdout is not None
            while (line := worker.stdout.readline()) != wanted + "\n":
                if not line:
                    raise RuntimeError("a process of the benchmark ended; run it alone to see why.")

    def seconds(chosen: list[subprocess.Popen[str]], subject: str) -> float:
        start = time.perf_counter()
        for worker in chosen:
            assert worker.stdin is not None
            worker.stdin.write(subject + "\n")
        heard(chosen, "done")
        return time.perf_counter() - start

    heard(workers, "ready")
    found: dict[str, list[float]] = {"ours": [], "bare": []}
    for n in range(rounds + 1):
        for subject, values in found.items():
            gain = 2.0 * seconds(workers[:1], subject) / seconds(workers, subject)
            if n:
                values.append(gain)
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.close()
        worker.wait()
    return {subject: np.array(values) for subject, values in found.items()}


def measure() -> list[Result]:
    """One process in turns with its bare loop, then two."""
    ours, alone = prepared()
    seconds = in_turns({"bare": alone, "ours": ours, "bare again": alone}, ROUNDS)
    gained = gains(PROCESS_ROUNDS)
    ratio = float(np.median(seconds["bare"] / seconds["ours"]))
    flown = faulty_landing().scenario
    simulated = LANES * flown.duration_ticks / flown.control_hz
    two = {subject: float(np.median(values)) for subject, values in gained.items()}
    low, high = np.percentile(gained["bare"], [25, 75])
    return [
        Result(
            "P5",
            f"{LANES} worlds in lockstep, faults and monitors on",
            f"{simulated / np.median(seconds['ours']):.0f}× real time",
            f"{simulated / np.median(seconds['bare']):.0f}× real time",
            ratio,
            spread(seconds["bare"], seconds["bare again"]),
            "≥ 0.7× of the bare loop per world",
            ratio >= 0.7,
            ROUNDS,
        ),
        Result(
            "P5",
            "two processes of it, over one",
            f"{two['ours']:.2f}×",
            f"{two['bare']:.2f}×",
            two["ours"] / two["bare"],
            float(high - low) / 2,
            "≥ 0.9× of what two bare processes gain",
            two["ours"] >= 0.9 * two["bare"],
            PROCESS_ROUNDS,
        ),
    ]


if __name__ == "__main__":
    work() if "--work" in sys.argv[1:] else main(measure)
