"""A constant push: a tether, a cable, a steady leak."""

from __future__ import annotations

from typing import Any, ClassVar

from .base import BodyFault, Parameters, pushing


class SideForceParameters(Parameters):
    """The force in the world frame."""

    force_n: tuple[float, float, float]


class SideForce(BodyFault):
    """`force_n` acts at the centre of mass, in the world frame."""

    kind: ClassVar = "side_force"
    touches: ClassVar = "body"
    needs: ClassVar = ("force_n",)
    Parameters: ClassVar = SideForceParameters
    example: ClassVar = {"force_n": (0.05, 0.0, 0.0)}

    @classmethod
    def bound_to(cls, condition: Any) -> type[BodyFault]:
        """What is more than the robot may be pushed with, or out of a planar robot's plane, is refused."""
        return cls.limited(force_n=(pushing(condition), ...))

    def act(self, condition: Any, amount: float) -> None:
        """Add the force."""
        for axis, force_n in enumerate(self.parameters.force_n):
            condition.force_n[axis] += amount * force_n
