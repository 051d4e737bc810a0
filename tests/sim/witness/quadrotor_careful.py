"""A landing that copes with one thing that is wrong: as the shipped one, with what the shipped one lacks.

Every sensor has others from which its value can be worked out: one with a share of 0 is not listened to after the first
tick. Acceleration, straight and turning, that the commands do not explain is watched and met. Rotors that lag are
driven ahead. Which of these a scenario asks for is in the catalogue's tables.
"""

import jax.numpy as jnp

PARAMS = {
    "position_kp": 5.0,  # acceleration from a sideways position error, 1/s2
    "position_ki": 1.0,  # and from its integral, 1/s3
    "position_kd": 4.0,  # and from the sideways velocity, 1/s
    "sideways_max_mps2": 4.0,
    "climb_kp": 5.0,  # acceleration from an error of the climb rate, 1/s
    "climb_ki": 8.0,  # and from its integral, 1/s2
    "tilt_kp": 130.0,  # angular acceleration from a tilt error, 1/s2
    "tilt_kd": 16.0,  # and from the body rates, 1/s
    "turn_ki": 8.0,  # integral of the command, 1/s
    "turn_i_max": 60.0,  # and how large it may grow, rad/s2
    "yaw_kp": 30.0,
    "yaw_kd": 10.0,
    "descent_mps": 0.3,
    "touchdown_mps": 0.2,
    "slow_below_m": 0.2,
    "sideways_i_max_mps2": 2.0,
    "climb_i_max_mps2": 6.0,
    "position_share": 1.0,  # how much of a sensor's own value is taken, 1 or 0
    "velocity_share": 1.0,
    "attitude_share": 1.0,
    "gyro_share": 1.0,
    "altitude_share": 1.0,
    "watch_share": 0.0,  # how much of the acceleration that the rotors do not explain is met, 1 or 0
    "watch_s": 0.1,  # and its time constant
    "spin_share": 0.0,  # the same of the angular acceleration
    "spin_s": 0.1,
    "standing_share": 0.65,  # a lift below this share of the weight, close to the ground, is standing
    "lag_s": 0.0,  # rotors that follow this slowly are driven ahead
    "heading_rad": 0.0,  # the frame of position and velocity is turned by this
}

# Crazyflie 2.x
MASS_KG = 0.027
GRAVITY_MPS2 = 9.80665
INERTIA_KGM2 = [1.4e-5, 1.4e-5, 2.17e-5]
ARM_M = 0.028
THRUST_NS2 = 2.8816e-8
TORQUE_TO_THRUST_M = 0.025127
ROTOR_MAX_RADPS = 2250.0
HOVER_RADPS = 1515.7

# Touchdown is felt as a descent that stops close to the ground, for this long.
# A float on the ground effect takes more lift than this share of the weight; standing takes less and less.
GROUND_M = 0.05
STILL_MPS = 0.08
STILL_S = 0.1
HALF_HEIGHT_M = 0.0125
ROTOR_LAG_S = 0.03


def init(params):
    """Integrals, what was estimated and read a tick ago, time still near the ground, whether the motors are cut."""
    return {
        "sideways_mps2": jnp.zeros(2),
        "climb_mps2": 0.0,
        "turn_radps2": jnp.zeros(3),
        "position_m": jnp.zeros(3),
        "position_read_m": jnp.zeros(3),
        "velocity_mps": jnp.zeros(3),
        "q": jnp.zeros(4),
        "q_read": jnp.zeros(4),
        "rate_radps": jnp.zeros(3),
        "lift_mps2": GRAVITY_MPS2,
        "torque_radps2": jnp.zeros(3),
        "push_mps2": jnp.zeros(3),
        "spin_radps2": jnp.zeros(3),
        "rotor_radps": jnp.full(4, HOVER_RADPS),
        "flown_s": 0.0,
        "still_s": 0.0,
        "cut": 0.0,
    }


def product(p, q):
    """Of two quaternions, xyzw."""
    vector = p[3] * q[:3] + q[3] * p[:3] + jnp.cross(p[:3], q[:3])
    return jnp.concatenate([vector, jnp.array([p[3] * q[3] - jnp.sum(p[:3] * q[:3])])])


