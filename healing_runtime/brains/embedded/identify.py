"""What a robot answers when it is pushed: hover trim, control effectiveness and lag, measured on its twin.

Nothing here knows a robot's parameters. The twin is flown open loop for a moment from the scenario's initial state, and
its sensors are read, as one would do on a test stand.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime.brains.embedded.compiling import RARELY, compiled
from healing_runtime.core.plant import Twin
from healing_runtime.core.signals import Layout, Signal, SignalTable

EXPERIMENTS = 24


class Axes(NamedTuple):
    """Observed signals by what they are, found by shape and unit; None where the robot has no such sensor."""

    height: Signal | None
    climb: Signal | None
    position: Signal | None
    velocity: Signal | None
    attitude: Signal | None
    turning: Signal | None
    reference: Signal | None


def axes(layout: Layout) -> Axes:
    """Read the signal table: what is measured, and under which name."""

    def find(unit: str, shape: tuple[int, ...], reference: bool = False) -> Signal | None:
        fits = (s for s in layout if (s.unit, s.shape, s.name.startswith("reference")) == (unit, shape, reference))
        return next(fits, None)

    quaternions = (s for s in layout if s.shape == (4,) and "xyzw" in s.name)
    return Axes(
        height=find("m", ()),
        climb=find("m/s", ()),
        position=find("m", (3,)),
        velocity=find("m/s", (3,)),
        attitude=next(quaternions, None),
        turning=find("rad/s", (3,)),
        reference=find("m", (3,), reference=True),
    )


@dataclasses.dataclass(frozen=True)
class Effect:
    """The linear model around hover.

    Attributes:
        trim: the command, equal on every actuator, that holds the height.
        exponent: acceleration grows with the command to this power (1 or 2).
        gain: [rows, actuators] change of acceleration per unit of command**exponent; row 0 is vertical (m/s2), rows 1-3
            are angular about the body's axes (rad/s2) where the robot measures them.
        free: vertical acceleration with a zero command, m/s2 (negative).
        lag_s: time in which an acceleration reaches 63 % of its final value after a step of the command.
    """

    trim: float
    exponent: int
    gain: np.ndarray
    free: float
    lag_s: float


class Bench:
    """The twin on a test stand: open-loop experiments, compiled once."""

    def __init__(self, twin: Twin, nominal: tuple[Any, Any], table: SignalTable, ticks: int) -> None:
        """Compile `EXPERIMENTS` parallel experiments of `ticks` control periods from a disturbance and a state."""

        def experiment(disturbance: Any, start: Any, command: jax.Array) -> jax.Array:
            def tick(state: Any, _: None) -> tuple[Any, jax.Array]:
                return twin.step(state, command, disturbance), twin.observe(state, disturbance).astype(jnp.float32)

            return jax.lax.scan(tick, start, None, length=ticks)[1]

        shape = jax.ShapeDtypeStruct((EXPERIMENTS, table.action.size), jnp.float32)
        self._program = compiled(jax.vmap(experiment, in_axes=(None, None, 0)), *nominal, shape, options=RARELY)
        self._nominal = nominal
        self.table = table

    def observe(self, commands: np.ndarray) -> np.ndarray:
        """Commands held from the start, [experiments, actuators] -> observations [experiments, ticks, columns]."""
        filled = np.asarray(commands, np.float32)[np.arange(EXPERIMENTS) % len(commands)]
        return np.asarray(self._program(*self._nominal, filled), np.float64)[: len(commands)]


def identify(bench: Bench, dt_s: float) -> Effect | None:
    """Trim, effectiveness and lag around hover; None where no equal command on all actuators holds the height."""
    layout, action = bench.table.observed, bench.table.action
    known = axes(layout)
    climb = _vertical(layout, known)
    if climb is None or not np.all(np.isfinite(action.high)) or not np.all(np.isfinite(action.low)):
        return None
    low, high, count = float(action.low[0]), float(action.high[0]), action.size
    grid = np.linspace(low, high, EXPERIMENTS)
    lift = _slopes(bench.observe(np.tile(grid[:, None], (1, count))), climb, dt_s)
    change = np.flatnonzero(np.diff(np.sign(lift)))
    if len(change) == 0:
        return None
    at = change[0]
    trim = float(np.interp(0.0, sorted(lift[at : at + 2]), grid[at : at + 2][np.argsort(lift[at : at + 2])]))
    exponent = _exponent(grid, lift)

    # Central differences around the trim, one actuator at a time; the last pair moves all of them, for a Newton step.
    step = 2e-3 * max(abs(trim), 1e-3 * (high - low))
    moves = np.concatenate([np.eye(count), -np.eye(count), np.ones((1, count)), -np.ones((1, count))]) * step
    seen = bench.observe(trim + moves)
    rows = [climb] + ([layout.slices[known.turning.name].start + i for i in range(3)] if known.turning else [])
    response = np.stack([_slopes(seen, column, dt_s) for column in rows])
    both = response[0, -2:]
    trim -= float(both.mean() / ((both[0] - both[1]) / (2 * step)))
    per_power = exponent * trim ** (exponent - 1) if exponent > 1 else 1.0
    gain = (response[:, :count] - response[:, count : 2 * count]) / (2 * step) / per_power
    return Effect(trim, exponent, gain, float(np.interp(0.0, grid, lift)), _lag(seen, rows, count, dt_s))


def _vertical(layout: Layout, known: Axes) -> int | None:
    """The column that holds the upward velocity."""
    if known.climb is not None:
        return layout.slices[known.climb.name].start
    return layout.slices[known.velocity.name].start + 2 if known.velocity is not None else None


def _slopes(seen: np.ndarray, column: int, dt_s: float) -> np.ndarray:
    """Rate of change of a column over the second half of each experiment, after lags have settled."""
    half = seen[:, seen.shape[1] // 2 :, column]
    t = np.arange(half.shape[1]) * dt_s
    return (half - half.mean(axis=1, keepdims=True)) @ (t - t.mean()) / np.sum((t - t.mean()) ** 2)


def _exponent(grid: np.ndarray, lift: np.ndarray) -> int:
    """1 or 2, whichever power of the command explains the lift better."""
    errors = []
    for power in (1, 2):
        basis = np.stack([np.ones_like(grid), grid**power], axis=1)
        errors.append(float(np.sum((basis @ np.linalg.lstsq(basis, lift, rcond=None)[0] - lift) ** 2)))
    return 1 if errors[0] <= errors[1] else 2


def _lag(seen: np.ndarray, rows: list[int], count: int, dt_s: float) -> float:
    """From the response of the fastest-moving row to a step of the first actuator."""
    column = rows[1] if len(rows) > 1 else rows[0]
    difference = seen[0, :, column] - seen[count, :, column]
    acceleration = np.diff(difference)
    final = acceleration[len(acceleration) // 2 :].mean()
    if abs(final) < 1e-9:
        return 0.0
    # The area above a first-order step response is its time constant.
    return float(max(0.0, np.sum(1.0 - acceleration[: len(acceleration) // 2] / final) * dt_s))
