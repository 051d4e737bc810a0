"""The land detector and the touchdown on the plants themselves: what counts as landed, and what as one touchdown."""

import math

import numpy as np
import pytest

HOVER, MASS, G = 1515.6443359717355, 0.027, 9.80665
SLIPPERY = {"pad": {"friction": 0.0}, "ground_effect": 0.0}


@pytest.mark.parametrize(("motion", "landed"), [
    ({"velocity_mps": (0.05, 0.0, 0.0)}, 1), ({"velocity_mps": (0.15, 0.0, 0.0)}, 0),
    ({"angular_velocity_radps": (0.0, 0.0, 0.25)}, 1), ({"angular_velocity_radps": (0.0, 0.0, 0.5)}, 0),
])  # fmt: skip
def test_what_slides_or_turns_on_has_not_landed(quadrotor, motion, landed):
    """Nothing holds it on a pad without friction: it lies flat and keeps its speed, on either side of the limit."""
    chosen = quadrotor.scenario(seconds=2, position_m=(0, 0, 0.01251), environment=SLIPPERY, **motion)
    log = quadrotor.fly(chosen, np.zeros(4))
    ((name, given),) = motion.items()
    kept = {"velocity_mps": log.velocity, "angular_velocity_radps": log.angular_velocity}[name]
    assert kept[-1] == pytest.approx(given, abs=0.02)
    assert log.contact[-1] == 1
    assert log.landed[-1] == landed


@pytest.mark.parametrize(("share", "payload_kg", "gravity", "landed"), [
    (0.25, 0.0, G, 1), (0.4, 0.0, G, 0), (0.4, MASS, G, 1), (0.25, -0.5 * MASS, G, 0), (0.4, 0.0, 2.0 * G, 1),
    (0.25, 0.0, 0.5 * G, 0),
])  # fmt: skip
def test_the_quadrotors_thrust_counts_over_the_weight_that_it_has_there(quadrotor, share, payload_kg, gravity, landed):
    """`share` is of the weight that it has alone, under standard gravity."""
    faults = [("payload", {"mass_kg": payload_kg})] if payload_kg else []
    environment = {"gravity_mps2": gravity, "ground_effect": 0.0}
    chosen = quadrotor.scenario(seconds=2, position_m=(0, 0, 0.0126), environment=environment, faults=faults)
    log = quadrotor.fly(chosen, np.full(4, math.sqrt(share) * HOVER))
    assert log.contact[-1] == 1
    assert log.landed[-1] == landed


@pytest.mark.parametrize("name", ["lander", "lander_planar"])
@pytest.mark.parametrize(("thrust_n", "payload_kg", "gravity", "landed"), [
    (400.0, 0.0, 1.62, 1), (650.0, 0.0, 1.62, 0), (650.0, 500.0, 1.62, 1), (650.0, 0.0, 3.711, 1), (400.0, 0.0, 1.0, 0),
])  # fmt: skip
def test_a_landers_thrust_counts_over_the_weight_that_it_has_there(
    request, name, thrust_n, payload_kg, gravity, landed
):
    bench = request.getfixturevalue(name)
    start = {"position_m": (0.0, 1.001), "velocity_mps": (0.0, 0.0)}
    start = {"altitude_m": 0.001, "velocity_mps": 0.0} if name == "lander" else start
    faults = [("payload", {"mass_kg": payload_kg})] if payload_kg else []
    chosen = bench.scenario(seconds=3, environment={"gravity_mps2": gravity}, faults=faults, **start)
    log = bench.fly(chosen, [thrust_n, 0.0][: bench.robot.signals.action.size])
    assert log.contact[-1] == 1
    assert log.landed[-1] == landed


@pytest.mark.parametrize(("name", "drop_m", "gravity", "start"), [
    ("lander", 2.0, 1.62, {"altitude_m": 2.0, "velocity_mps": 0.0}),
    ("quadrotor", 6.0, G, {"position_m": (0.0, 0.0, 6.0125), "environment": {"ground_effect": 0.0}}),
])  # fmt: skip
def test_a_touchdown_after_a_long_flight_is_a_new_one_and_a_rebound_is_not(request, name, drop_m, gravity, start):
    """The second one is slower: thrown up again it falls from lower. Half a second in the air is what parts them."""
    bench = request.getfixturevalue(name)
    seen = []
    for restitution in (0.5, 0.05):
        environment = {**start.get("environment", {}), "pad": {"restitution": restitution}}
        chosen = bench.scenario(seconds=5, **{**start, "environment": environment})
        log = bench.fly(chosen, np.zeros(bench.robot.signals.action.size))
        first = int(np.argmax(log.contact))
        apart = first + int(np.argmax(log.contact[first:] == 0))
        again = apart + int(np.argmax(log.contact[apart:] == 1))
        seen.append((log.touchdown_speed[first], log.touchdown_speed[again], (again - first) / chosen.control_hz))
    (hard, soft, long_s), (once, same, short_s) = seen
    assert long_s > 0.6 and 0.0 < short_s < 0.4
    assert hard == pytest.approx(math.sqrt(2.0 * gravity * drop_m), rel=0.05)
    assert 0.0 < soft < 0.75 * hard
    assert once == same
