"""Ice, oil, sand: the pad holds less of what stands on it."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters


class FrictionDropParameters(Parameters):
    """The share of the scenario's friction that is left."""

    value: float = Field(ge=0.0, le=1.0)


class FrictionDrop(BodyFault):
    """The pad has `value` of its coefficient of friction."""

    kind: ClassVar = "friction_drop"
    touches: ClassVar = "environment"
    needs: ClassVar = ("pad_friction",)
    Parameters: ClassVar = FrictionDropParameters
    example: ClassVar = {"value": 0.05}

    def act(self, condition: Any, amount: float) -> None:
        """Scale it."""
        condition.pad_friction *= 1.0 - amount * (1.0 - self.parameters.value)
