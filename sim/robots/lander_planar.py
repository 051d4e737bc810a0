"""A lunar lander in a vertical plane: it moves along x and z, and pitches about y.

One engine pushes along the body's up; two pairs of attitude jets turn it without pushing it, and drink from the same
tank. What it is as a body stands in `lander_body`.

Everything acts in the plane, but Bullet solves the contacts of four corners one after the other, which would roll a
free body out of it by decimetres in a rough touchdown. So about x and z the body is too heavy to turn; then nothing
pushes it along y either. It stays in the plane: exactly in flight, to `PLANE_M` and `PLANE_RAD` through touchdowns.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import pybullet as bullet
from pydantic import BaseModel, ConfigDict, Field

from healing_runtime.core.plant import Constant, Plant, Robot
from healing_runtime.core.records import Distribution, Perturbation, Scenario
from healing_runtime.core.signals import Layout, Signal, SignalTable

from .. import lander_body
from ..body_plant import Start
from ..commands import Command
from ..faults import faults_for
from ..free_body import Body, Pose
from ..lander_body import (
    DRY_MASS_KG,
    FUEL_KG,
    FUEL_PER_NS,
    HALF_EXTENTS_M,
    INERTIA_KGM2,
    MAX_THRUST_N,
    Environment,
    LanderBody,
)
from ..limits import Aside, Height, Rate
from ..sensing import age_signals
from ..touchdown import PUSHED_MPS

if TYPE_CHECKING:
    from healing_runtime.core.plant import Twin

# ---------------------------------------------------------------- the body, as far as the vertical lander lacks it
THRUST_RATE_NPS = 10_000.0
MAX_MOMENT_NM = 900.0
MOMENT_RATE_NMPS = 9_000.0
JET_ARM_M = HALF_EXTENTS_M[0]
"""Jets sit at the edges and fire in pairs, one up and one down: a moment M takes M / arm of thrust altogether."""
PITCH_INERTIA_KGM2 = INERTIA_KGM2[1]
OUT_OF_PLANE_KGM2 = 1e15
STRAY = 1e-7
"""Speed out of the plane, m/s or rad/s, that is taken away at the end of a control period. Bullet's gyroscopic step is
explicit: out-of-plane rates grow by exp(w² dt t / 2) in a body that tumbles at w, to infinity within seconds.
"""
PLANE_M = 1e-6
PLANE_RAD = 1e-6
"""How far the body leaves the plane, or turns out of it, at most (measured: a thousandth of that)."""


# ---------------------------------------------------------------- files
class Initial(BaseModel):
    """State at t = 0: x and z of the centre of mass, and the pitch, positive where the body leans towards x."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    position_m: tuple[Aside, Height] = (-30.0, 100.0)
    velocity_mps: tuple[Rate, Rate] = (3.0, -8.0)
    pitch_deg: float = Field(default=0.0, ge=-180.0, le=180.0)
    pitch_rate_radps: float = Field(default=0.0, ge=-10.0, le=10.0)
    fuel_kg: float = Field(default=FUEL_KG, ge=0.0, le=FUEL_KG)


