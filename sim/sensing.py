"""What sensors deliver: the true values, spoilt by the faults that are on, with the age of every sensor's value.

Faults that hold a value act first, on what the sensor measures; those that add an error act on what is left of it,
whatever the order in the scenario. So a sensor that is stuck and biased is off by its bias once.
"""

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
        no_ages: the ages where every sensor delivers.
    """

    def __init__(self, observed: Layout, dt_s: float) -> None:
        self._columns = [observed.slices[s.name] for s in sensors(observed)]
        self._dt_s = dt_s
        self._missed = [0] * len(self._columns)
        self.no_ages = (0.0,) * len(self._columns)
        self.reading = self._raw = np.zeros(observed.size)  # raw: before errors are added; what a held sensor holds
        self.ages_s: Sequence[float] = self.no_ages

    def sample(self, true: np.ndarray, tick: int, faults: Sequence[tuple[SensorFault, float]]) -> bool:
        """Take the readings of a tick; returns whether any sensor kept silent.

        `true` is the true value of every observed signal, without anything that is wrong; it is kept, not copied.
        """
        before = self.ages_s
        if faults:
            self._spoil(true, tick, faults)
        else:
            self.reading, self._raw, self.ages_s = true, true, self.no_ages
            if before is not self.no_ages:
                self._missed = [0] * len(self._columns)
        return self.ages_s is not self.no_ages

    def _spoil(self, true: np.ndarray, tick: int, faults: Sequence[tuple[SensorFault, float]]) -> None:
        last = self._raw if tick else true
        self._raw = true.copy()
        silent = {
            fault.columns.start
            for fault, amount in faults
            if fault.holds and not fault.sense(self._raw, last, tick, amount)
        }
        reading = self._raw.copy()
        for fault, amount in faults:
            if not fault.holds:
                fault.sense(reading, last, tick, amount)
        self._missed = [
            count + 1 if columns.start in silent else 0
            for count, columns in zip(self._missed, self._columns, strict=True)
        ]
        self._age()
        self.reading = reading

    def _age(self) -> None:
        missed = self._missed
        self.ages_s = tuple(count * self._dt_s for count in missed) if any(missed) else self.no_ages

    def save(self) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
        """What a snapshot must keep: the reading, the raw reading, ticks without a delivery."""
        return self.reading, self._raw, tuple(self._missed)

    def restore(self, saved: tuple[np.ndarray, np.ndarray, tuple[int, ...]]) -> None:
        """Return to what `save` gave."""
        self.reading, self._raw, self._missed = saved[0], saved[1], list(saved[2])
        self._age()
