"""Records for the gate's tests: a robot, its scenarios, its controllers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from healing_runtime.core import codec
from healing_runtime.core.errors import Location
from healing_runtime.core.records import (
    Acceptance,
    AssertionFile,
    AssertionText,
    Distribution,
    Incident,
    Perturbation,
    Policy,
    Proposal,
    Scenario,
    Snapshot,
    Source,
)
from healing_runtime.core.status import Severity, Status
from healing_runtime.gate.records import Context, Course
from healing_runtime.workspace.plants import load_robot

SIM = Path(__file__).parent / "sim"
TABLE = load_robot("hopper", SIM).signals

TEMPLATE = '''"""Hold an altitude."""
import jax.numpy as jnp

PARAMS = {{"kp": {kp}, "kd": {kd}, "target_m": {target}, "hover_n": {hover}}}


def init(params):
    return {{"previous_m": jnp.asarray(2.0)}}


def control(obs, state, params):
    error = params["target_m"] - obs["altitude_m"]
    climb_mps = (obs["altitude_m"] - state["previous_m"]) / obs["dt_s"]
    thrust = params["hover_n"] + params["kp"] * error - params["kd"] * climb_mps
    action = {{"thrust_n": {output}}}
    assert action["thrust_n"] <= 20.0, "thrust inside its limit"
    return action, {{"previous_m": obs["altitude_m"]}}
'''


def controller(kp=6.0, kd=4.0, target=2.0, hover=5.0, output="jnp.clip(thrust, 0.0, 20.0)"):
    return TEMPLATE.format(kp=kp, kd=kd, target=target, hover=hover, output=output)


GOOD = controller()
DROPS = controller(kp=0.0, kd=0.0, hover=0.0)


def source(text, name="hopper/hold"):
    return Source(name, f"{name}.py", text, codec.digest(text))


def assertions(floor="1 m", ceiling="3 m"):
    where = Location("hopper.yaml", 3, 14)
    return AssertionFile(
        name="hopper/hold",
        path="hopper.yaml",
        sha256=codec.digest([floor, ceiling]),
        robot="hopper",
        assertions=(
            AssertionText("above-floor", f"always (altitude > {floor})", where),
            AssertionText("below-ceiling", f"always (altitude < {ceiling})", where),
            AssertionText("holds", "eventually[1 s, 2 s] (abs(velocity) < 0.1 m/s)", where, mission=True),
        ),
    )


ACCEPTANCE = {"min_robustness": 0.02, "samples": 40, "min_pass_rate": 0.9, "confidence": 0.9}


def scenario(
    name="hopper/hold", policy: Any = "rewind", seed=7, altitude=2.0, spread=0.05, trouble="", **acceptance: Any
):
    wanted: dict[str, Any] = {**ACCEPTANCE, **acceptance}
    return Scenario(
        name=name,
        robot="hopper",
        controller="hopper/hold",
        assertions=("hopper/hold",),
        mission="holds",
        duration_ticks=100,
        control_hz=50,
        physics_hz=50,
        seed=seed,
        initial={"altitude_m": altitude, "velocity_mps": 0.0},
        environment={"gravity_mps2": 5.0, "trouble": trouble},
        perturb=Perturbation(initial={"altitude_m": Distribution("normal", scale=spread)}),
        policy=Policy(on_violation=policy),
        acceptance=Acceptance(**wanted),
    )


def troubled(scenario, trouble):
    """The same scenario on a plant that misbehaves."""
    return dataclasses.replace(scenario, environment={**scenario.environment, "trouble": trouble})


def course(files=None, **kwargs):
    return Course(scenario(**kwargs), (files or assertions(),))


def context(original=DROPS, regressions=(), **kwargs):
    return Context(course(**kwargs), source(original), TABLE, str(SIM), tuple(regressions))


def proposal(text: Any, kind: Any = "file") -> Proposal:
    return Proposal("It fell.", kind, text)


def incident(tick=31, id="i-1"):
    """The original lets go: altitude falls below 1 m after 0.62 s."""
    snapshot = Snapshot(tick, "", np.zeros((tick, 1)), ())
    return Incident(id, "above-floor", "altitude > 1 m", "", Severity.CRITICAL, Status.FALSE, tick, -0.01, snapshot)
