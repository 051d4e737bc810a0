"""Why nobody lands in the quadrotor's scenarios that are labelled `no`: what is missing, computed for every controller.

A controller is any choice of rotor speeds within their limits, by anything that is sensed. A flight that keeps the
promises is less from upright than they say, so no thrust points down, and no thrust is above that of full speed with
all of the ground effect. Rotor drag is bounded by its coefficients at full speed. The bounds hold for the scenario as
written or, where they speak of what is drawn, for its neighbourhood. The same computation gives way for milder numbers.
"""

import dataclasses
import math

import numpy as np
import pytest

from healing_runtime import workspace
from healing_runtime.core.perturb import draw
from healing_runtime.language import controller, source, trace

from .hangar import ROOT
from .promises import Promises, sim_module
from .proofs import proves

LANDING = "quadrotor/landing"
"""The promises, and the mission's name in the file."""
HOME = workspace.open(ROOT)
PROMISED = Promises(HOME, LANDING)
OVER_TARGET = ("position", "reference_position")
TILT = PROMISED.below("tilt", "tilt")
TOUCHDOWN_MPS = PROMISED.below("touchdown-speed", "touchdown_speed")
NEAR_MPS, NEAR_M = PROMISED.below("descent-near-ground", "descent_rate"), PROMISED.near("on-the-pad", "altitude")
CORRIDOR_M, PAD_M = PROMISED.below("corridor", *OVER_TARGET), PROMISED.below("on-the-pad", *OVER_TARGET)
CEILING_M = PROMISED.below("ceiling", "altitude")
CONTROL_HZ = 48
touchdown = sim_module(HOME, "quadrotor", "touchdown")
QUIET_MPS, QUIET_THRUST = touchdown.QUIET_SPEED_MPS, touchdown.QUIET_THRUST_TO_WEIGHT
QUIET_TICKS = round(touchdown.QUIET_TIME_S * CONTROL_HZ)
"""Landed: this many ticks in a row in contact, slow, and with less thrust than this share of the weight."""


@pytest.fixture(scope="module")
def body():
    """The constants of the robot's own module."""
    return sim_module(HOME, "quadrotor", "crazyflie")


@pytest.fixture(scope="module")
def load(hangar):
    """A scenario, with other parameters in its first fault or in its environment."""

    def changed(name, environment=None, **parameters):
        scenario = hangar.scenario(name)
        assert (scenario.assertions, scenario.mission, scenario.control_hz) == ((LANDING,), "landed", CONTROL_HZ)
        assert scenario.reference["position_m"][:2] == (0.0, 0.0)
        if environment:
            return dataclasses.replace(scenario, environment={**scenario.environment, **environment})
        if not parameters:
            return scenario
        first = scenario.faults[0]
        first = dataclasses.replace(first, parameters={**first.parameters, **parameters})
        return dataclasses.replace(scenario, faults=(first, *scenario.faults[1:]))

    return changed


def parameters(scenario, kind):
    """Of a fault that is on from t = 0 to the end; nothing where the scenario has none of the kind."""
    found = [f for f in scenario.faults if f.kind == kind]
    assert all((f.start_step, f.until_step, f.ramp_steps) == (0, None, 0) for f in found)
    return found[0].parameters if found else {}


# ---------------------------------------------------------------- bounds that the promises and the rotors give
def ground_factor(body, scenario):
    """The most by which the pad multiplies thrust: at the height below which it no longer grows."""
    strength = scenario.environment["ground_effect"] * body.GROUND_EFFECT * (body.PROPELLER_RADIUS_M / 4.0) ** 2
    return 1.0 + strength / body.GROUND_EFFECT_FLOOR_M**2


def most_thrust_n(body, scenario):
    """Four rotors as fast as they can turn."""
    ceiling = parameters(scenario, "rpm_ceiling").get("value", math.inf)
    fastest = min(body.MAX_RADPS, ceiling * body.HOVER_RADPS)
    return 4.0 * body.THRUST_NS2 * fastest**2 * ground_factor(body, scenario)


