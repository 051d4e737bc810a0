"""What the planar lander's fallback promises: upright and softly down from wherever a flight has come."""

import math
from pathlib import Path

import numpy as np
import pytest

from healing_runtime import tensorlang
from healing_runtime.loop import rollout

FALLBACK = Path(__file__).resolve().parents[2] / "controllers/lander_planar/level_descent.py"


@pytest.fixture(scope="module")
def fly(lander_planar):
    """(initial state[, faults]) -> the true signals of a flight, by name."""
    robot = lander_planar.robot
    program = tensorlang.compile(tensorlang.load(FALLBACK), robot, control_hz=20)

    def flight(initial, faults=()):
        chosen = lander_planar.scenario(seconds=60, faults=faults, **initial)
        flown = rollout.fly(lander_planar.plant, program, rollout.FlightPlan(chosen, chosen.seed))
        assert flown.tripped == ()
        return {name: flown.trace.true[:, columns] for name, columns in robot.signals.true.slices.items()}

    return flight


def states():
    """Leaning by up to 40 degrees and turning, 4 m/s sideways, sinking as fast as 2 m/s2 can still brake."""
    rng = np.random.default_rng(32)
    for _ in range(10):
        falling = rng.uniform(-2.0, 10.0)
        yield {
            "position_m": (rng.uniform(-50.0, 50.0), falling**2 / 4.0 + rng.uniform(25.0, 80.0)),
            "velocity_mps": (rng.uniform(-4.0, 4.0), -falling),
            "pitch_deg": rng.uniform(-40.0, 40.0),
            "pitch_rate_radps": rng.uniform(-0.3, 0.3),
            "fuel_kg": rng.uniform(50.0, 300.0),
        }


def test_it_comes_down_upright_and_softly_wherever_it_is(fly):
    leaning = 0
    for initial in states():
        true = fly(initial)
        assert true["landed"][-1] == 1.0
        assert 0.0 < true["touchdown_speed"].max() < 1.5
        assert true["touchdown_sideways"].max() < 0.5
        assert true["touchdown_tilt"].max() < math.radians(5.0)
        assert true["tilt"].max() < math.radians(70.0)
        leaning += true["tilt"][0] > math.radians(25.0)
    assert leaning >= 2


def test_a_wrong_position_does_not_mislead_it(fly):
    initial = next(states())
    faults = [("sensor_bias", {"signal": "position", "value": (60.0, -40.0)})]
    misled = fly(initial, faults)
    true = fly(initial)
    assert all(np.array_equal(true[name], misled[name]) for name in ("position", "pitch", "landed", "fuel"))
