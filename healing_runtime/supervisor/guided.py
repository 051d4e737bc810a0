"""A plant that is given recorded actions, whatever its controller commands."""

from __future__ import annotations

from typing import Any

import numpy as np

from healing_runtime.core.plant import Plant
from healing_runtime.core.records import Scenario


class Guided:
    """A plant (see `core.plant.Plant`) that follows recorded actions, one row a tick from 0 on, and is free after them.

    It stands at `tick`; it is for flying on, and is neither reset nor restored.
    """

    def __init__(self, plant: Plant, actions: np.ndarray, tick: int) -> None:
        self.signals = plant.signals
        self._plant, self._actions, self._tick = plant, actions, tick
        self.observe, self.truth, self.sample = plant.observe, plant.truth, plant.sample
        self.state_hash = plant.state_hash
        self.snapshot, self.release, self.close = plant.snapshot, plant.release, plant.close
        self.begin = plant.begin

    def reset(self, scenario: Scenario, seed: int) -> None:
        """Not while it is guided."""
        raise RuntimeError("a guided plant flies on; reset the plant itself")

    def restore(self, snapshot: Any) -> None:
        """Not while it is guided."""
        raise RuntimeError("a guided plant flies on; restore the plant itself")

    def apply(self, action: np.ndarray) -> None:
        """Apply the recorded action of this tick; the given one where none was recorded."""
        self._plant.apply(self._actions[self._tick] if self._tick < len(self._actions) else action)

    def step(self) -> None:
        """Advance one control period."""
        self._plant.step()
        self._tick += 1
