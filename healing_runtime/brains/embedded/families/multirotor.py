"""A PID cascade for any multirotor: position, velocity, tilt, body rates, rotors; landing with cut-off.

The allocation is the pseudo-inverse of the control effectiveness measured on the twin, so the order, place and turning
direction of the rotors are never assumed. First bandwidths follow from the measured lag: each outer loop is a third as
fast as the one inside it.
"""

from __future__ import annotations

import numpy as np

from healing_runtime.brains.embedded.families.family import Brief, Draft, Family
from healing_runtime.brains.embedded.families.writing import Constant, write
from healing_runtime.brains.embedded.identify import axes
from healing_runtime.core.signals import SignalTable

_HELPERS = '''
def in_body_axes(attitude, vector):
    """A world vector seen from the body; attitude is a quaternion xyzw, body to world."""
    axis, angle = -attitude[:3], attitude[3]
    across = 2.0 * jnp.cross(axis, vector)
    return vector + angle * across + jnp.cross(axis, across)
'''

_BODY = """
dt_s = obs["dt_s"]
height, velocity, attitude = obs["{height}"], obs["{velocity}"], obs["{attitude}"]

# Where to go: over the target, and down at a rate that shrinks with the height.
offset = {target} - obs["{position}"]
sideways = jnp.clip(params["position_per_s"] * offset, -params["sideways_mps"], params["sideways_mps"])
approach = params["touchdown_mps"] + params["approach_per_s"] * height
descent = jnp.clip(approach, params["touchdown_mps"], params["descent_mps"])
velocity_error = jnp.array([sideways[0], sideways[1], -descent]) - velocity

# The acceleration that takes, tilting no further than allowed.
gain = jnp.array([params["velocity_per_s"], params["velocity_per_s"], params["climb_per_s"]])
sideways_memory, climb_memory = params["velocity_integral_per_s2"], params["climb_integral_per_s2"]
memory = jnp.array([sideways_memory, sideways_memory, climb_memory])
trim = state["trim_mps2"] + memory * velocity_error * dt_s
trim = jnp.clip(trim, -params["trim_max_mps2"], params["trim_max_mps2"])
wanted = gain * velocity_error + trim
lean = jnp.clip(wanted[:2], -params["lean_max_mps2"], params["lean_max_mps2"])
lift = jnp.maximum(params["gravity_mps2"] + wanted[2], 0.3 * params["gravity_mps2"])
push = in_body_axes(attitude, jnp.array([lean[0], lean[1], lift]))
nose = in_body_axes(attitude, jnp.array([1.0, 0.0, 0.0]))

# Turn the rotors' axis towards it and the nose to the reference heading.
upright = jnp.sqrt(jnp.sum(push * push) + 1e-6)
turn = jnp.array([-push[1], push[0], upright * nose[1]]) / upright
stiffness = jnp.array([params["tilt_per_s"], params["tilt_per_s"], params["yaw_per_s"]])
rate_error = stiffness * turn - obs["{turning}"]
share = jnp.array([1.0, 1.0, params["yaw_share"]])
spin = state["spin_radps2"] + share * params["rate_integral_per_s2"] * rate_error * dt_s
spin = jnp.clip(spin, -params["spin_max_radps2"], params["spin_max_radps2"])
turning = share * params["rate_per_s"] * rate_error + spin

# Share it out between the rotors, around hover.
heave = jnp.maximum(push[2], 0.0) - params["gravity_mps2"]
demand = jnp.concatenate([jnp.array([heave]), turning])
power = params["hover_radps"] ** {exponent} + jnp.array(params["allocation"]) @ demand
speed = {root}

# Near the ground, carrying too little to fly, and yet not sinking: landed, and the motors stay off.
light = jnp.logical_and(height < params["ground_m"], lift < params["light_share"] * params["gravity_mps2"])
standing = jnp.logical_and(light, velocity[2] > -params["sinking_share"] * params["touchdown_mps"])
standing_s = jnp.where(standing, state["standing_s"] + dt_s, 0.0)
landed = jnp.maximum(state["landed"], jnp.where(standing_s > params["cutoff_s"], 1.0, 0.0))
action = {{"{action}": jnp.where(landed > 0.5, {low!r}, jnp.clip(speed, {low!r}, {high!r}))}}
next_state = {{"trim_mps2": trim, "spin_radps2": spin, "standing_s": standing_s, "landed": landed}}
"""

_ABOUT = """
A cascade: position, velocity, tilt, body rates, rotors. The integrals on velocity and on the body rates carry whatever
a weak rotor or a side force takes away. Touchdown is felt as a descent that stops although the lift no longer carries
the weight; then the motors are cut.

The hover speed and the allocation (rows: rotors; columns: heave and the three angular accelerations) were measured on
the twin.
"""


