"""A busy processor, a lossy radio: in some control periods no command comes out."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from .base import BodyFault, Course, Parameters


class DroppedTicksParameters(Parameters):
    """The share of control periods that are missed; 1 is a controller that has stopped."""

    value: float = Field(ge=0.0, le=1.0)


class DroppedTicks(BodyFault):
    """In a missed period the actuators hold their last command; each is missed with probability `value`, on its own."""

    kind: ClassVar = "dropped_ticks"
    touches: ClassVar = "actuation"
    needs: ClassVar = ("command_lost",)
    at_ticks: ClassVar = True
    Parameters: ClassVar = DroppedTicksParameters
    example: ClassVar = {"value": 0.6}

    def prepare(self, course: Course) -> None:
        """Draw a number for every period of the run."""
        self._draws = np.random.default_rng([course.seed, course.place]).uniform(size=course.ticks)
        self._substeps = course.substeps

    def act_at(self, condition: Any, amount: float, step: int, start_step: int) -> int:
        """Lose this period's command, or not."""
        tick = step // self._substeps
        if self._draws[tick % len(self._draws)] < amount * self.parameters.value:
            condition.command_lost = True
        return (tick + 1) * self._substeps
