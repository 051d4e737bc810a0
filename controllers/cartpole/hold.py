"""Keep the pole up and bring the cart to rest wherever it is: a fallback that asks for nothing else.

It uses neither the cart's position nor its reference, so that a wrong one cannot mislead it.
"""

import jax.numpy as jnp

PARAMS = {
    "velocity_ns_per_m": 3.0,  # force from the cart's velocity
    "angle_n_per_rad": 38.0,  # and from the pole's lean
    "rate_ns_per_rad": 9.7,  # and from the rate of it
}

MAX_FORCE_N = 10.0


def init(params):
    """No memory."""
    return {}


def control(obs, state, params):
    """One tick: push the cart under the pole, gently against its motion."""
    assert jnp.abs(obs["pole_angle_rad"]) < 1.6, "pole stands"
    force_n = (
        params["velocity_ns_per_m"] * obs["cart_velocity_mps"]
        + params["angle_n_per_rad"] * obs["pole_angle_rad"]
        + params["rate_ns_per_rad"] * obs["pole_rate_radps"]
    )
    return {"force_n": jnp.clip(force_n, -MAX_FORCE_N, MAX_FORCE_N)}, state
