"""A slow bus, a busy driver: commands reach the actuators late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters, in_whole


class ActuatorDelayParameters(Parameters):
    """How late; rounded to whole physics steps."""

    value_s: float = Field(ge=0.0, le=1.0)


class ActuatorDelay(BodyFault):
    """A command arrives `value_s` after it was given. Several delays add up."""

    kind: ClassVar = "actuator_delay"
    touches: ClassVar = "actuation"
    needs: ClassVar = ("actuator_delay_s",)
    at_ticks: ClassVar = True
    Parameters: ClassVar = ActuatorDelayParameters
    example: ClassVar = {"value_s": 0.1}

    @classmethod
    def rounded(cls, parameters: Mapping[str, Any], control_hz: int, physics_hz: int) -> Mapping[str, str]:
        """Whole physics steps."""
        steps = round(parameters["value_s"] * physics_hz)
        return in_whole("value_s", parameters["value_s"], steps, physics_hz, "physics step")

    def act(self, condition: Any, amount: float) -> None:
        """Lengthen the way."""
        condition.actuator_delay_s += amount * self.parameters.value_s