def turned(q, rate_radps, time_s):
    """An attitude after turning with these body rates for a while."""
    half = 0.5 * time_s * rate_radps
    size = jnp.sqrt(jnp.sum(half * half) + 1e-12)
    step = jnp.concatenate([half * jnp.sin(size) / size, jnp.array([jnp.cos(size)])])
    return product(q, step)


def smoothed(before, now, time_s, dt_s):
    """A low pass of first order; none where the time constant is 0."""
    return before + (now - before) * dt_s / (time_s + dt_s)


def estimate(obs, state, params):
    """Position, velocity, attitude, body rates and altitude, each from its sensor or from the others."""
    dt_s, first = obs["dt_s"], state["flown_s"] == 0.0
    c, s = jnp.cos(params["heading_rad"]), jnp.sin(params["heading_rad"])
    turn = jnp.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    position_read, velocity_read = turn @ obs["position_m"], turn @ obs["velocity_mps"]
    q_read, rate_read = obs["q_xyzw_world_body"], obs["angular_velocity_radps"]

    moved = (position_read - state["position_read_m"]) / dt_s
    velocity = params["velocity_share"] * velocity_read + (1.0 - params["velocity_share"]) * moved
    velocity = jnp.where(first, velocity_read, velocity)
    reckoned = state["position_m"] + 0.5 * (state["velocity_mps"] + velocity) * dt_s
    position = params["position_share"] * position_read + (1.0 - params["position_share"]) * reckoned
    position = jnp.where(first, position_read, position)

    back = state["q_read"] * jnp.array([-1.0, -1.0, -1.0, 1.0])
    spun = product(back, q_read)
    spun = 2.0 * jnp.sign(spun[3]) * spun[:3] / dt_s
    rate = params["gyro_share"] * rate_read + (1.0 - params["gyro_share"]) * spun
    rate = jnp.where(first, rate_read, rate)
    q_reckoned = turned(state["q"], 0.5 * (state["rate_radps"] + rate), dt_s)
    q = params["attitude_share"] * q_read + (1.0 - params["attitude_share"]) * q_reckoned
    q = jnp.where(first, q_read, q)
    q = q / jnp.sqrt(jnp.sum(q * q))

    altitude_share = params["altitude_share"]
    altitude = altitude_share * obs["altitude_m"] + (1.0 - altitude_share) * (position[2] - HALF_HEIGHT_M)
    memory = {
        "position_m": position,
        "position_read_m": position_read,
        "velocity_mps": velocity,
        "q": q,
        "q_read": q_read,
        "rate_radps": rate,
        "flown_s": state["flown_s"] + dt_s,
    }
    return memory, altitude


def to_body(q, v):
    """A world vector in the body's axes; q is xyzw, body to world."""
    t = 2.0 * jnp.cross(v, q[:3])
    return v + q[3] * t + jnp.cross(t, q[:3])


def to_world(q, v):
    """A body vector in the world's axes."""
    t = 2.0 * jnp.cross(q[:3], v)
    return v + q[3] * t + jnp.cross(q[:3], t)


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


def watch(known, state, dt_s, params):
    """Accelerations, straight and turning, that the commands of the last ticks do not explain."""
    up = to_world(state["q"], jnp.array([0.0, 0.0, 1.0]))
    falling = jnp.array([0.0, 0.0, -GRAVITY_MPS2])
    gained = (known["velocity_mps"] - state["velocity_mps"]) / dt_s
    unexplained = gained - state["lift_mps2"] * up - falling
    push = jnp.clip(smoothed(state["push_mps2"], unexplained, params["watch_s"], dt_s), -15.0, 15.0)
    spun = (known["rate_radps"] - state["rate_radps"]) / dt_s - state["torque_radps2"]
    spin = jnp.clip(smoothed(state["spin_radps2"], spun, params["spin_s"], dt_s), -200.0, 200.0)
    first = state["flown_s"] < 1.5 * dt_s
    return jnp.where(first, 0.0, push), jnp.where(first, 0.0, spin)


