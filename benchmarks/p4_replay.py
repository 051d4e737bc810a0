"""P4: a closed-loop flight, faults and monitors on, against bare PyBullet and against a PID loop in NumPy."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pybullet
from flying import Course, course, program
from measuring import Result, in_turns, main, spread
from numpy_pid import Aviary, descend

from healing_runtime.core.records import FaultSpec
from healing_runtime.loop.rollout import FlightPlan, fly

ROUNDS = 15
_SETTING_UP = {"connect", "disconnect", "isConnected", "resetSimulation", "saveState", "removeState", "restoreState"}
DURATION_S = 12
FAULTS = (
    FaultSpec("rotor_efficiency", {"rotor": 0, "value": 0.95}, 240),
    FaultSpec("wind", {"velocity_mps": (2.0, 0.0, 0.0)}, 480, 1440),
    FaultSpec("sensor_noise", {"signal": "velocity", "value": 0.02}, 0),
)
"""One of each side, all of which the controller survives: the flight has to last."""

Call = tuple[Callable[..., Any], tuple[Any, ...]]


@contextmanager
def recorded(calls: list[Call]) -> Iterator[None]:
    """Keep every call into PyBullet, with its arguments; keywords are bound, so that a replay pays for none."""
    names = [n for n in dir(pybullet) if callable(getattr(pybullet, n)) and not n.startswith("_")]
    real = {
        name: getattr(pybullet, name)
        for name in names
        if name not in _SETTING_UP and not isinstance(getattr(pybullet, name), type)
    }

    def keeping(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append((functools.partial(function, **kwargs) if kwargs else function, args))
            return function(*args, **kwargs)

        return call

    for name, function in real.items():
        setattr(pybullet, name, keeping(function))
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(pybullet, name, function)


def stepping(flown: Course, actions: np.ndarray) -> tuple[list[Call], Any]:
    """All calls of a flight with these actions, from after the reset on, and the plant to make them on."""
    plant = flown.robot.make()
    plant.reset(flown.scenario, flown.scenario.seed)
    calls: list[Call] = []
    with recorded(calls):
        for action in actions:
            plant.sample()
            plant.apply(action)
            plant.step()
    return calls, plant


def bare(flown: Course, calls: Sequence[Call], plant: Any) -> Callable[[], None]:
    """The world built, and the calls made: the same forces and reads, and nothing else."""

    def run() -> None:
        plant.reset(flown.scenario, flown.scenario.seed)
        for function, args in calls:
            function(*args)

    return run


def faulty_landing() -> Course:
    """The catalogue's landing for twelve seconds, with faults that it survives."""
    flown = course("quadrotor/landing")
    ticks = DURATION_S * flown.scenario.control_hz
    return flown._replace(scenario=dataclasses.replace(flown.scenario, duration_ticks=ticks, faults=FAULTS))


def measure() -> list[Result]:
    """The landing, its calls alone, and the PID loop, in turns. Building the world is in all of them."""
    flown = faulty_landing()
    scenario, supervised = flown.scenario, program(flown, flown.files)
    plan = FlightPlan(scenario, scenario.seed)
    plant = flown.robot.make()
    flight = fly(plant, supervised, plan)
    if not flight.kept:
        raise RuntimeError(f"the benchmark's flight ends early: {flight.tripped}")
    calls, bare_plant = stepping(flown, np.asarray(flight.trace.action)[: scenario.duration_ticks])
    alone = bare(flown, calls, bare_plant)
    aviaries = [Aviary(scenario.control_hz, scenario.physics_hz, effects=effects) for effects in (True, False)]
    seconds = in_turns(
        {
            "bare": alone,
            "ours": lambda: fly(plant, supervised, plan) and None,
            "bare again": alone,
            "PID": lambda: descend(aviaries[0], DURATION_S),
            "simple PID": lambda: descend(aviaries[1], DURATION_S),
        },
        ROUNDS,
    )
    for aviary in aviaries:
        aviary.close()
    noise = spread(seconds["bare"], seconds["bare again"])
    took = {name: float(np.median(values)) for name, values in seconds.items()}
    against = {name: float(np.median(values / seconds["ours"])) for name, values in seconds.items()}
    what = f"closed-loop landing, {DURATION_S} s, {len(FAULTS)} faults, {len(supervised.interface.judged)} monitors"
    speed = {name: f"{DURATION_S / value:.0f}× real time" for name, value in took.items()}
    return [
        Result(
            "P4",
            what,
            speed["ours"],
            speed["bare"],
            against["bare"],
            noise,
            "≥ 0.5× of the bare loop's speed",
            against["bare"] >= 0.5,
            ROUNDS,
            note=f"bare: {len(calls)} recorded PyBullet calls with their arguments",
        ),
        Result(
            "P4",
            f"{what}; against a PID loop in NumPy with the same drag and ground effect",
            speed["ours"],
            speed["PID"],
            against["PID"],
            noise,
            "≥ 5×",
            against["PID"] >= 5.0,
            ROUNDS,
            note=f"against the PID loop without drag and ground effect {against['simple PID']:.1f}×",
        ),
    ]


if __name__ == "__main__":
    main(measure)
