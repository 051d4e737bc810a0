"""What sensors deliver: the true values, spoilt by the faults that are on, with the age of every sensor's value.

A delay acts on the way of what was measured; what arrives is turned by a wrong frame, and those that add an error act
on what is left of it, whatever the order in the scenario. A sensor that is stuck or silent repeats the value that it
delivered last, errors included: none is drawn anew meanwhile, and one that begins meanwhile does not show.

A sensor measures once a tick. What it measured counts from the first tick by which it has arrived, so a delay is worth
a whole number of ticks, rounded up; a value never arrives before one that is older.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from healing_runtime.core.signals import Layout, Signal

from .faults.base import ticks_late

if TYPE_CHECKING:
    from .faults import SensorFaults as Faults


def age_signals(observed: Layout) -> tuple[Signal, ...]:
    """A true signal `<name>_age` for every sensor, in the order of the sensors."""
    return tuple(
        Signal(f"{s.name}_age", "s", description=f"time since {s.name} was last delivered") for s in sensors(observed)
    )


def sensors(observed: Layout) -> tuple[Signal, ...]:
    """The observed signals that come from a sensor; references come from the operator."""
    return tuple(s for s in observed if not s.name.startswith("reference_"))


Reading = tuple[float, ...]
_NONE: frozenset[int] = frozenset()


class Held(NamedTuple):
    """What a snapshot must keep of the sensors."""

    reading: Reading
    raw: Reading
    missed: tuple[int, ...]
    late: tuple[int, ...]
    past: tuple[Reading, ...]

    def as_bytes(self) -> bytes:
        """What was delivered and what is held."""
        return np.array((self.reading, self.raw)).tobytes()

    def on_its_way(self) -> bytes:
        """What only a delay makes part of the state; empty where nothing can be late."""
        return np.array(self.past).tobytes() + bytes(str(self.late), "ascii") if self.past else b""


class Sensors:
    """The readings of one run. Sampled once a tick, so that asking twice gives the same values.

    A reading is plain numbers: for the few that a fault touches, NumPy takes several times as long.

    Attributes:
        reading: what was delivered, layout `observed`; replaced at every sample.
        ages_s: seconds since each sensor last delivered, in the order of `sensors(observed)`.
        no_ages: the ages where every sensor delivers.
    """

    def __init__(self, observed: Layout, dt_s: float, longest_delay_s: float = 0.0) -> None:
        self._columns = [observed.slices[s.name] for s in sensors(observed)]
        self._dt_s = dt_s
        self._reach = ticks_late(longest_delay_s, dt_s)  # how many ticks back a reading may come from
        self._missed = [0] * len(self._columns)
        self._late = [0] * len(self._columns)  # how many ticks old each sensor's reading is
        self._past: tuple[Reading, ...] = ()  # what was measured, the newest last
        self.no_ages = (0.0,) * len(self._columns)
        self.reading: Reading = (0.0,) * observed.size
        self._raw = self.reading  # before errors are added; what a held sensor holds
        self.ages_s: Sequence[float] = self.no_ages

    def sample(self, true: Reading, tick: int, faults: Faults) -> Reading:
        """Take the readings of a tick, and give them.

        `true` is the true value of every observed signal, without anything that is wrong.
        """
        before = self.ages_s
        if faults.holding or faults.changing:
            self._spoil(true, tick, faults)
        else:
            self.reading, self._raw, self.ages_s = true, true, self.no_ages
            if before is not self.no_ages:
                self._missed = [0] * len(self._columns)
            if self._reach:
                self._arrive(tick, faults)
        return self.reading

    def _spoil(self, true: Reading, tick: int, faults: Faults) -> None:
        last, silent = self._raw if tick else true, _NONE
        self._raw = true
        if faults.holding:
            raw = list(true)
            silent = {f.columns.start for f, amount in faults.holding if not f.sense(raw, last, tick, amount)}
            self._raw = tuple(raw)
        reading = self._arrive(tick, faults) if self._reach else list(self._raw)
        for fault, amount in faults.changing:
            fault.sense(reading, last, tick, amount)
        for fault, _ in faults.holding:
            if tick:  # the first sample has nothing before it
                reading[fault.columns] = self.reading[fault.columns]
        if silent or self.ages_s is not self.no_ages:
            self._missed = [
                count + 1 if columns.start in silent else 0
                for count, columns in zip(self._missed, self._columns, strict=True)
            ]
            self._age()
        self.reading = tuple(reading)

    def _arrive(self, tick: int, faults: Faults) -> list[float]:
        """Remember what was measured in this tick; gives what has arrived by now."""
        self._past = (*self._past[-self._reach :], self._raw)
        arrived = list(self._raw)
        for index, columns in enumerate(self._columns):
            delay_s = sum(fault.delay_s(amount) for fault, amount in faults.changing if fault.columns == columns)
            ticks = ticks_late(delay_s, self._dt_s)
            self._late[index] = late = min(ticks, self._late[index] + 1) if tick else 0
            arrived[columns] = self._past[-1 - late][columns]
        return arrived

    def _age(self) -> None:
        missed = self._missed
        self.ages_s = tuple(count * self._dt_s for count in missed) if any(missed) else self.no_ages

    def save(self) -> Held:
        """What a snapshot must keep."""
        return Held(self.reading, self._raw, tuple(self._missed), tuple(self._late), self._past)

    def restore(self, held: Held) -> None:
        """Return to what `save` gave."""
        self.reading, self._raw, self._past = held.reading, held.raw, held.past
        self._missed, self._late = list(held.missed), list(held.late)
        self._age()
