"""A load that was not planned for, fixed at the centre of mass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters

HEAVIEST_KG = 1e4


class PayloadParameters(Parameters):
    """Mass of the load; a negative one is something lost, of which a robot's model allows what leaves a robot."""

    mass_kg: float = Field(le=HEAVIEST_KG)


class Payload(BodyFault):
    """The body is heavier by `mass_kg`; its inertia stays (the load is a point at the centre of mass)."""

    kind: ClassVar = "payload"
    touches: ClassVar = "body"
    needs: ClassVar = ("payload_kg",)
    Parameters: ClassVar = PayloadParameters
    example: ClassVar = {"mass_kg": 0.005}

    @classmethod
    def bound_to(cls, condition: Any) -> type[BodyFault]:
        """Only so much can be lost."""
        return cls.limited(mass_kg=(float, Field(ge=condition.least_payload_kg, le=HEAVIEST_KG)))

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """Loads add up, but two losses together could leave less than nothing."""
        return frozenset({"lost mass"}) if parameters["mass_kg"] < 0.0 else frozenset()

    def act(self, condition: Any, amount: float) -> None:
        """Add the mass."""
        condition.payload_kg += amount * self.parameters.mass_kg
