"""A compass that is off, a camera rig that was set up askew: some sensors measure in a turned frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from healing_runtime.core.signals import Layout

from .base import Parameters, SensorFault

Turned = Literal["position", "velocity", "q_xyzw_world_body"]


class FrameErrorParameters(Parameters):
    """By how much the frame is turned about the world's up, and what is measured in it.

    All three together are one consistent frame: what is then wrong is where the reference lies, and which way is north.
    """

    value_deg: float = Field(ge=-180.0, le=180.0)
    signals: tuple[Turned, ...] = Field(default=("position", "velocity"), min_length=1, max_length=3)

    @field_validator("signals")
    @classmethod
    def _each_once(cls, signals: tuple[Turned, ...]) -> tuple[Turned, ...]:
        """What is listed twice would be turned twice."""
        for name in signals:
            if signals.count(name) > 1:
                raise ValueError(f"'{name}' is listed twice; keep one")
        return signals


class FrameError(SensorFault):
    """The axes in which `signals` are measured are turned by `value_deg` to the left about the world's up.

    A vector reads as its components along the turned axes; an attitude reads as the one from the body to them. Readings
    are turned first, and what adds an error comes on top.
    """

    kind: ClassVar = "frame_error"
    turns: ClassVar = True
    Parameters: ClassVar = FrameErrorParameters
    example: ClassVar = {"value_deg": 45.0, "signals": ("position", "velocity")}

    def __init__(self, parameters: Any) -> None:
        self.parameters = parameters
        self.columns = slice(0, 0)  # no sensor of its own: it neither holds nor delays any
        self._vectors = [self.observed.slices[s].start for s in parameters.signals if s != "q_xyzw_world_body"]
        self._attitude = "q_xyzw_world_body" in parameters.signals
        self._angle_rad = math.radians(parameters.value_deg)

    @classmethod
    def fits(cls, observed: Layout) -> bool:
        """Only a robot that measures all three knows a frame."""
        shapes = {signal.name: signal.shape for signal in observed}
        return all(shapes.get(name) == shape for name, shape in _SHAPES.items())

    @classmethod
    def bound_to(cls, observed: Layout) -> type[SensorFault]:
        """The class of a robot with these sensors."""
        return type(cls.__name__, (cls,), {"observed": observed, "__doc__": cls.__doc__})

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """The frames of what it turns."""
        return frozenset(f"frame of {name}" for name in parameters["signals"])

    def sense(self, reading: list[float], last: Sequence[float], tick: int, amount: float) -> bool:
        """Give the components in the turned frame."""
        angle = amount * self._angle_rad
        c, s = math.cos(angle), math.sin(angle)
        for x in self._vectors:
            reading[x], reading[x + 1] = c * reading[x] + s * reading[x + 1], c * reading[x + 1] - s * reading[x]
        if self._attitude:
            columns = self.observed.slices["q_xyzw_world_body"]
            c, s = math.cos(0.5 * angle), math.sin(0.5 * angle)
            qx, qy, qz, qw = reading[columns]
            reading[columns] = (c * qx + s * qy, c * qy - s * qx, c * qz - s * qw, c * qw + s * qz)
        return True


_SHAPES = {"position": (3,), "velocity": (3,), "q_xyzw_world_body": (4,)}
