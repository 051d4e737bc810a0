"""Level the body, come to rest sideways, and descend at a harmless rate wherever it is: a fallback.

It uses attitude, rates and velocity; neither position, nor reference, nor height can mislead it. It does not mind where
it comes down. Touchdown is felt as a descent that stops although little lift is left; then the motors are cut.
"""

import jax.numpy as jnp

PARAMS = {
    "sideways_kd": 1.4,  # acceleration against the sideways velocity, 1/s
    "sideways_max_mps2": 1.6,
    "climb_kp": 5.0,  # acceleration from an error of the climb rate, 1/s
    "climb_ki": 8.0,  # and from its integral, 1/s2
    "tilt_kp": 130.0,  # angular acceleration from a tilt error, 1/s2
    "tilt_kd": 16.0,  # and from the body rates, 1/s
    "yaw_kd": 10.0,
    "descent_mps": 0.25,
}

# Crazyflie 2.x
MASS_KG = 0.027
GRAVITY_MPS2 = 9.80665
INERTIA_KGM2 = [1.4e-5, 1.4e-5, 2.17e-5]
ARM_M = 0.028
THRUST_NS2 = 2.8816e-8
TORQUE_TO_THRUST_M = 0.025127
ROTOR_MAX_RADPS = 2250.0

# In the air, so little lift makes the body pass through this range of speeds in a third of the time.
STANDING_LIFT_MPS2 = 0.65 * GRAVITY_MPS2
STILL_MPS = 0.08
STILL_S = 0.15


def init(params):
    """The integral of the climb rate, the time spent still with little lift, and whether the motors are cut."""
    return {"climb_mps2": 0.0, "still_s": 0.0, "cut": 0.0}


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
    """One tick: upright, slower, down."""
    assert jnp.all(jnp.abs(obs["velocity_mps"]) < 20.0), "velocity estimate is sane"
    dt_s = obs["dt_s"]
    limit = params["sideways_max_mps2"]
    sideways = jnp.clip(-params["sideways_kd"] * obs["velocity_mps"][:2], -limit, limit)
    climb_error = -params["descent_mps"] - obs["velocity_mps"][2]
    climb_i = jnp.clip(state["climb_mps2"] + params["climb_ki"] * climb_error * dt_s, -6.0, 6.0)
    climb = params["climb_kp"] * climb_error + climb_i

    push = jnp.array([sideways[0], sideways[1], jnp.maximum(GRAVITY_MPS2 + climb, 2.0)])
    push_body = to_body(obs["q_xyzw_world_body"], push)
    size = jnp.sqrt(jnp.sum(push_body * push_body) + 1e-6)
    turn = jnp.array([-push_body[1] / size, push_body[0] / size, 0.0])
    kd = jnp.array([params["tilt_kd"], params["tilt_kd"], params["yaw_kd"]])
    torque_nm = jnp.array(INERTIA_KGM2) * (params["tilt_kp"] * turn - kd * obs["angular_velocity_radps"])
    speed = mix(MASS_KG * jnp.maximum(push_body[2], 1.0), torque_nm)

    still = jnp.logical_and(push[2] < STANDING_LIFT_MPS2, jnp.abs(obs["velocity_mps"][2]) < STILL_MPS)
    still_s = jnp.where(still, state["still_s"] + dt_s, 0.0)
    cut = jnp.maximum(state["cut"], jnp.where(still_s > STILL_S, 1.0, 0.0))
    action = {"rotor_speed_radps": jnp.where(cut > 0.5, 0.0, jnp.clip(speed, 0.0, ROTOR_MAX_RADPS))}
    return action, {"climb_mps2": climb_i, "still_s": still_s, "cut": cut}
