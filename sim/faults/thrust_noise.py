"""Rough propellers, electrical noise: the thrust of every rotor flutters."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from ..noise import remembering
from .base import BodyFault, Course, Parameters


class ThrustNoiseParameters(Parameters):
    """Standard deviation of a rotor's thrust over its thrust, and how long a deviation lasts; 0 is a control period."""

    value: float = Field(ge=0.0, le=1.0)
    memory_s: float = Field(default=0.0, ge=0.0, le=10.0)


class ThrustNoise(BodyFault):
    """Thrust and torque of every rotor deviate by themselves, Gaussian, anew at every control period.

    Neither turns round: a deviation of less than -1 counts as -1.
    """

    kind: ClassVar = "thrust_noise"
    touches: ClassVar = "actuation"
    needs: ClassVar = ("rotor_efficiency",)
    Parameters: ClassVar = ThrustNoiseParameters
    example: ClassVar = {"value": 0.1}

    def prepare(self, course: Course) -> None:
        """Draw the deviations of the whole run."""
        rows = remembering((course.seed, course.place), course.ticks, course.dt_s, self.parameters.memory_s, 4)
        self._deviations = self.parameters.value * rows
        self._substeps = course.substeps

    def act_at(self, condition: Any, amount: float, step: int, start_step: int) -> int:
        """Scale the rotors' efficiencies by this tick's deviations."""
        tick = step // self._substeps
        for rotor, deviation in enumerate(self._deviations[tick % len(self._deviations)].tolist()):
            condition.rotor_efficiency[rotor] *= max(1.0 + amount * deviation, 0.0)
        return (tick + 1) * self._substeps
