"""Another pole than the one that the controller was made for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters


class PoleMassParameters(Parameters):
    """What the pole weighs."""

    mass_kg: float = Field(ge=1e-3, le=100.0)


class PoleMass(BodyFault):
    """The pole weighs `mass_kg`; it stays a uniform rod of the same length."""

    kind: ClassVar = "pole_mass"
    touches: ClassVar = "body"
    needs: ClassVar = ("pole_mass_kg",)
    Parameters: ClassVar = PoleMassParameters
    example: ClassVar = {"mass_kg": 0.5}

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """What it sets."""
        return frozenset({"pole mass"})

    def act(self, condition: Any, amount: float) -> None:
        """Move the mass towards the fault's."""
        condition.pole_mass_kg += amount * (self.parameters.mass_kg - condition.pole_mass_kg)
