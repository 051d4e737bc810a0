"""Flights in confined workers: the job that flies a list of them, and how one asks for it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Literal, NamedTuple

import numpy as np

from healing_runtime.compile import programs, wire
from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.codec import make_ready, read
from healing_runtime.core.plant import Plant
from healing_runtime.core.records import FinalVerdict, Scenario
from healing_runtime.core.signals import SignalTable
from healing_runtime.core.status import Severity, Status
from healing_runtime.gate.answers import in_the_schema
from healing_runtime.loop.rollout import Flight, FlightPlan, fly
from healing_runtime.sandbox.messages import Job, Limits, Message
from healing_runtime.sandbox.zygote import Sandbox
from healing_runtime.workspace.plants import load_robot

FLIGHT_LIMITS = Limits(wall_s=120.0, cpu_s=150.0, memory_bytes=6 << 30)
LOG_ROWS = 24
LOG_WINDOW_S = 2.0

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
    `min_robustness`, `failures` after more than `allowed_failures` that do not. `onsets` belong to the recipe.
    """

    sim_root: str
    flights: tuple[FlightSpec, ...]
    until: Until = "end"
    allowed_failures: int = 0
    min_robustness: float = -math.inf
    with_log: bool = True
    onsets: tuple[tuple[int, int], ...] = ()


@dataclasses.dataclass(frozen=True)
class FlightReport:
    """What one flight showed, without its rows.

    Attributes:
        kept: nothing critical was violated, the mission is accomplished, values are finite, actions within limits and
            rates.
        fault: in words why not; empty if kept.
        robustness: least scaled robustness over the critical assertions and the mission that were decided. Asserts of
            the controller are judged by their truth alone: a clip to a limit has margin 0 and is right.
        weakest: the assertion that had it.
        log: the last sensed values and commands of a flight that was not kept, for the brain.
    """

    kept: bool
    fault: str
    first_tick: int
    last_tick: int
    trip_tick: int | None
    robustness: float
    weakest: str
    digest: str
    log: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def complaint(self, min_robustness: float) -> str:
        """Why this flight does not do, or nothing."""
        if not self.kept:
            return self.fault
        if not self.robustness > min_robustness:
            return f"{self.weakest}: scaled robustness {self.robustness:.4g}, must be above {min_robustness:g}"
        return ""


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
    failures = 0
    for spec in request.flights:
        carry = None
        if spec.has_carry:
            floats, ints = carries.pop(0), carries.pop(0)
            carry = Vectors(np.frombuffer(floats, dtype), np.frombuffer(ints, np.int32))
        flown = recipe[: spec.from_tick]
        plan = FlightPlan(
            spec.scenario, spec.scenario.seed, spec.from_tick, flown, carry, spec.pardoned, request.onsets
        )
        reports.append(report(fly(plant, program, plan), blob.interface, plant, request.with_log))
        good = not reports[-1].complaint(request.min_robustness)
        failures += not good
        if (request.until == "first_kept" and good) or (
            request.until == "failures" and failures > request.allowed_failures
        ):
            break
    plant.close()
    return Message({"reports": reports})


def report(flight: Flight, interface: ProgramInterface, plant: Plant, with_log: bool = True) -> FlightReport:
    """Judge a flight."""
    fault = _fault(flight, interface, plant.signals)
    robustness, weakest = _least(flight.verdicts)
    trace = flight.trace
    return FlightReport(
        kept=not fault,
        fault=fault,
        first_tick=trace.first_tick,
        last_tick=trace.first_tick + len(trace.packed) - 1,
        trip_tick=flight.trip_tick,
        robustness=robustness,
        weakest=weakest,
        digest=flight.digest,
        log=_log(flight, plant.signals) if fault and with_log else {},
    )


def _fault(flight: Flight, interface: ProgramInterface, table: SignalTable) -> str:
    if flight.trip_tick is not None:
        return f"{', '.join(flight.tripped)} violated at tick {flight.trip_tick}"
    for v in flight.verdicts:
        if v.mission and v.status != Status.TRUE:
            return f"mission {v.id} ended {v.status.word}"
        if v.severity == Severity.CRITICAL and v.status.violated:
            return f"{v.id} ended {v.status.word}"
    if not flight.finite:
        return "values are not finite"
    if not flight.within_limits:
        return "an action lies outside its limits; clip it in the controller"
    rate = np.concatenate([np.full(s.size, s.rate_per_s) for s in table.action]) / flight.trace.control_hz
    changes = np.abs(np.diff(flight.trace.packed[:, interface.slices["action"]].astype(np.float64), axis=0))
    if np.any(changes > rate * (1 + 1e-6)):
        return "an action changes faster than its rate limit; limit the rate in the controller"
    return ""


def _least(verdicts: Sequence[FinalVerdict]) -> tuple[float, str]:
    least, weakest = math.inf, ""
    for v in verdicts:
        promised = v.mission or v.severity == Severity.CRITICAL
        decided = v.status in (Status.TRUE, Status.FALSE, Status.INVALID)
        if promised and decided and not v.id.startswith("controller/"):
            rho = -math.inf if math.isnan(v.robustness_scaled) else float(v.robustness_scaled)
            if rho < least:
                least, weakest = rho, v.id
    return least, weakest


def _log(flight: Flight, table: SignalTable) -> dict[str, Any]:
    """Evenly spaced rows of the last seconds: what a real robot would have logged, in six digits."""
    trace = flight.trace
    rows = len(trace.packed)
    window = min(rows, round(LOG_WINDOW_S * trace.control_hz) + 1)
    picked = np.unique(np.linspace(rows - window, rows - 1, min(LOG_ROWS, window)).round().astype(int))
    columns = {name: trace.observed[picked, i] for i, name in enumerate(table.observed.columns)}
    columns |= {f"command.{name}": trace.action[picked, i] for i, name in enumerate(table.action.columns)}
    return {
        "ticks": [int(trace.first_tick + i) for i in picked],
        "signals": {name: [float(f"{v:.6g}") for v in values] for name, values in columns.items()},
    }


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
) -> Future[Message]:
    """Start a worker on a list of flights of one robot; `reports_of` reads what the future gives."""
    specs = tuple(FlightSpec(leg.scenario, leg.from_tick, leg.carry is not None, leg.pardoned) for leg in legs)
    request = FlightRequest(sim_root, specs, until, allowed_failures, min_robustness, with_log, onsets)
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
