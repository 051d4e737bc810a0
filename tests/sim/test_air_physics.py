"""What the air does to the quadrotor, against the closed forms of its drag and of its ground effect.

Drag is linear in the air speed and in the sum of the rotor speeds, so that a speed nears its final value as
exp(-t / tau) with tau = m / (c * sum). A step of h takes (1 - h / tau) of the rest where the closed form takes
exp(-h / tau): between the two there is at most h / (2 e tau) of the first difference, to first order.
"""

import math

import numpy as np
import pytest

MASS, G, DRAG_XY, DRAG_Z = 0.027, 9.80665, 9.1785e-7, 10.311e-7
THRUST = 3.16e-10 * (30.0 / math.pi) ** 2
HOVER = math.sqrt(MASS * G / (4.0 * THRUST))
PHYSICS_HZ = 240
RADIUS, GROUND = 0.0231348, 11.36859


def approach(t, first, final, tau):
    return final + (first - final) * np.exp(-t / tau)


def behind(first, final, tau):
    return 1.02 * abs(first - final) / (2.0 * math.e * tau * PHYSICS_HZ)


def test_falling_with_slow_rotors_it_nears_its_terminal_velocity(quadrotor):
    speed = 0.5 * HOVER
    tau = MASS / (DRAG_Z * 4.0 * speed)
    final = -(MASS * G - 4.0 * THRUST * speed**2) / (DRAG_Z * 4.0 * speed)
    chosen = quadrotor.scenario(seconds=70, control_hz=12, physics_hz=PHYSICS_HZ, position_m=(0, 0, 20000.0))
    log = quadrotor.fly(chosen, np.full(4, speed))
    vz, settled = log.velocity[:, 2], 12  # after a second the rotors have slowed down
    t = np.arange(len(vz) - settled) / 12
    assert np.abs(vz[settled:] - approach(t, vz[settled], final, tau)).max() < behind(vz[settled], final, tau)
    assert vz[-1] == pytest.approx(final, rel=1e-3)
    assert final == pytest.approx(-63.5, abs=0.1)


def test_wind_carries_it_along(quadrotor):
    """Sideways there is nothing but drag: it ends as fast as the air."""
    faults = [("wind", {"velocity_mps": (3.0, -2.0, 0.0)})]
    chosen = quadrotor.scenario(
        seconds=50, control_hz=12, physics_hz=PHYSICS_HZ, position_m=(0, 0, 500.0), faults=faults
    )
    log = quadrotor.fly(chosen, np.full(4, HOVER))
    t, tau = np.arange(len(log.truth)) / 12, MASS / (DRAG_XY * 4.0 * HOVER)
    for axis, wind in ((0, 3.0), (1, -2.0)):
        expected = approach(t, 0.0, wind, tau)
        assert np.abs(log.velocity[:, axis] - expected).max() < behind(0.0, wind, tau)
        assert log.velocity[-1, axis] == pytest.approx(wind, rel=1e-3)


@pytest.mark.parametrize("height_m", [0.013, 0.05, 0.1, 0.3])
@pytest.mark.parametrize("effect", [1.0, 2.5])
def test_the_ground_effect_at_a_height(quadrotor, height_m, effect):
    """The first step at hover speed: what lifts is k (r / 4 h)^2 of the weight, and no more below the floor."""
    chosen = quadrotor.scenario(
        seconds=0.01, control_hz=1000, physics_hz=1000, position_m=(0, 0, height_m),
        environment={"ground_effect": effect},
    )  # fmt: skip
    log = quadrotor.fly(chosen, np.full(4, HOVER))
    felt_m = max(height_m, 0.25 * RADIUS * math.sqrt(15.0 * GROUND / 4.0))
    assert log.velocity[1, 2] * 1000 == pytest.approx(effect * G * GROUND * (RADIUS / (4.0 * felt_m)) ** 2, rel=1e-9)
