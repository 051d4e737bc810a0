"""Land on the reference, with the sign of the pitch turned round: every correction makes it worse.

All else is as in the sound landing.
"""

import jax.numpy as jnp

PARAMS = {
    "approach_per_s": 0.12,  # wanted sideways speed for each metre beside the reference
    "sideways_max_mps": 4.0,
    "sideways_kp": 0.5,  # acceleration from an error of the sideways speed, 1/s
    "descent_per_s": 0.12,  # wanted descent rate for each metre of height
    "descent_max_mps": 7.0,
    "touchdown_mps": 0.8,
    "climb_kp": 1.0,  # acceleration from an error of the climb rate, 1/s
    "climb_ki": 0.2,  # and from its integral, 1/s2
    "lean_max_rad": 0.36,
    "lean_per_m": 0.03,  # near the ground the lean is limited to this for each metre of height, and a little
    "pitch_kp": 1.4,  # angular acceleration from an error of the pitch, 1/s2
    "pitch_kd": 2.0,  # and from the pitch rate, 1/s
}

DRY_MASS_KG = 700.0
GRAVITY_MPS2 = 1.62
MAX_THRUST_N = 5000.0
PITCH_INERTIA_KGM2 = 1500.0
MAX_MOMENT_NM = 900.0
# Engine and jets follow no faster than this; a hundredth is left for rounding.
THRUST_RATE_NPS = 9900.0
MOMENT_RATE_NMPS = 8910.0
LEAN_LEAST_RAD = 0.03
INTEGRAL_MAX_MPS2 = 1.0
# Touchdown is felt as a descent that stops close to the ground, for this long.
GROUND_M = 1.0
STILL_MPS = 0.2
STILL_S = 0.3


def init(params):
    """The integral, the time spent still near the ground, whether the engine is cut, and the last commands."""
    return {"climb_mps2": 0.0, "still_s": 0.0, "cut": 0.0, "thrust_n": 0.0, "moment_nm": 0.0}


def control(obs, state, params):
    """One tick: where to push, how to turn."""
    assert obs["altitude_m"] > -5.0, "altitude estimate is sane"
    dt_s, height = obs["dt_s"], jnp.maximum(obs["altitude_m"], 0.0)
    beside = obs["position_m"][0] - obs["reference_position_m"]
    along = jnp.clip(-params["approach_per_s"] * beside, -params["sideways_max_mps"], params["sideways_max_mps"])
    sideways = params["sideways_kp"] * (along - obs["velocity_mps"][0])

    descent = params["touchdown_mps"] + params["descent_per_s"] * height
    error = -jnp.clip(descent, params["touchdown_mps"], params["descent_max_mps"]) - obs["velocity_mps"][1]
    climb_i = state["climb_mps2"] + params["climb_ki"] * error * dt_s
    climb_i = jnp.clip(climb_i, -INTEGRAL_MAX_MPS2, INTEGRAL_MAX_MPS2)
    upwards = jnp.maximum(GRAVITY_MPS2 + params["climb_kp"] * error + climb_i, 0.3 * GRAVITY_MPS2)

    lean_max = jnp.minimum(params["lean_max_rad"], LEAN_LEAST_RAD + params["lean_per_m"] * height)
    lean = jnp.clip(jnp.arctan2(sideways, upwards), -lean_max, lean_max)
    turn = params["pitch_kp"] * (lean + obs["pitch_rad"]) - params["pitch_kd"] * obs["pitch_rate_radps"]
    moment_nm = PITCH_INERTIA_KGM2 * turn
    mass_kg = DRY_MASS_KG + obs["fuel_kg"]
    thrust_n = mass_kg * upwards / jnp.maximum(jnp.cos(obs["pitch_rad"]), 0.5)

    still = jnp.logical_and(obs["altitude_m"] < GROUND_M, jnp.abs(obs["velocity_mps"][1]) < STILL_MPS)
    still_s = jnp.where(still, state["still_s"] + dt_s, 0.0)
    cut = jnp.maximum(state["cut"], jnp.where(still_s > STILL_S, 1.0, 0.0))
    thrust_n = jnp.where(cut > 0.5, 0.0, jnp.clip(thrust_n, 0.0, MAX_THRUST_N))
    moment_nm = jnp.where(cut > 0.5, 0.0, jnp.clip(moment_nm, -MAX_MOMENT_NM, MAX_MOMENT_NM))
    step_n, step_nm = THRUST_RATE_NPS * dt_s, MOMENT_RATE_NMPS * dt_s
    thrust_n = jnp.clip(thrust_n, state["thrust_n"] - step_n, state["thrust_n"] + step_n)
    moment_nm = jnp.clip(moment_nm, state["moment_nm"] - step_nm, state["moment_nm"] + step_nm)
    action = {"thrust_n": thrust_n, "moment_nm": moment_nm}
    memory = {"climb_mps2": climb_i, "still_s": still_s, "cut": cut, "thrust_n": thrust_n, "moment_nm": moment_nm}
    return action, memory
