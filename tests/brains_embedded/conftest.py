"""A small robot of our own: a mass on one engine with a lag, above a pad."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest
from pydantic import BaseModel

from healing_runtime.core.errors import Location
from healing_runtime.core.plant import Robot, Twin
from healing_runtime.core.records import AssertionFile, AssertionText, Perturbation, RepairRequest, Scenario
from healing_runtime.core.signals import Layout, Signal, SignalTable

HZ = 10
MASS_KG, GRAVITY_MPS2, MAX_N, LAG_S = 8.0, 2.0, 60.0, 0.15

_OBSERVED = (Signal("altitude", "m", scale=5.0), Signal("velocity", "m/s", scale=2.0))
TABLE = SignalTable(
    observed=Layout(_OBSERVED),
    action=Layout((Signal("thrust", "N", low=0.0, high=MAX_N, scale=MAX_N),)),
    true=Layout((*_OBSERVED, Signal("touchdown_speed", "m/s", scale=2.0), Signal("landed"))),
)


def make_twin(scenario: Scenario) -> Twin:
    """State: height, speed, thrust, touchdown speed, time on the ground; the disturbance is the mass."""
    dt = 1.0 / scenario.control_hz

    def draw(key, strength):
        return MASS_KG * (1.0 + 0.1 * strength * jax.random.normal(key, ()))

    def init(key, mass):
        h = scenario.initial["altitude_m"] + 0.2 * jax.random.normal(key, ()) * jnp.abs(mass / MASS_KG - 1.0)
        return jnp.array([h, scenario.initial["velocity_mps"], 0.0, 0.0, 0.0])

    def step(state, action, mass):
        h, v, thrust, touchdown, still = state
        thrust = thrust + (action[0] - thrust) * (1.0 - jnp.exp(-dt / LAG_S))
        v = v + (thrust / mass - GRAVITY_MPS2) * dt
        h = h + v * dt
        down = h <= 0.0
        touchdown = jnp.where(down & (v < -0.01), jnp.maximum(touchdown, -v), touchdown)
        still = jnp.where(down & (thrust < 1.0), still + dt, 0.0)
        return jnp.array([jnp.maximum(h, 0.0), jnp.where(down, jnp.maximum(v, 0.0), v), thrust, touchdown, still])

    def observe(state, mass):
        return state[:2]

    def truth(state):
        return jnp.concatenate([state[:2], state[3:4], jnp.where(state[4:] > 0.45, 1.0, 0.0)])

    return Twin(draw, init, step, observe, truth)


class _Any(BaseModel):
    pass


ROBOT = Robot(
    name="hopper",
    description="one engine",
    signals=TABLE,
    initial=_Any,
    environment=_Any,
    reference=_Any,
    faults={},
    perturb=Perturbation(),
    make=lambda: None,  # type: ignore[arg-type, return-value]
    make_twin=make_twin,
)

FILE = AssertionFile(
    name="hopper/landing",
    path="assertions/hopper/landing.yaml",
    sha256="sha256:0",
    robot="hopper",
    constants={"v_max": "1 m/s"},
    assertions=(
        AssertionText("soft", "always (touchdown_speed < v_max)", Location("landing.yaml", 5, 14)),
        AssertionText("landed", "eventually (landed > 0.5)", Location("landing.yaml", 9, 14), mission=True),
    ),
)

TOO_FAST = '''"""Come down at a constant rate."""
import jax.numpy as jnp

PARAMS = {
    "hover_n": 16.0,  # kept
    "gain": 8.0,
    "descent_mps": 2.5,
    "off_m": 0.001,
}


def init(params):
    return {}


def control(obs, state, params):
    thrust = params["hover_n"] + params["gain"] * (-params["descent_mps"] - obs["velocity_mps"])
    thrust = jnp.where(obs["altitude_m"] < params["off_m"], 0.0, thrust)
    action = {"thrust_n": jnp.clip(thrust, 0.0, 60.0)}
    assert action["thrust_n"] <= 60.0, "thrust inside its limit"
    return action, state
'''

NO_THRUST = '''"""Nobody is flying."""
import jax.numpy as jnp


def init(params):
    return {}


def control(obs, state, params):
    action = {"thrust_n": 0.0 * obs["altitude_m"]}
    assert action["thrust_n"] <= 60.0, "thrust inside its limit"
    return action, state
'''


def request_for(source: str, **changes) -> RepairRequest:
    values = {
        "incident_id": "i1",
        "robot": "hopper",
        "controller": "hopper/pilot",
        "source": source,
        "assertion": "soft",
        "clause": "touchdown_speed < v_max",
        "english": "the touchdown speed stays below 1 m/s",
        "trip_tick": 40,
        "robustness": -1.0,
        "control_hz": HZ,
        "physics_hz": HZ,
        "duration_ticks": 20 * HZ,
        "dtype": "float32",
        "mission": "landed",
        "initial": {"altitude_m": 10.0, "velocity_mps": 0.0},
        "environment": {},
        "reference": {},
        "files": (FILE,),
        "log_ticks": (),
        "log": {},
        "margin_history": (),
        "localisation": (),
        "attempts": (),
        "seed": 7,
    }
    return RepairRequest(**(values | changes))


@pytest.fixture(scope="session")
def hopper() -> SimpleNamespace:
    """The robot, its files, sources and requests, under one name."""
    return SimpleNamespace(
        robot=ROBOT,
        table=TABLE,
        file=FILE,
        too_fast=TOO_FAST,
        no_thrust=NO_THRUST,
        request=request_for,
        hz=HZ,
        mass_kg=MASS_KG,
        gravity_mps2=GRAVITY_MPS2,
        lag_s=LAG_S,
    )
