"""What counts as landed, and as contact."""

import math

import numpy as np
import pybullet as bullet
import pytest

from healing_runtime.core.errors import InputError


def lying(bench, roll_deg, slope_deg=0.0):
    """A flight of a body that lies still on the pad, turned by so much from where its up is the pad's."""
    if bench.robot.name == "quadrotor":
        start = {"position_m": (0.0, 0.0, 0.0125), "attitude_rpy_deg": (roll_deg, slope_deg, 0.0)}
    else:
        slope = math.radians(slope_deg)
        start = {"position_m": (math.sin(slope), math.cos(slope)), "pitch_deg": roll_deg + slope_deg}
        start["velocity_mps"] = (0.0, 0.0)
    chosen = bench.scenario(seconds=2, environment={"pad": {"slope_deg": slope_deg, "friction": 1.5}}, **start)
    return bench.fly(chosen, np.zeros(bench.robot.signals.action.size))


@pytest.mark.parametrize("name", ["quadrotor", "lander_planar"])
def test_what_lies_on_its_roof_has_not_landed(request, name):
    bench = request.getfixturevalue(name)
    for roll_deg, landed in ((0.0, 1), (180.0, 0)):
        log = lying(bench, roll_deg)
        assert log.contact[-1] == 1 and log.speed[-1] < 0.01
        assert log.landed[-1] == landed


def test_a_lander_that_tumbles_down_a_slope_to_its_roof_has_not_landed(lander):
    """Thirty degrees and a grip that does not let it slide."""
    chosen = lander.scenario(seconds=60, altitude_m=10.0, velocity_mps=-3.0, environment={
        "pad": {"slope_deg": 30.0, "friction": 1.5},
    })  # fmt: skip
    log = lander.fly(chosen, [0.0])
    qx, qy, _, _ = lander.plant._pose.q_xyzw
    assert 1.0 - 2.0 * (qx * qx + qy * qy) < -0.8, "it lies on its roof"
    assert log.contact[-1] == 1 and log.speed[-1] < 1e-3
    assert log.landed.max() == 0


@pytest.mark.parametrize("slope_deg", [20.0, -20.0])
def test_upright_is_counted_from_the_pads_normal(lander_planar, slope_deg):
    """A body that lies flat on the pad has landed, whatever its tilt in the world."""
    assert lying(lander_planar, 0.0, slope_deg).landed[-1] == 1


@pytest.mark.parametrize(("name", "start", "slope_deg", "said"), [
    ("quadrotor", {"position_m": (0.0, 0.0, -3.0)}, 0.0, r"initial\.position_m: .* altitude of -3\.01\d* m.* higher"),
    ("quadrotor", {"position_m": (0.0, 0.0, 0.0114)}, 0.0, r"altitude of -0\.0011 m"),
    ("lander_planar", {"position_m": (-20.0, 3.0)}, 20.0, "inside the pad"),
    ("quadrotor", {"position_m": (0.0, -3001.0, 9.0)}, 0.0, r"within 3000 m .* ends 5000 m"),
    ("lander_planar", {"position_m": (4000.0, 90.0)}, 0.0, "within 3000 m"),
])  # fmt: skip
def test_a_start_inside_the_pad_or_far_beside_it_is_refused(request, name, start, slope_deg, said):
    bench = request.getfixturevalue(name)
    chosen = bench.scenario(environment={"pad": {"slope_deg": slope_deg}}, **start)
    with pytest.raises(InputError, match=said):
        bench.plant.reset(chosen, 0)


def test_a_start_on_the_pad_is_not(quadrotor):
    for height in (0.0125, 0.0116):
        quadrotor.plant.reset(quadrotor.scenario(position_m=(0.0, 0.0, height)), 0)


UPHILL = {
    "quadrotor": {"position_m": (0.0, 0.0, 0.1), "attitude_rpy_deg": (0, 30, 0), "velocity_mps": (-3.0, 0.0, 1.7)},
    "lander_planar": {"position_m": (0.0, 2.0), "velocity_mps": (-3.0, 1.7), "pitch_deg": 30.0},
    "lander": {"altitude_m": 1.0, "velocity_mps": -1.0},
}


@pytest.mark.parametrize("name", UPHILL)
@pytest.mark.parametrize("thrust", [0.0, 0.2])
def test_contact_on_a_slope_is_what_bullet_calls_contact(request, name, thrust):
    """At every physics step of a slide uphill, a stop, a tumble: its own contact forces are the oracle."""
    bench = request.getfixturevalue(name)
    environment = {"pad": {"slope_deg": 30.0, "friction": 2.0}}
    chosen = bench.scenario(seconds=4, control_hz=240, environment=environment, **UPHILL[name])
    plant, body, client = bench.plant, bench.plant._body, bench.plant._world.client
    action = thrust * bench.robot.signals.action.high
    action[1:] *= name == "quadrotor"
    plant.reset(chosen, 0)
    seen, unlike = 0, []
    for tick in range(chosen.duration_ticks):
        plant.apply(action)
        plant.step()
        pushed = sum(c[9] for c in bullet.getContactPoints(body.id, body.pad, physicsClientId=client))
        if plant._touchdown.contact != (pushed > 2.4e-4 * plant._mass_kg):  # the push, 1e-6 m/s in a step, as a force
            unlike.append((tick, pushed))
        seen += plant._touchdown.contact
    assert unlike == []
    assert seen > 100


@pytest.mark.parametrize("name", ["quadrotor", "lander_planar"])
def test_the_touchdown_speed_on_a_slope_is_the_speed_into_it(request, name):
    """Sideways into a slope of 30 degrees: sin 30 of the speed, though it does not sink."""
    bench = request.getfixturevalue(name)
    velocity = {"quadrotor": (-4.0, 0.0, 0.0), "lander_planar": (-4.0, 0.0)}[name]
    position = {"quadrotor": (0.0, 0.0, 0.4), "lander_planar": (0.0, 4.0)}[name]
    environment = {"pad": {"slope_deg": 30.0}, "gravity_mps2": 0.01}
    log = bench.fly(
        bench.scenario(seconds=2, position_m=position, velocity_mps=velocity, environment=environment),
        np.zeros(bench.robot.signals.action.size),
    )
    assert log.touchdown_speed.max() == pytest.approx(4.0 * math.sin(math.radians(30.0)), abs=0.05)
