"""Flights in confined workers: the job that flies a list of them, and how one asks for it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Literal, NamedTuple

import numpy as np

from healing_runtime.compile import programs, wire
from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.codec import make_ready, read
from healing_runtime.core.records import Scenario
from healing_runtime.gate import latency
from healing_runtime.gate.answers import in_the_schema
from healing_runtime.gate.latency import Latency
from healing_runtime.gate.report import FlightReport, report
from healing_runtime.loop.rollout import FlightPlan, fly
from healing_runtime.sandbox.messages import Job, Limits, Message
from healing_runtime.sandbox.zygote import Sandbox
from healing_runtime.workspace.plants import load_robot

FLIGHT_LIMITS = Limits(wall_s=120.0, cpu_s=150.0, memory_bytes=6 << 30)

Until = Literal["end", "first_kept", "failures"]


@dataclasses.dataclass(frozen=True)
class FlightSpec:
    """One flight of a job: from `from_tick` on, with the memory the job brings for it if `has_carry`."""

    scenario: Scenario
    from_tick: int = 0
    has_carry: bool = False
    pardoned: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class FlightRequest:
    """Header of `fly_job`, beside the program's own.

    `until` says when the list is cut short: `first_kept` after the first flight that keeps every promise with
    `min_robustness`, `failures` after more than `allowed_failures` that do not. `onsets` belong to the recipe. `timed`
    asks how long a tick takes, on the samples of the first flight.
    """

    sim_root: str
    flights: tuple[FlightSpec, ...]
    until: Until = "end"
    allowed_failures: int = 0
    min_robustness: float = -math.inf
    with_log: bool = True
    onsets: tuple[tuple[int, int], ...] = ()
    timed: bool = False


class Leg(NamedTuple):
    """One flight to ask for: the scenario, the tick at which the program takes over, and its memory there."""

    scenario: Scenario
    from_tick: int = 0
    carry: Vectors | None = None
    pardoned: tuple[str, ...] = ()


# ---------------------------------------------------------------- in the worker
def warm_up() -> None:
    """In the zygote: what every list of flights is read with."""
    make_ready(FlightRequest, ProgramInterface)


def fly_job(message: Message) -> Message:
    """Load the program, fly the list in order, report each flight."""
    request = read(FlightRequest, message.header["request"])
    program_blobs, recipe_blob, carries = message.blobs[:4], message.blobs[4], list(message.blobs[5:])
    blob = wire.read_blob(message.header["program"], program_blobs)
    dtype = np.dtype(blob.interface.controller.dtype)
    programs.use_dtype(dtype.name)
    program = programs.load(blob)
    robot = load_robot(request.flights[0].scenario.robot, request.sim_root)
    recipe = np.frombuffer(recipe_blob, np.float64).reshape(-1, robot.signals.action.size)
    plant = robot.make()
    reports: list[FlightReport] = []
    timed, failures = None, 0
    for spec in request.flights:
        carry = None
        if spec.has_carry:
            floats, ints = carries.pop(0), carries.pop(0)
            carry = Vectors(np.frombuffer(floats, dtype), np.frombuffer(ints, np.int32))
        flown = recipe[: spec.from_tick]
        plan = FlightPlan(
            spec.scenario, spec.scenario.seed, spec.from_tick, flown, carry, spec.pardoned, request.onsets
        )
        flight = fly(plant, program, plan)
        reports.append(
            report(
                flight,
                blob.interface,
                plant.signals,
                spec.scenario.mission,
                before=flown[-1] if spec.from_tick else None,
                min_robustness=request.min_robustness,
                with_log=request.with_log,
            )
        )
        if request.timed and timed is None:
            timed = latency.measure(program, flight.trace)
        good = not reports[-1].complaint(request.min_robustness)
        failures += not good
        if (request.until == "first_kept" and good) or (
            request.until == "failures" and failures > request.allowed_failures
        ):
            break
    plant.close()
    return Message({"reports": reports, "latency": timed})


# ---------------------------------------------------------------- asking for it
def ask_flights(
    sandbox: Sandbox,
    program: ProgramBlob,
    legs: Sequence[Leg],
    sim_root: str,
    *,
    recipe: np.ndarray | None = None,
    onsets: tuple[tuple[int, int], ...] = (),
    until: Until = "end",
    allowed_failures: int = 0,
    min_robustness: float = -math.inf,
    with_log: bool = True,
    timed: bool = False,
) -> Future[Message]:
    """Start a worker on a list of flights of one robot; `reports_of` reads what the future gives."""
    specs = tuple(FlightSpec(leg.scenario, leg.from_tick, leg.carry is not None, leg.pardoned) for leg in legs)
    request = FlightRequest(sim_root, specs, until, allowed_failures, min_robustness, with_log, onsets, timed)
    header, blobs = wire.blob_message(program)
    actions = np.zeros(0) if recipe is None else np.ascontiguousarray(recipe, np.float64)
    carries = [np.ascontiguousarray(part).tobytes() for leg in legs if leg.carry is not None for part in leg.carry]
    message = Message({"request": request, "program": header}, (*blobs, actions.tobytes(), *carries))
    return sandbox.submit(Job("healing_runtime.gate.flights:fly_job", message, FLIGHT_LIMITS.reading(sim_root)))


def reports_of(answer: Message, legs: Sequence[Leg]) -> tuple[FlightReport, ...]:
    """The reports in a worker's answer, in the order of the legs; fewer where the list was cut short, never none.

    WorkerFailed where they are not the reports of these legs.
    """
    with in_the_schema():
        reports = tuple(read(FlightReport, r) for r in answer.header["reports"])
        if not 1 <= len(reports) <= len(legs):
            raise ValueError(f"{len(reports)} reports of {len(legs)} flights")
        for report, leg in zip(reports, legs, strict=False):
            if report.first_tick != leg.from_tick or report.kept == bool(report.fault):
                raise ValueError("a report of another flight, or one that contradicts itself")
    return reports


def latency_of(answer: Message) -> Latency | None:
    """How long a tick took, where that was asked for. WorkerFailed where it is not said as it should be."""
    with in_the_schema():
        said = answer.header.get("latency")
        return None if said is None else read(Latency, said)
