"""A lunar lander on a single engine that goes straight down; gravity, height and speed are NeuroJIT's.

As a body: 1,000 kg with fuel, 300 kg of it, thrust up to 5,000 N at a specific impulse of 300 s. Nominal thrust at the
start is zero, as NeuroJIT's pilot leaves it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import pybullet as bullet
from pydantic import BaseModel, ConfigDict, Field

from healing_runtime.core.plant import Plant, Robot
from healing_runtime.core.records import Distribution, Perturbation, Scenario
from healing_runtime.core.signals import Layout, Signal, SignalTable

from .. import body_plant
from ..body_plant import BodyPlant, Start
from ..commands import Command
from ..faults import faults_for
from ..free_body import Body, Pad, Pose
from ..sensing import age_signals
from ..touchdown import PUSHED_MPS

if TYPE_CHECKING:
    from healing_runtime.core.plant import Twin

# ---------------------------------------------------------------- the body
MASS_WITH_FUEL_KG = 1000.0
FUEL_KG = 300.0
DRY_MASS_KG = MASS_WITH_FUEL_KG - FUEL_KG
INERTIA_KGM2 = (1500.0, 1500.0, 1500.0)
HALF_EXTENTS_M = (1.5, 1.5, 1.0)
MAX_THRUST_N = 5000.0
SPECIFIC_IMPULSE_S = 300.0
STANDARD_GRAVITY_MPS2 = 9.80665
FUEL_PER_NS = 1.0 / (SPECIFIC_IMPULSE_S * STANDARD_GRAVITY_MPS2)
"""Fuel burned per newton and second, kg."""
MOON_GRAVITY_MPS2 = 1.62


# ---------------------------------------------------------------- files
class Initial(BaseModel):
    """State at t = 0."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    altitude_m: float = Field(default=100.0, ge=0.0, le=1e5)
    velocity_mps: float = Field(default=-10.0, ge=-1e3, le=1e3)
    fuel_kg: float = Field(default=FUEL_KG, ge=0.0, le=FUEL_KG)


class Environment(BaseModel):
    """Where it lands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gravity_mps2: float = Field(default=MOON_GRAVITY_MPS2, gt=0.0, le=30.0)
    pad: Pad = Pad()


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
                "touchdown_speed", "m/s", scale=5.0, description="downward speed before contact, fastest of a touchdown"
            ),
            Signal("landed", description="1 while in contact, slow, and the engine nearly off for 0.5 s"),
            *age_signals(_OBSERVED_LAYOUT),
        )
    ),
)


# ---------------------------------------------------------------- physics
class Condition(body_plant.Condition):
    """What may be wrong with the robot; faults act on it."""

    __slots__ = ("force_ceiling", "payload_kg")
    least_payload_kg: ClassVar[float] = -0.5 * DRY_MASS_KG

    def __init__(self) -> None:
        super().__init__()
        self.force_ceiling = 1.0
        self.payload_kg = 0.0


FAULTS = faults_for(Condition, _OBSERVED_LAYOUT)


class LanderPlant(BodyPlant):
    """The lander in PyBullet. Final."""

    signals = SIGNALS
    name = "lander"
    fault_kinds = FAULTS
    condition = Condition

    def _begin(self, scenario: Scenario) -> Start:
        initial = Initial.model_validate(dict(scenario.initial))
        environment = Environment.model_validate(dict(scenario.environment))
        self._normal = environment.pad.normal
        self._gravity_mps2 = environment.gravity_mps2
        self._fuel_kg = initial.fuel_kg
        self._payload_kg = 0.0
        self._command_n = self._thrust_n = 0.0
        nx, _, nz = self._normal
        height = (initial.altitude_m + HALF_EXTENTS_M[0] * abs(nx) + HALF_EXTENTS_M[2] * nz) / nz
        body = Body(DRY_MASS_KG + initial.fuel_kg, INERTIA_KGM2, HALF_EXTENTS_M)
        pose = Pose((0.0, 0.0, height), (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, initial.velocity_mps), (0.0, 0.0, 0.0))
        return Start(environment.gravity_mps2, environment.pad, body, pose)

    def _obey(self, command: Command) -> None:
        (self._command_n,) = command

    def _suffer(self, condition: Condition) -> None:
        self._ceiling_n = MAX_THRUST_N * condition.force_ceiling
        self._payload_kg = condition.payload_kg
        self._weigh()

    def _weigh(self) -> None:
        self._mass_kg = DRY_MASS_KG + self._fuel_kg + self._payload_kg
        self._body.set_mass(self._mass_kg)

    def _fly(self, end: int) -> None:
        """The mass follows the fuel once a call; the engine stops in the step in which the tank is empty."""
        client, body, dt_s = self._world.client, self._body.id, self._dt_s
        touchdown, burn = self._touchdown, FUEL_PER_NS * dt_s
        vz, thrust = self._pose.velocity_mps[2], 0.0
        for step in range(self._step, end):
            thrust = min(self._command_n, self._ceiling_n, self._fuel_kg / burn)
            self._fuel_kg = max(self._fuel_kg - thrust * burn, 0.0)
            if thrust > 0.0:
                bullet.applyExternalForce(
                    body, -1, (0.0, 0.0, thrust), (0.0, 0.0, 0.0), bullet.LINK_FRAME, physicsClientId=client
                )
            bullet.stepSimulation(physicsClientId=client)
            # Should the body lean, this takes a little too much for the engine's share: a push is still a push.
            down, free = -vz, vz + dt_s * (thrust / self._mass_kg - self._gravity_mps2)
            (_, _, vz), _ = bullet.getBaseVelocity(body, physicsClientId=client)
            if vz - free > PUSHED_MPS or touchdown.pressed:
                touchdown.step(step, vz - free > PUSHED_MPS, down)
        self._step = end
        self._pose = self._body.pose()
        self._thrust_n = thrust
        self._weigh()

    def _true_values(self) -> tuple[float, ...]:
        (x, _, z), (qx, qy, qz, qw), (vx, vy, vz), (sx, sy, sz) = self._pose
        nx, _, nz = self._normal
        r00, r01, r02 = 1.0 - 2.0 * (qy * qy + qz * qz), 2.0 * (qx * qy - qw * qz), 2.0 * (qx * qz + qw * qy)
        r20, r21, r22 = 2.0 * (qx * qz - qw * qy), 2.0 * (qy * qz + qw * qx), 1.0 - 2.0 * (qx * qx + qy * qy)
        hx, hy, hz = HALF_EXTENTS_M
        altitude = (
            nx * x
            + nz * z
            - hx * abs(nx * r00 + nz * r20)
            - hy * abs(nx * r01 + nz * r21)
            - hz * abs(nx * r02 + nz * r22)
        )
        speed = math.sqrt(vx * vx + vy * vy + vz * vz)
        touchdown = self._touchdown
        if self._step:
            rate = math.sqrt(sx * sx + sy * sy + sz * sz)
            touchdown.end_period(speed, rate, self._thrust_n / (self._mass_kg * self._gravity_mps2))
        return (
            altitude,
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
)
