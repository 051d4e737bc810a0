"""P4: a closed-loop flight against the same PyBullet calls and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pybullet
from flying import Course, course, program
from measuring import Result, in_turns, main, spread

from healing_runtime.loop.rollout import FlightPlan, fly

ROUNDS = 15
_SETTING_UP = {"connect", "disconnect", "isConnected", "resetSimulation", "saveState", "removeState", "restoreState"}
PID_LOOP_S_PER_TICK = 383e-6
"""A control step of gym-pybullet-drones with its PID in NumPy and SciPy, as published in this project's design."""

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


@contextmanager
def recorded(calls: list[Call]) -> Iterator[None]:
    """Keep every call into PyBullet, with its arguments."""
    names = [n for n in dir(pybullet) if callable(getattr(pybullet, n)) and not n.startswith("_")]
    real = {
        name: getattr(pybullet, name)
        for name in names
        if name not in _SETTING_UP and not isinstance(getattr(pybullet, name), type)
    }

    def keeping(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append((function, args, kwargs))
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
            plant.observe()
            plant.truth()
            plant.apply(action)
            plant.step()
    return calls, plant


def measure() -> list[Result]:
    """A landing with monitors, and its calls alone, in turns. Building the world is in both."""
    flown = course("quadrotor/landing")
    scenario, supervised = flown.scenario, program(flown, flown.files)
    plan = FlightPlan(scenario, scenario.seed)
    plant = flown.robot.make()
    flight = fly(plant, supervised, plan)
    ticks = scenario.duration_ticks
    calls, bare_plant = stepping(flown, np.asarray(flight.trace.action)[:ticks])

    def bare() -> None:
        bare_plant.reset(scenario, scenario.seed)
        for function, args, kwargs in calls:
            function(*args, **kwargs)

    seconds = in_turns(
        {"bare": bare, "ours": lambda: fly(plant, supervised, plan) and None, "bare again": bare}, ROUNDS
    )
    ours, limit = float(np.median(seconds["ours"])), float(np.median(seconds["bare"]))
    noise = spread(seconds["bare"], seconds["bare again"])
    simulated = ticks / scenario.control_hz
    pid = PID_LOOP_S_PER_TICK * ticks
    return [
        Result(
            "P4",
            f"closed-loop landing, {simulated:g} s, {len(calls)} PyBullet calls",
            f"{simulated / ours:.0f}× real time",
            f"{simulated / limit:.0f}× real time",
            limit / ours,
            noise,
            "≥ 0.5× of the bare loop's speed",
            limit / ours >= 0.5,
            ROUNDS,
        ),
        Result(
            "P4",
            "closed-loop landing, against a PID in NumPy",
            f"{simulated / ours:.0f}× real time",
            f"{simulated / pid:.0f}× real time",
            pid / ours,
            noise,
            "≥ 5×",
            pid / ours >= 5.0,
            ROUNDS,
            note="the limit is a published figure, not measured here",
        ),
    ]


if __name__ == "__main__":
    main(measure)
