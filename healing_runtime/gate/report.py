"""What one flight showed: whether every promise was kept, by how much, and where it first was not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.core.records import FinalVerdict, Measured
from healing_runtime.core.signals import Layout, SignalTable
from healing_runtime.core.status import Severity, Status
from healing_runtime.loop.rollout import Flight, inside_limits

LOG_ROWS = 24
LOG_WINDOW_S = 2.0
ROUNDING = 4.0 * float(np.finfo(np.float32).eps)
"""By how much of its size a command that keeps its rate exactly may seem to miss it: two roundings to float32."""

NAN_IN_MEMORY = "NaN is kept in the memory; guard the division or the root it comes from"
OUTSIDE_LIMITS = "an action lies outside its limits; clip it in the controller"
TOO_FAST = "an action changes faster than its rate limit; limit the rate in the controller"


@dataclasses.dataclass(frozen=True)
class FlightReport:
    """What one flight showed, without its rows.

    Attributes:
        kept: something was promised and decided, nothing critical was violated, the mission is accomplished, values are
            finite, commands within limits and rates.
        fault: in words why not; empty if kept.
        robustness: least scaled robustness over the critical assertions and the mission that were decided. Asserts of
            the controller are judged by their truth alone: a clip to a limit has margin 0 and is right.
        weakest: the assertion that had it.
        log: the last sensed values and commands of a flight that does not do, for the brain.
        counterexample: where such a flight first went wrong: `tick`, the `violated` ids, the sensed `values` and the
            `command` as it was asked for; empty where it went wrong in no tick.
        margins: id -> scaled robustness of everything that `robustness` is the least of.
        action_step: in the tick of take-over, by how much the applied action differs from the one before it; empty for
            a flight from the start.
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
    counterexample: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    margins: Mapping[str, Measured] = dataclasses.field(default_factory=dict)
    action_step: Mapping[str, Measured] = dataclasses.field(default_factory=dict)

    def complaint(self, min_robustness: float) -> str:
        """Why this flight does not do, or nothing."""
        if not self.kept:
            return self.fault
        if not self.robustness > min_robustness:
            return f"{self.weakest}: scaled robustness {self.robustness:.4g}, must be above {min_robustness:g}"
        return ""


class Fault(NamedTuple):
    """What is wrong with a flight, and its first bad tick where it has one."""

    words: str
    tick: int | None = None
    violated: tuple[str, ...] = ()


def report(
    flight: Flight,
    interface: ProgramInterface,
    table: SignalTable,
    mission: str | None,
    *,
    before: np.ndarray | None = None,
    min_robustness: float = -math.inf,
    with_log: bool = True,
) -> FlightReport:
    """Judge a flight.

    Args:
        flight: what was flown.
        interface: the program's, which flew it.
        table: the robot's signals.
        mission: the id that the scenario names.
        before: the action applied right before the take-over, if there was one.
        min_robustness: below it a flight that was kept is shown, too: the tick that decided its weakest margin.
        with_log: keep what a brain may see of a flight that does not do.
    """
    margins = _margins(flight.verdicts)
    weakest = min(margins, key=lambda name: margins[name], default="")
    fault = _fault(flight, interface, table, mission, margins)
    trace = flight.trace
    shown = (fault or _thin(flight.verdicts, weakest, margins, min_robustness)) if with_log else None
    step = trace.action[0] - (np.nan if before is None else before)
    return FlightReport(
        kept=fault is None,
        fault="" if fault is None else fault.words,
        first_tick=trace.first_tick,
        last_tick=trace.first_tick + len(trace.packed) - 1,
        trip_tick=flight.trip_tick,
        robustness=margins[weakest] if weakest else math.inf,
        weakest=weakest,
        digest=flight.digest,
        log=_log(flight, table) if shown else {},
        counterexample=_counterexample(flight, interface, table, shown) if shown else {},
        margins=margins,
        action_step={} if before is None or flight.trip_tick == trace.first_tick else _named(table.action, step),
    )


def counterexample(
    table: SignalTable, tick: int, violated: Sequence[str], observed: np.ndarray, command: np.ndarray
) -> dict[str, Any]:
    """The first bad tick of a flight in numbers, as a real robot would have logged it, in six digits."""
    return {
        "tick": tick,
        "violated": list(violated),
        "values": _named(table.observed, observed),
        "command": _named(table.action, command),
    }


