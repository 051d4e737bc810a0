"""A chain of links on a fixed base: what a cart with a pole, or an arm, is to Bullet.

Joints move freely: no motors, no damping, no limits of Bullet's, no contact between links. What acts on a joint is what
a plant applies in every physics step, unless it is jammed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import pybullet as bullet

from . import plant
from .world import NO_SPEED_LIMIT, World, weighed

Vector = tuple[float, float, float]
JAM = 1e9
"""Force or torque, N or N m, that a jammed joint resists."""


class Condition(plant.Condition):
    """What may be wrong with the joints, too: the share of torque that is left, and what is jammed.

    A robot says how many joints it has, and which of them have a motor.
    """

    __slots__ = ("joint_jammed", "joint_torque")
    joints: ClassVar[int]
    driven: ClassVar[tuple[int, ...]]

    def __init__(self) -> None:
        super().__init__()
        self.joint_torque = [1.0] * self.joints
        self.joint_jammed = [False] * self.joints


class Link(NamedTuple):
    """A box on a joint; every link hangs on the one before it.

    `joint` is one of Bullet's joint types, `centre_m` the centre of mass from the joint, `at_m` where the joint is,
    from the joint before it.
    """

    joint: int
    axis: Vector
    centre_m: Vector
    half_extents_m: Vector
    at_m: Vector = (0.0, 0.0, 0.0)


class Joint(NamedTuple):
    """State of a joint: m and m/s, or rad and rad/s."""

    position: float
    velocity: float


class JointedBody:
    """The chain in a world. The id is public: a plant's inner loop calls Bullet directly."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.id = -1
        self.joints: tuple[int, ...] = ()
        self._jammed: tuple[bool, ...] = ()

    def build(self, links: Sequence[Link], start: Sequence[Joint]) -> None:
        """Put the chain into the cleared world; masses are set afterwards, with `set_mass`."""
        client, count = self._world.client, len(links)
        # Bullet takes a change of mass for a link only where the link has a shape.
        boxes = [
            bullet.createCollisionShape(bullet.GEOM_BOX, halfExtents=link.half_extents_m, physicsClientId=client)
            for link in links
        ]
        straight = [(0.0, 0.0, 0.0, 1.0)] * count
        self.joints = tuple(range(count))
        self.id = bullet.createMultiBody(
            0.0,
            -1,
            linkMasses=[1.0] * count,
            linkCollisionShapeIndices=boxes,
            linkVisualShapeIndices=[-1] * count,
            linkPositions=[link.at_m for link in links],
            linkOrientations=straight,
            linkInertialFramePositions=[link.centre_m for link in links],
            linkInertialFrameOrientations=straight,
            linkParentIndices=list(self.joints),
            linkJointTypes=[link.joint for link in links],
            linkJointAxis=[link.axis for link in links],
            physicsClientId=client,
        )
        # Of the whole chain. Given for a link, Bullet applies some of these to the base, the link's mass included.
        bullet.changeDynamics(
            self.id,
            -1,
            linearDamping=0.0,
            angularDamping=0.0,
            maxJointVelocity=NO_SPEED_LIMIT,
            activationState=bullet.ACTIVATION_STATE_DISABLE_SLEEPING,
            physicsClientId=client,
        )
        for joint, state in zip(self.joints, start, strict=True):
            bullet.changeDynamics(self.id, joint, jointDamping=0.0, physicsClientId=client)
            bullet.setCollisionFilterGroupMask(self.id, joint, 0, 0, physicsClientId=client)
            bullet.resetJointState(self.id, joint, state.position, state.velocity, physicsClientId=client)
        self._jammed = ()
        self.jam([False] * count)

    def set_mass(self, link: int, mass_kg: float, inertia_kgm2: Vector) -> None:
        """Mass of a link, and its principal inertia about its centre of mass."""
        client = self._world.client
        mass_kg = weighed(mass_kg)
        bullet.changeDynamics(self.id, link, mass=mass_kg, localInertiaDiagonal=inertia_kgm2, physicsClientId=client)

    def jam(self, jammed: Sequence[bool]) -> None:
        """Stop some joints and let go of the others; what acts on a joint besides is not touched.

        A jammed joint is held by Bullet's motor, told to stand still. It is none of its saved states: call this again
        after a restore, with what is jammed there.
        """
        if (wanted := tuple(jammed)) != self._jammed:
            bullet.setJointMotorControlArray(
                self.id, self.joints, bullet.VELOCITY_CONTROL, forces=[JAM * stands for stands in wanted],
                physicsClientId=self._world.client,
            )  # fmt: skip
            self._jammed = wanted

    def state(self) -> tuple[Joint, ...]:
        """The joints' state, read back from Bullet."""
        read = bullet.getJointStates(self.id, self.joints, physicsClientId=self._world.client)
        return tuple(Joint(position, velocity) for position, velocity, _, _ in read)
