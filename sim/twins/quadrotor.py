"""The quadrotor's dynamics as pure JAX functions on scalars, so that a vmapped batch is contiguous in memory.

The same equations as the plant's, integrated as Bullet does (velocities first, then the pose with the new ones).
Contact is a sketch: the pad is level, a touching body stops, slides to rest and lies down flat.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from healing_runtime.core.plant import Twin
from healing_runtime.core.records import Scenario

from .. import crazyflie as robot
from ..robots.quadrotor import Environment, Initial, Reference
from . import landing

# The prior over what may be wrong, at strength 1. It knows no scenario.
ROTOR_LOSS = 0.3
MASS_CHANGE = (-0.05, 0.1)
LAG_CHANGE = (-0.2, 0.25)
SIDE_FORCE_TO_WEIGHT = 0.06
WIND_MPS = 2.0
ALTITUDE_BIAS_M = 0.02
VELOCITY_BIAS_MPS = 0.03
START_POSITION_M = 0.04
START_VELOCITY_MPS = 0.05
START_TILT_RAD = 0.03
# How a touching body comes to rest, per second.
SLIDING_DECAY = 20.0
LYING_DOWN_DECAY = 10.0


class Disturbance(NamedTuple):
    """What is wrong, as scalars. Rotor loss, side force and wind begin at `onset_s`, the rest holds from the start."""

    strength: Array
    onset_s: Array
    rotor_loss: tuple[Array, ...]
    force_n: tuple[Array, ...]
    wind_mps: tuple[Array, ...]
    mass_kg: Array
    lag_s: Array
    altitude_bias_m: Array
    velocity_bias_mps: tuple[Array, ...]


class State(NamedTuple):
    """World frame but for the body's angular velocity; quaternion xyzw, body to world."""

    tick: Array
    position: tuple[Array, ...]
    velocity: tuple[Array, ...]
    q: tuple[Array, ...]
    spin: tuple[Array, ...]
    rotors: tuple[Array, ...]
    touch: landing.Landing


class _Now(NamedTuple):
    """A disturbance at one tick, worked out once for all physics steps of the tick."""

    follow: Array
    step_over_mass: Array
    thrust_ns2: tuple[Array, ...]
    force_n: tuple[Array, ...]
    wind_mps: tuple[Array, ...]


