"""What workers do for the throughput of validation beside the gate's own job: PyBullet's part of the same flights."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from flying import Course
from p4_replay import bare, stepping

from healing_runtime.core.codec import read
from healing_runtime.core.records import Scenario
from healing_runtime.sandbox.messages import Message
from healing_runtime.workspace.plants import load_robot


def repeat(message: Message) -> Message:
    """Make the calls of a flight again and again; the seconds that this took, without finding out which they are."""
    scenario: Scenario = read(Scenario, message.header["scenario"])
    robot = load_robot(scenario.robot, message.header["sim_root"])
    actions = np.frombuffer(message.blobs[0], np.float64).reshape(-1, robot.signals.action.size)
    untraced: Any = None
    flown = Course(scenario, robot, (), untraced)
    calls, plant = stepping(flown, actions)
    alone = bare(flown, calls, plant)
    alone()
    start = time.perf_counter()
    for _ in range(message.header["times"]):
        alone()
    return Message({"seconds": time.perf_counter() - start})
