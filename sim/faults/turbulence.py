"""Gusty air, felt through the rotors' drag."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from ..noise import remembering
from .base import BodyFault, Course, Parameters


class TurbulenceParameters(Parameters):
    """Standard deviation of each component of the air's velocity, and how long a gust lasts."""

    sigma_mps: float = Field(ge=0.0, le=50.0)
    memory_s: float = Field(default=0.5, gt=0.0, le=60.0)


class Turbulence(BodyFault):
    """Gusts on top of the wind, zero on average, the same strength in all directions; new ones at every control period.

    Dryden's longitudinal spectrum (MIL-F-8785C, 3.7.2), whose correlation over a time t is exp(-t V / L) with the scale
    length L and the airspeed V: `memory_s` is L / V. The lateral spectra, of second order, are taken to be the same.
    """

    kind: ClassVar = "turbulence"
    touches: ClassVar = "environment"
    needs: ClassVar = ("wind_mps",)
    Parameters: ClassVar = TurbulenceParameters
    example: ClassVar = {"sigma_mps": 4.0, "memory_s": 0.5}

    def prepare(self, course: Course) -> None:
        """Draw the gusts of the whole run."""
        rows = remembering((course.seed, course.place), course.ticks, course.dt_s, self.parameters.memory_s, 3)
        self._gusts_mps = self.parameters.sigma_mps * rows
        self._substeps = course.substeps

    def act_at(self, condition: Any, amount: float, step: int, start_step: int) -> int:
        """Add this tick's gust."""
        tick = step // self._substeps
        for axis, gust_mps in enumerate(self._gusts_mps[tick % len(self._gusts_mps)].tolist()):
            condition.wind_mps[axis] += amount * gust_mps
        return (tick + 1) * self._substeps