def drag_per_s(body, mass_kg):
    """Rotor drag's deceleration over speed, at full speed of all rotors."""
    return body.DRAG_Z * 4.0 * body.MAX_RADPS / mass_kg


def tilted_drag_n(body, sideways_mps):
    """The most of rotor drag that a sideways speed turns up or down, for drag differs along and across the rotors."""
    return (body.DRAG_Z - body.DRAG_XY) * 4.0 * body.MAX_RADPS * sideways_mps * math.sin(TILT)


def standing_m(scenario, body):
    """Height of the lowest point at t = 0."""
    return scenario.initial["position_m"][2] - body.HALF_EXTENTS_M[2]


def slowest_touchdown_mps(body, scenario):
    """A lower bound on the speed at the first contact; 0 where the thrust is enough to stop.

    Downward acceleration is never below `a - c v`, so the speed at a height is never below what `v dv = (a - c v) dh`
    gives from rest. Rotors that are faster at first than they can stay have come down after six time constants; by
    then it has fallen `6²/2 g lag²` at most, with no upward speed left where it passes that height.
    """
    mass_kg = body.MASS_KG + parameters(scenario, "payload").get("mass_kg", 0.0)
    gravity = scenario.environment["gravity_mps2"]
    pressed = parameters(scenario, "downwash").get("value", 0.0) * body.MASS_KG * gravity / mass_kg
    thrust_mps2, c = most_thrust_n(body, scenario) / mass_kg, drag_per_s(body, mass_kg)
    settled_s = 6.0 * body.ROTOR_LAG_S if parameters(scenario, "rpm_ceiling") else 0.0
    down_mps2 = gravity + pressed - thrust_mps2 * (1.0 + math.exp(-6.0)) ** 2
    height_m, v, dh = standing_m(scenario, body) - 0.5 * gravity * settled_s**2, 0.0, 1e-4
    if down_mps2 <= 0.0:
        return 0.0
    sideways_mps = thrust_mps2 * math.sin(TILT) * (settled_s + 2.0 * math.sqrt(2.0 * height_m / down_mps2))
    down_mps2 -= tilted_drag_n(body, sideways_mps) / mass_kg
    for _ in range(int(height_m / dh)):
        v = math.sqrt(max(v * v + 2.0 * dh * (down_mps2 - c * v), 0.0))
    return v


def earliest_down_s(body, scenario, pulled_mps2=0.0):
    """No touchdown before: free fall to where it is near the ground, and there no faster than is promised."""
    fall_m = standing_m(scenario, body) - NEAR_M
    return math.sqrt(2.0 * fall_m / (scenario.environment["gravity_mps2"] + pulled_mps2)) + NEAR_M / NEAR_MPS


def moved_m(a_mps2, c_per_s, t_s):
    """Way from rest under an acceleration, with drag."""
    return a_mps2 * (t_s / c_per_s - (1.0 - math.exp(-c_per_s * t_s)) / c_per_s**2)


# ---------------------------------------------------------------- wrenches
FALLING = {
    "quadrotor/landing_speed_ceiling_low": {"value": 1.0},
    "quadrotor/landing_overloaded": {"mass_kg": 0.0216},
    "quadrotor/landing_pressed_down": {"value": 0.9},
    "quadrotor/landing_crushing_gravity": {"environment": {"gravity_mps2": 19.0}},
}
"""And a milder number, with which the same computation forbids nothing."""


@proves(*FALLING)
def test_full_thrust_does_not_stop_the_fall(name, body, load, quadrotor):
    scenario = load(name)
    least = slowest_touchdown_mps(body, scenario)
    assert least > 2.0 * TOUCHDOWN_MPS
    assert slowest_touchdown_mps(body, load(name, **FALLING[name])) == 0.0
    log = quadrotor.fly(scenario, np.full(4, body.MAX_RADPS))
    assert log.touchdown_speed.max() > least


