"""P15: how much simulated time the gate's flights stage gets through, for each core, against PyBullet alone.

The held-out examination of the quadrotor's landing, in confined workers, fork and loading of the program included.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
from flying import course
from measuring import Result, main, spread

from healing_runtime import workspace
from healing_runtime.compile import programs
from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core.records import Scenario
from healing_runtime.gate import neighbourhood
from healing_runtime.gate.flights import Leg, ask_flights
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import admit
from healing_runtime.gate.records import Course
from healing_runtime.loop.rollout import FlightPlan, fly
from healing_runtime.sandbox.messages import Job, Limits, Message
from healing_runtime.sandbox.zygote import DEFAULT_MODULES, Sandbox

SCENARIO = "quadrotor/landing"
ROUNDS = 5
MUST_REACH = 0.5
BARE_LIMITS = Limits(wall_s=120.0, cpu_s=120.0, memory_bytes=6 << 30)


@dataclasses.dataclass(frozen=True)
class Subject:
    """A program, the neighbours that it is examined on, and the actions of one flight."""

    program: ProgramBlob
    scenarios: tuple[Scenario, ...]
    actions: np.ndarray
    sim_root: str

    @property
    def simulated_s(self) -> float:
        """Simulated seconds of all neighbours together."""
        return sum(s.duration_ticks / s.control_hz for s in self.scenarios)


def subject(sandbox: Sandbox) -> Subject:
    """The landing that the catalogue's controller masters."""
    flown, home = course(SCENARIO), workspace.open(workspace.catalogue_root())
    scenario, source = flown.scenario, home.controller(flown.scenario.controller)
    table = flown.robot.signals
    program = admit(sandbox, source, Course(scenario, flown.files), table, KeptPrograms.none())
    flight = fly(flown.robot.make(), programs.load(program), FlightPlan(scenario, scenario.seed))
    rng = neighbourhood.generator(scenario.seed, "benchmark", source.sha256, 1)
    actions = np.ascontiguousarray(flight.trace.action[: scenario.duration_ticks], np.float64)
    return Subject(program, neighbourhood.neighbours(scenario, rng), actions, str(home.sim_root(scenario.robot)))


def examined(sandbox: Sandbox, given: Subject) -> neighbourhood.Examination:
    """The gate's own examination."""
    acceptance = given.scenarios[0].acceptance
    return neighbourhood.examine(sandbox, given.program, given.scenarios, acceptance, 1, given.sim_root)


def alone_s(sandbox: Sandbox, given: Subject) -> float:
    """Seconds for PyBullet's part of all flights, shared out over the sandbox's workers, as the slowest counts them."""
    times = -(-len(given.scenarios) // sandbox.workers)
    header = {"scenario": given.scenarios[0], "sim_root": given.sim_root, "times": times}
    job = Job("bare_jobs:repeat", Message(header, (given.actions.tobytes(),)), BARE_LIMITS.reading(given.sim_root))
    asked = [sandbox.submit(job) for _ in range(sandbox.workers)]
    return max(float(future.result().header["seconds"]) for future in asked)


def first_flight_s(sandbox: Sandbox, given: Subject) -> float:
    """Seconds from asking to the answer of a worker whose only flight is one tick long."""
    start = time.perf_counter()
    short = dataclasses.replace(given.scenarios[0], duration_ticks=1)
    ask_flights(sandbox, given.program, [Leg(short)], given.sim_root, with_log=False).result()
    return time.perf_counter() - start


def row(workers: int, given: Subject, seconds: dict[str, np.ndarray]) -> Result:
    """Simulated seconds a second and core, ours and PyBullet's."""
    ours, alone = (given.simulated_s / seconds[name] / workers for name in ("ours", "alone"))
    ratio = float(np.median(ours / alone))
    starting = float(np.median(seconds["start"]))
    jobs = -(-len(given.scenarios) // neighbourhood.CHUNK)
    return Result(
        "P15",
        f"validation, {len(given.scenarios)} neighbours of {SCENARIO}, {workers} worker{'s' * (workers > 1)}",
        f"{np.median(ours):.0f} simulated s per s and core",
        f"{np.median(alone):.0f} (PyBullet's calls alone, in as many workers)",
        ratio,
        spread(seconds["alone"], seconds["alone again"]),
        f"≥ {MUST_REACH:g}× of PyBullet alone",
        ratio >= MUST_REACH,
        ROUNDS,
        note=f"{jobs} jobs, each {starting * 1e3:.0f} ms to fork, confine, load the program and answer: "
        f"{jobs * starting / workers / np.median(seconds['ours']):.0%} of the time",
    )


def timed(sandbox: Sandbox, given: Subject) -> tuple[dict[str, np.ndarray], set[neighbourhood.Examination]]:
    """All subjects in turns, and the verdicts."""
    seconds: dict[str, list[float]] = {"alone": [], "ours": [], "start": [], "alone again": []}
    verdicts: set[neighbourhood.Examination] = set()
    for n in range(ROUNDS + 1):
        before = alone_s(sandbox, given)
        start = time.perf_counter()
        verdicts.add(examined(sandbox, given))
        took = time.perf_counter() - start
        if n:
            for name, value in zip(
                seconds, (before, took, first_flight_s(sandbox, given), alone_s(sandbox, given)), strict=True
            ):
                seconds[name].append(value)
    return {name: np.array(values) for name, values in seconds.items()}, verdicts


def measure() -> list[Result]:
    """With one worker and with two; they must come to the same verdict."""
    results: list[Result] = []
    verdicts: set[neighbourhood.Examination] = set()
    for workers in (1, 2):
        with Sandbox(workers, (*DEFAULT_MODULES, "bare_jobs"), [Path(__file__).parent]) as sandbox:
            given = subject(sandbox)
            seconds, found = timed(sandbox, given)
        verdicts |= found
        results.append(row(workers, given, seconds))
    if len(verdicts) != 1:
        raise RuntimeError(f"the same neighbours gave different verdicts: {verdicts}")
    return results


if __name__ == "__main__":
    main(measure)
