"""A Crazyflie 2.x: four rotors with lag, rotor drag, ground effect, a land detector for judging.

Sources: mass, inertia, arm, thrust and torque coefficients, ground effect and rotor drag from gym-pybullet-drones'
`cf2x.urdf` (ground effect: Shi et al. 2019, drag: Forster 2015). Rotors are numbered from the front right clockwise
seen from above; rotors 1 and 3 turn so that their torque on the body is positive (counter-clockwise).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import pybullet as bullet
from pydantic import BaseModel, ConfigDict, Field

from healing_runtime.core.plant import Constant, Plant, Robot
from healing_runtime.core.records import Distribution, Perturbation, Scenario
from healing_runtime.core.signals import Layout, Signal, SignalTable

from .. import body_plant
from ..body_plant import BodyPlant, Start
from ..commands import Command
from ..faults import faults_for
from ..free_body import Body, Pad, Pose
from ..limits import Aside, Height, Rate
from ..sensing import age_signals
from ..touchdown import PUSHED_MPS
from ..world import STANDARD_GRAVITY_MPS2

if TYPE_CHECKING:
    from healing_runtime.core.plant import Twin

_CF2X = "gym-pybullet-drones, cf2x.urdf"
# ---------------------------------------------------------------- the body
MASS_KG = 0.027
INERTIA_KGM2 = (1.4e-5, 1.4e-5, 2.17e-5)
HALF_EXTENTS_M = (0.04, 0.04, 0.0125)
ROTOR_ARM_M = 0.028
"""Distance of every rotor's axis from the body's x axis and from its y axis."""
THRUST_TO_WEIGHT = 2.25
_RPM2_PER_RADPS2 = (60.0 / (2.0 * math.pi)) ** 2
THRUST_NS2 = 3.16e-10 * _RPM2_PER_RADPS2
"""Thrust of a rotor over its squared speed, N s²/rad²."""
TORQUE_TO_THRUST_M = 7.94e-12 / 3.16e-10
HOVER_RADPS = math.sqrt(MASS_KG * STANDARD_GRAVITY_MPS2 / (4.0 * THRUST_NS2))
MAX_RADPS = math.sqrt(THRUST_TO_WEIGHT) * HOVER_RADPS
ROTOR_LAG_S = 0.03
DRAG_XY = 9.1785e-7
DRAG_Z = 10.311e-7
"""Rotor drag over the sum of rotor speeds and air speed, N s²/(m rad)."""
FAST_RADPS2 = 100.0
"""Squared rate, rad²/s², from which the gyroscopic step of Bullet is made exact; below, it is left as it is."""
DRAG_MORE_Z = DRAG_Z - DRAG_XY
PROPELLER_RADIUS_M = 0.0231348
GROUND_EFFECT = 11.36859
GROUND_EFFECT_REACH_M = 0.6
"""Where the body's centre is farther than this from the pad, along its normal, the nominal ground effect adds about
0.1 % of thrust or less: none is computed. The effect falls with the square of the distance, so another strength of it
reaches as far as the root of `ground_effect` says.
"""
GROUND_EFFECT_FLOOR_M = 0.25 * PROPELLER_RADIUS_M * math.sqrt(15.0 * GROUND_EFFECT / 4.0)
"""Rotor height below which the effect no longer grows (as gym-pybullet-drones clips it)."""


# ---------------------------------------------------------------- files
class Initial(BaseModel):
    """State at t = 0; the rotors turn at hover speed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    position_m: tuple[Aside, Aside, Height] = (0.0, 0.0, 1.5)
    velocity_mps: tuple[Rate, Rate, Rate] = (0.0, 0.0, 0.0)
    attitude_rpy_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    angular_velocity_radps: tuple[Rate, Rate, Rate] = (0.0, 0.0, 0.0)


class Environment(BaseModel):
    """Where it flies. `ground_effect` scales the nominal one; 0 is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gravity_mps2: float = Field(default=STANDARD_GRAVITY_MPS2, gt=0.0, le=30.0)
    pad: Pad = Pad()
    ground_effect: float = Field(default=1.0, ge=0.0, le=3.0)


class Reference(BaseModel):
    """What the controller is asked to hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    position_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    velocity_mps: tuple[float, float, float] = (0.0, 0.0, 0.0)


