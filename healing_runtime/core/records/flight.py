"""A flight: verdicts on it, the world at one of its ticks, and all of it as arrays."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from healing_runtime.core.records.values import Measured
from healing_runtime.core.status import Severity, Status


class Verdict(NamedTuple):
    """Verdict of one formula at one instant: `rho` in [rho_lo, rho_hi]; scalars or arrays, NumPy or JAX."""

    status: Any
    rho: Any
    rho_lo: Any
    rho_hi: Any


@dataclasses.dataclass(frozen=True)
class FinalVerdict:
    """Verdict of one assertion over a whole run (the final branch).

    `worst_tick` is the first tick from which the robustness no longer changed, `violated_tick` the first one at which
    the verdict was false or invalid.
    """

    id: str
    status: Status
    robustness: Measured
    robustness_scaled: Measured
    severity: Severity
    mission: bool
    worst_tick: int | None = None
    violated_tick: int | None = None


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The world at a tick boundary, right after `stepSimulation`, with all that Bullet does not restore.

    `recipe_actions` are the float64 actions applied in ticks 0 … tick - 1: re-executing them is the truth, everything
    else only accelerates. `onsets` (fault, tick) belong to the recipe: faults that had begun because their formula was
    true at that tick. `carry` is the controller's and the monitors' memory *before* this tick.
    """

    tick: int
    state_hash: str
    recipe_actions: np.ndarray
    carry: tuple[np.ndarray, ...]
    onsets: tuple[tuple[int, int], ...] = ()


@dataclasses.dataclass(frozen=True)
class Trace:
    """A flight as arrays, one row a tick; columns as the layouts and the program say."""

    scenario: str
    control_hz: int
    first_tick: int
    observed: np.ndarray
    true: np.ndarray
    action: np.ndarray
    packed: np.ndarray
