"""The pad against closed forms: how high a body bounces, and on which slope it slides."""

import math

import numpy as np
import pytest

MOON = 1.62
PUSHED_OUT = 0.08
"""Share of the depth that Bullet takes out in a step, as a speed (its erp2)."""


@pytest.mark.parametrize("restitution", [0.25, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("physics_hz", [240, 960])
def test_a_flat_fall_bounces_as_high_as_its_restitution_says(lander, restitution, physics_hz):
    """e of the speed is given back, e^2 of the height.

    The body is stopped in the step after that in which it met the pad, by then at a depth of at most v dt. Bullet adds
    a share of depth / dt to the speed: at most 8 % of the speed of impact, whatever the step.
    """
    drop = 2.0
    chosen = lander.scenario(
        seconds=4, control_hz=physics_hz, physics_hz=physics_hz, altitude_m=drop, velocity_mps=0.0,
        environment={"pad": {"restitution": restitution}},
    )  # fmt: skip
    log = lander.fly(chosen, [0.0])
    first = int(np.argmax(log.contact))
    impact = math.sqrt(2.0 * MOON * drop)
    assert log.touchdown_speed[first] == pytest.approx(impact, abs=MOON / physics_hz)
    depth = -log.altitude[first - 1]
    assert 0.0 <= depth < impact / physics_hz
    arriving = -log.velocity[first - 1] + MOON / physics_hz
    leaving = restitution * arriving + PUSHED_OUT * depth * physics_hz
    assert log.velocity[first] == pytest.approx(leaving, rel=1e-4)
    ballistic = log.altitude[first] + leaving**2 / (2.0 * MOON)
    highest = log.altitude[first : first + 3 * physics_hz].max()
    assert highest == pytest.approx(ballistic, abs=leaving / physics_hz)
    assert restitution**2 * drop - leaving / physics_hz < highest < (restitution + PUSHED_OUT) ** 2 * drop + 0.01


@pytest.mark.parametrize("impact", [0.03, 0.1, 0.19])
def test_a_slow_fall_bounces_too(lander, impact):
    """From the speed on that gravity gives in two steps; here that is 0.0135 m/s."""
    drop = impact**2 / (2.0 * MOON)
    chosen = lander.scenario(
        seconds=1, control_hz=240, altitude_m=drop, velocity_mps=0.0, environment={"pad": {"restitution": 0.8}}
    )
    log = lander.fly(chosen, [0.0])
    first = int(np.argmax(log.contact))
    arriving = -log.velocity[first - 1]
    assert arriving == pytest.approx(impact, abs=2.0 * MOON / 240)
    assert 0.8 * arriving - 1e-6 < log.velocity[first] < (0.8 + PUSHED_OUT) * (arriving + MOON / 240)


@pytest.mark.parametrize("restitution", [0.3, 0.5])
def test_what_bounces_comes_to_rest(quadrotor, restitution):
    """It does not rattle on the pad without end."""
    environment = {"pad": {"restitution": restitution}}
    start = {"position_m": (0, 0, 0.05), "attitude_rpy_deg": (3, 2, 0)}
    log = quadrotor.fly(quadrotor.scenario(seconds=5, environment=environment, **start), np.zeros(4))
    assert log.landed[-1] == 1
    assert log.speed[-48:].max() < 1e-3


def test_a_flat_fall_sets_nothing_spinning(quadrotor):
    """Four corners touch at once; one alone would turn the body over."""
    chosen = quadrotor.scenario(seconds=1, control_hz=240, position_m=(0, 0, 0.3), environment={"ground_effect": 0.0})
    log = quadrotor.fly(chosen, np.zeros(4))
    assert log.touchdown_speed[-1] > 2.0
    assert np.abs(log.angular_velocity).max() < 0.05
    assert np.abs(log.velocity[:, :2]).max() < 1e-3


SLOPE = math.radians(10.0)


def sliding(bench, friction):
    """A flight of a body that lies flat on a slope, and its speed downhill; gravity is the robot's."""
    nx, nz = math.sin(SLOPE), math.cos(SLOPE)
    environment = {"pad": {"slope_deg": 10.0, "friction": friction}}
    if bench.robot.name == "quadrotor":
        start = {"position_m": (0.0126 * nx, 0, 0.0126 * nz), "attitude_rpy_deg": (0, 10, 0)}
        environment["ground_effect"] = 0.0
        log = bench.fly(bench.scenario(seconds=2, environment=environment, **start), [0.0] * 4)
        return log, nz * log.velocity[:, 0] - nx * log.velocity[:, 2]
    start = {"position_m": (1.0005 * nx, 1.0005 * nz), "velocity_mps": (0.0, 0.0), "pitch_deg": 10.0}
    log = bench.fly(bench.scenario(seconds=3, environment=environment, **start), [0.0, 0.0])
    return log, nz * log.velocity[:, 0] - nx * log.velocity[:, 1]


@pytest.mark.parametrize(("name", "gravity", "control_hz"), [("quadrotor", 9.80665, 48), ("lander_planar", MOON, 20)])
def test_it_slides_where_the_slope_is_steeper_than_the_friction(request, name, gravity, control_hz):
    """Slides if and only if tan(slope) > friction, and then with g (sin - friction cos).

    The body is put down half a hair above the slope; what it does until it lies flat is no sliding. A contact that
    opens for a step takes its friction with it, hence a hundredth.
    """
    bench = request.getfixturevalue(name)
    steepest = math.tan(SLOPE)
    for share in (0.6, 0.95):
        log, speed = sliding(bench, share * steepest)
        half = len(speed) // 2
        grown = (speed[-1] - speed[half]) * control_hz / (len(speed) - 1 - half)
        assert grown == pytest.approx(gravity * math.sin(SLOPE) * (1.0 - share), rel=1e-2)
        assert log.contact[half:].min() == 1
    for share in (1.05, 2.0):
        log, speed = sliding(bench, share * steepest)
        assert np.abs(speed[len(speed) // 2 :]).max() < 1e-3
        assert log.landed[-1] == 1
