"""A free rigid body above a pad: what a lander and a multirotor are to Bullet. Nothing sleeps, nothing is damped."""

from __future__ import annotations

import math
from typing import NamedTuple

import pybullet as bullet
from pydantic import BaseModel, ConfigDict, Field

from healing_runtime.core.errors import InputError

from .world import NO_SPEED_LIMIT, World, weighed

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]


AWAY_M = (0.0, 0.0, -1e5)
"""Where a pad touches nothing."""


class Pad(BaseModel):
    """What the robot lands on: a plane through the origin, tilted about the world's y axis.

    It reaches 5 km from the origin along its slope and along y; flights start within 3 km.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    slope_deg: float = Field(default=0.0, ge=-30.0, le=30.0)
    friction: float = Field(default=0.8, ge=0.0, le=2.0)
    restitution: float = Field(default=0.0, ge=0.0, le=1.0)

    @property
    def normal(self) -> Vector:
        """Unit normal in the world frame; exactly (0, 0, 1) on a level pad."""
        return slope_normal(self.slope_deg)


STEEPEST_PAD_DEG = 45.0


def bearable(slope_deg: float, at: tuple[str | int, ...] = ()) -> float:
    """The slope of a pad, with what the faults add. InputError where it is too steep to be one, for what is `at`."""
    if abs(slope_deg) <= STEEPEST_PAD_DEG:
        return slope_deg
    raise InputError(
        f"the pad's slope_deg and the slope fault's value_deg make {slope_deg:g} degrees together, and a pad has "
        f"{STEEPEST_PAD_DEG:g} degrees at most; write less.",
        at=at,
    )


def slope_normal(slope_deg: float) -> Vector:
    """Unit normal of a plane that is tilted about the world's y axis."""
    slope = math.radians(slope_deg)
    return (math.sin(slope), 0.0, math.cos(slope))


INSIDE_M = 1e-3
"""A body that starts deeper in the pad than this is refused."""
START_REACH_M = 3000.0
"""Flights start within this, along x and along y: over the pad, at every slope, and with a way to go."""
PAD_REACH_M = 5000.0
"""Half the size of the block whose upper face is the pad; beyond it bodies fall, and their altitude goes on to count.

A block, for Bullet lets a box touch a plane with one corner at a time: a flat touchdown would set the body spinning and
hardly bounce. Two boxes touch at up to four points at once, and not before they meet.
"""


def _block_pose(slope_deg: float) -> tuple[Vector, Quaternion]:
    """Where the block lies so that its upper face is a plane through the origin with that slope."""
    half = 0.5 * math.radians(slope_deg)
    nx, _, nz = slope_normal(slope_deg)
    return (-PAD_REACH_M * nx, 0.0, -PAD_REACH_M * nz), (0.0, math.sin(half), 0.0, math.cos(half))


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


State = tuple[Vector, Quaternion, Vector, Vector]
"""What a `Pose` is, without its names: making one of those takes longer than a physics step's arithmetic."""


def lowest_above(normal: Vector, position_m: Vector, q_xyzw: Quaternion, half_extents_m: Vector) -> float:
    """Height of a box's lowest point above a pad through the origin, along the pad's normal, which has no y, in m."""
    (x, _, z), (qx, qy, qz, qw), (nx, _, nz), (hx, hy, hz) = position_m, q_xyzw, normal, half_extents_m
    r00, r01, r02 = 1.0 - 2.0 * (qy * qy + qz * qz), 2.0 * (qx * qy - qw * qz), 2.0 * (qx * qz + qw * qy)
    r20, r21, r22 = 2.0 * (qx * qz - qw * qy), 2.0 * (qy * qz + qw * qx), 1.0 - 2.0 * (qx * qx + qy * qy)
    along_x, along_y, along_z = abs(nx * r00 + nz * r20), abs(nx * r01 + nz * r21), abs(nx * r02 + nz * r22)
    return nx * x + nz * z - hx * along_x - hy * along_y - hz * along_z


_START = ("initial", "position_m")


def refuse_bad_start(normal: Vector, body: Body, pose: Pose) -> None:
    """InputError where the body would start inside the pad, which would throw it out, or where the pad may end."""
    altitude_m = lowest_above(normal, pose.position_m, pose.q_xyzw, body.half_extents_m)
    if altitude_m < -INSIDE_M:
        raise InputError(
            f"initial.position_m: the body's lowest point starts at an altitude of {altitude_m:.4g} m, inside the pad; "
            "start it higher.",
            at=_START,
        )
    x, y, _ = pose.position_m
    if max(abs(x), abs(y)) > START_REACH_M:
        raise InputError(
            f"initial.position_m: x and y are {x:g} and {y:g} m, and a flight starts within {START_REACH_M:g} m of the "
            f"pad's centre; the pad ends {PAD_REACH_M:g} m from it. Start it nearer.",
            at=_START,
        )


class FreeBody:
    """The pad and the body in a world. Ids are public: a plant's inner loop calls Bullet directly."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.id = -1
        self.pad = -1
        self._inertia: Vector = (0.0, 0.0, 0.0)
        self.pad_now: Vector = (0.0, 0.0, 0.0)  # slope in degrees, friction, restitution

    def build(self, pad: Pad, body: Body, pose: Pose) -> None:
        """Put pad and body into the cleared world."""
        client = self._world.client
        block = bullet.createCollisionShape(bullet.GEOM_BOX, halfExtents=(PAD_REACH_M,) * 3, physicsClientId=client)
        position_m, q_xyzw = _block_pose(pad.slope_deg)
        self.pad = bullet.createMultiBody(
            0.0, block, basePosition=position_m, baseOrientation=q_xyzw, physicsClientId=client
        )
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
            maxJointVelocity=NO_SPEED_LIMIT,
            lateralFriction=1.0,
            restitution=1.0,
            localInertiaDiagonal=body.inertia_kgm2,
            activationState=bullet.ACTIVATION_STATE_DISABLE_SLEEPING,
            physicsClientId=client,
        )
        bullet.resetBaseVelocity(self.id, pose.velocity_mps, pose.angular_velocity_radps, physicsClientId=client)
        self.pad_now = (pad.slope_deg, pad.friction, pad.restitution)

    def change_pad(self, slope_deg: float, friction: float, restitution: float) -> None:
        """The pad becomes another one; a call that changes nothing leaves Bullet alone."""
        if (slope_deg, friction, restitution) == self.pad_now:
            return
        # Points of contact keep the friction that they were made with, so they are made anew, and at once.
        client, (place, tilted) = self._world.client, _block_pose(slope_deg)
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
