"""A grating, long grass, a wall: the cushion of air under the rotors is another one."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters


class GroundEffectParameters(Parameters):
    """How strong it is, over what the scenario's environment says; 0 is none."""

    value: float = Field(ge=0.0, le=3.0)


class GroundEffect(BodyFault):
    """The ground effect is `value` times as strong as in the scenario."""

    kind: ClassVar = "ground_effect"
    touches: ClassVar = "environment"
    needs: ClassVar = ("ground_effect",)
    Parameters: ClassVar = GroundEffectParameters
    example: ClassVar = {"value": 2.5}

    def act(self, condition: Any, amount: float) -> None:
        """Scale it."""
        condition.ground_effect *= 1.0 + amount * (self.parameters.value - 1.0)
