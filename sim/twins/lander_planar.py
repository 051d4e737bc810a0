"""The planar lander's dynamics as pure JAX functions: the plant's equations, integrated as Bullet does.

Velocities first, then the pose with the new ones; the mass follows the fuel every period. Contact is a sketch: the pad
is level, a touching body stops, slides to rest and lies down flat.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from healing_runtime.core.plant import Twin
from healing_runtime.core.records import Scenario

from .. import lander_body as body
from ..robots import lander_planar as robot
from . import landing

# The prior over what may be wrong, at strength 1. It knows no scenario.
THRUST_LOSS = 0.3
PAYLOAD_KG = 100.0
FORCE_TO_WEIGHT = 0.04
ALTITUDE_BIAS_M = 0.2
VELOCITY_BIAS_MPS = 0.1
PITCH_BIAS_RAD = 0.01
START_POSITION_M = 2.0
START_VELOCITY_MPS = 0.4
START_PITCH_RAD = 0.03
# How a touching body comes to rest, per second.
SLIDING_DECAY = 20.0
LYING_DOWN_DECAY = 10.0


class Disturbance(NamedTuple):
    """What is wrong, as scalars. The engine's loss and the force begin at `onset_s`, the rest holds from the start."""

    strength: Array
    onset_s: Array
    thrust_loss: Array
    force_n: tuple[Array, ...]
    payload_kg: Array
    altitude_bias_m: Array
    velocity_bias_mps: tuple[Array, ...]
    pitch_bias_rad: Array


class State(NamedTuple):
    """Scalars; positions and velocities are (x, z)."""

    tick: Array
    position: tuple[Array, ...]
    velocity: tuple[Array, ...]
    pitch: Array
    pitch_rate: Array
    fuel_kg: Array
    touch: landing.Landing
    sideways: Array
    tilt: Array