# ---------------------------------------------------------------- signals
_XYZ = ("x", "y", "z")
_OBSERVED = (
    Signal("position", "m", (3,), _XYZ, scale=1.0, description="centre of mass, world frame"),
    Signal("velocity", "m/s", (3,), _XYZ, scale=1.0, description="of the centre of mass, world frame"),
    Signal("q_xyzw_world_body", "", (4,), ("x", "y", "z", "w"), description="attitude: rotates body to world"),
    Signal("angular_velocity", "rad/s", (3,), _XYZ, scale=5.0, description="body frame, as a gyro has it"),
    Signal("altitude", "m", scale=1.0, description="lowest point of the body above the pad"),
    Signal("reference_position", "m", (3,), _XYZ, scale=1.0, description="where to go, world frame"),
    Signal("reference_velocity", "m/s", (3,), _XYZ, scale=1.0, description="how fast, world frame"),
)
_OBSERVED_LAYOUT = Layout(_OBSERVED)
SIGNALS = SignalTable(
    observed=_OBSERVED_LAYOUT,
    action=Layout(
        (
            Signal(
                "rotor_speed",
                "rad/s",
                (4,),
                low=0.0,
                high=MAX_RADPS,
                scale=MAX_RADPS,
                description="commanded; rotors front right, rear right, rear left, front left",
            ),
        )
    ),
    true=Layout(
        (
            *_OBSERVED,
            Signal("speed", "m/s", scale=1.0, description="magnitude of the velocity"),
            Signal("descent_rate", "m/s", scale=1.0, description="downward velocity"),
            Signal("tilt", "rad", scale=1.0, description="angle between the body's and the world's up"),
            Signal("yaw", "rad", scale=math.pi, description="heading, -pi ... pi"),
            Signal("contact", description="1 where the body touched the pad in the last control period"),
            Signal(
                "touchdown_speed",
                "m/s",
                scale=1.0,
                description="speed into the pad before contact, fastest of a touchdown",
            ),
            Signal("landed", description="1 while in contact, slow, upright, and the rotors nearly off for 0.5 s"),
            Signal("rotor_speed", "rad/s", (4,), scale=MAX_RADPS, description="true speeds of the rotors"),
            *age_signals(_OBSERVED_LAYOUT),
        )
    ),
)


# ---------------------------------------------------------------- physics
class Condition(body_plant.Condition):
    """What may be wrong with the robot; faults act on it."""

    __slots__ = (
        "com_offset_m", "downwash", "force_n", "ground_effect", "payload_kg", "rotor_ceiling", "rotor_efficiency",
        "rotor_lag_s", "rotor_stuck", "voltage", "wakes", "wind_mps",
    )  # fmt: skip
    least_payload_kg: ClassVar[float] = -0.5 * MASS_KG
    fastest_rotor: ClassVar[float] = math.sqrt(THRUST_TO_WEIGHT)
    """The healthy rotors' highest speed over hover speed under standard gravity."""

    def __init__(self) -> None:
        super().__init__()
        self.rotor_efficiency = [1.0, 1.0, 1.0, 1.0]
        self.rotor_lag_s = ROTOR_LAG_S
        self.rotor_stuck: list[float | None] = [None, None, None, None]
        self.rotor_ceiling = self.fastest_rotor
        self.voltage = 1.0
        self.payload_kg = 0.0
        self.com_offset_m = [0.0, 0.0, 0.0]
        self.downwash = 0.0
        self.wakes: list[tuple[float, float, float, float]] = []
        """Share of the weight, x, y, radius."""
        self.ground_effect = 1.0
        self.force_n = [0.0, 0.0, 0.0]
        self.wind_mps = [0.0, 0.0, 0.0]


FAULTS = faults_for(Condition, _OBSERVED_LAYOUT)


