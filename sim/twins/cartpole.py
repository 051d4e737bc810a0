"""The cart and its pole as pure JAX functions: the plant's equations, integrated as Bullet does.

With the angle t from upright, half length l, masses M and m, inertia J about the pole's middle, u on the cart and p on
the pole's middle, both along the rail (Florian 2007, "Correct equations for the dynamics of the cart-pole system",
without friction and with any rod):

    (M + m) x'' + m l t'' cos t - m l t'^2 sin t = u + p
    (J + m l^2) t'' + m l x'' cos t - m g l sin t = p l cos t

Velocities first, then positions with the new velocities, as Bullet does.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from healing_runtime.core.plant import Twin
from healing_runtime.core.records import Scenario

from ..robots import cartpole as robot

# The prior over what may be wrong, at strength 1. It knows no scenario.
FORCE_LOSS = 0.4
PAYLOAD_KG = 0.3
HEAVIEST_POLE = 10.0
PUSH_N = 0.3
PUSH_S = 0.2
DELAY_S = 0.08
POSITION_BIAS_M = 0.03
ANGLE_BIAS_RAD = 0.015
START_POSITION_M = 0.1
START_VELOCITY_MPS = 0.05
START_ANGLE_RAD = 0.02
START_RATE_RADPS = 0.05

LATE_TICKS = 6
"""Control periods that a delay may hold a command back; a longer one counts as this."""


class Disturbance(NamedTuple):
    """What is wrong, as scalars. The motor's loss and the push begin at `onset_s`, the rest holds from the start."""

    strength: Array
    onset_s: Array
    force_loss: Array
    payload_kg: Array
    pole_mass_kg: Array
    push_n: Array
    push_s: Array
    delay_s: Array
    position_bias_m: Array
    angle_bias_rad: Array


class State(NamedTuple):
    """Scalars; `before` holds the commands of the last control periods, the latest first."""

    tick: Array
    position_m: Array
    velocity_mps: Array
    angle_rad: Array
    rate_radps: Array
    motor_n: Array
    contact: Array
    contact_mps: Array
    before: tuple[Array, ...]