# ---------------------------------------------------------------- what is wrong
def _fault(
    flight: Flight,
    interface: ProgramInterface,
    table: SignalTable,
    mission: str | None,
    margins: Mapping[str, float],
) -> Fault | None:
    first, last = flight.trace.first_tick, flight.trace.first_tick + len(flight.trace.packed) - 1
    if flight.trip_tick is not None:
        words = f"{', '.join(flight.tripped)} violated at tick {flight.trip_tick}"
        return Fault(words, flight.trip_tick, flight.tripped)
    for v in flight.verdicts:
        wrong = v.mission and v.status != Status.TRUE
        if wrong or (v.severity == Severity.CRITICAL and v.status.violated):
            tick = last if v.violated_tick is None else v.violated_tick
            return Fault(f"{'mission ' if wrong else ''}{v.id} ended {v.status.word}", tick, (v.id,))
    if mission is not None and all(v.id != mission for v in flight.verdicts if v.mission):
        return Fault(f"mission {mission} was not judged")
    commands = flight.trace.packed[:, interface.slices["action"]].astype(np.float64)
    if not flight.finite:
        finite = np.isfinite(commands).all(axis=1) & np.isfinite(flight.trace.true).all(axis=1)
        return Fault("values are not finite", first + int(np.argmin(finite)))
    lost = nan_in_memory(flight.trace.packed, interface)
    if lost.any():
        return Fault(NAN_IN_MEMORY, first + int(np.argmax(lost)))
    if not flight.within_limits:
        inside = inside_limits(commands, table.action)
        return Fault(OUTSIDE_LIMITS, first + int(np.argmin(inside)))
    followed = within_rates(commands, table.action, flight.trace.control_hz)
    if not followed.all():
        return Fault(TOO_FAST, first + 1 + int(np.argmin(followed)))
    if not margins:
        return Fault("no critical assertion and no mission was decided: nothing shows that it is right")
    if not min(margins.values()) > -math.inf:
        worst_id = min(margins, key=lambda name: margins[name])
        return Fault(f"{worst_id}: its robustness is {margins[worst_id]:g}, which nothing rests on", last, (worst_id,))
    return None


def _thin(
    verdicts: Sequence[FinalVerdict], weakest: str, margins: Mapping[str, float], min_robustness: float
) -> Fault | None:
    """Where a margin is that is no violation and yet too thin."""
    if not weakest or margins[weakest] > min_robustness:
        return None
    return Fault("too thin", next(v.worst_tick for v in verdicts if v.id == weakest), (weakest,))


def nan_in_memory(packed: np.ndarray, interface: ProgramInterface) -> np.ndarray:
    """For each tick, whether the controller keeps NaN for the next one."""
    return np.any(np.isnan(packed[:, interface.slices["state_floats"]]), axis=1)


def within_rates(commands: np.ndarray, layout: Layout, control_hz: int) -> np.ndarray:
    """For each tick but the first, whether the command changes no faster than the actuator can follow."""
    rate = np.concatenate([np.full(s.size, s.rate_per_s) for s in layout]) / control_hz
    size = np.maximum(np.abs(commands[1:]), np.abs(commands[:-1]))
    return np.all(np.abs(np.diff(commands, axis=0)) <= rate + ROUNDING * (rate + size), axis=1)


def _margins(verdicts: Sequence[FinalVerdict]) -> dict[str, float]:
    """Scaled robustness of what was promised and decided; NaN is as bad as it can be."""
    return {
        v.id: -math.inf if math.isnan(v.robustness_scaled) else float(v.robustness_scaled)
        for v in verdicts
        if (v.mission or v.severity == Severity.CRITICAL)
        and v.status in (Status.TRUE, Status.FALSE, Status.INVALID)
        and not v.id.startswith("controller/")
    }


# ---------------------------------------------------------------- what a brain may see of it
def _counterexample(flight: Flight, interface: ProgramInterface, table: SignalTable, fault: Fault) -> dict[str, Any]:
    if fault.tick is None:
        return {}
    row = fault.tick - flight.trace.first_tick
    command = flight.trace.packed[row, interface.slices["action"]]
    return counterexample(table, fault.tick, fault.violated, flight.trace.observed[row], command)


def _named(layout: Layout, values: np.ndarray) -> dict[str, float]:
    return {name: float(f"{float(v):.6g}") for name, v in zip(layout.columns, values, strict=True)}


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