def make(scenario: Scenario) -> Twin:
    """The twin of a scenario, its faults left out."""
    initial = Initial.model_validate(dict(scenario.initial))
    environment = Environment.model_validate(dict(scenario.environment))
    reference = Reference.model_validate(dict(scenario.reference))
    gravity = environment.gravity_mps2
    weight_n = robot.MASS_KG * gravity
    dt_s = 1.0 / scenario.physics_hz
    duration_s = scenario.duration_ticks * scenario.dt_s
    hover = min(math.sqrt(weight_n / (4.0 * robot.THRUST_NS2)), robot.MAX_RADPS)
    reach_m = robot.GROUND_EFFECT_REACH_M * math.sqrt(environment.ground_effect)
    ground = environment.ground_effect * robot.GROUND_EFFECT * (robot.PROPELLER_RADIUS_M / 4.0) ** 2

    def draw(key: Array, strength: Array) -> Disturbance:
        u = jax.random.uniform(key, (16,), minval=-1.0, maxval=1.0) * strength
        p = jax.random.uniform(jax.random.fold_in(key, 1), (4,))
        broken = jnp.floor(4.0 * p[0])
        loss = jnp.where(p[1] < 0.6, 0.5 * (u[0] + strength) * ROTOR_LOSS, 0.0)
        onset = jnp.where(p[2] < 0.25, 0.0, p[3] * duration_s)
        return Disturbance(
            strength=jnp.asarray(strength, u.dtype),
            onset_s=onset,
            rotor_loss=tuple(jnp.where(broken == i, loss, 0.0) for i in range(4)),
            force_n=tuple(u[1 + i] * SIDE_FORCE_TO_WEIGHT * weight_n for i in range(3)),
            wind_mps=(u[4] * WIND_MPS, u[5] * WIND_MPS),
            mass_kg=robot.MASS_KG * (1.0 + _within(MASS_CHANGE, u[6])),
            lag_s=robot.ROTOR_LAG_S * (1.0 + _within(LAG_CHANGE, u[7])),
            altitude_bias_m=u[8] * ALTITUDE_BIAS_M,
            velocity_bias_mps=tuple(u[9 + i] * VELOCITY_BIAS_MPS for i in range(3)),
        )

    def init(key: Array, disturbance: Disturbance) -> State:
        n = jax.random.normal(key, (8,)) * disturbance.strength
        roll, pitch, yaw = (math.radians(a) for a in initial.attitude_rpy_deg)
        q = _quaternion(roll + START_TILT_RAD * n[0], pitch + START_TILT_RAD * n[1], jnp.asarray(yaw, n.dtype))
        scalar = jnp.zeros((), n.dtype)
        return State(
            tick=scalar,
            position=tuple(initial.position_m[i] + START_POSITION_M * n[2 + i] for i in range(3)),
            velocity=tuple(initial.velocity_mps[i] + START_VELOCITY_MPS * n[5 + i] for i in range(3)),
            q=q,
            spin=tuple(scalar + w for w in initial.angular_velocity_radps),
            rotors=(scalar + hover,) * 4,
            touch=landing.airborne(),
        )

    def in_effect(d: Disturbance, on: Array) -> _Now:
        """What is constant over a control period; `on` is 1 from the onset on."""
        return _Now(
            follow=-jnp.expm1(-dt_s / jnp.maximum(d.lag_s, 1e-4)),
            step_over_mass=dt_s / d.mass_kg,
            thrust_ns2=tuple(robot.THRUST_NS2 * (1.0 - on * e) for e in d.rotor_loss),
            force_n=tuple(on * f for f in d.force_n),
            wind_mps=tuple(on * w for w in d.wind_mps),
        )

    def physics(state: State, below: Array, action: tuple[Array, ...], now: _Now) -> tuple[State, Array, Array]:
        """One physics step; also returns how far the body now reaches under the pad, and the lift."""
        state = resolved(state, below)
        rotors = tuple(w + now.follow * (c - w) for w, c in zip(state.rotors, action, strict=True))
        bare = tuple(k * w * w for w, k in zip(rotors, now.thrust_ns2, strict=True))
        (x, y, z), (vx, vy, vz), (qx, qy, qz, qw) = state.position, state.velocity, state.q
        ux, uy, uz = 2.0 * (qx * qz + qw * qy), 2.0 * (qy * qz - qw * qx), 1.0 - 2.0 * (qx * qx + qy * qy)
        dx, dy = 2.0 * (qx * qz - qw * qy), 2.0 * (qy * qz + qw * qx)
        a, b = robot.ROTOR_ARM_M * (dx + dy), robot.ROTOR_ARM_M * (dx - dy)
        near = jnp.where((z < reach_m) & (uz > 0.0), ground, 0.0)
        heights = (jnp.maximum(z + h, robot.GROUND_EFFECT_FLOOR_M) for h in (b, -a, -b, a))
        t0, t1, t2, t3 = (t * (1.0 + near / (h * h)) for t, h in zip(bare, heights, strict=True))
        total = rotors[0] + rotors[1] + rotors[2] + rotors[3]
        rx, ry, rz = vx - now.wind_mps[0], vy - now.wind_mps[1], vz
        drag = robot.DRAG_XY * total
        lift = t0 + t1 + t2 + t3
        along = lift - (robot.DRAG_Z - robot.DRAG_XY) * total * (rx * ux + ry * uy + rz * uz)
        fx, fy, fz = now.force_n
        wx = vx + now.step_over_mass * (along * ux - drag * rx + fx)
        wy = vy + now.step_over_mass * (along * uy - drag * ry + fy)
        wz = vz + now.step_over_mass * (along * uz - drag * rz + fz) - dt_s * gravity
        arm, (ix, iy, iz), (p, q, r) = robot.ROTOR_ARM_M, robot.INERTIA_KGM2, state.spin
        # As in the plant, precession is stepped exactly where the body is fast: cos and sin of a small angle.
        turn = jnp.where(p * p + q * q + r * r > robot.FAST_RADPS2, dt_s * (iz - ix) / ix * r, 0.0)
        shorter, less = -0.5 * turn**2 + turn**4 / 24.0, -(turn**3) / 6.0
        more_p, more_q = shorter * p - less * q, shorter * q + less * p
        p, q, r = (
            p + dt_s / ix * (arm * (t2 + t3 - t0 - t1) + (iy - iz) * q * r) + more_p,
            q + dt_s / iy * (arm * (t1 + t2 - t0 - t3) + (iz - ix) * r * p) + more_q,
            r + dt_s / iz * (robot.TORQUE_TO_THRUST_M * (bare[1] + bare[3] - bare[0] - bare[2]) + (ix - iy) * p * q),
        )
        attitude = _turned(state.q, p, q, r, dt_s)
        x, y, z = x + dt_s * wx, y + dt_s * wy, z + dt_s * wz
        below = -_altitude(z, attitude)
        after = State(
            tick=state.tick,
            position=(x, y, z),
            velocity=(wx, wy, wz),
            q=attitude,
            spin=(p, q, r),
            rotors=rotors,
            touch=landing.step(state.touch, below >= 0.0, -vz),
        )
        return after, below, lift

    def resolved(state: State, below: Array) -> State:
        """A body that reaches `below` under the pad is put back, stopped, slowed and laid down.

        Done at the start of a step, as Bullet does, and not at its end: `below` then is one array that the whole step
        reads. (At the end XLA works it out anew in each of its fusions; that took twice as long.)
        """
        pressed = below >= 0.0
        slide = jnp.where(pressed, 1.0 - min(SLIDING_DECAY * dt_s, 1.0), 1.0)
        lie = jnp.where(pressed, 1.0 - min(LYING_DOWN_DECAY * dt_s, 1.0), 1.0)
        (x, y, z), (vx, vy, vz), (qx, qy, qz, qw), (p, q, r) = state.position, state.velocity, state.q, state.spin
        return state._replace(
            position=(x, y, z + jnp.maximum(below, 0.0)),
            velocity=(vx * slide, vy * slide, jnp.where(pressed, jnp.maximum(vz, 0.0), vz)),
            q=(qx * lie, qy * lie, qz, qw),
            spin=(p * slide, q * slide, r * slide),
        )

    def step(state: State, action: Array, disturbance: Disturbance) -> State:
        now = in_effect(disturbance, jnp.where(state.tick * scenario.dt_s >= disturbance.onset_s, 1.0, 0.0))
        commands = tuple(action[i] for i in range(4))
        state = state._replace(touch=landing.begin_period(state.touch))
        zero = jnp.zeros_like(state.tick)
        state, below, lift = jax.lax.fori_loop(
            0, scenario.substeps, lambda _, carry: physics(carry[0], carry[1], commands, now), (state, zero - 1.0, zero)
        )
        state = resolved(state, below)
        qx, qy, _, _ = state.q
        touch = landing.end_period(
            state.touch,
            _norm(state.velocity),
            _norm(state.spin),
            lift / (disturbance.mass_kg * gravity),
            1.0 - 2.0 * (qx * qx + qy * qy),
        )
        return state._replace(tick=state.tick + 1.0, touch=touch)

    def observe(state: State, disturbance: Disturbance) -> Array:
        velocity = (v + b for v, b in zip(state.velocity, disturbance.velocity_bias_mps, strict=True))
        altitude = _altitude(state.position[2], state.q) + disturbance.altitude_bias_m
        return jnp.stack([*state.position, *velocity, *state.q, *state.spin, altitude, *_fixed(state.tick)])

    def truth(state: State) -> Array:
        (vx, _, vz), (qx, qy, qz, qw) = state.velocity, state.q
        ux, uy, uz = 2.0 * (qx * qz + qw * qy), 2.0 * (qy * qz - qw * qx), 1.0 - 2.0 * (qx * qx + qy * qy)
        zero = jnp.zeros_like(vx)
        return jnp.stack([
            *state.position, *state.velocity, *state.q, *state.spin, _altitude(state.position[2], state.q),
            *_fixed(state.tick), _norm(state.velocity), -vz, jnp.arctan2(jnp.sqrt(ux * ux + uy * uy), uz),
            jnp.arctan2(2.0 * (qx * qy + qw * qz), 1.0 - 2.0 * (qy * qy + qz * qz)), state.touch.contact,
            state.touch.speed_mps, landing.landed(state.touch, scenario.control_hz), *state.rotors, *(zero,) * 5,
        ])  # fmt: skip

    def _fixed(like: Array) -> tuple[Array, ...]:
        zero = jnp.zeros_like(like)
        return tuple(zero + value for value in (*reference.position_m, *reference.velocity_mps))

    return Twin(draw, init, step, observe, truth)


