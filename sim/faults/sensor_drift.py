"""A sensor whose error grows with time: a gyro's bias, a warming strain gauge, a slipping encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from .base import Course, Error, Parameters, SensorFault


class SensorDriftParameters(Parameters):
    """Which sensor, and how fast its error grows, in its SI unit each second."""

    signal: str
    rate: Error


class SensorDrift(SensorFault):
    """The error of every component grows by `rate` from the fault's start on, and is gone with the fault."""

    kind: ClassVar = "sensor_drift"
    additive: ClassVar = True
    Parameters: ClassVar = SensorDriftParameters
    example: ClassVar = {"signal": "altitude", "rate": 0.1}

    def prepare(self, course: Course) -> None:
        """Note when it starts."""
        self._dt_s, self._start_s = course.dt_s, course.start_s

    def sense(self, reading: list[float], last: Sequence[float], tick: int, amount: float) -> bool:
        """Add what has grown so far."""
        error = amount * self.parameters.rate * (tick * self._dt_s - self._start_s)
        for place in range(self.columns.start, self.columns.stop):
            reading[place] += error
        return True
