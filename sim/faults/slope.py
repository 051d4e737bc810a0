"""A deck that heels over, ground that gives way under one side: the pad tilts."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters


class SlopeParameters(Parameters):
    """By how much the pad's slope changes."""

    value_deg: float = Field(ge=-30.0, le=30.0)


class Slope(BodyFault):
    """The pad is tilted by `value_deg` more than in the scenario, about the world's y axis through the origin.

    Altitude counts from the tilted pad from that step on. The pad does not push what stands on it but for being there.
    """

    kind: ClassVar = "slope"
    touches: ClassVar = "environment"
    needs: ClassVar = ("pad_slope_deg",)
    Parameters: ClassVar = SlopeParameters
    example: ClassVar = {"value_deg": 12.0}

    def act(self, condition: Any, amount: float) -> None:
        """Add the angle."""
        condition.pad_slope_deg += amount * self.parameters.value_deg
