"""Steady wind, felt through the rotors' drag."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters

Part = Annotated[float, Field(ge=-100.0, le=100.0)]
"""The strongest gust that was ever measured on Earth had 113 m/s."""


class WindParameters(Parameters):
    """Velocity of the air in the world frame."""

    velocity_mps: tuple[Part, Part, Part]


class Wind(BodyFault):
    """The air moves with `velocity_mps`."""

    kind: ClassVar = "wind"
    touches: ClassVar = "environment"
    needs: ClassVar = ("wind_mps",)
    Parameters: ClassVar = WindParameters
    example: ClassVar = {"velocity_mps": (4.0, 0.0, 0.0)}

    def act(self, condition: Any, amount: float) -> None:
        """Add the air's velocity."""
        for axis, velocity_mps in enumerate(self.parameters.velocity_mps):
            condition.wind_mps[axis] += amount * velocity_mps
