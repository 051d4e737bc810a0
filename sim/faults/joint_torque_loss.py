"""A worn gear, a hot motor: a joint gets less than it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from .base import BodyFault, Parameters


class JointTorqueLossParameters(Parameters):
    """Which driven joint, and the share of its motor's torque or force that is left."""

    joint: int
    value: float = Field(ge=0.0, le=1.0)


class JointTorqueLoss(BodyFault):
    """One joint's motor delivers `value` of what a healthy one would."""

    kind: ClassVar = "joint_torque_loss"
    touches: ClassVar = "actuation"
    needs: ClassVar = ("joint_torque",)
    Parameters: ClassVar = JointTorqueLossParameters
    example: ClassVar = {"joint": 0, "value": 0.5}

    @classmethod
    def bound_to(cls, condition: Any) -> type[BodyFault]:
        """Only driven joints have a torque to lose."""
        joint: Any = (Literal[condition.driven], ...)
        return cls.limited(joint=joint)

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """The joint."""
        return frozenset({f"joint {parameters['joint']}"})

    def act(self, condition: Any, amount: float) -> None:
        """Scale the joint's torque."""
        condition.joint_torque[self.parameters.joint] *= 1.0 - amount * (1.0 - self.parameters.value)
