"""Somebody leans on the pole."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from .base import BodyFault, Parameters


class PushParameters(Parameters):
    """The force along the rail; a shove is a push with `until` close to `start`."""

    force_n: float = Field(ge=-1e3, le=1e3)


class Push(BodyFault):
    """`force_n` acts at the middle of the pole, along the rail."""

    kind: ClassVar = "push"
    touches: ClassVar = "body"
    needs: ClassVar = ("push_n",)
    Parameters: ClassVar = PushParameters
    example: ClassVar = {"force_n": 0.5}

    def act(self, condition: Any, amount: float) -> None:
        """Add the force."""
        condition.push_n += amount * self.parameters.force_n
