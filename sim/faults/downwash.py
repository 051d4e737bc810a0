"""Another aircraft overhead: its wake presses the robot down."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters

Place = Annotated[float, Field(ge=-1e4, le=1e4)]


class DownwashParameters(Parameters):
    """The downward force over the healthy robot's weight; radius and axis of the wake, or no radius: everywhere."""

    value: float = Field(ge=0.0, le=5.0)
    radius_m: float | None = Field(default=None, ge=1e-3, le=1e3)
    centre_m: tuple[Place, Place] = (0.0, 0.0)


class Downwash(BodyFault):
    """A force presses down at the centre of mass: `value` times the weight on the wake's axis.

    Away from the axis it falls as exp(-(r / radius)²), the bell that fits a round jet. The wake is upright and does not
    thin out with height. Where the robot is in it is looked up once a control period.
    """

    kind: ClassVar = "downwash"
    touches: ClassVar = "environment"
    needs: ClassVar = ("downwash", "wakes")
    Parameters: ClassVar = DownwashParameters
    example: ClassVar = {"value": 0.5}

    def act(self, condition: Any, amount: float) -> None:
        """Add the wake."""
        wake = self.parameters
        if wake.radius_m is None:
            condition.downwash += amount * wake.value
        else:
            condition.wakes.append((amount * wake.value, *wake.centre_m, wake.radius_m))
