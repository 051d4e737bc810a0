"""Balance without the rate's sensor: the rate is worked out from the lean, tick by tick."""

import jax.numpy as jnp

PARAMS = {
    "position_n_per_m": 6.2,
    "velocity_ns_per_m": 7.4,
    "angle_n_per_rad": 51.0,
    "rate_ns_per_rad": 13.0,
    "reach_m": 0.5,
}

MAX_FORCE_N = 10.0


def init(params):
    """The lean a tick ago."""
    return {"angle_rad": 0.0}


def control(obs, state, params):
    """One tick: push the cart under the pole."""
    assert jnp.abs(obs["cart_position_m"]) < 5.0, "cart position is on the rail"
    assert jnp.abs(obs["pole_angle_rad"]) < 1.6, "pole stands"
    distance = jnp.clip(obs["cart_position_m"] - obs["reference_position_m"], -params["reach_m"], params["reach_m"])
    rate_radps = jnp.clip((obs["pole_angle_rad"] - state["angle_rad"]) / obs["dt_s"], -1.0, 1.0)
    force_n = (
        params["position_n_per_m"] * distance
        + params["velocity_ns_per_m"] * obs["cart_velocity_mps"]
        + params["angle_n_per_rad"] * obs["pole_angle_rad"]
        + params["rate_ns_per_rad"] * rate_radps
    )
    return {"force_n": jnp.clip(force_n, -MAX_FORCE_N, MAX_FORCE_N)}, {"angle_rad": obs["pole_angle_rad"]}
