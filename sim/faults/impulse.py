"""Something hits the robot: a bird, a ball, a branch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from .base import NEVER, BodyFault, Course, Parameters, in_whole, pushing


class ImpulseParameters(Parameters):
    """Force times time in the world frame, in N s, and the time over which it is given, from the fault's start on."""

    impulse: tuple[float, float, float]
    over_s: float = Field(gt=0.0, le=10.0)


class Impulse(BodyFault):
    """A constant force at the centre of mass gives `impulse` over `over_s`.

    The time is rounded to whole physics steps, one at least, and the force is such that the impulse is kept. An end
    before that cuts it short.
    """

    kind: ClassVar = "impulse"
    touches: ClassVar = "body"
    needs: ClassVar = ("force_n",)
    holds: ClassVar = True
    Parameters: ClassVar = ImpulseParameters
    example: ClassVar = {"impulse": (0.02, 0.0, 0.0), "over_s": 0.05}

    @classmethod
    def bound_to(cls, condition: Any) -> type[BodyFault]:
        """What is more than a second of the strongest push, or out of a planar robot's plane, is refused."""
        return cls.limited(impulse=(pushing(condition), ...))

    @classmethod
    def rounded(cls, parameters: Mapping[str, Any], control_hz: int, physics_hz: int) -> Mapping[str, str]:
        """Whole physics steps, one at least."""
        steps = cls.lasting(parameters, physics_hz)["over_s"]
        return in_whole("over_s", parameters["over_s"], steps, physics_hz, "physics step")

    @classmethod
    def lasting(cls, parameters: Mapping[str, Any], physics_hz: int) -> Mapping[str, int]:
        """Until all of it is given."""
        return {"over_s": max(1, round(parameters["over_s"] * physics_hz))}

    def prepare(self, course: Course) -> None:
        """Work out the force."""
        dt_s = course.dt_s / course.substeps
        self._steps = max(1, round(self.parameters.over_s / dt_s))
        self._force_n = tuple(part / (self._steps * dt_s) for part in self.parameters.impulse)

    def act_at(self, condition: Any, amount: float, step: int, start_step: int) -> int:
        """Push, until all of it is given."""
        if step >= start_step + self._steps:
            return NEVER
        for axis, force_n in enumerate(self._force_n):
            condition.force_n[axis] += force_n
        return start_step + self._steps