def control(obs, state, params):
    """One tick: where to push, how to turn, how fast the rotors go."""
    assert obs["altitude_m"] > -0.5, "altitude estimate is sane"
    dt_s = obs["dt_s"]
    known, altitude = estimate(obs, state, params)
    position, velocity, rate = known["position_m"], known["velocity_mps"], known["rate_radps"]
    q = known["q"]
    pushed, spun = watch(known, state, dt_s, params)
    position_error = obs["reference_position_m"][:2] - position[:2]
    velocity_error = obs["reference_velocity_mps"][:2] - velocity[:2]
    sideways_i = state["sideways_mps2"] + params["position_ki"] * position_error * dt_s
    sideways_i = jnp.clip(sideways_i, -params["sideways_i_max_mps2"], params["sideways_i_max_mps2"])
    sideways = params["position_kp"] * position_error + params["position_kd"] * velocity_error + sideways_i
    sideways = jnp.clip(sideways, -params["sideways_max_mps2"], params["sideways_max_mps2"])

    near_ground = altitude < params["slow_below_m"]
    descent_mps = jnp.where(near_ground, params["touchdown_mps"], params["descent_mps"])
    climb_error = -descent_mps - velocity[2]
    climb_i = state["climb_mps2"] + params["climb_ki"] * climb_error * dt_s
    climb_i = jnp.clip(climb_i, -params["climb_i_max_mps2"], params["climb_i_max_mps2"])
    climb = params["climb_kp"] * climb_error + climb_i

    wanted = jnp.array([sideways[0], sideways[1], GRAVITY_MPS2 + climb]) - params["watch_share"] * pushed
    push = jnp.array([wanted[0], wanted[1], jnp.maximum(wanted[2], 2.0)])
    push_body = to_body(q, push)
    size = jnp.sqrt(jnp.sum(push_body * push_body) + 1e-6)
    nose = to_body(q, jnp.array([1.0, 0.0, 0.0]))
    turn = jnp.array([-push_body[1] / size, push_body[0] / size, nose[1]])
    kp = jnp.array([params["tilt_kp"], params["tilt_kp"], params["yaw_kp"]])
    kd = jnp.array([params["tilt_kd"], params["tilt_kd"], params["yaw_kd"]])
    command = kp * turn - kd * rate
    turn_i = jnp.clip(
        state["turn_radps2"] + params["turn_ki"] * command * dt_s, -params["turn_i_max"], params["turn_i_max"]
    )
    torque = command + turn_i - params["spin_share"] * spun
    lift = jnp.maximum(push_body[2], 1.0)
    speed = jnp.clip(mix(MASS_KG * lift, jnp.array(INERTIA_KGM2) * torque), 0.0, ROTOR_MAX_RADPS)
    lag_s = jnp.maximum(params["lag_s"], 1e-3)
    following = 1.0 - jnp.exp(-dt_s / lag_s)
    ahead = state["rotor_radps"] + (speed - state["rotor_radps"]) / following
    command_radps = jnp.clip(ahead, 0.0, ROTOR_MAX_RADPS)
    reached = state["rotor_radps"] + following * (command_radps - state["rotor_radps"])
    follow = dt_s / (ROTOR_LAG_S + dt_s)

    low = jnp.logical_and(altitude < GROUND_M, push[2] < params["standing_share"] * GRAVITY_MPS2)
    still = jnp.logical_and(low, jnp.abs(velocity[2]) < STILL_MPS)
    still_s = jnp.where(still, state["still_s"] + dt_s, 0.0)
    cut = jnp.maximum(state["cut"], jnp.where(still_s > STILL_S, 1.0, 0.0))
    action = {"rotor_speed_radps": jnp.where(cut > 0.5, 0.0, command_radps)}
    memory = {
        **known,
        "lift_mps2": state["lift_mps2"] + follow * (lift - state["lift_mps2"]),
        "torque_radps2": state["torque_radps2"] + follow * (torque - state["torque_radps2"]),
        "push_mps2": pushed,
        "spin_radps2": spun,
        "rotor_radps": reached,
        "sideways_mps2": sideways_i,
        "climb_mps2": climb_i,
        "turn_radps2": turn_i,
        "still_s": still_s,
        "cut": cut,
    }
    return action, memory
