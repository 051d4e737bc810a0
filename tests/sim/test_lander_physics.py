"""The lander in PyBullet against NeuroJIT's recurrence and the rocket equation."""

import math

import numpy as np
import pytest

EXHAUST_MPS = 300.0 * 9.80665
MOON, MARS, EARTH = 1.62, 3.711, 9.80665


@pytest.mark.parametrize(
    ("gravity", "height", "ticks"), [(MOON, 100.0, 60), (MARS, 100.0, 48), (EARTH, 1000.0, 120), (0.01, 100.0, 90)]
)
def test_against_neurojits_recurrence(lander, gravity, height, ticks):
    """v <- v - g dt, h <- h + v dt with dt = 0.1 s from -10 m/s, as long as nothing is touched: the same numbers."""
    chosen = lander.scenario(
        seconds=ticks / 10, control_hz=10, physics_hz=10, altitude_m=height, environment={"gravity_mps2": gravity}
    )
    log = lander.fly(chosen, [0.0])
    assert log.contact.max() == 0 and log.fuel[-1] == 300.0
    v, h = -10.0, height
    for tick in range(1, len(log.truth)):
        v -= gravity * 0.1
        h += v * 0.1
        assert log.velocity[tick] == pytest.approx(v, abs=1e-9)
        assert log.altitude[tick] == pytest.approx(h, abs=1e-9)


@pytest.mark.parametrize("gravity", [MOON, MARS])
def test_the_recurrence_with_the_engine_on(lander, gravity):
    """The mass is that at the start of the period: v <- v + (F / m - g) dt, h <- h + v dt, m <- m - F dt / (Isp g0)."""
    chosen = lander.scenario(
        seconds=20, control_hz=10, physics_hz=10, altitude_m=2000.0, environment={"gravity_mps2": gravity}
    )
    thrusts = np.random.default_rng(8).uniform(0.0, 5000.0, (chosen.duration_ticks, 1))
    log = lander.fly(chosen, thrusts)
    assert log.contact.max() == 0
    v, h, m = -10.0, 2000.0, 1000.0
    for tick, (thrust,) in enumerate(thrusts, start=1):
        v += (thrust / m - gravity) * 0.1
        h += v * 0.1
        m -= thrust * 0.1 / EXHAUST_MPS
        assert log.velocity[tick] == pytest.approx(v, abs=1e-9)
        assert log.altitude[tick] == pytest.approx(h, abs=1e-9)
        assert log.fuel[tick] == pytest.approx(m - 700.0, abs=1e-9)


def test_no_thrust_crashes_at_the_known_speed(lander):
    log = lander.fly(lander.scenario(seconds=8), [0.0])
    assert log.touchdown_speed[-1] == pytest.approx(math.sqrt(10**2 + 2 * 1.62 * 100), abs=0.02)
    first = int(np.argmax(log.contact))
    assert abs(log.velocity[first]) < 2.0
    assert log.altitude[-1] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("gravity", [MOON, MARS, EARTH])
def test_fuel_burns_and_the_craft_gets_lighter(lander, gravity):
    """The rocket equation, v = Isp g0 ln(m0 / m1) - g t.

    The mass follows the fuel once a control period T, so it is up to T's fuel too much, half of that in the mean: what
    is missing of the speed is F T / 2 (1 / m1 - 1 / m0) to first order.
    """
    environment = {"gravity_mps2": gravity}
    chosen = lander.scenario(seconds=20, altitude_m=2000.0, velocity_mps=0.0, environment=environment)
    log = lander.fly(chosen, [5000.0])
    burned = 5000.0 / EXHAUST_MPS * 20.0
    assert log.fuel[-1] == pytest.approx(300.0 - burned, rel=1e-9)
    gained = EXHAUST_MPS * math.log(1000.0 / (1000.0 - burned)) - gravity * 20.0
    late = 5000.0 * 0.1 / 2.0 * (1.0 / (1000.0 - burned) - 1.0 / 1000.0)
    assert gained - log.velocity[-1] == pytest.approx(late, rel=1e-2)


def test_an_empty_tank_gives_no_thrust(lander):
    chosen = lander.scenario(seconds=4, altitude_m=1000.0, velocity_mps=0.0, fuel_kg=1.0)
    log = lander.fly(chosen, [5000.0])
    assert log.fuel[-1] == 0.0
    assert log.velocity[-1] - log.velocity[-11] == pytest.approx(-1.62, abs=1e-9)


def test_a_command_beyond_the_engine_gives_full_thrust_and_no_more(lander):
    chosen = lander.scenario(seconds=1)
    full = lander.fly(chosen, [5000.0]).truth
    assert np.array_equal(lander.fly(chosen, [9000.0]).truth, full)


def test_landed_after_a_soft_touchdown_with_the_engine_off(lander):
    log = lander.fly(lander.scenario(seconds=6, altitude_m=0.5, velocity_mps=0.0), [0.0])
    assert 0.5 < log.touchdown_speed[-1] < 1.5
    assert log.landed[-1] == 1
    idling = lander.fly(lander.scenario(seconds=6, altitude_m=0.1, velocity_mps=0.0), [800.0])
    assert idling.contact[-1] == 1
    assert idling.landed.max() == 0