def make(scenario: Scenario) -> Twin:
    """The twin of a scenario, its faults left out."""
    initial = robot.Initial.model_validate(dict(scenario.initial))
    gravity = robot.Environment.model_validate(dict(scenario.environment)).gravity_mps2
    reference = robot.Reference.model_validate(dict(scenario.reference)).position_m
    dt_s = 1.0 / scenario.physics_hz
    duration_s = scenario.duration_ticks * scenario.dt_s
    half = robot.HALF_POLE_M

    def draw(key: Array, strength: Array) -> Disturbance:
        u = jax.random.uniform(key, (7,), minval=-1.0, maxval=1.0) * strength
        p = jax.random.uniform(jax.random.fold_in(key, 1), (7,))

        def in_some(share: float, chance: Array, value: Array) -> Array:
            return jnp.where(chance < share, value, 0.0)

        return Disturbance(
            strength=jnp.asarray(strength, u.dtype),
            onset_s=jnp.where(p[0] < 0.25, 0.0, p[1] * duration_s),
            force_loss=in_some(0.5, p[2], 0.5 * (u[0] + strength) * FORCE_LOSS),
            payload_kg=u[1] * PAYLOAD_KG,
            pole_mass_kg=robot.POLE_KG * HEAVIEST_POLE ** in_some(0.4, p[3], 0.5 * (u[2] + strength)),
            push_n=in_some(0.4, p[4], u[3] * PUSH_N),
            push_s=jnp.asarray(PUSH_S, u.dtype),
            delay_s=in_some(0.4, p[5], 0.5 * (u[4] + strength) * DELAY_S),
            position_bias_m=u[5] * POSITION_BIAS_M,
            angle_bias_rad=in_some(0.3, p[6], u[6] * ANGLE_BIAS_RAD),
        )

    def init(key: Array, disturbance: Disturbance) -> State:
        n = jax.random.normal(key, (4,)) * disturbance.strength
        zero = jnp.zeros((), n.dtype)
        return State(
            tick=zero,
            position_m=jnp.clip(initial.cart_position_m + START_POSITION_M * n[0], -robot.RAIL_M, robot.RAIL_M),
            velocity_mps=initial.cart_velocity_mps + START_VELOCITY_MPS * n[1],
            angle_rad=math.radians(initial.pole_angle_deg) + START_ANGLE_RAD * n[2],
            rate_radps=initial.pole_rate_radps + START_RATE_RADPS * n[3],
            motor_n=zero, contact=zero, contact_mps=zero, before=(zero,) * LATE_TICKS,
        )  # fmt: skip

    def step(state: State, action: Array, disturbance: Disturbance) -> State:
        d, command = disturbance, action[0]
        since_s = state.tick * scenario.dt_s - d.onset_s
        on = jnp.where(since_s >= 0.0, 1.0, 0.0)
        # Half a tick earlier, or rounding would decide whether the last tick of a push is one.
        push = jnp.where((since_s >= 0.0) & (since_s < d.push_s - 0.5 * scenario.dt_s), d.push_n, 0.0)
        ceiling = robot.MAX_FORCE_N * (1.0 - on * d.force_loss)
        delay_steps = jnp.round(d.delay_s / dt_s)
        mass, pole = robot.CART_KG + d.payload_kg + d.pole_mass_kg, d.pole_mass_kg * half
        turning = (1.0 + robot.ROD) * d.pole_mass_kg * half**2

        def physics(k: int, s: State) -> State:
            arrived = command
            for periods, earlier in enumerate(s.before):
                arrived = jnp.where(k < delay_steps - periods * scenario.substeps, earlier, arrived)
            motor = jnp.clip(arrived, -ceiling, ceiling)
            stop = _buffer_n(s.position_m, s.velocity_mps)
            touching = stop != 0.0
            sine, cosine = jnp.sin(s.angle_rad), jnp.cos(s.angle_rad)
            along = motor + push + stop + pole * s.rate_radps**2 * sine
            about = pole * gravity * sine + push * half * cosine
            coupling = pole * cosine
            scale = dt_s / (mass * turning - coupling * coupling)
            velocity = s.velocity_mps + scale * (turning * along - coupling * about)
            rate = s.rate_radps + scale * (mass * about - coupling * along)
            return s._replace(
                position_m=s.position_m + dt_s * velocity,
                velocity_mps=velocity,
                angle_rad=s.angle_rad + dt_s * rate,
                rate_radps=rate,
                motor_n=motor,
                contact=jnp.where(touching, 1.0, s.contact),
                contact_mps=jnp.where(touching, jnp.maximum(s.contact_mps, jnp.abs(s.velocity_mps)), s.contact_mps),
            )

        begun = state._replace(contact=jnp.zeros_like(state.contact))
        flown = jax.lax.fori_loop(0, scenario.substeps, physics, begun)
        return flown._replace(tick=state.tick + 1.0, before=(command, *state.before[:-1]))

    def observe(state: State, disturbance: Disturbance) -> Array:
        return jnp.stack([
            state.position_m + disturbance.position_bias_m,
            state.velocity_mps,
            state.angle_rad + disturbance.angle_bias_rad,
            state.rate_radps,
            jnp.full_like(state.tick, reference),
        ])  # fmt: skip

    def truth(state: State) -> Array:
        zero = jnp.zeros_like(state.tick)
        return jnp.stack([
            state.position_m, state.velocity_mps, state.angle_rad, state.rate_radps, zero + reference,
            robot.POLE_M * jnp.cos(state.angle_rad), state.motor_n, state.contact, state.contact_mps,
            zero, zero, zero, zero,
        ])  # fmt: skip

    return Twin(draw, init, step, observe, truth)


def _buffer_n(x: Array, v: Array) -> Array:
    right = jnp.minimum(robot.BUFFER_NPM * (robot.RAIL_M - x) - robot.BUFFER_NSPM * v, 0.0)
    left = jnp.maximum(robot.BUFFER_NPM * (-robot.RAIL_M - x) - robot.BUFFER_NSPM * v, 0.0)
    return jnp.where(x > robot.RAIL_M, right, jnp.where(x < -robot.RAIL_M, left, 0.0))
