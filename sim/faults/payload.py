"""A load that was not planned for, fixed at the centre of mass."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters


class PayloadParameters(Parameters):
    """Mass of the load; a negative one is something lost."""

    mass_kg: float = Field(ge=-1e4, le=1e4)


class Payload(BodyFault):
    """The body is heavier by `mass_kg`; its inertia stays (the load is a point at the centre of mass)."""

    kind: ClassVar = "payload"
    touches: ClassVar = "body"
    needs: ClassVar = ("payload_kg",)
    Parameters: ClassVar = PayloadParameters
    example: ClassVar = {"mass_kg": 0.005}

    def act(self, condition: Any, amount: float) -> None:
        """Add the mass."""
        condition.payload_kg += amount * self.parameters.mass_kg
