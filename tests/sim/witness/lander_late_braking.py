"""A landing that spares fuel: it falls until the height is just enough to brake hard."""

import jax.numpy as jnp

PARAMS = {
    "braking_mps2": 3.5,  # planned; an almost empty lander could brake with 5.4
    "touchdown_mps": 1.0,
    "climb_kp": 2.0,  # acceleration from an error of the climb rate, 1/s
    "early_mps": 0.7,  # the engine starts when the speed is this close to the wanted one
}

DRY_MASS_KG = 700.0
GRAVITY_MPS2 = 1.62
MAX_THRUST_N = 5000.0
GROUND_M = 1.0
STILL_MPS = 0.2
STILL_S = 0.3


def init(params):
    """The time spent still near the ground, and whether the engine is cut."""
    return {"still_s": 0.0, "cut": 0.0}


def control(obs, state, params):
    """One tick: nothing, or thrust for the speed from which the rest of the height stops."""
    assert obs["altitude_m"] > -5.0, "altitude estimate is sane"
    height_m = jnp.maximum(obs["altitude_m"], 0.0)
    wanted = jnp.sqrt(params["touchdown_mps"] ** 2 + 2.0 * jnp.abs(params["braking_mps2"]) * height_m)
    error = -wanted - obs["velocity_mps"]
    braking_mps2 = jnp.where(height_m > 0.2, params["braking_mps2"], 0.0)
    thrust_n = (DRY_MASS_KG + obs["fuel_kg"]) * (GRAVITY_MPS2 + braking_mps2 + params["climb_kp"] * error)
    thrust_n = jnp.where(error > -params["early_mps"], thrust_n, 0.0)

    still = jnp.logical_and(obs["altitude_m"] < GROUND_M, jnp.abs(obs["velocity_mps"]) < STILL_MPS)
    still_s = jnp.where(still, state["still_s"] + obs["dt_s"], 0.0)
    cut = jnp.maximum(state["cut"], jnp.where(still_s > STILL_S, 1.0, 0.0))
    action = {"thrust_n": jnp.where(cut > 0.5, 0.0, jnp.clip(thrust_n, 0.0, MAX_THRUST_N))}
    return action, {"still_s": still_s, "cut": cut}
