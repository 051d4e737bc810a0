"""A new workspace: the smallest one that flies."""

from __future__ import annotations

from pathlib import Path

from healing_runtime.core.errors import InputError

_CONTROLLER = '''\
"""Brake so that the descent rate shrinks with the height, and cut the engine on the ground."""

import jax.numpy as jnp

PARAMS = {"gain_per_s": 1.5, "slope_per_s": 0.12, "touchdown_mps": 1.0}

GRAVITY_MPS2 = 1.62
DRY_MASS_KG = 700.0


def init(params):
    return {}


def control(obs, state, params):
    wanted_mps = -(params["touchdown_mps"] + params["slope_per_s"] * jnp.maximum(obs["altitude_m"], 0.0))
    mass_kg = DRY_MASS_KG + obs["fuel_kg"]
    thrust_n = mass_kg * (GRAVITY_MPS2 + params["gain_per_s"] * (wanted_mps - obs["velocity_mps"]))
    thrust_n = jnp.where(obs["altitude_m"] > 0.05, thrust_n, 0.0)
    action = {"thrust_n": jnp.clip(thrust_n, 0.0, 5000.0)}
    assert action["thrust_n"] <= 5000.0, "thrust inside its limit"
    return action, state
'''

_ASSERTIONS = """\
# What must never happen, and what must be achieved. `heal check` reads this file with its units and signals.
robot: lander
constants:
  v_touchdown_max: 5 m/s
assertions:
  - id: soft-touchdown
    requirement: FIRST-001
    severity: critical
    formula: always (touchdown_speed < v_touchdown_max)
    rationale: The legs are rated for 5 m/s.
mission:
  - id: landed
    formula: eventually[0 s, 40 s] landed
"""

_SCENARIO = """\
# A powered descent from 100 m. Fly it with: heal run lander/first
robot: lander
controller: lander/first
assertions: [lander/first]
mission: landed
duration: 40 s
rates: {control_hz: 10, physics_hz: 240}
seed: 1
policy: {on_violation: rewind}
"""

_GITIGNORE = "runs/\n"

FILES = {
    "controllers/lander/first.py": _CONTROLLER,
    "assertions/lander/first.yaml": _ASSERTIONS,
    "scenarios/lander/first.yaml": _SCENARIO,
    ".gitignore": _GITIGNORE,
}


def scaffold(folder: Path) -> list[Path]:
    """Write a workspace into a folder, which is made if it is missing. Returns the files written.

    Raises:
        InputError: one of the files is there already; nothing has been written.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder.")
    taken = [path for path in FILES if (folder / path).exists()]
    if taken:
        raise InputError(f"{folder / taken[0]} is there already; give an empty folder.")
    for path, text in FILES.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return [folder / path for path in FILES]
