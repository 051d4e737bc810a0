"""A sensor that delivers nothing: the last value is held, and its age is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from .base import Parameters, SensorFault


class SensorDropoutParameters(Parameters):
    """Which sensor."""

    signal: str


class SensorDropout(SensorFault):
    """The sensor delivers nothing; the reading holds its last value while its age grows."""

    kind: ClassVar = "sensor_dropout"
    holds: ClassVar = True
    Parameters: ClassVar = SensorDropoutParameters
    example: ClassVar = {"signal": "altitude"}

    def sense(self, reading: list[float], last: Sequence[float], tick: int, amount: float) -> bool:
        """Hold the last reading."""
        reading[self.columns] = last[self.columns]
        return False
