"""A load that has slipped, a battery that was put in crooked: the centre of mass is not between the rotors."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters

Offset = Annotated[float, Field(ge=-0.02, le=0.02)]


class ComOffsetParameters(Parameters):
    """Where the centre of mass is, from where it should be, in the body's axes."""

    offset_m: tuple[Offset, Offset, Offset]


class ComOffset(BodyFault):
    """The centre of mass lies `offset_m` off, so that thrust has a moment about it: minus the offset times the thrust.

    Positions and velocities stay those of the centre of mass. Its distance from the rotors is all that changes: rotor
    drag, the inertia about it and the box that touches the pad stay as they are.
    """

    kind: ClassVar = "com_offset"
    touches: ClassVar = "body"
    needs: ClassVar = ("com_offset_m",)
    Parameters: ClassVar = ComOffsetParameters
    example: ClassVar = {"offset_m": (0.002, 0.0, 0.0)}

    def act(self, condition: Any, amount: float) -> None:
        """Add the offset."""
        for axis, offset_m in enumerate(self.parameters.offset_m):
            condition.com_offset_m[axis] += amount * offset_m
