"""A trampoline of a pad: what touches down bounces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters


class RestitutionParameters(Parameters):
    """Upward speed after an impact over the downward speed before it."""

    value: float = Field(ge=0.0, le=1.0)


class Restitution(BodyFault):
    """The pad's restitution is `value` in place of the scenario's."""

    kind: ClassVar = "restitution"
    touches: ClassVar = "environment"
    needs: ClassVar = ("pad_restitution",)
    Parameters: ClassVar = RestitutionParameters
    example: ClassVar = {"value": 0.8}

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """What it sets."""
        return frozenset({"restitution"})

    def act(self, condition: Any, amount: float) -> None:
        """Move the pad's towards the fault's."""
        condition.pad_restitution = (amount, self.parameters.value)
