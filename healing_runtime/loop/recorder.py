"""Rows of a flight in preallocated arrays, and a ring of keyframes that makes rewinding quick.

Keyframes only accelerate: the truth is the recipe, that is the scenario, the seed, the applied actions in float64, and
the ticks at which faults began that wait for a formula.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.records import Scenario, Trace
from healing_runtime.core.signals import SignalTable

KEYFRAME_PERIOD_S = 0.25
KEYFRAMES_KEPT = 256


def keyframe_every(control_hz: int) -> int:
    """Ticks between two keyframes: 0.25 s of simulated time, rounded, at least one."""
    return max(1, round(KEYFRAME_PERIOD_S * control_hz))


@dataclasses.dataclass(frozen=True)
class Keyframe:
    """A restorable instant: the plant's own snapshot, the hash its state had, and a copy of the carry."""

    tick: int
    plant: Any
    state_hash: str
    carry: Vectors


class Recorder:
    """Rows of one flight.

    Row k holds what was sensed and true at tick k (`samples` is both, side by side), the packed output, and the action
    applied from k to k + 1 (NaN in the last row, whose action is never applied). `onsets` maps a fault that began
    because its formula was true to the tick of that sample; a keyframe of that tick is from before the onset.
    """

    def __init__(self, scenario: Scenario, table: SignalTable, release: Callable[[Any], None] | None = None) -> None:
        rows = scenario.duration_ticks + 1
        self.scenario = scenario
        self.every = keyframe_every(scenario.control_hz)
        self.samples = np.full((rows, table.observed.size + table.true.size), np.nan)
        self.observed, self.true = np.hsplit(self.samples, [table.observed.size])
        self.action = np.full((rows, table.action.size), np.nan)
        self.packed: np.ndarray = np.zeros((rows, 0))
        self.first = 0
        self.count = 0
        self.keyframes: OrderedDict[int, Keyframe] = OrderedDict()
        self.onsets: dict[int, int] = {}
        self._release = release

    def fit(self, packed_size: int) -> None:
        """Make room for packed rows of another width (a patch may add asserts or memory).

        old rows keep their columns.
        """
        if packed_size > self.packed.shape[1]:
            wider = np.full((self.packed.shape[0], packed_size), np.nan)
            wider[:, : self.packed.shape[1]] = self.packed
            self.packed = wider

    def sense(self, tick: int, sample: np.ndarray) -> np.ndarray:
        """The sample of a tick, as the row that a program judges; the tick counts once the program's row is there."""
        row = self.samples[tick]
        row[:] = sample
        return row

    def write(self, tick: int, packed: np.ndarray) -> None:
        """The program's row of a tick, before its action is applied."""
        self.packed[tick, : packed.size] = packed
        self.count = tick + 1

    def keep(self, keyframe: Keyframe) -> None:
        """Add a keyframe; the oldest but the first are forgotten beyond the ring's size."""
        old = self.keyframes.pop(keyframe.tick, None)
        if old is not None:
            self._free(old)
        self.keyframes[keyframe.tick] = keyframe
        if len(self.keyframes) > KEYFRAMES_KEPT:
            second = list(self.keyframes)[1]
            self._free(self.keyframes.pop(second))

    def before(self, tick: int) -> Keyframe | None:
        """The latest keyframe at or before a tick."""
        ticks = [t for t in self.keyframes if t <= tick]
        return self.keyframes[max(ticks)] if ticks else None

    def forget_keyframes(self) -> None:
        """Free all keyframes; re-execution then starts from the recipe."""
        while self.keyframes:
            self._free(self.keyframes.popitem()[1])

    def rewind(self, tick: int) -> None:
        """Forget rows and onsets from `tick` on, and keyframes after it."""
        self.onsets = {fault: begun for fault, begun in self.onsets.items() if begun < tick}
        for later in [t for t in self.keyframes if t > tick]:
            self._free(self.keyframes.pop(later))
        self.samples[tick:] = self.action[tick:] = self.packed[tick:] = np.nan
        self.count = min(self.count, tick)

    def trace(self) -> Trace:
        """Copies of all rows so far."""
        rows = slice(self.first, self.count)
        return Trace(
            self.scenario.name,
            self.scenario.control_hz,
            self.first,
            self.observed[rows].copy(),
            self.true[rows].copy(),
            self.action[rows].copy(),
            self.packed[rows].copy(),
        )

    def _free(self, keyframe: Keyframe) -> None:
        if self._release is not None:
            self._release(keyframe.plant)
