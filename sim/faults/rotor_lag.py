"""Sluggish motors: worn bearings, a sagging battery, a slow speed controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters


class RotorLagParameters(Parameters):
    """The time constant of all rotors' speed."""

    value_s: float = Field(ge=0.0, le=1.0)


class RotorLag(BodyFault):
    """All rotors follow their command with the time constant `value_s`."""

    kind: ClassVar = "rotor_lag"
    touches: ClassVar = "actuation"
    needs: ClassVar = ("rotor_lag_s",)
    Parameters: ClassVar = RotorLagParameters
    example: ClassVar = {"value_s": 0.15}

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """What it sets."""
        return frozenset({"rotor lag"})

    def act(self, condition: Any, amount: float) -> None:
        """Move the time constant towards the fault's."""
        condition.rotor_lag_s += amount * (self.parameters.value_s - condition.rotor_lag_s)
