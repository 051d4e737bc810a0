"""A landing from the position, the gyro and the fuel alone, whatever the other sensors say, and with a weak engine.

Speeds come from the position, the height too (the pad is level), the pitch from the sum of its rates. Without `gyro` it
is the other way round: the rate comes from the pitch. An integral leans against a steady push.
"""

import jax.numpy as jnp

PARAMS = {
    "approach_per_s": 0.1,
    "sideways_max_mps": 3.0,
    "sideways_kp": 0.7,
    "sideways_ki": 0.15,  # acceleration from the integral of the sideways error, 1/s2
    "descent_per_s": 0.08,
    "descent_max_mps": 4.0,
    "touchdown_mps": 0.6,
    "climb_kp": 1.5,
    "climb_ki": 0.3,
    "lean_max_rad": 0.3,
    "lean_least_rad": 0.1,
    "lean_per_m": 0.015,
    "pitch_kp": 1.4,
    "pitch_kd": 2.0,
    "gyro": 1.0,  # 1 where the gyro is believed, 0 where the pitch is
}

DRY_MASS_KG = 700.0
GRAVITY_MPS2 = 1.62
MAX_THRUST_N = 5000.0
PITCH_INERTIA_KGM2 = 1500.0
MAX_MOMENT_NM = 900.0
THRUST_RATE_NPS = 9900.0
MOMENT_RATE_NMPS = 8910.0
HALF_HEIGHT_M = 1.0
INTEGRAL_MAX_MPS2 = 1.0
SIDEWAYS_MAX_MPS2 = 0.35
NEAR_MPS = 0.5
GROUND_M = 0.5
STILL_MPS = 0.2
STILL_S = 0.3


def init(params):
    """What was measured a tick ago, the pitch worked out, integrals, land detector, commands; `begun` after a tick."""
    return {
        "begun": 0.0, "position_m": jnp.zeros(2), "pitch_rad": 0.0, "measured_rad": 0.0, "rate_radps": 0.0,
        "sideways_mps2": 0.0, "climb_mps2": 0.0, "still_s": 0.0, "cut": 0.0,
        "thrust_n": 0.0, "moment_nm": 0.0,
    }  # fmt: skip


def control(obs, state, params):
    """One tick: work out what is not believed, then as the shipped landing."""
    assert obs["position_m"][1] > -5.0, "height is sane"
    dt_s, begun = obs["dt_s"], state["begun"] > 0.5
    velocity = jnp.where(begun, (obs["position_m"] - state["position_m"]) / dt_s, obs["velocity_mps"])
    height = jnp.maximum(obs["position_m"][1] - HALF_HEIGHT_M, 0.0)
    summed = state["pitch_rad"] + 0.5 * dt_s * (state["rate_radps"] + obs["pitch_rate_radps"])
    pitch = jnp.where(jnp.logical_and(begun, params["gyro"] > 0.5), summed, obs["pitch_rad"])
    differenced = jnp.where(begun, (obs["pitch_rad"] - state["measured_rad"]) / dt_s, 0.0)
    rate = jnp.where(params["gyro"] > 0.5, obs["pitch_rate_radps"], differenced)

    beside = obs["position_m"][0] - obs["reference_position_m"]
    along = jnp.clip(-params["approach_per_s"] * beside, -params["sideways_max_mps"], params["sideways_max_mps"])
    drift = along - velocity[0]
    near = jnp.clip(drift, -NEAR_MPS, NEAR_MPS)
    sideways_i = state["sideways_mps2"] + params["sideways_ki"] * near * dt_s
    sideways_i = jnp.clip(sideways_i, -SIDEWAYS_MAX_MPS2, SIDEWAYS_MAX_MPS2)
    sideways = params["sideways_kp"] * drift + sideways_i

    descent = params["touchdown_mps"] + params["descent_per_s"] * height
    error = -jnp.clip(descent, params["touchdown_mps"], params["descent_max_mps"]) - velocity[1]
    climb_i = state["climb_mps2"] + params["climb_ki"] * error * dt_s
    climb_i = jnp.clip(climb_i, -INTEGRAL_MAX_MPS2, INTEGRAL_MAX_MPS2)
    upwards = jnp.maximum(GRAVITY_MPS2 + params["climb_kp"] * error + climb_i, 0.3 * GRAVITY_MPS2)

    lean_max = jnp.minimum(params["lean_max_rad"], params["lean_least_rad"] + params["lean_per_m"] * height)
    lean = jnp.clip(jnp.arctan2(sideways, upwards), -lean_max, lean_max)
    moment_nm = PITCH_INERTIA_KGM2 * (params["pitch_kp"] * (lean - pitch) - params["pitch_kd"] * rate)
    thrust_n = (DRY_MASS_KG + obs["fuel_kg"]) * upwards / jnp.maximum(jnp.cos(pitch), 0.5)

    still = jnp.logical_and(height < GROUND_M, jnp.abs(velocity[1]) < STILL_MPS)
    still_s = jnp.where(still, state["still_s"] + dt_s, 0.0)
    cut = jnp.maximum(state["cut"], jnp.where(still_s > STILL_S, 1.0, 0.0))
    thrust_n = jnp.where(cut > 0.5, 0.0, jnp.clip(thrust_n, 0.0, MAX_THRUST_N))
    moment_nm = jnp.where(cut > 0.5, 0.0, jnp.clip(moment_nm, -MAX_MOMENT_NM, MAX_MOMENT_NM))
    step_n, step_nm = THRUST_RATE_NPS * dt_s, MOMENT_RATE_NMPS * dt_s
    thrust_n = jnp.clip(thrust_n, state["thrust_n"] - step_n, state["thrust_n"] + step_n)
    moment_nm = jnp.clip(moment_nm, state["moment_nm"] - step_nm, state["moment_nm"] + step_nm)
    action = {"thrust_n": thrust_n, "moment_nm": moment_nm}
    memory = {
        "begun": jnp.minimum(state["begun"] + 1.0, 1.0),
        "position_m": obs["position_m"],
        "pitch_rad": pitch,
        "measured_rad": obs["pitch_rad"],
        "rate_radps": rate,
        "sideways_mps2": sideways_i,
        "climb_mps2": climb_i,
        "still_s": still_s,
        "cut": cut,
        "thrust_n": thrust_n,
        "moment_nm": moment_nm,
    }
    return action, memory
