"""A soft landing that reads the altimeter once, and from then on reckons the height from the speed."""

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
GROUND_M = 2.0
STILL_MPS = 0.2
STILL_S = 0.3


def init(params):
    """The reckoned height and the last speed, whether they are known, the integral, the time still, the cut engine."""
    return {"height_m": 0.0, "speed_mps": 0.0, "known": 0.0, "climb_mps2": 0.0, "still_s": 0.0, "cut": 0.0}


def control(obs, state, params):
    """One tick: thrust for the wanted climb rate."""
    assert obs["altitude_m"] > -5.0, "altitude estimate is sane"
    dt_s, speed_mps = obs["dt_s"], obs["velocity_mps"]
    reckoned_m = state["height_m"] + 0.5 * (state["speed_mps"] + speed_mps) * dt_s
    height_m = jnp.where(state["known"] > 0.5, reckoned_m, obs["altitude_m"])
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
    known = jnp.maximum(state["known"], jnp.where(dt_s > 0.0, 1.0, 0.0))
    memory = {"height_m": height_m, "speed_mps": speed_mps, "known": known, "climb_mps2": climb_i}
    return action, {**memory, "still_s": still_s, "cut": cut}