def make(scenario: Scenario) -> Twin:
    """The twin of a scenario, its faults left out."""
    initial = robot.Initial.model_validate(dict(scenario.initial))
    gravity = body.Environment.model_validate(dict(scenario.environment)).gravity_mps2
    reference_m = robot.Reference.model_validate(dict(scenario.reference)).position_m
    dt_s = 1.0 / scenario.physics_hz
    duration_s = scenario.duration_ticks * scenario.dt_s
    burn = body.FUEL_PER_NS * dt_s

    def draw(key: Array, strength: Array) -> Disturbance:
        u = jax.random.uniform(key, (8,), minval=-1.0, maxval=1.0) * strength
        p = jax.random.uniform(jax.random.fold_in(key, 1), (5,))
        force_n = FORCE_TO_WEIGHT * body.MASS_WITH_FUEL_KG * gravity
        return Disturbance(
            strength=jnp.asarray(strength, u.dtype),
            onset_s=jnp.where(p[0] < 0.25, 0.0, p[1] * duration_s),
            thrust_loss=jnp.where(p[2] < 0.5, 0.5 * (u[0] + strength) * THRUST_LOSS, 0.0),
            force_n=tuple(jnp.where(p[3] < 0.5, u[1 + i] * force_n, 0.0) for i in range(2)),
            payload_kg=u[3] * PAYLOAD_KG,
            altitude_bias_m=u[4] * ALTITUDE_BIAS_M,
            velocity_bias_mps=(u[5] * VELOCITY_BIAS_MPS, u[6] * VELOCITY_BIAS_MPS),
            pitch_bias_rad=jnp.where(p[4] < 0.5, u[7] * PITCH_BIAS_RAD, 0.0),
        )

    def init(key: Array, disturbance: Disturbance) -> State:
        n = jax.random.normal(key, (5,)) * disturbance.strength
        zero = jnp.zeros((), n.dtype)
        return State(
            tick=zero,
            position=tuple(initial.position_m[i] + START_POSITION_M * n[i] for i in range(2)),
            velocity=tuple(initial.velocity_mps[i] + START_VELOCITY_MPS * n[2 + i] for i in range(2)),
            pitch=math.radians(initial.pitch_deg) + START_PITCH_RAD * n[4],
            pitch_rate=zero + initial.pitch_rate_radps,
            fuel_kg=zero + initial.fuel_kg,
            touch=landing.airborne(),
            sideways=zero,
            tilt=zero,
        )

    def step(state: State, action: Array, disturbance: Disturbance) -> State:
        d = disturbance
        on = jnp.where(state.tick * scenario.dt_s >= d.onset_s, 1.0, 0.0)
        mass = body.DRY_MASS_KG + state.fuel_kg + d.payload_kg
        wanted_n = jnp.minimum(action[0], body.MAX_THRUST_N * (1.0 - on * d.thrust_loss))
        wanted_nm = jnp.clip(action[1], -robot.MAX_MOMENT_NM, robot.MAX_MOMENT_NM)
        needed_kg = (wanted_n + jnp.abs(wanted_nm) / robot.JET_ARM_M) * burn
        fx, fz = (on * force_n for force_n in d.force_n)

        def physics(_: int, carry: tuple[State, Array]) -> tuple[State, Array]:
            s, _thrust = carry
            (x, z), (vx, vz) = s.position, s.velocity
            share = jnp.where(needed_kg <= s.fuel_kg, 1.0, s.fuel_kg / jnp.maximum(needed_kg, 1e-12))
            thrust = share * wanted_n
            ux, uz = jnp.sin(s.pitch), jnp.cos(s.pitch)
            after_x = vx + dt_s * (thrust * ux + fx) / mass
            after_z = vz + dt_s * ((thrust * uz + fz) / mass - gravity)
            rate = s.pitch_rate + dt_s * share * wanted_nm / robot.PITCH_INERTIA_KGM2
            x, z, pitch = x + dt_s * after_x, z + dt_s * after_z, s.pitch + dt_s * rate
            below = -_altitude(z, pitch)
            pressed = below >= 0.0
            first = pressed & (s.touch.pressed < 0.5)
            slide = jnp.where(pressed, 1.0 - min(SLIDING_DECAY * dt_s, 1.0), 1.0)
            lie = jnp.where(pressed, 1.0 - min(LYING_DOWN_DECAY * dt_s, 1.0), 1.0)
            after = s._replace(
                position=(x, z + jnp.maximum(below, 0.0)),
                velocity=(after_x * slide, jnp.where(pressed, jnp.maximum(after_z, 0.0), after_z)),
                pitch=pitch * lie,
                pitch_rate=jnp.where(pressed, 0.0, rate),
                fuel_kg=jnp.maximum(s.fuel_kg - share * needed_kg, 0.0),
                touch=landing.step(s.touch, pressed, -vz),
                sideways=jnp.where(first, jnp.maximum(jnp.abs(vx), s.sideways), s.sideways),
                tilt=jnp.where(first, jnp.maximum(_tilt(s.pitch), s.tilt), s.tilt),
            )
            return after, thrust

        begun = state._replace(touch=landing.begin_period(state.touch))
        flown, thrust = jax.lax.fori_loop(0, scenario.substeps, physics, (begun, jnp.zeros_like(state.tick)))
        touch = landing.end_period(
            flown.touch, _speed(flown), jnp.abs(flown.pitch_rate), thrust / (mass * gravity), jnp.cos(flown.pitch)
        )
        return flown._replace(tick=state.tick + 1.0, touch=touch)

    def observe(state: State, disturbance: Disturbance) -> Array:
        velocity = (v + bias for v, bias in zip(state.velocity, disturbance.velocity_bias_mps, strict=True))
        altitude = _altitude(state.position[1], state.pitch) + disturbance.altitude_bias_m
        pitch = _turned(state.pitch) + disturbance.pitch_bias_rad
        reference = jnp.full_like(state.tick, reference_m)
        return jnp.stack([*state.position, altitude, *velocity, pitch, state.pitch_rate, state.fuel_kg, reference])

    def truth(state: State) -> Array:
        zero = jnp.zeros_like(state.tick)
        return jnp.stack([
            *state.position, _altitude(state.position[1], state.pitch), *state.velocity, _turned(state.pitch),
            state.pitch_rate, state.fuel_kg, zero + reference_m, _speed(state), -state.velocity[1], _tilt(state.pitch),
            state.touch.contact, state.touch.speed_mps, state.sideways, state.tilt,
            landing.landed(state.touch, scenario.control_hz), *(zero,) * 6,
        ])  # fmt: skip

    return Twin(draw, init, step, observe, truth)


def _altitude(z: Array, pitch: Array) -> Array:
    """Lowest point of the box above a level pad."""
    hx, _, hz = body.HALF_EXTENTS_M
    return z - hx * jnp.abs(jnp.sin(pitch)) - hz * jnp.abs(jnp.cos(pitch))


def _turned(pitch: Array) -> Array:
    """As it is measured: -pi ... pi."""
    return jnp.arctan2(jnp.sin(pitch), jnp.cos(pitch))


def _tilt(pitch: Array) -> Array:
    return jnp.abs(_turned(pitch))


def _speed(state: State) -> Array:
    (vx, vz) = state.velocity
    return jnp.sqrt(vx * vx + vz * vz)
