"""Another aircraft overhead: its wake presses the robot down."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters


class DownwashParameters(Parameters):
    """The downward force over the healthy robot's weight."""

    value: float = Field(ge=0.0, le=5.0)


class Downwash(BodyFault):
    """A force of `value` times the weight presses down at the centre of mass, wherever the robot is."""

    kind: ClassVar = "downwash"
    touches: ClassVar = "environment"
    needs: ClassVar = ("downwash",)
    Parameters: ClassVar = DownwashParameters
    example: ClassVar = {"value": 0.5}

    def act(self, condition: Any, amount: float) -> None:
        """Add the share."""
        condition.downwash += amount * self.parameters.value
