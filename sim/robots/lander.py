"""A lunar lander on a single engine that goes straight down; gravity, height and speed are NeuroJIT's.

Nominal thrust at the start is zero, as NeuroJIT's pilot leaves it. What it is as a body stands in `lander_body`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pybullet as bullet
from pydantic import BaseModel, ConfigDict, Field

from healing_runtime.core.plant import Plant, Robot
from healing_runtime.core.records import Distribution, Perturbation, Scenario
from healing_runtime.core.signals import Layout, Signal, SignalTable

from ..body_plant import Start
from ..commands import Command
from ..faults import faults_for
from ..free_body import Body, Pose
from ..lander_body import (
    CONSTANTS,
    DRY_MASS_KG,
    FUEL_KG,
    FUEL_PER_NS,
    HALF_EXTENTS_M,
    INERTIA_KGM2,
    MAX_THRUST_N,
    Condition,
    Environment,
    LanderBody,
)
from ..sensing import age_signals
from ..touchdown import PUSHED_MPS

if TYPE_CHECKING:
    from healing_runtime.core.plant import Twin

# ---------------------------------------------------------------- files
class Initial(BaseModel):
    """State at t = 0."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    altitude_m: float = Field(default=100.0, ge=0.0, le=1e5)
    velocity_mps: float = Field(default=-10.0, ge=-1e3, le=1e3)
    fuel_kg: float = Field(default=FUEL_KG, ge=0.0, le=FUEL_KG)


class Reference(BaseModel):
    """The lander has no reference."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ---------------------------------------------------------------- signals
_OBSERVED = (
    Signal("altitude", "m", scale=10.0, description="lowest point of the body above the pad"),
    Signal("velocity", "m/s", scale=5.0, description="vertical, up is positive"),
    Signal("fuel", "kg", low=0.0, high=FUEL_KG, scale=FUEL_KG, description="left in the tank"),
)
_OBSERVED_LAYOUT = Layout(_OBSERVED)
SIGNALS = SignalTable(
    observed=_OBSERVED_LAYOUT,
    action=Layout(
        (Signal("thrust", "N", low=0.0, high=MAX_THRUST_N, scale=MAX_THRUST_N, description="commanded, body's up"),)
    ),
    true=Layout(
        (
            *_OBSERVED,
            Signal("speed", "m/s", scale=5.0, description="magnitude of the velocity"),
            Signal("descent_rate", "m/s", scale=5.0, description="downward velocity"),
            Signal("contact", description="1 where the body touched the pad in the last control period"),
            Signal(
                "touchdown_speed",
                "m/s",
                scale=5.0,
                description="speed into the pad before contact, fastest of a touchdown",
            ),
            Signal("landed", description="1 while in contact, slow, upright, and the engine nearly off for 0.5 s"),
            *age_signals(_OBSERVED_LAYOUT),
        )
    ),
)


# ---------------------------------------------------------------- physics
FAULTS = faults_for(Condition, _OBSERVED_LAYOUT)


class LanderPlant(LanderBody):
    """The lander in PyBullet. Final."""

    signals = SIGNALS
    name = "lander"
    fault_kinds = FAULTS

    def _begin(self, scenario: Scenario) -> Start:
        initial = Initial.model_validate(dict(scenario.initial))
        environment = Environment.model_validate(dict(scenario.environment))
        pad = self._stand_ready(environment, initial.fuel_kg)
        self._command_n = self._thrust_n = 0.0
        nx, _, nz = self._normal
        height = (initial.altitude_m + HALF_EXTENTS_M[0] * abs(nx) + HALF_EXTENTS_M[2] * nz) / nz
        body = Body(DRY_MASS_KG + initial.fuel_kg, INERTIA_KGM2, HALF_EXTENTS_M)
        pose = Pose((0.0, 0.0, height), (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, initial.velocity_mps), (0.0, 0.0, 0.0))
        return Start(environment.gravity_mps2, pad, body, pose)

    def _obey(self, command: Command) -> None:
        (self._command_n,) = command

    def _fly(self, end: int) -> None:
        """The mass follows the fuel once a call; the engine stops in the step in which the tank is empty."""
        client, body, dt_s = self._world.client, self._body.id, self._dt_s
        touchdown, burn = self._touchdown, FUEL_PER_NS * dt_s
        (_, _, (vx, _, vz), _), (nx, _, nz), thrust = self._pose, self._normal, 0.0
        level = nx == 0.0
        for step in range(self._step, end):
            thrust = min(self._command_n, self._ceiling_n, self._fuel_kg / burn)
            self._fuel_kg = max(self._fuel_kg - thrust * burn, 0.0)
            if thrust > 0.0:
                bullet.applyExternalForce(
                    body, -1, (0.0, 0.0, thrust), (0.0, 0.0, 0.0), bullet.LINK_FRAME, physicsClientId=client
                )
            # Should the body lean, this takes a little too much for the engine's share: a push is still a push.
            down, free = -vz, vz + dt_s * (thrust / self._mass_kg - self._gravity_mps2)
            if not level:  # there it leans
                _, (qx, qy, qz, qw) = bullet.getBasePositionAndOrientation(body, physicsClientId=client)
                along = nx * 2.0 * (qx * qz + qw * qy) + nz * (1.0 - 2.0 * (qx * qx + qy * qy))
                down = -nx * vx - nz * vz
                free = dt_s * (along * thrust / self._mass_kg - nz * self._gravity_mps2) - down
            bullet.stepSimulation(physicsClientId=client)
            (vx, _, vz), _ = bullet.getBaseVelocity(body, physicsClientId=client)
            away = vz if level else nx * vx + nz * vz
            if away - free > PUSHED_MPS or touchdown.pressed:
                touchdown.step(step, away - free > PUSHED_MPS, down)
        self._step = end
        self._pose = self._body.pose()
        self._thrust_n = thrust
        self._weigh()

    def _true_values(self) -> tuple[float, ...]:
        _, _, (vx, vy, vz), (sx, sy, sz) = self._pose
        speed = math.sqrt(vx * vx + vy * vy + vz * vz)
        touchdown = self._touchdown
        if self._step:
            rate = math.sqrt(sx * sx + sy * sy + sz * sz)
            thrust_to_weight = self._thrust_n / (self._mass_kg * self._gravity_mps2)
            touchdown.end_period(speed, rate, thrust_to_weight, self._upright())
        return (
            self._altitude_m(),
            vz,
            self._fuel_kg,
            speed,
            -vz,
            touchdown.contact,
            touchdown.speed_mps,
            touchdown.landed,
        )

    def _own_state(self) -> tuple[float, ...]:
        return (self._fuel_kg, self._command_n, self._thrust_n)

    def _set_own_state(self, values: tuple[float, ...]) -> None:
        self._fuel_kg, self._command_n, self._thrust_n = values


def _make_twin(scenario: Scenario) -> Twin:
    from ..twins.lander import make

    return make(scenario)


def _make() -> Plant:
    return LanderPlant()


ROBOT = Robot(
    name="lander",
    description="NeuroJIT's moon lander: vertical, one engine, burning fuel",
    signals=SIGNALS,
    initial=Initial,
    environment=Environment,
    reference=Reference,
    faults=FAULTS,
    perturb=Perturbation(
        initial={"altitude_m": Distribution("normal", scale=1.0), "velocity_mps": Distribution("normal", scale=0.2)},
        faults={"value": Distribution("uniform", low=-0.03, high=0.03)},
    ),
    make=_make,
    make_twin=_make_twin,
    constants=CONSTANTS,
)
