"""Signals: what a plant measures, is, and can be told, as named columns of flat vectors.

A signal is called `altitude` in assertions and has the unit `m`; the same signal is the key `altitude_m`
in a controller's `obs`. A `Layout` is an ordered set of signals laid out in one flat vector, so that a tick
crosses the host boundary as few arrays as possible.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

# Unit of a signal (always SI) -> suffix of its key. REP 103 conventions, physics.md.
SUFFIX_OF_UNIT: Mapping[str, str] = {
    "": "",
    "m": "_m",
    "m/s": "_mps",
    "m/s2": "_mps2",
    "rad": "_rad",
    "rad/s": "_radps",
    "rad/s2": "_radps2",
    "N": "_n",
    "N m": "_nm",
    "kg": "_kg",
    "Hz": "_hz",
    "s": "_s",
}


@dataclasses.dataclass(frozen=True)
class Signal:
    """One named quantity of fixed shape.

    Attributes:
        name: as written in assertions, without a unit suffix (`altitude`, `q_xyzw_world_body`).
        unit: SI unit, one of `SUFFIX_OF_UNIT`; empty for dimensionless and Boolean signals.
        shape: array shape; `()` is a scalar.
        components: names for the entries along the last axis (`("x", "y", "z")`), for `velocity.z`.
        low, high: limits of every entry (actions: the actuator's), in `unit`.
        rate_per_s: largest change per second of every entry, in `unit`/s (actions only).
        scale: nominal range in `unit`; robustness divided by it is comparable between signals.
        description: one line for people.
    """

    name: str
    unit: str = ""
    shape: tuple[int, ...] = ()
    components: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    rate_per_s: float = math.inf
    scale: float = 1.0
    description: str = ""

    @property
    def key(self) -> str:
        """The key in `obs` and `action`: the name with the unit's suffix."""
        return self.name + SUFFIX_OF_UNIT[self.unit]

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Signals laid out one after the other in a flat vector of length `size`."""

    signals: tuple[Signal, ...]

    @functools.cached_property
    def size(self) -> int:
        """Length of the flat vector."""
        return sum(s.size for s in self.signals)

    @functools.cached_property
    def slices(self) -> Mapping[str, slice]:
        """Signal name -> its columns."""
        out, start = {}, 0
        for s in self.signals:
            out[s.name] = slice(start, start + s.size)
            start += s.size
        return out

    @functools.cached_property
    def by_name(self) -> Mapping[str, Signal]:
        """Signal name -> signal."""
        return {s.name: s for s in self.signals}

    @functools.cached_property
    def by_key(self) -> Mapping[str, Signal]:
        """Key (`altitude_m`) -> signal."""
        return {s.key: s for s in self.signals}

    @functools.cached_property
    def low(self) -> np.ndarray:
        """Lower limits, one a column."""
        return np.concatenate([np.full(s.size, s.low) for s in self.signals] or [np.zeros(0)])

    @functools.cached_property
    def high(self) -> np.ndarray:
        """Upper limits, one a column."""
        return np.concatenate([np.full(s.size, s.high) for s in self.signals] or [np.zeros(0)])

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        """A readable name for every column: `altitude_m`, `velocity_mps.z`, `rotor_speed_radps[3]`."""
        return tuple(name for s in self.signals for name in _column_names(s))

    def __iter__(self) -> Iterator[Signal]:
        return iter(self.signals)

    def __contains__(self, name: object) -> bool:
        return name in self.slices

    def unpack(self, vector: Any, *, keys: bool = True) -> dict[str, Any]:
        """Flat vector (NumPy or JAX) -> dict of arrays in the signals' shapes, under keys or bare names."""
        return {(s.key if keys else s.name): vector[self.slices[s.name]].reshape(s.shape) for s in self.signals}

    def pack(self, values: Mapping[str, Any]) -> np.ndarray:
        """Dict of arrays under keys or names -> float64 vector. KeyError if a signal is missing."""
        out = np.empty(self.size)
        for s in self.signals:
            value = values[s.key] if s.key in values else values[s.name]
            out[self.slices[s.name]] = np.asarray(value, dtype=np.float64).reshape(-1)
        return out

    def nearest(self, name: str, count: int = 3) -> list[str]:
        """The signal names most like `name`, for error messages."""
        return difflib.get_close_matches(name, list(self.slices), n=count, cutoff=0.4)


def _column_names(signal: Signal) -> Sequence[str]:
    if signal.shape == ():
        return (signal.key,)
    if signal.components and len(signal.shape) == 1:
        return tuple(f"{signal.key}.{c}" for c in signal.components)
    return tuple(f"{signal.key}[{','.join(map(str, i))}]" for i in np.ndindex(*signal.shape))


@dataclasses.dataclass(frozen=True)
class SignalTable:
    """Everything that crosses a plant's boundary.

    Attributes:
        observed: what sensors deliver; the controller's `obs` is this plus `dt_s`.
        action: what the controller commands.
        true: the plant's true state, for judging only; a controller never receives it. Where the plant reports
            how old a sensor's value is, `true` holds a scalar `<signal>_age` in seconds.
    """

    observed: Layout
    action: Layout
    true: Layout
