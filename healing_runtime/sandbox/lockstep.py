"""The loop of a batch: every world one control period, then one call for all of them.

What a tick costs beside Bullet and XLA is paid for every world. So vectors are copied for all lanes at once, and lanes
are looked at one by one only in a tick in which one of them ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from healing_runtime.compile.inlet import inlet_for
from healing_runtime.compile.programs import Program
from healing_runtime.core.plant import Plant
from healing_runtime.core.signals import Layout


class Lane(NamedTuple):
    """The rows of one flight, from its start to its end or its first trip. They lie in those of all lanes."""

    samples: np.ndarray
    action: np.ndarray
    packed: np.ndarray
    tripped: bool


def fly(plants: Sequence[Plant], program: Program, last_ticks: Sequence[int]) -> list[Lane]:
    """Fly plants that stand at tick 0, each up to its last tick; lanes of the program that are left over are idle.

    As in `loop.rollout.advance`, the action of a flight's last sample is never applied, and its row is NaN.
    """
    interface, actions, count = program.interface, plants[0].signals.action, len(plants)
    lanes, rows = program.carry.floats.shape[0], max(last_ticks) + 1
    samples = np.empty((lanes, rows, sum(interface.inputs)))
    applied = np.full((lanes, rows, actions.size), np.nan)
    packed = np.empty((lanes, rows, interface.packed_size))
    trip, action, clamp = (
        interface.columns["tripped"][0],
        interface.slices["action"],
        _Clamp(actions, interface.control_hz),
    )
    # A lane that does not fly, or no longer, is ticked on zeros and never read.
    nothing = np.zeros(sum(interface.inputs))
    now, vectors = np.empty((lanes, nothing.size)), [nothing] * lanes
    side_by_side, inlet = now.reshape(-1), inlet_for(now.shape, np.dtype(interface.controller.dtype), program.params)
    ends, tripped = np.array(last_ticks), np.zeros(count, bool)
    seats, call, params, memory = list(enumerate(plants)), program.call, program.params, program.start().joined()
    tick, soonest = 0, min(last_ticks)
    while True:
        for lane, plant in seats:
            vectors[lane] = plant.sample()
        np.concatenate(vectors, out=side_by_side)
        inlet.values[:] = samples[:, tick] = now
        memory, out = call(params, memory, inlet.sample)
        row = packed[:, tick] = np.asarray(out)
        if tick == soonest or row[:, trip].any():
            staying = []
            for lane, plant in seats:
                tripped[lane] = row[lane, trip] != 0.0
                if tripped[lane] or ends[lane] == tick:
                    ends[lane], vectors[lane] = tick, nothing
                else:
                    staying.append((lane, plant))
            seats = staying
            if not seats:
                break
            soonest = min(ends[lane] for lane, _ in seats)
        commands = applied[:, tick] = clamp(row[:, action])
        for lane, plant in seats:
            plant.apply(commands[lane])
            plant.step()
        tick += 1
    applied[np.arange(count), ends] = np.nan
    return [
        Lane(samples[lane, : end + 1], applied[lane, : end + 1], packed[lane, : end + 1], bool(tripped[lane]))
        for lane, end in enumerate(ends)
    ]


class _Clamp:
    """Commands of all lanes within their limits and rates, as the loop keeps them; float64, as the limits are."""

    def __init__(self, layout: Layout, control_hz: int) -> None:
        self._low, self._high = layout.low, layout.high
        self._rate = np.concatenate([np.full(s.size, s.rate_per_s) for s in layout]) / control_hz
        self._limited = bool(np.isfinite(self._rate).any())
        self._held: np.ndarray | None = None

    def __call__(self, wanted: np.ndarray) -> np.ndarray:
        commands = np.minimum(np.maximum(wanted, self._low), self._high)
        if self._limited and self._held is not None:
            commands = np.minimum(np.maximum(commands, self._held - self._rate), self._held + self._rate)
        self._held = commands
        return commands
