"""A battery that runs down: at the same command the motors turn more slowly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from .base import NEVER, BodyFault, Course, Parameters


class BatterySagParameters(Parameters):
    """Share of the full voltage that is lost in a second of flight, and the share at which it stops."""

    rate: float = Field(ge=0.0, le=1.0)
    floor: float = Field(default=0.7, ge=0.0, le=1.0)


class BatterySag(BodyFault):
    """From its start on the voltage falls by `rate`, down to `floor`, and the rotors' speed at a command with it.

    Speed goes by the voltage, so thrust by its square. Charge is taken to be drawn evenly: what is drawn goes by time.
    """

    kind: ClassVar = "battery_sag"
    touches: ClassVar = "actuation"
    needs: ClassVar = ("voltage",)
    holds: ClassVar = True
    Parameters: ClassVar = BatterySagParameters
    example: ClassVar = {"rate": 0.03}

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """The battery."""
        return frozenset({"battery"})

    def prepare(self, course: Course) -> None:
        """Note the rates."""
        self._substeps = course.substeps
        self._loss = self.parameters.rate * course.dt_s / course.substeps

    def act_at(self, condition: Any, amount: float, step: int, start_step: int) -> int:
        """Lower the voltage, once a control period."""
        left = 1.0 - self._loss * (step - start_step)
        condition.voltage = max(left, self.parameters.floor)
        return (step // self._substeps + 1) * self._substeps if left > self.parameters.floor else NEVER