@proves("quadrotor/landing_torn_away")
def test_sideways_thrust_within_the_tilt_does_not_hold_against_the_pull(name, body, load):
    def leaves_s(scenario):
        """When it is out of the corridor, whatever is done; infinite where the thrust can hold it."""
        pull_n = parameters(scenario, "side_force")["force_n"][0]
        a, c = (pull_n - most_thrust_n(body, scenario) * math.sin(TILT)) / body.MASS_KG, drag_per_s(body, body.MASS_KG)
        room_m = CORRIDOR_M - scenario.initial["position_m"][0]
        times = np.arange(1, scenario.duration_ticks + 1) / scenario.control_hz
        return next((t for t in times if a > 0.0 and moved_m(a, c, t) > room_m), math.inf)

    scenario = load(name)
    assert leaves_s(scenario) < 0.7 * earliest_down_s(body, scenario)
    assert leaves_s(load(name, force_n=(0.0636, 0.0, 0.0))) == math.inf


@proves("quadrotor/landing_carried_up")
def test_nothing_but_drag_holds_down_what_is_pulled_up(name, body, load):
    def at_the_ceiling_s(scenario):
        """When it is at the ceiling at the latest; infinite where weight can hold it."""
        pull_n = parameters(scenario, "side_force")["force_n"][2]
        sideways_mps = most_thrust_n(body, scenario) * math.sin(TILT) / body.MASS_KG * 1.0  # within the second
        a = (pull_n - tilted_drag_n(body, sideways_mps)) / body.MASS_KG - scenario.environment["gravity_mps2"]
        room_m, c = CEILING_M - standing_m(scenario, body), drag_per_s(body, body.MASS_KG)
        times = np.arange(1, scenario.duration_ticks + 1) / scenario.control_hz
        return next((t for t in times if a > 0.0 and moved_m(a, c, t) > room_m), math.inf)

    assert at_the_ceiling_s(load(name)) < 1.0
    assert at_the_ceiling_s(load(name, force_n=(0.0, 0.0, 0.16))) == math.inf


@proves("quadrotor/landing_ice")
def test_on_ice_what_stands_slides(name, body, load):
    """Landed is contact, slowly, for half a second; with so little thrust gravity alone changes the speed by more."""

    def changes_mps(scenario):
        assert parameters(scenario, "friction_drop") == {"value": 0.0}
        slope, g = math.radians(parameters(scenario, "slope")["value_deg"]), scenario.environment["gravity_mps2"]
        drag = drag_per_s(body, body.MASS_KG) * QUIET_MPS
        return ((math.sin(slope) - QUIET_THRUST) * g - drag) * (QUIET_TICKS - 1) / scenario.control_hz

    assert changes_mps(load(name)) > 3.0 * (2.0 * QUIET_MPS)
    assert changes_mps(load(name, value_deg=12.0)) < 2.0 * QUIET_MPS


# ---------------------------------------------------------------- information
@proves("quadrotor/landing_blind")
def test_nothing_that_is_sensed_tells_which_way_it_is_pushed(name, body, load, quadrotor):
    """Readings in the air are the same for all pushes, so actions are: where two flights go, they go apart."""
    scenario = load(name)
    assert scenario.environment["ground_effect"] == 0.0
    assert {f.parameters["signal"] for f in scenario.faults[:3]} == {"position", "velocity", "altitude"}

    def pushed(force_n):
        last = dataclasses.replace(scenario.faults[3], parameters={"force_n": force_n})
        return dataclasses.replace(scenario, faults=(*scenario.faults[:3], last))

    def passing_share(span_n):
        """The most of a push's range that one answer may do for: at touchdown all of these are over the pad."""
        earliest = earliest_down_s(body, scenario, pulled_mps2=span_n / 2.0 / body.MASS_KG) - 0.1  # drawn lower, faster
        apart_m = moved_m(1.0 / body.MASS_KG, drag_per_s(body, body.MASS_KG), earliest)
        return min(2.0 * PAD_M / apart_m / span_n, 1.0)

    (drawn,) = [d for key, d in scenario.perturb.faults.items() if key.endswith("force_n")]
    assert passing_share(drawn.high - drawn.low) < 0.6 < scenario.acceptance.min_pass_rate
    assert passing_share(0.02) == 1.0

    actions = np.full((60, 4), 0.98 * body.HOVER_RADPS) + np.random.default_rng(3).normal(0.0, 3.0, (60, 4))
    left, right = (
        quadrotor.fly(dataclasses.replace(pushed((f, 0.0, 0.0)), duration_ticks=60), actions) for f in (-0.08, 0.08)
    )
    assert not left.contact.any() and not right.contact.any()
    assert np.array_equal(left.observed, right.observed)
    t_s = 60 / scenario.control_hz
    least_m = moved_m(0.16 / body.MASS_KG, drag_per_s(body, body.MASS_KG), t_s)
    assert np.linalg.norm(right.position[-1] - left.position[-1]) > least_m > CORRIDOR_M


