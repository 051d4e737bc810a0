"""P, PD and PID on one vertical force: descend, touch down softly, cut off.

The inner variable is the climb rate. P holds one descent rate all the way; PD lets the descent rate shrink with the
height (which is a gain on height and one on its derivative); PID adds an integral with a clamp against wind-up.
"""

from __future__ import annotations

from healing_runtime.brains.embedded.families.family import Brief, Draft, Family
from healing_runtime.brains.embedded.families.writing import Constant, write
from healing_runtime.brains.embedded.identify import axes
from healing_runtime.core.signals import SignalTable

_BODY = """
height = obs["{height}"]
climb = obs["{climb}"]

{wanted}
error = wanted - climb
{command}
# On the ground and still: whatever the command was, it is over.
standing = jnp.logical_and(height < params["ground_m"], jnp.abs(climb) < params["standing_mps"])
standing_s = jnp.where(standing, state["standing_s"] + obs["dt_s"], 0.0)
landed = jnp.maximum(state["landed"], jnp.where(standing_s > params["cutoff_s"], 1.0, 0.0))
command = jnp.where(landed > 0.5, {rest!r}, command)
action = {{"{action}": jnp.clip(command, {low!r}, {high!r})}}
next_state = {{{memory}}}
"""

_ABOUT = {
    "p": "The force follows the error of the climb rate; the descent rate is the same all the way down.",
    "pd": "The force follows the error of the climb rate, and the descent rate shrinks with the height.",
    "pid": "The force follows the error of the climb rate and its integral; the descent rate shrinks with the height.",
}


def fits(table: SignalTable) -> bool:
    """One scalar force with limits, a measured height and a measured climb rate, and nothing that turns.

    What turns is not held by a force along one line: its first length is not a height.
    """
    known = axes(table.observed)
    actions = table.action.signals
    turns = any(signal.unit in ("rad", "rad/s") for signal in table.observed)
    if len(actions) != 1 or known.height is None or known.climb is None or turns:
        return False
    return actions[0].shape == () and actions[0].unit == "N" and abs(actions[0].high) < float("inf")


def _design(kind: str, brief: Brief) -> Draft:
    known, actuator, effect = axes(brief.table.observed), brief.table.action.signals[0], brief.effect
    assert known.height is not None and known.climb is not None
    settle_s = effect.lag_s + 1.5 * brief.dt_s
    force_per_accel = 1.0 / float(effect.gain[0, 0])
    descent = 2.0 * brief.height_m / brief.duration_s
    constants = [
        Constant("hover_n", effect.trim, "force that holds the height", tuned=False),
        Constant("climb_gain_ns_m", 0.5 / settle_s * force_per_accel, "force from an error of the climb rate"),
        Constant("descent_mps", descent if kind == "p" else 2.0 * descent, "largest descent rate"),
    ]
    memory = {"standing_s": "standing_s", "landed": "landed"}
    wanted = 'wanted = -params["descent_mps"]'
    command = 'command = params["hover_n"] + params["climb_gain_ns_m"] * error'
    if kind != "p":
        constants += [
            Constant("approach_per_s", 4.0 / brief.duration_s, "descent rate for each metre of height"),
            Constant("touchdown_mps", 0.25 * descent, "descent rate at the ground"),
        ]
        wanted = (
            'approach = params["touchdown_mps"] + params["approach_per_s"] * height\n'
            'wanted = -jnp.clip(approach, params["touchdown_mps"], params["descent_mps"])'
        )
    if kind == "pid":
        limit = 0.25 * actuator.high
        constants += [
            Constant("integral_gain_n_m", 0.1 / settle_s**2 * force_per_accel, "force from the integral of that error"),
            Constant("integral_max_n", limit, "clamp against wind-up"),
        ]
        command = (
            'step = params["integral_gain_n_m"] * error * obs["dt_s"]\n'
            'integral = jnp.clip(state["integral_n"] + step, -params["integral_max_n"], params["integral_max_n"])\n'
            + command
            + " + integral"
        )
        memory["integral_n"] = "integral"
    constants += [
        Constant("ground_m", 0.02 * brief.height_m, "lower than this may be the ground", tuned=False),
        Constant("standing_mps", 0.05 * descent, "slower than this is standing", tuned=False),
        Constant("cutoff_s", 5.0 * brief.dt_s, "standing for so long near the ground: landed", tuned=False),
    ]
    body = _BODY.format(
        height=known.height.key,
        climb=known.climb.key,
        wanted=wanted,
        command=command,
        action=actuator.key,
        rest=min(max(0.0, actuator.low), actuator.high),
        low=actuator.low,
        high=actuator.high,
        memory=", ".join(f'"{key}": {value}' for key, value in memory.items()),
    )
    text = write(brief, _ABOUT[kind], constants, [(key, "jnp.zeros(())") for key in memory], body)
    tuned = tuple(c.name for c in constants if c.tuned)
    return Draft(text, tuned, f"A {kind.upper()} on the climb rate takes its place")


P = Family("vertical-p", fits, lambda brief: _design("p", brief))
PD = Family("vertical-pd", fits, lambda brief: _design("pd", brief))
PID = Family("vertical-pid", fits, lambda brief: _design("pid", brief))
