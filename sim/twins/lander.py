"""The lander's dynamics as pure JAX functions: Bullet's semi-implicit Euler, mass following the fuel every period."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from healing_runtime.core.plant import Twin
from healing_runtime.core.records import Scenario

from .. import lander_body as body
from ..robots import lander as robot
from . import landing

# The prior over what may be wrong, at strength 1. It knows no scenario.
THRUST_LOSS = 0.3
PAYLOAD_KG = 100.0
ALTITUDE_BIAS_M = 0.2
VELOCITY_BIAS_MPS = 0.2
START_ALTITUDE_M = 3.0
START_VELOCITY_MPS = 0.5


class Disturbance(NamedTuple):
    """What is wrong, as scalars. The engine's loss begins at `onset_s`, the rest holds from the start."""

    strength: Array
    onset_s: Array
    thrust_loss: Array
    payload_kg: Array
    altitude_bias_m: Array
    velocity_bias_mps: Array


class State(NamedTuple):
    """Scalars; velocity is upwards."""

    tick: Array
    altitude_m: Array
    velocity_mps: Array
    fuel_kg: Array
    touch: landing.Landing


class _Flight(NamedTuple):
    """What changes in a physics step."""

    altitude_m: Array
    velocity_mps: Array
    fuel_kg: Array
    touch: landing.Landing
    thrust_n: Array


def make(scenario: Scenario) -> Twin:
    """The twin of a scenario, its faults left out."""
    initial = robot.Initial.model_validate(dict(scenario.initial))
    gravity = body.Environment.model_validate(dict(scenario.environment)).gravity_mps2
    dt_s = 1.0 / scenario.physics_hz
    duration_s = scenario.duration_ticks * scenario.dt_s
    burn = body.FUEL_PER_NS * dt_s

    def draw(key: Array, strength: Array) -> Disturbance:
        u = jax.random.uniform(key, (4,), minval=-1.0, maxval=1.0) * strength
        p = jax.random.uniform(jax.random.fold_in(key, 1), (3,))
        return Disturbance(
            strength=jnp.asarray(strength, u.dtype),
            onset_s=jnp.where(p[0] < 0.25, 0.0, p[1] * duration_s),
            thrust_loss=jnp.where(p[2] < 0.5, 0.5 * (u[0] + strength) * THRUST_LOSS, 0.0),
            payload_kg=u[1] * PAYLOAD_KG,
            altitude_bias_m=u[2] * ALTITUDE_BIAS_M,
            velocity_bias_mps=u[3] * VELOCITY_BIAS_MPS,
        )

    def init(key: Array, disturbance: Disturbance) -> State:
        n = jax.random.normal(key, (2,)) * disturbance.strength
        zero = jnp.zeros((), n.dtype)
        return State(
            tick=zero,
            altitude_m=jnp.maximum(initial.altitude_m + START_ALTITUDE_M * n[0], 0.0),
            velocity_mps=initial.velocity_mps + START_VELOCITY_MPS * n[1],
            fuel_kg=zero + initial.fuel_kg,
            touch=landing.airborne(),
        )

    def step(state: State, action: Array, disturbance: Disturbance) -> State:
        on = jnp.where(state.tick * scenario.dt_s >= disturbance.onset_s, 1.0, 0.0)
        ceiling = body.MAX_THRUST_N * (1.0 - on * disturbance.thrust_loss)
        mass = body.DRY_MASS_KG + state.fuel_kg + disturbance.payload_kg

        def physics(_: int, carry: _Flight) -> _Flight:
            altitude, velocity, fuel, touch, _thrust = carry
            thrust = jnp.minimum(jnp.minimum(action[0], ceiling), fuel / burn)
            fuel = jnp.maximum(fuel - thrust * burn, 0.0)
            after = velocity + dt_s * (thrust / mass - gravity)
            height = altitude + dt_s * after
            pressed = height <= 0.0
            touch = landing.step(touch, pressed, -velocity)
            velocity = jnp.where(pressed, jnp.maximum(after, 0.0), after)
            return _Flight(jnp.maximum(height, 0.0), velocity, fuel, touch, thrust)

        carry = _Flight(
            state.altitude_m,
            state.velocity_mps,
            state.fuel_kg,
            landing.begin_period(state.touch),
            jnp.zeros_like(state.tick),
        )
        altitude, velocity, fuel, touch, thrust = jax.lax.fori_loop(0, scenario.substeps, physics, carry)
        zero = jnp.zeros_like(velocity)
        touch = landing.end_period(touch, jnp.abs(velocity), zero, thrust / (mass * gravity), zero + 1.0)
        return State(state.tick + 1.0, altitude, velocity, fuel, touch)

    def observe(state: State, disturbance: Disturbance) -> Array:
        return jnp.stack([
            state.altitude_m + disturbance.altitude_bias_m,
            state.velocity_mps + disturbance.velocity_bias_mps,
            state.fuel_kg,
        ])  # fmt: skip

    def truth(state: State) -> Array:
        zero = jnp.zeros_like(state.tick)
        return jnp.stack([
            state.altitude_m, state.velocity_mps, state.fuel_kg, jnp.abs(state.velocity_mps), -state.velocity_mps,
            state.touch.contact, state.touch.speed_mps, landing.landed(state.touch, scenario.control_hz),
            zero, zero, zero,
        ])  # fmt: skip

    return Twin(draw, init, step, observe, truth)
