"""Land softly, with an altimeter that is taken for one in feet: the descent slows down much too early."""

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
# Touchdown is felt as a descent that stops close to the ground, for this long.
GROUND_M = 1.0
STILL_MPS = 0.2
STILL_S = 0.3


def init(params):
    """The integral, the time spent still near the ground, and whether the engine is cut."""
    return {"climb_mps2": 0.0, "still_s": 0.0, "cut": 0.0}


def control(obs, state, params):
    """One tick: thrust for the wanted climb rate."""
    assert obs["altitude_m"] > -5.0, "altitude estimate is sane"
    dt_s = obs["dt_s"]
    wanted = params["touchdown_mps"] + params["descent_per_m"] * 0.3048 * obs["altitude_m"]
    error = -jnp.clip(wanted, params["touchdown_mps"], params["descent_max_mps"]) - obs["velocity_mps"]
    climb_i = state["climb_mps2"] + params["climb_ki"] * error * dt_s
    climb_i = jnp.clip(climb_i, -INTEGRAL_MAX_MPS2, INTEGRAL_MAX_MPS2)
    mass_kg = DRY_MASS_KG + obs["fuel_kg"]
    thrust_n = mass_kg * (GRAVITY_MPS2 + params["climb_kp"] * error + climb_i)

    still = jnp.logical_and(obs["altitude_m"] < GROUND_M, jnp.abs(obs["velocity_mps"]) < STILL_MPS)
    still_s = jnp.where(still, state["still_s"] + dt_s, 0.0)
    cut = jnp.maximum(state["cut"], jnp.where(still_s > STILL_S, 1.0, 0.0))
    action = {"thrust_n": jnp.where(cut > 0.5, 0.0, jnp.clip(thrust_n, 0.0, MAX_THRUST_N))}
    return action, {"climb_mps2": climb_i, "still_s": still_s, "cut": cut}
