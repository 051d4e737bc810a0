"""Balance with an integral of the distance: a steady error of the lean, or a steady push, no longer moves the cart."""

import jax.numpy as jnp

PARAMS = {
    "position_n_per_m": 10.0,  # force from the cart's distance to its reference
    "velocity_ns_per_m": 9.5,  # and from its velocity
    "angle_n_per_rad": 57.0,  # and from the pole's lean
    "rate_ns_per_rad": 15.0,  # and from the rate of it
    "integral_n_per_ms": 3.5,  # and from the sum of the distance over time
    "reach_m": 0.5,  # a distance counts no more than this
}

MAX_FORCE_N = 10.0
INTEGRAL_MAX_N = 6.0


def init(params):
    """The integral's share of the force."""
    return {"integral_n": 0.0}


def control(obs, state, params):
    """One tick: push the cart under the pole."""
    assert jnp.abs(obs["cart_position_m"]) < 5.0, "cart position is on the rail"
    assert jnp.abs(obs["pole_angle_rad"]) < 1.6, "pole stands"
    distance = jnp.clip(obs["cart_position_m"] - obs["reference_position_m"], -params["reach_m"], params["reach_m"])
    near = jnp.clip(distance, -0.2, 0.2)
    integral_n = state["integral_n"] + params["integral_n_per_ms"] * near * obs["dt_s"]
    integral_n = jnp.clip(integral_n, -INTEGRAL_MAX_N, INTEGRAL_MAX_N)
    force_n = (
        params["position_n_per_m"] * distance
        + params["velocity_ns_per_m"] * obs["cart_velocity_mps"]
        + params["angle_n_per_rad"] * obs["pole_angle_rad"]
        + params["rate_ns_per_rad"] * obs["pole_rate_radps"]
        + integral_n
    )
    return {"force_n": jnp.clip(force_n, -MAX_FORCE_N, MAX_FORCE_N)}, {"integral_n": integral_n}
