"""Land over the reference, with a fifth of the gains on tilt and rate: the body turns too late for its loop."""

import jax.numpy as jnp

PARAMS = {
    "position_kp": 5.0,  # acceleration from a sideways position error, 1/s2
    "position_ki": 1.0,  # and from its integral, 1/s3
    "position_kd": 4.0,  # and from the sideways velocity, 1/s
    "sideways_max_mps2": 4.0,
    "climb_kp": 5.0,  # acceleration from an error of the climb rate, 1/s
    "climb_ki": 8.0,  # and from its integral, 1/s2
    "tilt_kp": 26.0,  # angular acceleration from a tilt error, 1/s2
    "tilt_kd": 3.2,  # and from the body rates, 1/s
    "yaw_kp": 30.0,
    "yaw_kd": 10.0,
    "descent_mps": 0.3,
    "touchdown_mps": 0.2,
    "slow_below_m": 0.2,
}

# Crazyflie 2.x
MASS_KG = 0.027
GRAVITY_MPS2 = 9.80665
INERTIA_KGM2 = [1.4e-5, 1.4e-5, 2.17e-5]
ARM_M = 0.028
THRUST_NS2 = 2.8816e-8
TORQUE_TO_THRUST_M = 0.025127
ROTOR_MAX_RADPS = 2250.0

# Touchdown is felt as a descent that stops close to the ground, for this long.
# A float on the ground effect takes more lift than this share of the weight; standing takes less and less.
GROUND_M = 0.05
STILL_MPS = 0.08
STILL_S = 0.1
STANDING_LIFT_MPS2 = 0.65 * GRAVITY_MPS2
INTEGRAL_MAX_MPS2 = 2.0


def init(params):
    """Integrals of position and climb rate, the time spent still near the ground, and whether the motors are cut."""
    return {"sideways_mps2": jnp.zeros(2), "climb_mps2": 0.0, "still_s": 0.0, "cut": 0.0}


def to_body(q, v):
    """A world vector in the body's axes; q is xyzw, body to world."""
    t = 2.0 * jnp.cross(v, q[:3])
    return v + q[3] * t + jnp.cross(t, q[:3])


def mix(lift_n, torque_nm):
    """Rotor speeds for a lift along the body's z axis and a torque.

    Rotors are front right, rear right, rear left, front left; the rear right and front left ones turn the nose left.
    """
    roll = torque_nm[0] / (4.0 * ARM_M)
    pitch = torque_nm[1] / (4.0 * ARM_M)
    yaw = torque_nm[2] / (4.0 * TORQUE_TO_THRUST_M)
    share = lift_n / 4.0
    thrust_n = jnp.array(
        [share - roll - pitch - yaw, share - roll + pitch + yaw, share + roll + pitch - yaw, share + roll - pitch + yaw]
    )
    return jnp.sqrt(jnp.maximum(thrust_n, 0.0) / THRUST_NS2)


def control(obs, state, params):
    """One tick: where to push, how to turn, how fast the rotors go."""
    assert obs["altitude_m"] > -0.5, "altitude estimate is sane"
    dt_s = obs["dt_s"]
    position_error = obs["reference_position_m"][:2] - obs["position_m"][:2]
    velocity_error = obs["reference_velocity_mps"][:2] - obs["velocity_mps"][:2]
    sideways_i = state["sideways_mps2"] + params["position_ki"] * position_error * dt_s
    sideways_i = jnp.clip(sideways_i, -INTEGRAL_MAX_MPS2, INTEGRAL_MAX_MPS2)
    sideways = params["position_kp"] * position_error + params["position_kd"] * velocity_error + sideways_i
    sideways = jnp.clip(sideways, -params["sideways_max_mps2"], params["sideways_max_mps2"])

    near_ground = obs["altitude_m"] < params["slow_below_m"]
    descent_mps = jnp.where(near_ground, params["touchdown_mps"], params["descent_mps"])
    climb_error = -descent_mps - obs["velocity_mps"][2]
    climb_i = state["climb_mps2"] + params["climb_ki"] * climb_error * dt_s
    climb_i = jnp.clip(climb_i, -6.0, 6.0)
    climb = params["climb_kp"] * climb_error + climb_i

    push = jnp.array([sideways[0], sideways[1], jnp.maximum(GRAVITY_MPS2 + climb, 2.0)])
    push_body = to_body(obs["q_xyzw_world_body"], push)
    size = jnp.sqrt(jnp.sum(push_body * push_body) + 1e-6)
    nose = to_body(obs["q_xyzw_world_body"], jnp.array([1.0, 0.0, 0.0]))
    turn = jnp.array([-push_body[1] / size, push_body[0] / size, nose[1]])
    kp = jnp.array([params["tilt_kp"], params["tilt_kp"], params["yaw_kp"]])
    kd = jnp.array([params["tilt_kd"], params["tilt_kd"], params["yaw_kd"]])
    torque_nm = jnp.array(INERTIA_KGM2) * (kp * turn - kd * obs["angular_velocity_radps"])
    speed = mix(MASS_KG * jnp.maximum(push_body[2], 1.0), torque_nm)

    low = jnp.logical_and(obs["altitude_m"] < GROUND_M, push[2] < STANDING_LIFT_MPS2)
    still = jnp.logical_and(low, jnp.abs(obs["velocity_mps"][2]) < STILL_MPS)
    still_s = jnp.where(still, state["still_s"] + dt_s, 0.0)
    cut = jnp.maximum(state["cut"], jnp.where(still_s > STILL_S, 1.0, 0.0))
    action = {"rotor_speed_radps": jnp.where(cut > 0.5, 0.0, jnp.clip(speed, 0.0, ROTOR_MAX_RADPS))}
    return action, {"sideways_mps2": sideways_i, "climb_mps2": climb_i, "still_s": still_s, "cut": cut}
