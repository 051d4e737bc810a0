"""A free rigid body above a pad: what a lander and a multirotor are to Bullet. Nothing sleeps, nothing is damped."""

from __future__ import annotations

import math
from typing import NamedTuple

import pybullet as bullet
from pydantic import BaseModel, ConfigDict, Field

from .world import World, weighed

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]


AWAY_M = (0.0, 0.0, -1e5)
"""Where a pad touches nothing."""


class Pad(BaseModel):
    """What the robot lands on: a plane through the origin, tilted about the world's y axis."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slope_deg: float = Field(default=0.0, ge=-30.0, le=30.0)
    friction: float = Field(default=0.8, ge=0.0, le=2.0)
    restitution: float = Field(default=0.0, ge=0.0, le=1.0)

    @property
    def normal(self) -> Vector:
        """Unit normal in the world frame; exactly (0, 0, 1) on a level pad."""
        return slope_normal(self.slope_deg)


def slope_normal(slope_deg: float) -> Vector:
    """Unit normal of a plane that is tilted about the world's y axis."""
    slope = math.radians(slope_deg)
    return (math.sin(slope), 0.0, math.cos(slope))


class Body(NamedTuple):
    """A single rigid link with a box around it. Half extents in m, principal inertia in kg m²."""

    mass_kg: float
    inertia_kgm2: Vector
    half_extents_m: Vector


class Pose(NamedTuple):
    """Where the body starts: world frame, quaternion xyzw (body to world)."""

    position_m: Vector
    q_xyzw: Quaternion
    velocity_mps: Vector
    angular_velocity_radps: Vector


def _turned(angle_rad: float, position_m: Vector, q_xyzw: Quaternion) -> tuple[Vector, Quaternion]:
    """A pose turned about the world's y axis; Bullet's own `multiplyTransforms` reckons in single precision."""
    (x, y, z), (qx, qy, qz, qw) = position_m, q_xyzw
    c, s, ch, sh = math.cos(angle_rad), math.sin(angle_rad), math.cos(0.5 * angle_rad), math.sin(0.5 * angle_rad)
    turned = (ch * qx + sh * qz, ch * qy + sh * qw, ch * qz - sh * qx, ch * qw - sh * qy)
    return (c * x + s * z, y, c * z - s * x), turned


class FreeBody:
    """The pad and the body in a world. Ids are public: a plant's inner loop calls Bullet directly."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.id = -1
        self.pad = -1
        self._inertia: Vector = (0.0, 0.0, 0.0)
        self._pad_built: tuple[float, Vector, Quaternion] = (0.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
        self.pad_now: Vector = (0.0, 0.0, 0.0)  # slope in degrees, friction, restitution

    def build(self, pad: Pad, body: Body, pose: Pose) -> None:
        """Put pad and body into the cleared world."""
        client = self._world.client
        plane = bullet.createCollisionShape(bullet.GEOM_PLANE, planeNormal=pad.normal, physicsClientId=client)
        self.pad = bullet.createMultiBody(0.0, plane, physicsClientId=client)
        bullet.changeDynamics(
            self.pad, -1, lateralFriction=pad.friction, restitution=pad.restitution, physicsClientId=client
        )
        box = bullet.createCollisionShape(bullet.GEOM_BOX, halfExtents=body.half_extents_m, physicsClientId=client)
        self.id = bullet.createMultiBody(
            body.mass_kg, box, basePosition=pose.position_m, baseOrientation=pose.q_xyzw, physicsClientId=client
        )
        self._inertia = body.inertia_kgm2
        bullet.changeDynamics(
            self.id,
            -1,
            linearDamping=0.0,
            angularDamping=0.0,
            lateralFriction=1.0,
            restitution=1.0,
            localInertiaDiagonal=body.inertia_kgm2,
            activationState=bullet.ACTIVATION_STATE_DISABLE_SLEEPING,
            physicsClientId=client,
        )
        bullet.resetBaseVelocity(self.id, pose.velocity_mps, pose.angular_velocity_radps, physicsClientId=client)
        self.pad_now = (pad.slope_deg, pad.friction, pad.restitution)
        self._pad_built = (pad.slope_deg, *bullet.getBasePositionAndOrientation(self.pad, physicsClientId=client))

    def change_pad(self, slope_deg: float, friction: float, restitution: float) -> None:
        """The pad becomes another one; a call that changes nothing leaves Bullet alone."""
        if (slope_deg, friction, restitution) == self.pad_now:
            return
        # Points of contact keep the friction that they were made with, so they are made anew, and at once.
        client, (built_deg, position_m, q_xyzw) = self._world.client, self._pad_built
        place, tilted = _turned(math.radians(slope_deg - built_deg), position_m, q_xyzw)
        self.part()
        bullet.resetBasePositionAndOrientation(self.pad, place, tilted, physicsClientId=client)
        self.restored_pad((slope_deg, friction, restitution))
        bullet.performCollisionDetection(physicsClientId=client)

    def part(self) -> None:
        """Take the pad away, and every contact with it. A restored state brings back the pad, and those that it had."""
        client = self._world.client
        bullet.resetBasePositionAndOrientation(self.pad, AWAY_M, (0.0, 0.0, 0.0, 1.0), physicsClientId=client)
        bullet.performCollisionDetection(physicsClientId=client)

    def restored_pad(self, pad: Vector) -> None:
        """Bullet's state was restored, and `pad_now` was `pad` then. Bullet restores the slope itself, not the rest."""
        _, friction, restitution = self.pad_now = pad
        bullet.changeDynamics(
            self.pad, -1, lateralFriction=friction, restitution=restitution, physicsClientId=self._world.client
        )

    def set_mass(self, mass_kg: float, inertia_kgm2: Vector | None = None) -> None:
        """Change the body's mass. Bullet would recompute the inertia from the box; ours is set again with it."""
        bullet.changeDynamics(
            self.id,
            -1,
            mass=weighed(mass_kg),
            localInertiaDiagonal=inertia_kgm2 or self._inertia,
            physicsClientId=self._world.client,
        )

    def pose(self) -> Pose:
        """The body's state, read back from Bullet."""
        position, quaternion = bullet.getBasePositionAndOrientation(self.id, physicsClientId=self._world.client)
        velocity, rates = bullet.getBaseVelocity(self.id, physicsClientId=self._world.client)
        return Pose(position, quaternion, velocity, rates)
