"""A sensor with a constant error."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from healing_runtime.core.errors import InputError

from .base import Parameters, SensorFault


class SensorBiasParameters(Parameters):
    """Which sensor, and the error in its SI unit: one number for every component, or one a component."""

    signal: str
    value: float | tuple[float, ...]


class SensorBias(SensorFault):
    """`value` is added to every reading."""

    kind: ClassVar = "sensor_bias"
    additive: ClassVar = True
    Parameters: ClassVar = SensorBiasParameters
    example: ClassVar = {"signal": "altitude", "value": -0.3}

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters)
        self._error = np.asarray(parameters.value, dtype=np.float64)
        width = self.columns.stop - self.columns.start
        if self._error.shape not in ((), (width,)):
            raise InputError(
                f"sensor_bias of '{parameters.signal}' has {self._error.size} values; write one number or {width}."
            )

    def sense(self, reading: np.ndarray, last: np.ndarray, tick: int, amount: float) -> bool:
        """Add the error."""
        reading[self.columns] += amount * self._error
        return True
