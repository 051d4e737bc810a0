"""What sensors deliver: the true values, spoilt by the faults that are on, with the age of every sensor's value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from healing_runtime.core.signals import Layout, Signal

if TYPE_CHECKING:
    from .faults import SensorFault


def age_signals(observed: Layout) -> tuple[Signal, ...]:
    """A true signal `<name>_age` for every sensor, in the order of the sensors."""
    return tuple(
        Signal(f"{s.name}_age", "s", description=f"time since {s.name} was last delivered") for s in sensors(observed)
    )


def sensors(observed: Layout) -> tuple[Signal, ...]:
    """The observed signals that come from a sensor; references come from the operator."""
    return tuple(s for s in observed if not s.name.startswith("reference_"))


class Sensors:
    """The readings of one run. Sampled once a tick, so that asking twice gives the same values.

    Attributes:
        reading: the delivered vector, layout `observed`; replaced at every sample, never changed.
        ages_s: seconds since each sensor last delivered, in the order of `sensors(observed)`.
    """

    def __init__(self, observed: Layout, dt_s: float) -> None:
        self._columns = [observed.slices[s.name] for s in sensors(observed)]
        self._dt_s = dt_s
        self._missed = [0] * len(self._columns)
        self._fresh = (0.0,) * len(self._columns)
        self.reading = np.zeros(observed.size)
        self.ages_s: Sequence[float] = self._fresh

    def sample(self, true: np.ndarray, tick: int, faults: Sequence[tuple[SensorFault, float]]) -> None:
        """Take the readings of a tick. `true` is the true value of every observed signal; kept, not copied."""
        if not faults:
            if self.ages_s is not self._fresh:
                self._missed = [0] * len(self._columns)
                self.ages_s = self._fresh
            self.reading = true
            return
        last = self.reading if tick else true
        reading = true.copy()
        missed = set()
        for fault, amount in faults:
            if not fault.sense(reading, last, tick, amount):
                missed.add(fault.columns.start)
        self._missed = [
            count + 1 if columns.start in missed else 0
            for count, columns in zip(self._missed, self._columns, strict=True)
        ]
        self.ages_s = tuple(count * self._dt_s for count in self._missed)
        self.reading = reading

    def save(self) -> tuple[np.ndarray, tuple[int, ...]]:
        """What a snapshot must keep."""
        return self.reading.copy(), tuple(self._missed)

    def restore(self, saved: tuple[np.ndarray, tuple[int, ...]]) -> None:
        """Return to what `save` gave."""
        reading, missed = saved
        self.reading, self._missed = reading.copy(), list(missed)
        self.ages_s = tuple(count * self._dt_s for count in missed) if any(missed) else self._fresh
