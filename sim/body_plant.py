"""What plants that are one free body above a pad do alike: pose, contact, touchdown, land detector."""

from __future__ import annotations

import abc
from typing import NamedTuple

from healing_runtime.core.records import Scenario

from . import plant
from .faults.slope import Slope
from .free_body import Body, FreeBody, Pad, Pose, State, Vector, bearable, refuse_bad_start, slope_normal
from .plant import SimulatedPlant
from .touchdown import Touchdown


class Condition(plant.Condition):
    """What may be wrong with the pad, too: slope added, friction left, and how far it bounces like what.

    A robot whose condition is not one of these has a pad that stays as it is.
    """

    __slots__ = ("pad_friction", "pad_restitution", "pad_slope_deg")

    def __init__(self) -> None:
        super().__init__()
        self.pad_slope_deg = 0.0
        self.pad_friction = 1.0
        self.pad_restitution = (0.0, 0.0)


class Start(NamedTuple):
    """How a world begins."""

    gravity_mps2: float
    pad: Pad
    body: Body
    pose: Pose


class BodyPlant(SimulatedPlant):
    """A plant whose physics is one rigid body above a pad. Abstract; `_fly` keeps `_pose` and `_touchdown` up to date.

    `_true_values` also ends the period of the land detector unless at t = 0. `_normal` is the pad's, as it is now.
    """

    _pose: State
    _normal: Vector

    def __init__(self) -> None:
        super().__init__()
        self._body = FreeBody(self._world)

    @abc.abstractmethod
    def _begin(self, scenario: Scenario) -> Start:
        """Set the robot's own state for t = 0 and say how the world begins."""

    @abc.abstractmethod
    def _own_state(self) -> tuple[float, ...]:
        """The robot's state outside Bullet but for the touchdown, the last command included."""

    @abc.abstractmethod
    def _set_own_state(self, values: tuple[float, ...]) -> None:
        """Take over what `_own_state` gave."""

    def _build(self, scenario: Scenario) -> None:
        self._touchdown = Touchdown(scenario.control_hz, scenario.physics_hz)
        start = self._begin(scenario)
        self._pad = start.pad
        for index, fault in enumerate(scenario.faults):
            if fault.kind == Slope.kind:
                bearable(start.pad.slope_deg + fault.parameters["value_deg"], ("faults", index, "value_deg"))
        refuse_bad_start(start.pad.normal, start.body, start.pose)
        self._world.clear(scenario.physics_hz, start.gravity_mps2)
        self._body.build(start.pad, start.body, start.pose)

    def _part(self) -> None:
        self._body.part()

    def _surround(self, condition: plant.Condition) -> None:
        if isinstance(condition, Condition):
            pad, (share, like) = self._pad, condition.pad_restitution
            slope_deg = bearable(pad.slope_deg + condition.pad_slope_deg)
            self._normal = slope_normal(slope_deg)
            self._body.change_pad(
                slope_deg, pad.friction * condition.pad_friction, pad.restitution + share * (like - pad.restitution)
            )

    def _begin_period(self) -> None:
        self._touchdown.begin_period()

    def _read_world(self) -> tuple[float, ...]:
        self._pose = pose = self._body.pose()
        return (*pose.position_m, *pose.q_xyzw, *pose.velocity_mps, *pose.angular_velocity_radps)

    def _kept(self) -> tuple[float, ...]:
        return (*self._own_state(), *self._touchdown.save(), *self._body.pad_now)

    def _keep(self, values: tuple[float, ...]) -> None:
        pad, own = len(values) - 3, len(values) - 3 - len(self._touchdown.save())
        self._set_own_state(values[:own])
        self._touchdown.restore(values[own:pad])
        slope_deg, friction, restitution = values[pad:]
        self._body.restored_pad((slope_deg, friction, restitution))
