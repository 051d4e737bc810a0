"""Why nobody lands in the lander's scenarios that are labelled `no`: what is missing, computed for every controller.

A controller is any choice of thrust in every physics step. In the plant's recurrence, thrust adds upward speed at once
and height ever after, and a lighter craft gains more by it. So no course is above that of full thrust, flown by a craft
that is as light as full thrust so far would have made it; and no course is below that of free fall.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from healing_runtime import workspace
from healing_runtime.language import controller, source, trace

from .promises import Promises, sim_module
from .proofs import proves

ROOT = Path(__file__).resolve().parents[2]
HOME = workspace.open(ROOT)
TOUCHDOWN_MAX_MPS = {
    file: Promises(HOME, file).below("touchdown-speed", "touchdown_speed")
    for file in ("lander/landing", "lander/low_fuel")
}
lander_body = sim_module(HOME, "lander", "lander_body")
DRY_MASS_KG = lander_body.DRY_MASS_KG
EXHAUST_MPS = 1.0 / lander_body.FUEL_PER_NS
"""A newton second burns 1 / EXHAUST_MPS kg."""


@pytest.fixture(scope="module")
def home():
    return HOME


def touchdown_max_mps(scenario):
    """What the scenario's own promises allow."""
    return TOUCHDOWN_MAX_MPS[scenario.assertions[0]]


def course(scenario, thrust_n):
    """(speeds up, heights) after each physics step of the run, on the course that is above all with such an engine."""
    dt_s, steps = 1.0 / scenario.physics_hz, scenario.duration_ticks * scenario.substeps
    initial, gravity = scenario.initial, scenario.environment["gravity_mps2"]
    burnt_kg = np.minimum(thrust_n * dt_s * np.arange(1, steps + 1) / EXHAUST_MPS, initial["fuel_kg"])
    force_n = np.where(burnt_kg < initial["fuel_kg"], thrust_n, 0.0)
    mass_kg = DRY_MASS_KG + initial["fuel_kg"] - burnt_kg
    speeds = initial["velocity_mps"] + np.cumsum(dt_s * (force_n / mass_kg - gravity))
    return speeds, initial["altitude_m"] + np.cumsum(dt_s * speeds)


def engine(lander, scenario):
    """The most thrust that is left in a scenario whose engine is weak from the start, N."""
    (fault,) = scenario.faults
    assert (fault.kind, fault.start_step, fault.until_step) == ("force_saturation", 0, None)
    return fault.parameters["value"] * lander.robot.signals.action.high[0]


@proves("lander/landing_engine_too_weak")
def test_an_engine_that_is_too_weak_cannot_stop(name, home, lander):
    scenario = home.scenario(name).scenario
    speeds, heights = course(scenario, engine(lander, scenario))
    # Whatever is flown is below this course, so it has touched by the time that this one does; up to then, even this
    # one is too fast at every step.
    latest = int(np.argmax(heights <= 0.0))
    assert heights[latest] <= 0.0 and latest < len(heights) - scenario.physics_hz
    assert speeds[: latest + 1].max() < -touchdown_max_mps(scenario) - 4.0


def test_the_course_above_all_is_that_of_the_plant_at_full_thrust(home, lander):
    """The bound is not only sound but near: the plant itself, flown at full thrust, keeps just below it."""
    scenario = home.scenario("lander/landing_engine_too_weak").scenario
    log = lander.fly(scenario, [5000.0])
    speeds, heights = course(scenario, engine(lander, scenario))
    down = int(np.argmax(log.contact)) - 1
    ticks = np.arange(1, down) * scenario.substeps - 1
    assert (log.velocity[1:down] <= speeds[ticks] + 1e-9).all()
    assert (log.altitude[1:down] <= heights[ticks] + 1e-6).all()
    assert log.velocity[1:down] == pytest.approx(speeds[ticks], abs=0.01)
    assert log.touchdown_speed.max() > touchdown_max_mps(scenario) + 4.0


@proves("lander/landing_dry_tank")
def test_a_tank_that_is_too_small_cannot_stop(name, home):
    """Thrust only delays the touchdown, so the fall has added at least what free fall adds; the fuel takes less off."""
    scenario = home.scenario(name).scenario
    assert scenario.faults == ()
    falling, heights = course(scenario, 0.0)
    earliest = int(np.argmax(heights <= 0.0))
    assert heights[earliest] <= 0.0
    most_mps = EXHAUST_MPS * scenario.initial["fuel_kg"] / DRY_MASS_KG  # a craft without fuel is the lightest
    assert -falling[earliest - 1] - most_mps > touchdown_max_mps(scenario) + 2.0


@proves("lander/landing_altimeter_low")
def test_an_altimeter_that_reads_too_low_calls_every_landing_insane(name, home, lander):
    """Standing on the pad itself breaks the controller's promise, whatever is commanded, and no patch may drop it."""
    scenario = home.scenario(name).scenario
    (fault,) = scenario.faults
    assert fault.kind == "sensor_bias" and fault.until_step is None
    parsed = source.parse(home.controller(scenario.controller).text, name="given", path="given.py")
    (promise,) = parsed.contract
    assert not {"action", "state", "next_state", "params", "velocity_mps", "fuel_kg"} & set(
        re.findall(r"\w+", promise.text)
    )
    traced = trace.trace(controller.load(parsed), lander.robot.signals, scenario.dt_s)
    state = traced.state0
    for standing_m in (-0.05, 0.0, 0.05):
        obs = traced.obs(np.array([standing_m + fault.parameters["value"], 0.0, 200.0]))
        margin = traced.contract(obs, state, {"thrust_n": 0.0}, state, traced.params)[promise.label]
        assert margin.rho < 0.0 and not margin.ok
