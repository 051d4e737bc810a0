"""A sensor whose values are on their way for a while: a filter, a camera, a slow bus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from .base import Parameters, SensorFault, in_whole, ticks_late


class SensorDelayParameters(Parameters):
    """Which sensor, and how late; a value counts from the first tick by which it has arrived."""

    signal: str
    value_s: float = Field(ge=0.0, le=1.0)


class SensorDelay(SensorFault):
    """The sensor delivers what it measured `value_s` ago, and nothing tells that it is old."""

    kind: ClassVar = "sensor_delay"
    Parameters: ClassVar = SensorDelayParameters
    example: ClassVar = {"signal": "altitude", "value_s": 0.2}

    @classmethod
    def rounded(cls, parameters: Mapping[str, Any], control_hz: int, physics_hz: int) -> Mapping[str, str]:
        """Whole ticks, rounded up (see `sensing`)."""
        ticks = ticks_late(parameters["value_s"], 1.0 / control_hz)
        return in_whole("value_s", parameters["value_s"], ticks, control_hz, "tick")

    def delay_s(self, amount: float) -> float:
        """The delay, or what a ramp has made of it so far."""
        return amount * self.parameters.value_s

    def sense(self, reading: list[float], last: Sequence[float], tick: int, amount: float) -> bool:
        """What arrives late is not changed on its way."""
        return True