class QuadrotorPlant(BodyPlant):
    """The quadrotor in PyBullet. Final."""

    signals = SIGNALS
    name = "quadrotor"
    fault_kinds = FAULTS
    condition = Condition

    def _begin(self, scenario: Scenario) -> Start:
        initial = Initial.model_validate(dict(scenario.initial))
        environment = Environment.model_validate(dict(scenario.environment))
        reference = Reference.model_validate(dict(scenario.reference))
        self._reference = (*reference.position_m, *reference.velocity_mps)
        self._normal = environment.pad.normal
        self._gravity_mps2 = environment.gravity_mps2
        self._ground_effect_here = environment.ground_effect
        hover = min(math.sqrt(MASS_KG * environment.gravity_mps2 / (4.0 * THRUST_NS2)), MAX_RADPS)
        self._rotor_radps = self._command = self._driven = (hover, hover, hover, hover)
        self._mass_kg = MASS_KG
        self._lift_n = 4.0 * THRUST_NS2 * hover * hover
        q = bullet.getQuaternionFromEuler([math.radians(a) for a in initial.attitude_rpy_deg])
        spin = bullet.rotateVector(q, initial.angular_velocity_radps)
        pose = Pose(initial.position_m, q, initial.velocity_mps, spin)
        return Start(environment.gravity_mps2, environment.pad, Body(MASS_KG, INERTIA_KGM2, HALF_EXTENTS_M), pose)

    def _obey(self, command: Command) -> None:
        self._command = command
        self._driven = self._drive(command) if self._limited else command

    def _drive(self, command: Command) -> Command:
        """The speeds that the rotors follow, of those that are commanded."""
        return tuple(
            min(speed * self._voltage, self._ceiling_radps) if stuck is None else stuck * HOVER_RADPS
            for speed, stuck in zip(command, self._stuck, strict=True)
        )

    def _suffer(self, condition: Condition) -> None:
        self._stuck = tuple(condition.rotor_stuck)
        self._ceiling_radps = condition.rotor_ceiling * HOVER_RADPS
        self._voltage = condition.voltage
        self._limited = self._ceiling_radps < MAX_RADPS or self._voltage < 1.0 or self._stuck != (None,) * 4
        self._obey(self._command)
        lag_s = condition.rotor_lag_s
        follow = 1.0 - math.exp(-self._dt_s / lag_s) if lag_s > 0.0 else 1.0
        fx, fy, fz = condition.force_n
        self._wakes = tuple(condition.wakes)
        ground_effect = self._ground_effect_here * condition.ground_effect
        ground, floor = ground_effect * GROUND_EFFECT * (PROPELLER_RADIUS_M / 4.0) ** 2, GROUND_EFFECT_FLOOR_M
        self._mass_kg = MASS_KG + condition.payload_kg
        self._body.set_mass(self._mass_kg)
        (nx, _, nz), (ox, oy, _) = self._normal, condition.com_offset_m
        client, body = self._world.client, self._body.id
        # All that `_fly` reads and a physics step leaves as it is: one look-up in place of thirty, at every tick.
        self._law: tuple[Any, ...] = (
            client, body, (client,), (body, client), bullet.LINK_FRAME, bullet.WORLD_FRAME,
            ROTOR_ARM_M, TORQUE_TO_THRUST_M, DRAG_XY, DRAG_MORE_Z,
            *(THRUST_NS2 * e for e in condition.rotor_efficiency), follow, *condition.wind_mps,
            fx, fy, fz - condition.downwash * MASS_KG * self._gravity_mps2, ox, oy,
            ox != 0.0 or oy != 0.0, nx, nz, nx == 0.0, GROUND_EFFECT_REACH_M * math.sqrt(ground_effect),
            ground, floor, 1.0 + ground / (floor * floor),
            self._dt_s / self._mass_kg, self._dt_s * self._gravity_mps2, self._touchdown,
        )  # fmt: skip

    def _fly(self, end: int) -> None:
        """One loop without calls of its own, for each would cost as much as a line of arithmetic here saves.

        Bullet is handed everything by position, for a keyword makes a dictionary at every call; and what never changes
        in tuples that are made already.
        """
        push, twist, advance = bullet.applyExternalForce, bullet.applyExternalTorque, bullet.stepSimulation
        read_pose, read_velocity = bullet.getBasePositionAndOrientation, bullet.getBaseVelocity
        (
            client, body, everything, it, link, world, arm, twisting, drag_xy, drag_more_z, k0, k1, k2, k3, follow,
            ax, ay, az, px, py, pz, ox, oy, apart, nx, nz, level, reach_m, ground, floor, most, gain, fall, touchdown,
        ) = self._law  # fmt: skip
        c0, c1, c2, c3 = self._driven
        w0, w1, w2, w3 = self._rotor_radps
        position, (qx, qy, qz, qw), (vx, vy, vz), spin = self._pose
        if self._wakes:
            pz -= self._pressed_down_n(position)
        pressed, thrust = touchdown.pressed, 0.0
        for step in range(self._step, end):
            w0 += follow * (c0 - w0)
            w1 += follow * (c1 - w1)
            w2 += follow * (c2 - w2)
            w3 += follow * (c3 - w3)
            t0 = k0 * w0 * w0
            t1 = k1 * w1 * w1
            t2 = k2 * w2 * w2
            t3 = k3 * w3 * w3
            yaw_torque = twisting * (t1 + t3 - t0 - t2)
            # Third column of the rotation: the body's up in the world; all that thrust and drag need.
            x2, y2 = qx + qx, qy + qy
            ux = x2 * qz + y2 * qw
            uy = y2 * qz - x2 * qw
            uz = 1.0 - (x2 * qx + y2 * qy)
            height = position[2] if level else nx * position[0] + nz * position[2]
            if height < reach_m and uz > 0.0:
                dx, dy = x2 * qz - y2 * qw, y2 * qz + x2 * qw
                if not level:
                    dx = nx * (1.0 - 2.0 * (qy * qy + qz * qz)) + nz * dx
                    dy = nx * 2.0 * (qx * qy - qw * qz) + nz * dy
                a, b = arm * (dx + dy), arm * (dx - dy)
                h0 = height + b
                h1 = height - a
                h2 = height - b
                h3 = height + a
                if h0 < floor and h1 < floor and h2 < floor and h3 < floor:
                    t0 *= most
                    t1 *= most
                    t2 *= most
                    t3 *= most
                else:
                    t0 *= 1.0 + ground / (h0 * h0) if h0 > floor else most
                    t1 *= 1.0 + ground / (h1 * h1) if h1 > floor else most
                    t2 *= 1.0 + ground / (h2 * h2) if h2 > floor else most
                    t3 *= 1.0 + ground / (h3 * h3) if h3 > floor else most
            rx = vx - ax
            ry = vy - ay
            rz = vz - az
            total = w0 + w1 + w2 + w3
            drag = drag_xy * total
            thrust = t0 + t1 + t2 + t3
            along = thrust - drag_more_z * total * (rx * ux + ry * uy + rz * uz)
            fx, fz = along * ux - drag * rx + px, along * uz - drag * rz + pz
            push(body, -1, (fx, along * uy - drag * ry + py, fz), position, world, client)
            roll, pitch = arm * (t2 + t3 - t0 - t1), arm * (t1 + t2 - t0 - t3)
            if apart:
                roll, pitch = roll - oy * thrust, pitch + ox * thrust
            twist(body, -1, (roll, pitch, yaw_torque), link, client)
            sx, sy, sz = spin
            if sx * sx + sy * sy + sz * sz > FAST_RADPS2:
                twist(body, -1, self._precession_nm(spin, qx, qy, qz, qw), link, client)
            advance(*everything)
            x_mps, z_mps = vx, vz
            position, (qx, qy, qz, qw) = read_pose(*it)
            (vx, vy, vz), spin = read_velocity(*it)
            # Contact shows in more velocity away from the pad than the own forces explain.
            if level:
                pushed = vz - (z_mps + gain * fz - fall) > PUSHED_MPS
            else:
                free = nx * (x_mps + gain * fx) + nz * (z_mps + gain * fz - fall)
                pushed = nx * vx + nz * vz - free > PUSHED_MPS
            if pushed is not pressed:
                if pressed and step > self._step:
                    touchdown.stayed(step - 1)
                touchdown.step(step, pushed, -z_mps if level else -nx * x_mps - nz * z_mps)
                pressed = pushed
        if pressed:
            touchdown.stayed(end - 1)
        self._step = end
        self._pose = position, (qx, qy, qz, qw), (vx, vy, vz), spin
        self._rotor_radps = (w0, w1, w2, w3)
        self._lift_n = thrust

    def _precession_nm(
        self, spin: tuple[float, ...], qx: float, qy: float, qz: float, qw: float
    ) -> tuple[float, float, float]:
        """Torque in the body's frame that makes a step of precession exact.

        Torque-free rates across the axis of a symmetric body turn at k = (Iz - Ix) / Ix wz. Bullet steps along the
        tangent, by k dt, and so makes them longer in every step.
        """
        x, y, z = bullet.rotateVector((-qx, -qy, -qz, qw), spin)
        across, _, along = INERTIA_KGM2
        turn = (along - across) / across * z * self._dt_s
        shorter, less = math.cos(turn) - 1.0, math.sin(turn) - turn
        share = across / self._dt_s
        return (share * (shorter * x - less * y), share * (shorter * y + less * x), 0.0)

    def _pressed_down_n(self, position: tuple[float, ...]) -> float:
        """What the wakes press down with at a place."""
        x, y, _ = position
        shares = (share * math.exp(-((x - a) ** 2 + (y - b) ** 2) / r**2) for share, a, b, r in self._wakes)
        return sum(shares) * MASS_KG * self._gravity_mps2

    def _true_values(self) -> tuple[float, ...]:
        position, q, velocity, (sx, sy, sz) = self._pose
        x, _, z = position
        qx, qy, qz, qw = q
        vx, vy, vz = velocity
        nx, _, nz = self._normal
        hx, hy, hz = HALF_EXTENTS_M
        x2, y2, z2 = qx + qx, qy + qy, qz + qz
        xx, yy, zz = x2 * qx, y2 * qy, z2 * qz
        r00 = 1.0 - (yy + zz)
        r01 = x2 * qy - z2 * qw
        r02 = x2 * qz + y2 * qw
        r10 = x2 * qy + z2 * qw
        r11 = 1.0 - (xx + zz)
        r12 = y2 * qz - x2 * qw
        r20 = x2 * qz - y2 * qw
        r21 = y2 * qz + x2 * qw
        r22 = 1.0 - (xx + yy)
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
            thrust_to_weight = self._lift_n / (self._mass_kg * self._gravity_mps2)
            touchdown.end_period(speed, rate, thrust_to_weight, nx * r02 + nz * r22)
        return (
            *position,
            *velocity,
            *q,
            r00 * sx + r10 * sy + r20 * sz,
            r01 * sx + r11 * sy + r21 * sz,
            r02 * sx + r12 * sy + r22 * sz,
            altitude,
            *self._reference,
            speed,
            -vz,
            math.atan2(math.sqrt(r02 * r02 + r12 * r12), r22),
            math.atan2(r10, r00),
            touchdown.contact,
            touchdown.speed_mps,
            touchdown.landed,
            *self._rotor_radps,
        )

    def _own_state(self) -> tuple[float, ...]:
        return (*self._rotor_radps, *self._command, self._lift_n)

    def _set_own_state(self, values: tuple[float, ...]) -> None:
        self._rotor_radps, self._command, self._lift_n = values[:4], values[4:8], values[8]