@pytest.fixture(scope="module")
def promised(hangar, quadrotor):
    """(altitude reading) -> whether the given controller's own promise holds; no patch may drop it."""
    text = hangar.home.controller("quadrotor/landing_pid").text
    parsed = source.parse(text, name="given", path="given.py")
    (promise,) = parsed.contract
    traced = trace.trace(controller.load(parsed), quadrotor.robot.signals, 1.0 / CONTROL_HZ)
    place = quadrotor.robot.signals.observed.slices["altitude"]

    def holds(reading_m):
        row = np.zeros(quadrotor.robot.signals.observed.size)
        row[place] = reading_m
        action = {"rotor_speed_radps": np.zeros(4)}
        state = traced.state0
        return bool(traced.contract(traced.obs(row), state, action, state, traced.params)[promise.label].ok)

    return holds


@proves("quadrotor/landing_altimeter_low")
def test_standing_on_the_pad_breaks_the_promise_of_an_altimeter_that_reads_too_low(name, load, promised):
    bias = parameters(load(name), "sensor_bias")
    assert bias["signal"] == "altitude"
    assert not any(promised(standing_m + bias["value"]) for standing_m in (-0.02, 0.0, 0.02))
    assert promised(-0.3)


@proves("quadrotor/landing_altimeter_drift")
def test_at_the_end_even_the_ceiling_reads_too_low(name, load, promised):
    scenario = load(name)
    (fault,) = scenario.faults
    assert fault.kind == "sensor_drift" and fault.parameters["signal"] == "altitude" and fault.until_step is None

    def error_m(rate):
        drifting_s = scenario.duration_ticks / scenario.control_hz - fault.start_step / scenario.physics_hz
        return rate * drifting_s

    assert not any(promised(altitude + error_m(fault.parameters["rate"])) for altitude in np.linspace(-0.02, CEILING_M))
    assert promised(error_m(-0.05))


@proves("quadrotor/landing_altimeter_noise")
def test_a_landing_takes_more_readings_than_noise_leaves_alone(name, load, promised):
    """A controller that knows nothing of noise to come has this chance at most, whenever it lands."""
    scenario = load(name)
    rng = np.random.default_rng(5)
    drawn = [parameters(draw(scenario, rng), "sensor_noise") for _ in range(200)]
    assert {d["signal"] for d in drawn} == {"altitude"}
    lowest = next(r for r in np.arange(-2.0, 0.0, 0.001) if promised(r))

    def chance(sigma_m):
        one = 0.5 * math.erfc(lowest / sigma_m / math.sqrt(2.0))
        return one**QUIET_TICKS

    assert max(chance(d["value"]) for d in drawn) < 0.5 < scenario.acceptance.min_pass_rate
    assert chance(0.1) > scenario.acceptance.min_pass_rate


def test_a_flight_that_keeps_the_promises_is_upright_and_slow_near_the_ground_wherever_that_is_said():
    """What the bounds take for granted of the figures that they read."""
    assert 0.0 < TILT < 0.5 * math.pi
    assert {PROMISED.near(p, "altitude") for p in ("descent-near-ground", "on-the-pad")} == {NEAR_M}
