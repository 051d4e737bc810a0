"""A sensor with a constant error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from pydantic import ValidationInfo, create_model, field_validator

from healing_runtime.core.signals import Layout

from .base import LARGEST_ERROR, Error, Parameters, SensorFault


class SensorBiasParameters(Parameters):
    """Which sensor, and the error in its SI unit: one number for every component, or one a component."""

    signal: str
    value: Error | tuple[Error, ...]


class SensorBias(SensorFault):
    """`value` is added to every reading."""

    kind: ClassVar = "sensor_bias"
    additive: ClassVar = True
    Parameters: ClassVar = SensorBiasParameters
    example: ClassVar = {"signal": "altitude", "value": -0.3}

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters)
        width = self.columns.stop - self.columns.start
        self._error = parameters.value if isinstance(parameters.value, tuple) else (parameters.value,) * width

    @classmethod
    def bound_to(cls, observed: Layout) -> type[SensorFault]:
        """See `SensorFault.bound_to`; a value has as many numbers as its sensor, or one."""
        bound = super().bound_to(observed)
        right = field_validator("value", mode="before")(_right_for(observed))
        bound.Parameters = create_model("Parameters", __base__=bound.Parameters, __validators__={"right": right})
        return bound

    def sense(self, reading: list[float], last: Sequence[float], tick: int, amount: float) -> bool:
        """Add the error."""
        for place, error in enumerate(self._error, self.columns.start):
            reading[place] += amount * error
        return True


def _right_for(observed: Layout) -> Callable[[Any, ValidationInfo], Any]:
    """A check of `value`, which pydantic runs after that of `signal`, without which nothing says how many numbers."""

    def right(value: Any, known: ValidationInfo) -> Any:
        name = known.data.get("signal", "")
        unit = next((f"in {s.unit}" for s in observed if s.name == name), "in the SI unit of the sensor")
        numbers = tuple(value) if isinstance(value, list | tuple) else (value,)
        if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
            raise ValueError(f"must be one number {unit}, or one a component; write numbers without units")
        for number in numbers:  # of an `Error` pydantic would tell twice: as a number, and as a list
            if abs(number) > LARGEST_ERROR:
                raise ValueError(f"must be within {LARGEST_ERROR:g} of 0, not {number:g}; write one that is")
        if not isinstance(value, list | tuple):
            return value
        columns = observed.slices.get(name, slice(0, len(numbers)))  # an unknown sensor is told by itself
        if len(numbers) != (width := columns.stop - columns.start):
            raise ValueError(f"{len(numbers)} values for '{name}', which has {width}; write one number or {width}")
        return numbers

    return right