def _make_twin(scenario: Scenario) -> Twin:
    from ..twins.quadrotor import make

    return make(scenario)


def _make() -> Plant:
    return QuadrotorPlant()


ROBOT = Robot(
    name="quadrotor",
    description="Crazyflie 2.x: four rotors with lag, rotor drag and ground effect over a pad",
    signals=SIGNALS,
    initial=Initial,
    environment=Environment,
    reference=Reference,
    faults=FAULTS,
    perturb=Perturbation(
        initial={"position_m": Distribution("normal", scale=0.02), "velocity_mps": Distribution("normal", scale=0.02)},
        faults={"value": Distribution("uniform", low=-0.03, high=0.03)},
    ),
    make=_make,
    make_twin=_make_twin,
    constants=(
        Constant("mass", MASS_KG, "kg", _CF2X),
        Constant("moments of inertia", INERTIA_KGM2, "kg m²", _CF2X),
        Constant("half extents of the box", HALF_EXTENTS_M, "m", "chosen: arms and propellers, without legs"),
        Constant("rotor axes from x and from y", ROTOR_ARM_M, "m", _CF2X),
        Constant("rotor directions", (-1.0, 1.0, -1.0, 1.0), "", "sign of the torque on the body about its up"),
        Constant("thrust over squared rotor speed", THRUST_NS2, "N s²", _CF2X),
        Constant("torque over thrust", TORQUE_TO_THRUST_M, "m", _CF2X),
        Constant("thrust to weight", THRUST_TO_WEIGHT, "", _CF2X),
        Constant("rotor lag", ROTOR_LAG_S, "s", "chosen: time constant of the motors"),
        Constant("rotor drag across, along the axis", (DRAG_XY, DRAG_Z), "N s²/m", "Forster 2015"),
        Constant("propeller radius", PROPELLER_RADIUS_M, "m", _CF2X),
        Constant("ground effect", GROUND_EFFECT, "", "Shi et al. 2019"),
    ),
)
