"""The physics of a Crazyflie above a pad: rotors with lag, rotor drag, ground effect, a land detector for judging.

Rotors are numbered from the front right clockwise seen from above; rotors 1 and 3 turn so that their torque on the body
is positive (counter-clockwise).
"""

from __future__ import annotations

import abc
import math
from typing import Any, ClassVar

import pybullet as bullet

from . import body_plant
from .body_plant import BodyPlant
from .commands import Command
from .crazyflie import (
    DRAG_MORE_Z,
    DRAG_XY,
    FAST_RADPS2,
    GROUND_EFFECT,
    GROUND_EFFECT_FLOOR_M,
    GROUND_EFFECT_REACH_M,
    HALF_EXTENTS_M,
    HOVER_RADPS,
    INERTIA_KGM2,
    MASS_KG,
    MAX_RADPS,
    PROPELLER_RADIUS_M,
    ROTOR_ARM_M,
    ROTOR_LAG_S,
    THRUST_NS2,
    THRUST_TO_WEIGHT,
    TORQUE_TO_THRUST_M,
)
from .free_body import Vector
from .touchdown import PUSHED_MPS


class Condition(body_plant.Condition):
    """What may be wrong with the robot; faults act on it."""

    __slots__ = (
        "com_offset_m", "downwash", "force_n", "ground_effect", "payload_kg", "rotor_ceiling", "rotor_efficiency",
        "rotor_lag_s", "rotor_stuck", "voltage", "wakes", "wind_mps",
    )  # fmt: skip
    least_payload_kg: ClassVar[float] = -0.5 * MASS_KG
    most_force_n: ClassVar[float] = 100.0
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


class RotorBody(BodyPlant, abc.ABC):
    """The body and its four rotors. Abstract; a robot's `_begin` calls `_stand_ready`."""

    condition = Condition

    def _stand_ready(
        self, gravity_mps2: float, ground_effect: float, normal: Vector, reference: tuple[float, ...]
    ) -> None:
        """State for t = 0: rotors at hover speed. `reference` is what the controller is asked for, as it is sensed."""
        self._reference, self._normal = reference, normal
        self._gravity_mps2, self._ground_effect_here = gravity_mps2, ground_effect
        hover = min(math.sqrt(MASS_KG * gravity_mps2 / (4.0 * THRUST_NS2)), MAX_RADPS)
        self._rotor_radps = self._command = self._driven = (hover, hover, hover, hover)
        self._mass_kg = MASS_KG
        self._lift_n = 4.0 * THRUST_NS2 * hover * hover

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
