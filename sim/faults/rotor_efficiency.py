"""A damaged propeller: less thrust and less torque at the same speed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters


class RotorEfficiencyParameters(Parameters):
    """Which rotor, and the fraction of thrust and torque that is left."""

    rotor: int = Field(ge=0, le=3)
    value: float = Field(ge=0.0, le=1.0)


class RotorEfficiency(BodyFault):
    """One rotor delivers `value` of its thrust and torque."""

    kind: ClassVar = "rotor_efficiency"
    touches: ClassVar = "actuation"
    needs: ClassVar = ("rotor_efficiency",)
    Parameters: ClassVar = RotorEfficiencyParameters
    example: ClassVar = {"rotor": 0, "value": 0.7}

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """The rotor: two losses at a time are written as one, their product."""
        return frozenset({f"rotor {parameters['rotor']}"})

    def act(self, condition: Any, amount: float) -> None:
        """Scale the rotor's efficiency."""
        condition.rotor_efficiency[self.parameters.rotor] *= 1.0 - amount * (1.0 - self.parameters.value)
