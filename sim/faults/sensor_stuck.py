"""A sensor that repeats its last value as if it were fresh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from .base import Parameters, SensorFault


class SensorStuckParameters(Parameters):
    """Which sensor."""

    signal: str


class SensorStuck(SensorFault):
    """The sensor delivers what it measured just before the fault began, and nothing tells that it is old."""

    kind: ClassVar = "sensor_stuck"
    holds: ClassVar = True
    Parameters: ClassVar = SensorStuckParameters
    example: ClassVar = {"signal": "altitude"}

    def sense(self, reading: list[float], last: Sequence[float], tick: int, amount: float) -> bool:
        """Repeat the last reading."""
        reading[self.columns] = last[self.columns]
        return True