class Reference(BaseModel):
    """Where along x it is asked to land; the pad's centre is 0."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    position_m: float = Field(default=0.0, ge=-1e4, le=1e4)


# ---------------------------------------------------------------- signals
_XZ = ("x", "z")
_OBSERVED = (
    Signal("position", "m", (2,), _XZ, scale=10.0, description="centre of mass, from the pad's centre"),
    Signal("altitude", "m", scale=10.0, description="lowest point of the body above the pad"),
    Signal("velocity", "m/s", (2,), _XZ, scale=5.0, description="of the centre of mass, up is positive"),
    Signal("pitch", "rad", scale=0.5, description="from upright, towards positive x, -pi ... pi"),
    Signal("pitch_rate", "rad/s", scale=0.5, description="rate of the pitch"),
    Signal("fuel", "kg", low=0.0, high=FUEL_KG, scale=FUEL_KG, description="left in the tank"),
    Signal("reference_position", "m", scale=10.0, description="where along x to land"),
)
_OBSERVED_LAYOUT = Layout(_OBSERVED)
SIGNALS = SignalTable(
    observed=_OBSERVED_LAYOUT,
    action=Layout(
        (
            Signal(
                "thrust",
                "N",
                low=0.0,
                high=MAX_THRUST_N,
                rate_per_s=THRUST_RATE_NPS,
                scale=MAX_THRUST_N,
                description="commanded, along the body's up",
            ),
            Signal(
                "moment",
                "N m",
                low=-MAX_MOMENT_NM,
                high=MAX_MOMENT_NM,
                rate_per_s=MOMENT_RATE_NMPS,
                scale=MAX_MOMENT_NM,
                description="commanded of the jets, towards positive pitch",
            ),
        )
    ),
    true=Layout(
        (
            *_OBSERVED,
            Signal("speed", "m/s", scale=5.0, description="magnitude of the velocity"),
            Signal("descent_rate", "m/s", scale=5.0, description="downward velocity"),
            Signal("tilt", "rad", scale=0.5, description="angle between the body's and the world's up"),
            Signal("contact", description="1 where the body touched the pad in the last control period"),
            Signal(
                "touchdown_speed",
                "m/s",
                scale=5.0,
                description="speed into the pad before contact, fastest of a touchdown",
            ),
            Signal(
                "touchdown_sideways", "m/s", scale=2.0, description="speed along x before contact, fastest of the same"
            ),
            Signal("touchdown_tilt", "rad", scale=0.2, description="tilt before contact, largest of the same"),
            Signal("landed", description="1 while in contact, slow, upright, and the engine nearly off for 0.5 s"),
            *age_signals(_OBSERVED_LAYOUT),
        )
    ),
)


# ---------------------------------------------------------------- physics
class Condition(lander_body.Condition):
    """What may be wrong with the robot; faults act on it."""

    __slots__ = ("force_n",)
    planar: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.force_n = [0.0, 0.0, 0.0]


FAULTS = faults_for(Condition, _OBSERVED_LAYOUT)


class LanderPlanarPlant(LanderBody):
    """The planar lander in PyBullet. Final."""

    signals = SIGNALS
    name = "lander_planar"
    fault_kinds = FAULTS
    condition = Condition

    def _begin(self, scenario: Scenario) -> Start:
        initial = Initial.model_validate(dict(scenario.initial))
        environment = Environment.model_validate(dict(scenario.environment))
        pad = self._stand_ready(environment, initial.fuel_kg)
        self._reference_m = Reference.model_validate(dict(scenario.reference)).position_m
        self._command = (0.0, 0.0)
        self._thrust_n = 0.0
        (x, z), (vx, vz), half = initial.position_m, initial.velocity_mps, 0.5 * math.radians(initial.pitch_deg)
        q = (0.0, math.sin(half), 0.0, math.cos(half))
        pose = Pose((x, 0.0, z), q, (vx, 0.0, vz), (0.0, initial.pitch_rate_radps, 0.0))
        inertia = (OUT_OF_PLANE_KGM2, PITCH_INERTIA_KGM2, OUT_OF_PLANE_KGM2)
        body = Body(DRY_MASS_KG + initial.fuel_kg, inertia, HALF_EXTENTS_M)
        return Start(environment.gravity_mps2, pad, body, pose)

    def _obey(self, command: Command) -> None:
        thrust_n, moment_nm = command
        self._command = (thrust_n, min(max(moment_nm, -MAX_MOMENT_NM), MAX_MOMENT_NM))

    def _suffer(self, condition: Condition) -> None:
        super()._suffer(condition)
        self._force = (condition.force_n[0], condition.force_n[2])

    def _fly(self, end: int) -> None:
        """The mass follows the fuel once a call; engine and jets fade together in the step that empties the tank."""
        client, body, world, dt_s = self._world.client, self._body.id, bullet.WORLD_FRAME, self._dt_s
        touchdown, burn, (fx, fz) = self._touchdown, FUEL_PER_NS * dt_s, self._force
        wanted_n, wanted_nm = min(self._command[0], self._ceiling_n), self._command[1]
        needed_kg = (wanted_n + abs(wanted_nm) / JET_ARM_M) * burn
        gain, fall = dt_s / self._mass_kg, dt_s * self._gravity_mps2
        position, (_, qy, _, qw), (vx, _, vz), _ = self._pose
        (nx, _, nz), thrust = self._normal, 0.0
        level = nx == 0.0
        for step in range(self._step, end):
            share = 1.0 if needed_kg <= self._fuel_kg else self._fuel_kg / needed_kg
            self._fuel_kg = max(self._fuel_kg - share * needed_kg, 0.0)
            thrust = share * wanted_n
            ux, uz = 2.0 * qw * qy, 1.0 - 2.0 * qy * qy  # the body's up
            lift, ahead = thrust * uz + fz, thrust * ux + fx
            bullet.applyExternalForce(body, -1, (ahead, 0.0, lift), position, world, client)
            bullet.applyExternalTorque(body, -1, (0.0, share * wanted_nm, 0.0), world, client)
            bullet.stepSimulation(client)
            down, sideways, free = -vz, abs(vx), vz + gain * lift - fall
            if not level:
                down, free = -nx * vx - nz * vz, nx * (vx + gain * ahead) + nz * free
            position, (_, qy, _, qw) = bullet.getBasePositionAndOrientation(body, client)
            (vx, _, vz), _ = bullet.getBaseVelocity(body, client)
            away = vz if level else nx * vx + nz * vz
            if away - free > PUSHED_MPS or touchdown.pressed:
                tilt = math.acos(min(max(uz, -1.0), 1.0))
                touchdown.step(step, away - free > PUSHED_MPS, down, sideways, tilt)
        self._step = end
        self._pose = self._in_plane(self._body.pose())
        self._thrust_n = thrust
        self._weigh()

    def _in_plane(self, pose: Pose) -> Pose:
        """Take away what speed there is out of the plane, and what spin about other axes than the body's own y."""
        _, (qx, qy, qz, qw), (vx, vy, vz), (sx, sy, sz) = pose
        bx, by, bz = 2.0 * (qx * qy - qw * qz), 1.0 - 2.0 * (qx * qx + qz * qz), 2.0 * (qy * qz + qw * qx)
        rate = bx * sx + by * sy + bz * sz
        if max(abs(vy), abs(sx - rate * bx), abs(sz - rate * bz)) <= STRAY:
            return pose
        kept = pose._replace(velocity_mps=(vx, 0.0, vz), angular_velocity_radps=(rate * bx, rate * by, rate * bz))
        bullet.resetBaseVelocity(
            self._body.id, kept.velocity_mps, kept.angular_velocity_radps, physicsClientId=self._world.client
        )
        return kept

    def _true_values(self) -> tuple[float, ...]:
        (x, _, z), (qx, qy, qz, qw), (vx, vy, vz), (sx, sy, sz) = self._pose
        ux, uy, uz = 2.0 * (qx * qz + qw * qy), 2.0 * (qy * qz - qw * qx), 1.0 - 2.0 * (qx * qx + qy * qy)
        speed = math.sqrt(vx * vx + vy * vy + vz * vz)
        touchdown = self._touchdown
        if self._step:
            rate = math.sqrt(sx * sx + sy * sy + sz * sz)
            thrust_to_weight = self._thrust_n / (self._mass_kg * self._gravity_mps2)
            touchdown.end_period(speed, rate, thrust_to_weight, self._upright())
        return (
            x,
            z,
            self._altitude_m(),
            vx,
            vz,
            math.atan2(ux, uz),
            sy,
            self._fuel_kg,
            self._reference_m,
            speed,
            -vz,
            math.atan2(math.sqrt(ux * ux + uy * uy), uz),
            touchdown.contact,
            touchdown.speed_mps,
            touchdown.sideways_mps,
            touchdown.tilt_rad,
            touchdown.landed,
        )

    def _own_state(self) -> tuple[float, ...]:
        return (self._fuel_kg, *self._command, self._thrust_n)

    def _set_own_state(self, values: tuple[float, ...]) -> None:
        self._fuel_kg, *command, self._thrust_n = values
        self._command = (command[0], command[1])


def _make_twin(scenario: Scenario) -> Twin:
    from ..twins.lander_planar import make

    return make(scenario)


def _make() -> Plant:
    return LanderPlanarPlant()


ROBOT = Robot(
    name="lander_planar",
    description="The moon lander in a vertical plane: one engine, attitude jets, burning fuel",
    signals=SIGNALS,
    initial=Initial,
    environment=Environment,
    reference=Reference,
    faults=FAULTS,
    perturb=Perturbation(
        initial={
            "position_m": Distribution("normal", scale=1.0),
            "velocity_mps": Distribution("normal", scale=0.2),
            "pitch_deg": Distribution("normal", scale=1.0),
        },
        faults={"value": Distribution("uniform", low=-0.03, high=0.03)},
    ),
    make=_make,
    make_twin=_make_twin,
    constants=(*lander_body.CONSTANTS, Constant("arm of the jets", JET_ARM_M, "m", "chosen: the edges of the box")),
)