def _within(limits: tuple[float, float], u: Array) -> Array:
    """`u` in [-1, 1] to [low, high] with 0 at 0."""
    return jnp.where(u < 0.0, -u * limits[0], u * limits[1])


def _norm(values: tuple[Array, ...]) -> Array:
    total: Any = 0.0
    for value in values:
        total = total + value * value
    return jnp.sqrt(total)


def _altitude(z: Array, q: tuple[Array, ...]) -> Array:
    """Lowest point of the box above a level pad."""
    qx, qy, qz, qw = q
    hx, hy, hz = robot.HALF_EXTENTS_M
    dx, dy, dz = 2.0 * (qx * qz - qw * qy), 2.0 * (qy * qz + qw * qx), 1.0 - 2.0 * (qx * qx + qy * qy)
    return z - hx * jnp.abs(dx) - hy * jnp.abs(dy) - hz * jnp.abs(dz)


def _quaternion(roll: Array, pitch: Array, yaw: Array) -> tuple[Array, ...]:
    """Roll, pitch, yaw (about fixed x, y, z in turn) to xyzw."""
    cr, sr = jnp.cos(roll / 2.0), jnp.sin(roll / 2.0)
    cp, sp = jnp.cos(pitch / 2.0), jnp.sin(pitch / 2.0)
    cy, sy = jnp.cos(yaw / 2.0), jnp.sin(yaw / 2.0)
    return (
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
        cr * cp * cy + sr * sp * sy,
    )


def _turned(q: tuple[Array, ...], p: Array, s: Array, r: Array, dt_s: float) -> tuple[Array, ...]:
    """The attitude after turning with body rates (p, s, r) for `dt_s`, normalised."""
    qx, qy, qz, qw = q
    h = 0.5 * dt_s
    nx = qx + h * (qw * p + qy * r - qz * s)
    ny = qy + h * (qw * s + qz * p - qx * r)
    nz = qz + h * (qw * r + qx * s - qy * p)
    nw = qw - h * (qx * p + qy * s + qz * r)
    scale = jax.lax.rsqrt(nx * nx + ny * ny + nz * nz + nw * nw)
    return (nx * scale, ny * scale, nz * scale, nw * scale)
