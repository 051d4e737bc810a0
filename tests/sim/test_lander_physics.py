"""The lander in PyBullet against NeuroJIT's recurrence and the rocket equation."""

import math

import numpy as np
import pytest


def test_against_neurojits_recurrence(lander):
    """v <- v - g dt, h <- h + v dt with dt = 0.1 s from 100 m at -10 m/s, as long as nothing is touched."""
    chosen = lander.scenario(seconds=6, control_hz=10, physics_hz=10)
    log = lander.fly(chosen, [0.0])
    v, h = -10.0, 100.0
    for tick in range(1, len(log.truth)):
        v -= 1.62 * 0.1
        h += v * 0.1
        assert log.velocity[tick] == pytest.approx(v, abs=1e-9)
        assert log.altitude[tick] == pytest.approx(h, abs=1e-9)


def test_no_thrust_crashes_at_the_known_speed(lander):
    log = lander.fly(lander.scenario(seconds=8), [0.0])
    assert log.touchdown_speed[-1] == pytest.approx(math.sqrt(10**2 + 2 * 1.62 * 100), abs=0.02)
    first = int(np.argmax(log.contact))
    assert abs(log.velocity[first]) < 2.0
    assert log.altitude[-1] == pytest.approx(0.0, abs=1e-3)


def test_fuel_burns_and_the_craft_gets_lighter(lander):
    chosen = lander.scenario(seconds=20, altitude_m=1000.0, velocity_mps=0.0)
    log = lander.fly(chosen, [5000.0])
    burned = 5000.0 / (300.0 * 9.80665) * 20.0
    assert log.fuel[-1] == pytest.approx(300.0 - burned, rel=1e-9)
    gained = 300.0 * 9.80665 * math.log(1000.0 / (1000.0 - burned)) - 1.62 * 20.0
    assert log.velocity[-1] == pytest.approx(gained, rel=1e-3)


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
