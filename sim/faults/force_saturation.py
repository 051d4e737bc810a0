"""An engine or a motor that no longer reaches its full force."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters


class ForceSaturationParameters(Parameters):
    """The fraction of the nominal maximum that can still be reached."""

    value: float = Field(ge=0.0, le=1.0)


class ForceSaturation(BodyFault):
    """The force is cut off at `value` of its nominal maximum."""

    kind: ClassVar = "force_saturation"
    touches: ClassVar = "actuation"
    needs: ClassVar = ("force_ceiling",)
    Parameters: ClassVar = ForceSaturationParameters
    example: ClassVar = {"value": 0.2}

    def act(self, condition: Any, amount: float) -> None:
        """Lower the ceiling."""
        condition.force_ceiling *= 1.0 - amount * (1.0 - self.parameters.value)
