"""A lander that falls, in a workspace of one's own: nothing heals it, and a fallback lands it."""

from __future__ import annotations

from healing_runtime import workspace
from healing_runtime.supervisor.runtime import Runtime

JUDGE = """robot: lander
assertions:
  - {id: slow-high-up, formula: always (altitude > 80 m implies descent_rate < 12.5 m/s), rationale: Radar.}
  - {id: gentle, formula: always (touchdown_speed < 5 m/s), rationale: The legs break.}
mission:
  - {id: landed, formula: "eventually[0 s, 40 s] landed"}
"""
FLY = """robot: lander
controller: lander/falls
assertions: [own]
mission: landed
duration: 40 s
rates: {control_hz: 10, physics_hz: 100}
initial: {altitude_m: 100, velocity_mps: -10, fuel_kg: 300}
policy: {on_violation: freeze, max_attempts: 3, fallback: FALLBACK}
acceptance: {neighbourhood: {samples: 12, min_pass_rate: 0.7}, regressions: false}
"""
FALLS = '''"""No thrust; its own assertion is broken on the way down."""
import jax.numpy as jnp

PARAMS = {"thrust": 0.0, "none": 0.0}


def init(params):
    return {"flown_s": 0.0, "height_m": 0.0}


def control(obs, state, params):
    assert obs["altitude_m"] > 86.0, "still high"
    thrust = params["thrust"] + params["none"] * (state["flown_s"] + state["height_m"])
    return {"thrust_n": thrust}, {"flown_s": state["flown_s"] + obs["dt_s"], "height_m": obs["altitude_m"]}
'''
WAITS = '''"""Brake below 75 m only: above, it breaks an assertion of the scenario. It remembers three heights."""
import jax.numpy as jnp

PARAMS = {"sink_mps": 2.4, "none": 0.0}


def init(params):
    return {"flown_s": 0.0, "height_m": jnp.zeros(3)}


def control(obs, state, params):
    share = jnp.clip(0.5 - obs["velocity_mps"] - params["sink_mps"], 0.0, 1.0)
    wait = params["none"] * (state["flown_s"] + jnp.sum(state["height_m"]))
    thrust = 5000.0 * jnp.where(obs["altitude_m"] < 75.0, share, wait)
    return {"thrust_n": thrust}, {"flown_s": state["flown_s"] + obs["dt_s"], "height_m": state["height_m"] + 1.0}
'''


def falling_in(folder):
    """Write a workspace of one's own; what is given, `made(fallback)`, opens it. Its runs share one folder, and with it
    what was compiled.
    """
    for name, text in (
        ("assertions/own.yaml", JUDGE),
        ("controllers/lander/falls.py", FALLS),
        ("controllers/lander/falls_too.py", FALLS),
        ("controllers/lander/waits.py", WAITS),
        ("controllers/lander/lost.py", WAITS.replace("share, wait", "share, wait / wait")),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "scenarios/lander").mkdir(parents=True)

    def open_with(fallback="lander/waits"):
        text = FLY.replace("FALLBACK", fallback) if fallback else FLY.replace(", fallback: FALLBACK", "")
        (folder / "scenarios/lander/own.yaml").write_text(text)
        return workspace.open(folder)

    return open_with


def run(home, **how):
    return Runtime("lander/own", workspace=home, **how).run()
