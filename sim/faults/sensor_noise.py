"""A sensor with white noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from .base import LARGEST_ERROR, Course, Parameters, SensorFault


class SensorNoiseParameters(Parameters):
    """Which sensor, and the standard deviation in its SI unit."""

    signal: str
    value: float = Field(ge=0.0, le=LARGEST_ERROR)


class SensorNoise(SensorFault):
    """Independent Gaussian noise with standard deviation `value` on every component and tick."""

    kind: ClassVar = "sensor_noise"
    additive: ClassVar = True
    Parameters: ClassVar = SensorNoiseParameters
    example: ClassVar = {"signal": "altitude", "value": 0.1}

    def prepare(self, course: Course) -> None:
        """Draw a row of noise for every tick of the run."""
        shape = (course.ticks, self.columns.stop - self.columns.start)
        noise = np.random.default_rng([course.seed, course.place]).normal(0.0, self.parameters.value, shape)
        self._noise = noise.tolist()

    def sense(self, reading: list[float], last: Sequence[float], tick: int, amount: float) -> bool:
        """Add this tick's row."""
        for place, noise in enumerate(self._noise[tick % len(self._noise)], self.columns.start):
            reading[place] += amount * noise
        return True
