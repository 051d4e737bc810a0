"""What the fallback controllers promise: from wherever a flight has come, a safe state, and nothing that misleads them.

The states are drawn with a seed; those that no fallback is made for (upside down, too low to brake) are not among them.
"""

import math
from pathlib import Path

import numpy as np
import pytest

from healing_runtime import tensorlang
from healing_runtime.loop import rollout

ROOT = Path(__file__).resolve().parents[2]
DRAWS = 32
FALLBACK = {"quadrotor": "level_descent", "lander": "sink", "cartpole": "hold"}
COURSE = {
    "quadrotor": {"seconds": 9},
    "lander": {"seconds": 50, "physics_hz": 50},
    "cartpole": {"seconds": 8},
}
UNUSED = {
    "quadrotor": {"position": (3.0, -2.0, 1.0), "altitude": 4.0},
    "lander": {"altitude": 40.0, "fuel": -90.0},
    "cartpole": {"cart_position": 0.7},
}
"""Errors of the sensors that a fallback does without."""


class Flight:
    """Columns of the true signals over a flight, and its commands."""

    def __init__(self, robot, flight):
        self.tripped = flight.tripped
        self.commands = flight.trace.action[:-1]
        self._true, self._slices = flight.trace.true, robot.signals.true.slices

    def __getattr__(self, name):
        return self._true[:, self._slices[name]].squeeze(axis=-1)


@pytest.fixture(scope="module")
def fly(request):
    """(robot's name, initial state[, faults]) -> Flight with the fallback; each is compiled once."""
    built = {}

    def flight(name, initial, faults=()):
        bench = request.getfixturevalue(name)
        chosen = bench.scenario(faults=faults, **COURSE[name], **initial)
        if name not in built:
            controller = tensorlang.load(ROOT / f"controllers/{name}/{FALLBACK[name]}.py")
            built[name] = tensorlang.compile(controller, bench.robot, control_hz=chosen.control_hz)
        return Flight(bench.robot, rollout.fly(bench.plant, built[name], rollout.FlightPlan(chosen, chosen.seed)))

    return flight


def quadrotor_states(rng):
    """Mid-flight anywhere: tilted by up to 30 degrees, turning, 1 m/s sideways, half a metre up and more."""
    for _ in range(DRAWS):
        tilt_deg, towards, speed_mps, course = rng.uniform((0, -math.pi, 0, -math.pi), (30, math.pi, 1, math.pi))
        roll_deg, pitch_deg = tilt_deg * math.cos(towards), tilt_deg * math.sin(towards)
        yield {
            "position_m": tuple(rng.uniform((-5.0, -5.0, 0.5), (5.0, 5.0, 1.5))),
            "velocity_mps": (speed_mps * math.cos(course), speed_mps * math.sin(course), rng.uniform(-0.5, 0.5)),
            "attitude_rpy_deg": (roll_deg, pitch_deg, rng.uniform(-180.0, 180.0)),
            "angular_velocity_radps": tuple(rng.uniform(-2.0, 2.0, 3)),
        }


def lander_states(rng):
    """Rising, or falling at up to 15 m/s with the height that it takes to brake by 3 m/s2."""
    for _ in range(DRAWS):
        velocity_mps = rng.uniform(-15.0, 5.0)
        least_m = velocity_mps**2 / (2.0 * 3.0)
        yield {
            "altitude_m": least_m + rng.uniform(5.0, 60.0),
            "velocity_mps": velocity_mps,
            "fuel_kg": rng.uniform(50.0, 300.0),
        }


def cartpole_states(rng):
    """Leaning by up to 15 degrees and moving, the cart anywhere in the middle metre."""
    for _ in range(DRAWS):
        position_m, velocity_mps, angle_deg, rate_radps = rng.uniform(-1.0, 1.0, 4) * (0.5, 0.5, 15.0, 0.5)
        yield {
            "cart_position_m": position_m,
            "cart_velocity_mps": velocity_mps,
            "pole_angle_deg": angle_deg,
            "pole_rate_radps": rate_radps,
        }


STATES = {"quadrotor": quadrotor_states, "lander": lander_states, "cartpole": cartpole_states}


def states(name):
    return STATES[name](np.random.default_rng(32))


def test_the_quadrotor_comes_down_level_and_softly_wherever_it_is(fly):
    tilted = 0
    for initial in states("quadrotor"):
        flight = fly("quadrotor", initial)
        assert flight.tripped == ()
        assert flight.landed[-1] == 1.0 and not flight.commands[-1].any()
        assert 0.0 < flight.touchdown_speed.max() < 0.3
        assert flight.tilt.max() < math.radians(35.0)
        assert flight.tilt[flight.altitude < 0.3].max() < math.radians(15.0)
        cut = np.argmax(~flight.commands.any(axis=1))
        assert flight.altitude[cut] < 0.01
        tilted += flight.tilt[0] > math.radians(20.0)
    assert tilted >= 5


def test_the_lander_brakes_and_sinks_to_the_ground(fly):
    fast = 0
    for initial in states("lander"):
        flight = fly("lander", initial)
        assert flight.tripped == ()
        assert flight.landed[-1] == 1.0 and flight.commands[-1] == 0.0
        assert 0.0 < flight.touchdown_speed.max() < 3.0
        fast += initial["velocity_mps"] < -8.0
    assert fast >= 5


def test_the_cart_keeps_the_pole_up_and_comes_to_rest(fly):
    for initial in states("cartpole"):
        flight = fly("cartpole", initial)
        assert flight.tripped == () and not flight.contact.any()
        assert np.abs(flight.pole_angle).max() < math.radians(20.0)
        assert np.abs(flight.cart_position).max() < 2.2
        assert np.abs(flight.pole_angle[-50:]).max() < 1e-3 and np.abs(flight.cart_velocity[-50:]).max() < 1e-3


@pytest.mark.parametrize("name", FALLBACK)
def test_what_it_does_not_use_cannot_mislead_it(fly, name):
    initial = next(states(name))
    wrong = [("sensor_bias", {"signal": signal, "value": value}, 0) for signal, value in UNUSED[name].items()]
    assert np.array_equal(fly(name, initial, wrong).commands, fly(name, initial).commands)
