"""One Bullet client, set up by rules that were each measured; what stands in it is the robot's.

Bullet's defaults are not physics: its damping brakes a falling body by 0.04·(1+|v|)·v, and nothing goes faster than
100 m/s. Whoever builds a body here takes both away. Overlapping pairs are ordered and the solver's settings are pinned,
because re-execution has to be bit-identical.
"""

from __future__ import annotations

import weakref

import pybullet as bullet

from healing_runtime.core.errors import InputError

STANDARD_GRAVITY_MPS2 = 9.80665
SOLVER_ITERATIONS = 50
SOLVER_RESIDUAL_THRESHOLD = 1e-7
CONTACT_BREAKING_THRESHOLD_M = 0.02
RESTING_STEPS = 2.0
"""What meets the pad with less speed than gravity gives it in so many steps lies on it and does not bounce. (Bullet's
default is 0.2 m/s, whatever the gravity. With one step or none, light bodies rattle on a pad with a restitution of 0.5
without end.)
"""
NO_SPEED_LIMIT = 1e6
"""Bullet cuts speeds, of joints and of free bodies, at 100 m/s or rad/s by default."""


class World:
    """The client. Its id is public: a plant's inner loop calls Bullet directly."""

    def __init__(self) -> None:
        self.client: int = bullet.connect(bullet.DIRECT)
        self._close = weakref.finalize(self, _disconnect, self.client)

    def clear(self, physics_hz: int, gravity_mps2: float) -> None:
        """Throw everything away; what Bullet does from here on depends on the arguments and what is built alone."""
        client = self.client
        bullet.resetSimulation(physicsClientId=client)
        bullet.setPhysicsEngineParameter(
            fixedTimeStep=1.0 / physics_hz,
            numSubSteps=0,
            numSolverIterations=SOLVER_ITERATIONS,
            solverResidualThreshold=SOLVER_RESIDUAL_THRESHOLD,
            contactBreakingThreshold=CONTACT_BREAKING_THRESHOLD_M,
            contactSlop=0.0,
            restitutionVelocityThreshold=RESTING_STEPS * gravity_mps2 / physics_hz,
            deterministicOverlappingPairs=1,
            enableFileCaching=0,
            physicsClientId=client,
        )
        bullet.setGravity(0.0, 0.0, -gravity_mps2, physicsClientId=client)

    def save(self) -> int:
        """Bullet's state, kept in this process until `discard`. Masses are not part of it."""
        return bullet.saveState(physicsClientId=self.client)

    def restore(self, state: int) -> None:
        """Return to a saved state. A step spends the forces that were applied and not flown: Bullet would keep them."""
        bullet.stepSimulation(physicsClientId=self.client)
        bullet.restoreState(stateId=state, physicsClientId=self.client)

    def discard(self, state: int) -> None:
        """Free a saved state (124 KB each)."""
        bullet.removeState(state, physicsClientId=self.client)

    def close(self) -> None:
        """Disconnect the client; closing twice is allowed."""
        self._close()


def weighed(mass_kg: float) -> float:
    """The mass, which Bullet would take for a fixed body's where it is none. InputError then."""
    if mass_kg > 0.0:
        return mass_kg
    raise InputError(
        f"the faults leave a body of {mass_kg:g} kg, which cannot be simulated; let those that take mass away not "
        "overlap, and take less."
    )


def _disconnect(client: int) -> None:
    if bullet.isConnected(client):
        bullet.disconnect(client)
