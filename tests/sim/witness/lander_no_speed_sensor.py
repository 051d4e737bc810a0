"""A soft landing without the sensor of the speed: it follows from the height."""

import jax.numpy as jnp

PARAMS = {
    "descent_per_m": 0.15,  # wanted descent rate for each metre of height, 1/s
    "descent_max_mps": 8.0,
    "touchdown_mps": 1.0,
    "climb_kp": 1.0,  # acceleration from an error of the climb rate, 1/s
    "climb_ki": 0.1,  # and from its integral, 1/s2
}

DRY_MASS_KG = 700.0
GRAVITY_MPS2 = 1.62
MAX_THRUST_N = 5000.0
INTEGRAL_MAX_MPS2 = 1.0
GROUND_M = 1.0
STILL_MPS = 0.2
STILL_S = 0.3


def init(params):
    """The last height and the number of ticks, the integral, the time spent still, and whether the engine is cut."""
    return {"height_m": 0.0, "ticks": 0.0, "climb_mps2": 0.0, "still_s": 0.0, "cut": 0.0}


def control(obs, state, params):
    """One tick: thrust for the wanted climb rate."""
    assert obs["altitude_m"] > -5.0, "altitude estimate is sane"
    dt_s, height_m = obs["dt_s"], obs["altitude_m"]
    # The first reading of the speed is taken: there is nothing yet to compare the height with.
    speed_mps = jnp.where(state["ticks"] > 0.5, (height_m - state["height_m"]) / dt_s, obs["velocity_mps"])
    wanted = params["touchdown_mps"] + params["descent_per_m"] * height_m
    error = -jnp.clip(wanted, params["touchdown_mps"], params["descent_max_mps"]) - speed_mps
    climb_i = state["climb_mps2"] + params["climb_ki"] * error * dt_s
    climb_i = jnp.clip(climb_i, -INTEGRAL_MAX_MPS2, INTEGRAL_MAX_MPS2)
    mass_kg = DRY_MASS_KG + obs["fuel_kg"]
    thrust_n = mass_kg * (GRAVITY_MPS2 + params["climb_kp"] * error + climb_i)

    still = jnp.logical_and(height_m < GROUND_M, jnp.abs(speed_mps) < STILL_MPS)
    still_s = jnp.where(still, state["still_s"] + dt_s, 0.0)
    cut = jnp.maximum(state["cut"], jnp.where(still_s > STILL_S, 1.0, 0.0))
    action = {"thrust_n": jnp.where(cut > 0.5, 0.0, jnp.clip(thrust_n, 0.0, MAX_THRUST_N))}
    ticks = jnp.minimum(state["ticks"] + 1.0, 10.0)
    return action, {"height_m": height_m, "ticks": ticks, "climb_mps2": climb_i, "still_s": still_s, "cut": cut}
