"""Touchdown and land detector for twins: the same rules as the plants', as pure JAX."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from ..touchdown import QUIET_RATE_RADPS, QUIET_SPEED_MPS, QUIET_THRUST_TO_WEIGHT, QUIET_TIME_S, QUIET_UPRIGHT


class Landing(NamedTuple):
    """Scalars: 0 or 1, m/s, and ticks."""

    pressed: Array
    contact: Array
    speed_mps: Array
    quiet_ticks: Array


def airborne() -> Landing:
    """Before any contact."""
    zero = jnp.zeros(())
    return Landing(zero, zero, zero, zero)


def begin_period(landing: Landing) -> Landing:
    """A control period starts."""
    return landing._replace(contact=jnp.zeros_like(landing.contact))


def step(landing: Landing, pressed: Array, downward_speed_mps: Array) -> Landing:
    """A physics step has passed; `pressed` is Boolean, the speed is the one before the step."""
    first = pressed & (landing.pressed < 0.5)
    # The fastest touchdown of the whole run, where a plant takes the latest: a limit on either is the same limit.
    speed = jnp.where(first, jnp.maximum(downward_speed_mps, landing.speed_mps), landing.speed_mps)
    now = jnp.where(pressed, 1.0, 0.0)
    return landing._replace(pressed=now, contact=jnp.maximum(landing.contact, now), speed_mps=speed)


def end_period(
    landing: Landing, speed_mps: Array, rate_radps: Array, thrust_to_weight: Array, upright: Array
) -> Landing:
    """A control period ends with these true values; `upright` is the body's up along the pad's, which is level."""
    quiet = (
        (landing.contact > 0.5)
        & (speed_mps < QUIET_SPEED_MPS)
        & (rate_radps < QUIET_RATE_RADPS)
        & (thrust_to_weight < QUIET_THRUST_TO_WEIGHT)
        & (upright > QUIET_UPRIGHT)
    )
    return landing._replace(quiet_ticks=jnp.where(quiet, landing.quiet_ticks + 1.0, 0.0))


def landed(landing: Landing, control_hz: int) -> Array:
    """1 where the land detector says so."""
    return jnp.where(landing.quiet_ticks >= max(1, round(QUIET_TIME_S * control_hz)), 1.0, 0.0)
