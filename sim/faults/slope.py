"""A deck that heels over, ground that gives way under one side: the pad tilts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Course, Parameters


class SlopeParameters(Parameters):
    """By how much the pad's slope changes, and how fast."""

    value_deg: float = Field(ge=-30.0, le=30.0)
    rate_degps: float = Field(default=10.0, gt=0.0, le=90.0)


class Slope(BodyFault):
    """The pad is tilted by `value_deg` more than in the scenario, about the world's y axis through the origin.

    It heels at `rate_degps` (a ramp may be slower), and is back at the fault's end, so that it starts back before it: a
    deck that was elsewhere within a step would be inside what stands on it, and shoot it up. Altitude counts from the
    pad as it lies.
    """

    kind: ClassVar = "slope"
    touches: ClassVar = "environment"
    needs: ClassVar = ("pad_slope_deg",)
    Parameters: ClassVar = SlopeParameters
    example: ClassVar = {"value_deg": 12.0, "rate_degps": 30.0}

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """What it moves: slopes do not add up without limit."""
        return frozenset({"the pad's slope"})

    def prepare(self, course: Course) -> None:
        """Work out how far the pad comes in a step."""
        self._step_deg = self.parameters.rate_degps * course.dt_s / course.substeps
        self._until_step = course.until_step

    def act_at(self, condition: Any, amount: float, step: int, start_step: int) -> int:
        """Add the angle that is reached."""
        wanted_deg = self.parameters.value_deg
        steps_back = self._until_step - step
        reached_deg = min(amount * abs(wanted_deg), self._step_deg * min(step - start_step + 1, steps_back))
        condition.pad_slope_deg += math.copysign(reached_deg, wanted_deg)
        if reached_deg < abs(wanted_deg):
            return step + 1
        return max(step + 1, self._until_step - math.ceil(reached_deg / self._step_deg))
