"""A sensor with white noise."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from .base import Course, Parameters, SensorFault


class SensorNoiseParameters(Parameters):
    """Which sensor, and the standard deviation in its SI unit."""

    signal: str
    value: float = Field(ge=0.0)


class SensorNoise(SensorFault):
    """Independent Gaussian noise with standard deviation `value` on every component and tick."""

    kind: ClassVar = "sensor_noise"
    additive: ClassVar = True
    Parameters: ClassVar = SensorNoiseParameters
    example: ClassVar = {"signal": "altitude", "value": 0.1}

    def prepare(self, course: Course) -> None:
        """Draw a row of noise for every tick of the run."""
        shape = (course.ticks, self.columns.stop - self.columns.start)
        self._noise = np.random.default_rng([course.seed, course.place]).normal(0.0, self.parameters.value, shape)

    def sense(self, reading: np.ndarray, last: np.ndarray, tick: int, amount: float) -> bool:
        """Add this tick's row."""
        reading[self.columns] += amount * self._noise[tick % len(self._noise)]
        return True
