"""A broken gear, a stone on the rail, a brake that has dropped in: a joint does not move any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from .base import BodyFault, Parameters


class JointJammedParameters(Parameters):
    """Which joint."""

    joint: int


class JointJammed(BodyFault):
    """One joint stops at once and stays where it is, whatever pulls at it; the rest of the chain feels the jolt."""

    kind: ClassVar = "joint_jammed"
    touches: ClassVar = "body"
    needs: ClassVar = ("joint_jammed",)
    holds: ClassVar = True
    Parameters: ClassVar = JointJammedParameters
    example: ClassVar = {"joint": 0}

    @classmethod
    def bound_to(cls, condition: Any) -> type[BodyFault]:
        """The robot's joints."""
        joint: Any = (Literal[tuple(range(condition.joints))], ...)
        return cls.limited(joint=joint)

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """The joint."""
        return frozenset({f"joint {parameters['joint']}"})

    def act(self, condition: Any, amount: float) -> None:
        """Let the brake drop in."""
        condition.joint_jammed[self.parameters.joint] = True
