"""One Bullet client with one free body above one pad, set up by rules that were each measured.

Bullet's defaults are not physics: its damping brakes a falling body by 0.04·(1+|v|)·v. Here damping is zero, nothing
sleeps, overlapping pairs are ordered, and the solver's settings are pinned, because re-execution has to be
bit-identical.
"""

from __future__ import annotations

import math
import weakref
from typing import NamedTuple

import pybullet as bullet
from pydantic import BaseModel, ConfigDict, Field

SOLVER_ITERATIONS = 50
SOLVER_RESIDUAL_THRESHOLD = 1e-7
CONTACT_BREAKING_THRESHOLD_M = 0.02

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]


class Pad(BaseModel):
    """What the robot lands on: a plane through the origin, tilted about the world's y axis."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slope_deg: float = Field(default=0.0, ge=-30.0, le=30.0)
    friction: float = Field(default=0.8, ge=0.0, le=2.0)
    restitution: float = Field(default=0.0, ge=0.0, le=1.0)

    @property
    def normal(self) -> Vector:
        """Unit normal in the world frame; exactly (0, 0, 1) on a level pad."""
        slope = math.radians(self.slope_deg)
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


class World:
    """The client, the pad and the body. Ids are public: a plant's inner loop calls Bullet directly."""

    def __init__(self) -> None:
        self.client: int = bullet.connect(bullet.DIRECT)
        self.body = -1
        self.pad = -1
        self._inertia: Vector = (0.0, 0.0, 0.0)
        self._close = weakref.finalize(self, _disconnect, self.client)

    def build(self, physics_hz: int, gravity_mps2: float, pad: Pad, body: Body, pose: Pose) -> None:
        """Throw everything away and build the world anew; Bullet's state then depends on the arguments alone."""
        client = self.client
        bullet.resetSimulation(physicsClientId=client)
        bullet.setPhysicsEngineParameter(
            fixedTimeStep=1.0 / physics_hz,
            numSubSteps=0,
            numSolverIterations=SOLVER_ITERATIONS,
            solverResidualThreshold=SOLVER_RESIDUAL_THRESHOLD,
            contactBreakingThreshold=CONTACT_BREAKING_THRESHOLD_M,
            contactSlop=0.0,
            deterministicOverlappingPairs=1,
            enableFileCaching=0,
            physicsClientId=client,
        )
        bullet.setGravity(0.0, 0.0, -gravity_mps2, physicsClientId=client)
        plane = bullet.createCollisionShape(bullet.GEOM_PLANE, planeNormal=pad.normal, physicsClientId=client)
        self.pad = bullet.createMultiBody(0.0, plane, physicsClientId=client)
        bullet.changeDynamics(
            self.pad, -1, lateralFriction=pad.friction, restitution=pad.restitution, physicsClientId=client
        )
        box = bullet.createCollisionShape(bullet.GEOM_BOX, halfExtents=body.half_extents_m, physicsClientId=client)
        self.body = bullet.createMultiBody(
            body.mass_kg, box, basePosition=pose.position_m, baseOrientation=pose.q_xyzw, physicsClientId=client
        )
        self._inertia = body.inertia_kgm2
        bullet.changeDynamics(
            self.body,
            -1,
            linearDamping=0.0,
            angularDamping=0.0,
            lateralFriction=1.0,
            restitution=1.0,
            localInertiaDiagonal=body.inertia_kgm2,
            activationState=bullet.ACTIVATION_STATE_DISABLE_SLEEPING,
            physicsClientId=client,
        )
        bullet.resetBaseVelocity(self.body, pose.velocity_mps, pose.angular_velocity_radps, physicsClientId=client)

    def set_mass(self, mass_kg: float, inertia_kgm2: Vector | None = None) -> None:
        """Change the body's mass. Bullet would recompute the inertia from the box; ours is set again with it."""
        bullet.changeDynamics(
            self.body,
            -1,
            mass=mass_kg,
            localInertiaDiagonal=inertia_kgm2 or self._inertia,
            physicsClientId=self.client,
        )

    def pose(self) -> Pose:
        """The body's state, read back from Bullet."""
        position, quaternion = bullet.getBasePositionAndOrientation(self.body, physicsClientId=self.client)
        velocity, rates = bullet.getBaseVelocity(self.body, physicsClientId=self.client)
        return Pose(position, quaternion, velocity, rates)

    def save(self) -> int:
        """Bullet's state, kept in this process until `discard`. Masses and pending forces are not part of it."""
        return bullet.saveState(physicsClientId=self.client)

    def restore(self, state: int) -> None:
        """Return to a saved state."""
        bullet.restoreState(stateId=state, physicsClientId=self.client)

    def discard(self, state: int) -> None:
        """Free a saved state (124 KB each)."""
        bullet.removeState(state, physicsClientId=self.client)

    def close(self) -> None:
        """Disconnect the client; closing twice is allowed."""
        self._close()


def _disconnect(client: int) -> None:
    if bullet.isConnected(client):
        bullet.disconnect(client)
