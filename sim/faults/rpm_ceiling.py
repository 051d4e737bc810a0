"""A drained battery, hot motors: the rotors no longer reach their full speed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters


class RpmCeilingParameters(Parameters):
    """The highest speed over hover speed under standard gravity."""

    value: float = Field(ge=0.0)


class RpmCeiling(BodyFault):
    """No rotor is driven faster than `value` times hover speed."""

    kind: ClassVar = "rpm_ceiling"
    touches: ClassVar = "actuation"
    needs: ClassVar = ("rotor_ceiling",)
    Parameters: ClassVar = RpmCeilingParameters
    example: ClassVar = {"value": 0.95}

    @classmethod
    def bound_to(cls, condition: Any) -> type[BodyFault]:
        """A ceiling above what the healthy rotors reach is none."""
        return cls.limited(value=(float, Field(ge=0.0, le=condition.fastest_rotor)))

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """The ceiling: a lower one would hide a higher one."""
        return frozenset({"rotor ceiling"})

    def act(self, condition: Any, amount: float) -> None:
        """Lower the ceiling towards the fault's."""
        condition.rotor_ceiling += amount * (self.parameters.value - condition.rotor_ceiling)
