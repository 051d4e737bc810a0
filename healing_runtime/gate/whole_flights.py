"""A program and scenarios that it flies from their start, one after the other: what a worker is given, and opens.

Patches are flown with more than this (`flights.py`); fallbacks, and the flights of a campaign, need no more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from healing_runtime.compile import programs, wire
from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.compile.programs import Program, ProgramBlob
from healing_runtime.core.codec import read
from healing_runtime.core.plant import Plant, Robot
from healing_runtime.core.records import Scenario
from healing_runtime.gate.flights import FLIGHT_LIMITS
from healing_runtime.sandbox.messages import Job, Message
from healing_runtime.workspace import load_robot, set_up


@dataclasses.dataclass(frozen=True)
class WholeFlights:
    """Header of the job, beside the program's own."""

    sim_root: str
    scenarios: tuple[Scenario, ...]


class Opened(NamedTuple):
    """A job in its worker: the program loaded, the plant made and found to be one."""

    scenarios: tuple[Scenario, ...]
    interface: ProgramInterface
    program: Program
    robot: Robot
    plant: Plant


def jobs(function: str, program: ProgramBlob, sim_root: str, lists: Sequence[Sequence[Scenario]]) -> tuple[Job, ...]:
    """A job for each list of scenarios; `function` is the worker's, as `module:name`."""
    header, blobs = wire.blob_message(program)
    limits = FLIGHT_LIMITS.reading(sim_root)
    headers = ({"request": WholeFlights(sim_root, tuple(some)), "program": header} for some in lists)
    return tuple(Job(function, Message(whole, blobs), limits) for whole in headers)


def opened(message: Message) -> Opened:
    """In the worker: what there is to fly."""
    request = read(WholeFlights, message.header["request"])
    blob = wire.read_blob(message.header["program"], message.blobs)
    programs.use_dtype(np.dtype(blob.interface.controller.dtype).name)
    program = programs.load(blob)
    robot = load_robot(request.scenarios[0].robot, request.sim_root)
    return Opened(request.scenarios, blob.interface, program, robot, set_up(robot, request.scenarios[0]))