def fits(table: SignalTable) -> bool:
    """Four or more equal rotors, and position, velocity, attitude and body rates measured."""
    known = axes(table.observed)
    actions = table.action.signals
    measured = (known.height, known.position, known.velocity, known.attitude, known.turning)
    if len(actions) != 1 or any(signal is None for signal in measured):
        return False
    return len(actions[0].shape) == 1 and actions[0].size >= 4 and actions[0].unit == "rad/s"


def design(brief: Brief) -> Draft:
    """The cascade with bandwidths from the measured lag and allocation from the measured effectiveness."""
    known, actuator, effect = axes(brief.table.observed), brief.table.action.signals[0], brief.effect
    gravity = -effect.free
    allocation = np.linalg.pinv(effect.gain)
    settle_s = effect.lag_s + 1.5 * brief.dt_s
    rate = 0.7 / settle_s
    tilt, velocity, climb = rate / 2.5, rate / 6.0, rate / 2.0
    descent = 2.5 * brief.height_m / brief.duration_s
    # The turning that one rotor alone can give bounds what an integral may ever have to carry.
    spin_max = float(np.max(np.abs(effect.gain[1:3])) * effect.trim**effect.exponent)
    constants = [
        Constant("position_per_s", velocity / 3.0, "velocity from a position error"),
        Constant("sideways_mps", 0.5 * brief.height_m, "largest sideways velocity wanted", tuned=False),
        Constant("velocity_per_s", velocity, "sideways acceleration from a velocity error"),
        Constant("velocity_integral_per_s2", velocity**2 / 4.0, "and from its integral"),
        Constant("climb_per_s", climb, "vertical acceleration from a velocity error"),
        Constant("climb_integral_per_s2", climb**2 / 4.0, "and from its integral"),
        Constant("trim_max_mps2", 0.5 * gravity, "clamp of these integrals", tuned=False),
        Constant("lean_max_mps2", 0.3 * gravity, "largest sideways acceleration wanted"),
        Constant("tilt_per_s", tilt, "body rate from a tilt error"),
        Constant("yaw_per_s", tilt / 3.0, "body rate from a heading error"),
        Constant("rate_per_s", rate, "angular acceleration from a rate error"),
        Constant("rate_integral_per_s2", rate * tilt, "and from its integral"),
        Constant("yaw_share", 0.3, "how much of both about the vertical axis, where rotors are weak"),
        Constant("spin_max_radps2", spin_max, "clamp of that integral", tuned=False),
        Constant("descent_mps", descent, "largest descent rate"),
        Constant("approach_per_s", 6.0 / brief.duration_s, "descent rate for each metre of height"),
        Constant("touchdown_mps", 0.5 * descent, "descent rate at the ground"),
        Constant("ground_m", 0.1 * brief.height_m, "lower than this may be the ground", tuned=False),
        Constant("light_share", 0.6, "a lift below this share of the weight does not fly", tuned=False),
        Constant("sinking_share", 0.5, "sinking slower than this share of the touchdown rate is standing", tuned=False),
        Constant("cutoff_s", 6.0 * brief.dt_s, "standing for so long: landed"),
        Constant("gravity_mps2", gravity, "free fall", tuned=False),
        Constant("hover_radps", effect.trim, "rotor speed that holds the height", tuned=False),
        Constant("allocation", allocation.tolist(), "rotor command for each demand", tuned=False),
    ]
    root = "jnp.sqrt(jnp.maximum(power, 0.0))" if effect.exponent == 2 else "power"
    target = f'obs["{known.reference.key}"]' if known.reference is not None else "jnp.zeros(3)"
    keys = {"height": known.height, "velocity": known.velocity, "attitude": known.attitude, "turning": known.turning}
    body = _BODY.format(
        **{name: signal.key for name, signal in keys.items() if signal is not None},
        position=known.position.key if known.position is not None else "",
        target=target,
        exponent=effect.exponent,
        root=root,
        action=actuator.key,
        low=float(actuator.low),
        high=float(actuator.high),
    )
    vectors, scalars = ("trim_mps2", "spin_radps2"), ("standing_s", "landed")
    memory = [(key, "jnp.zeros(3)") for key in vectors] + [(key, "jnp.zeros(())") for key in scalars]
    text = write(brief, _ABOUT, constants, memory, body, before=_HELPERS)
    tuned = tuple(c.name for c in constants if c.tuned)
    return Draft(text, tuned, "A PID cascade with landing cut-off takes its place")


CASCADE = Family("multirotor-cascade", fits, design)
