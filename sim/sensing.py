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
        no_ages: the ages where every sensor delivers.
    """

    def __init__(self, observed: Layout, dt_s: float) -> None:
        self._columns = [observed.slices[s.name] for s in sensors(observed)]
        self._dt_s = dt_s
        self._missed = [0] * len(self._columns)
        self.no_ages = (0.0,) * len(self._columns)
        self.reading = np.zeros(observed.size)
        self.ages_s: Sequence[float] = self.no_ages

    def sample(self, true: np.ndarray, tick: int, faults: Sequence[tuple[SensorFault, float]]) -> bool:
        """Take the readings of a tick; returns whether any sensor kept silent.

        `true` is the true value of every observed signal, without anything that is wrong; it is kept, not copied.
        """
        before = self.ages_s
        if faults:
            self._spoil(true, tick, faults)
        else:
            self.reading, self.ages_s = true, self.no_ages
            if before is not self.no_ages:
                self._missed = [0] * len(self._columns)
        return self.ages_s is not self.no_ages

    def _spoil(self, true: np.ndarray, tick: int, faults: Sequence[tuple[SensorFault, float]]) -> None:
        last = self.reading if tick else true
        reading = true.copy()
        silent = {fault.columns.start for fault, amount in faults if not fault.sense(reading, last, tick, amount)}
        self._missed = [
            count + 1 if columns.start in silent else 0
            for count, columns in zip(self._missed, self._columns, strict=True)
        ]
        self._age()
        self.reading = reading

    def _age(self) -> None:
        missed = self._missed
        self.ages_s = tuple(count * self._dt_s for count in missed) if any(missed) else self.no_ages

    def save(self) -> tuple[np.ndarray, tuple[int, ...]]:
        """What a snapshot must keep."""
        return self.reading, tuple(self._missed)

    def restore(self, saved: tuple[np.ndarray, tuple[int, ...]]) -> None:
        """Return to what `save` gave."""
        self.reading, self._missed = saved[0], list(saved[1])
        self._age()
