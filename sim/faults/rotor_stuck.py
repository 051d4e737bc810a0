"""A speed controller that no longer listens: the rotor turns at one speed whatever it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters


class RotorStuckParameters(Parameters):
    """Which rotor, and its speed over hover speed under standard gravity; 0 is a rotor that has stopped."""

    rotor: int = Field(ge=0, le=3)
    value: float = Field(ge=0.0)


class RotorStuck(BodyFault):
    """One rotor goes to `value` times hover speed, with its usual lag, and stays there."""

    kind: ClassVar = "rotor_stuck"
    touches: ClassVar = "actuation"
    needs: ClassVar = ("rotor_stuck",)
    holds: ClassVar = True
    Parameters: ClassVar = RotorStuckParameters
    example: ClassVar = {"rotor": 0, "value": 0.8}

    @classmethod
    def bound_to(cls, condition: Any) -> type[BodyFault]:
        """No rotor is stuck at a speed that it cannot reach."""
        return cls.limited(value=(float, Field(ge=0.0, le=condition.fastest_rotor)))

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """The rotor."""
        return frozenset({f"rotor {parameters['rotor']}"})

    def act(self, condition: Any, amount: float) -> None:
        """Take the rotor away from the controller."""
        condition.rotor_stuck[self.parameters.rotor] = self.parameters.value
