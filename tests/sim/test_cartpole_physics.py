"""The cart and its pole in PyBullet against closed forms.

The integrator is of first order: what a closed form says holds but for a share of the step.
"""

import math

import numpy as np
import pytest

from healing_runtime.core.errors import InputError

CART, POLE, HALF, G = 1.0, 0.1, 0.5, 9.80665
ABOUT_PIVOT = 4.0 / 3.0 * POLE * HALF**2
FREED = (CART + POLE) * ABOUT_PIVOT - (POLE * HALF) ** 2
RATE = math.sqrt((CART + POLE) * POLE * HALF * G / FREED)
"""Rate at which a pole on a free cart falls over, and swings where it hangs."""


def energy(log):
    v, w, angle = log.cart_velocity, log.pole_rate, log.pole_angle
    moving = 0.5 * (CART + POLE) * v**2 + POLE * HALF * v * w * np.cos(angle) + 0.5 * ABOUT_PIVOT * w**2
    return moving + POLE * G * HALF * np.cos(angle)


def upward_crossings(t, x):
    """Times at which x passes zero upwards, interpolated."""
    at = np.flatnonzero((x[:-1] < 0.0) & (x[1:] >= 0.0))
    return t[at] - x[at] * (t[at + 1] - t[at]) / (x[at + 1] - x[at])


def complete_elliptic(k):
    """K(k) by the arithmetic-geometric mean."""
    a, b = 1.0, math.sqrt(1.0 - k * k)
    while abs(a - b) > 1e-15:
        a, b = 0.5 * (a + b), math.sqrt(a * b)
    return math.pi / (2.0 * a)


def test_a_pole_that_stands_straight_stays(cartpole):
    log = cartpole.fly(cartpole.scenario(seconds=2, pole_angle_deg=0.0), [0.0])
    assert np.abs(log.truth[:, :4]).max() < 1e-12


@pytest.mark.parametrize("force_n", [1.0, -7.5])
def test_a_force_accelerates_cart_and_pole_as_it_should(cartpole, force_n):
    chosen = cartpole.scenario(seconds=0.01, control_hz=1000, physics_hz=1000, pole_angle_deg=0.0)
    log = cartpole.fly(chosen, [force_n])
    assert log.cart_velocity[1] * 1000 == pytest.approx(force_n * ABOUT_PIVOT / FREED, rel=1e-9)
    assert log.pole_rate[1] * 1000 == pytest.approx(-force_n * POLE * HALF / FREED, rel=1e-9)


def test_a_push_on_the_pole_is_a_force_at_its_middle(cartpole):
    faults = [("push", {"force_n": 2.0})]
    chosen = cartpole.scenario(seconds=0.01, control_hz=1000, physics_hz=1000, pole_angle_deg=0.0, faults=faults)
    log = cartpole.fly(chosen, [0.0])
    # A force at the middle of a free rod would not turn it; here the cart holds its lower end back.
    assert log.cart_velocity[1] * 1000 == pytest.approx(2.0 * (ABOUT_PIVOT - POLE * HALF**2) / FREED, rel=1e-9)
    assert log.pole_rate[1] * 1000 == pytest.approx(2.0 * HALF * CART / FREED, rel=1e-9)


def test_a_leaning_pole_falls_at_its_own_rate(cartpole):
    chosen = cartpole.scenario(seconds=0.6, control_hz=100, physics_hz=2000, pole_angle_deg=0.05)
    log = cartpole.fly(chosen, [0.0])
    t = np.arange(len(log.truth)) / 100
    assert log.pole_angle == pytest.approx(math.radians(0.05) * np.cosh(RATE * t), rel=5e-3)


def test_small_swings_of_the_hanging_pole(cartpole):
    chosen = cartpole.scenario(seconds=12, control_hz=200, physics_hz=1000, pole_angle_deg=179.0)
    log = cartpole.fly(chosen, [0.0])
    t = np.arange(len(log.truth)) / 200
    period = np.diff(upward_crossings(t, log.pole_angle - math.pi)).mean()
    assert period == pytest.approx(2.0 * math.pi / RATE, rel=2e-4)


def test_wide_swings_on_a_cart_that_hardly_moves(cartpole):
    """A pendulum with a fixed pivot: T = 4 sqrt(J / (m g l)) K(sin(amplitude / 2))."""
    chosen = cartpole.scenario(
        seconds=12, control_hz=200, physics_hz=1000, pole_angle_deg=60.0, faults=[("payload", {"mass_kg": 9999.0})]
    )
    log = cartpole.fly(chosen, [0.0])
    t = np.arange(len(log.truth)) / 200
    period = np.diff(upward_crossings(t, log.pole_angle - math.pi)).mean()
    slow = 4.0 * math.sqrt(ABOUT_PIVOT / (POLE * G * HALF))
    assert period == pytest.approx(slow * complete_elliptic(math.sin(math.radians(60.0))), rel=5e-4)


def test_nothing_brakes(cartpole):
    """Energy and the momentum along the rail: Bullet's default damping would have taken most of both by now.

    What the energy loses is the integrator's: half of it with half the step, and so nothing with none.
    """
    lost = []
    for physics_hz in (500, 1000):
        log = cartpole.fly(
            cartpole.scenario(seconds=20, control_hz=50, physics_hz=physics_hz, pole_angle_deg=100.0), [0.0]
        )
        assert log.contact.max() == 0, "the cart must stay between the buffers"
        share = (energy(log) - energy(log)[0]) / (POLE * G * HALF)
        lost.append(share[-250:].mean() - share[:250].mean())
        momentum = (CART + POLE) * log.cart_velocity + POLE * HALF * log.pole_rate * np.cos(log.pole_angle)
        assert np.abs(momentum).max() < 2e-2 * (POLE * HALF * np.abs(log.pole_rate).max())
    assert max(map(abs, lost)) < 1e-2
    assert abs(2.0 * lost[1] - lost[0]) < 5e-4


def test_the_buffers_stop_the_cart(cartpole):
    start = {"cart_position_m": 2.3, "cart_velocity_mps": 3.0, "pole_angle_deg": 180.0}
    log = cartpole.fly(cartpole.scenario(seconds=1, **start), [0.0])
    assert log.contact.max() == 1
    assert 2.4 < log.cart_position.max() < 2.4 + 3.0 * math.sqrt(1.1 / 5000.0)
    assert -3.0 < log.cart_velocity.min() < -0.3, "it bounces, and loses some of its speed"
    assert log.contact_speed[-1] == pytest.approx(3.0, abs=0.1)
    mirrored = cartpole.fly(cartpole.scenario(seconds=1, **{k: -v for k, v in start.items()}), [0.0])
    assert mirrored.cart_position == pytest.approx(-log.cart_position, abs=1e-9)


def test_a_touch_between_two_ticks_is_seen(cartpole):
    chosen = cartpole.scenario(seconds=1, control_hz=5, physics_hz=1000, cart_position_m=2.39, cart_velocity_mps=1.0)
    log = cartpole.fly(chosen, [0.0])
    assert np.abs(log.cart_position).max() < 2.4, "the samples must not show it"
    assert log.contact[1] == 1
    assert log.contact[2] == 0
    assert log.contact_speed[1] == pytest.approx(1.0, abs=0.02)


def test_the_motor_gives_no_more_than_it_can(cartpole):
    chosen = cartpole.scenario(seconds=0.4)
    full = cartpole.fly(chosen, [10.0])
    assert np.array_equal(cartpole.fly(chosen, [25.0]).truth, full.truth)
    assert full.motor_force[-1] == 10.0
    weak = cartpole.fly(cartpole.scenario(seconds=0.4, faults=[("force_saturation", {"value": 0.3})]), [-25.0])
    assert weak.motor_force[-1] == pytest.approx(-3.0, rel=1e-12)


def test_a_heavier_pole_is_heavier_and_keeps_its_shape(cartpole):
    heavy = [("pole_mass", {"mass_kg": 0.6})]
    chosen = cartpole.scenario(seconds=0.01, control_hz=1000, physics_hz=1000, pole_angle_deg=0.0, faults=heavy)
    log = cartpole.fly(chosen, [1.0])
    about = 4.0 / 3.0 * 0.6 * HALF**2
    freed = (CART + 0.6) * about - (0.6 * HALF) ** 2
    assert log.cart_velocity[1] * 1000 == pytest.approx(about / freed, rel=1e-9)
    assert log.pole_rate[1] * 1000 == pytest.approx(-0.6 * HALF / freed, rel=1e-9)


def hits(cartpole, physics_hz, faults):
    """The fastest that the cart comes out of a buffer into which it goes with 3 m/s, from many places."""
    fastest = 0.0
    for gap_mm in range(0, 50, 5):
        start = {"cart_position_m": 2.4 - 1e-3 * gap_mm, "cart_velocity_mps": 3.0, "pole_angle_deg": 180.0}
        chosen = cartpole.scenario(
            seconds=8 / physics_hz, control_hz=physics_hz, physics_hz=physics_hz, faults=faults, **start
        )
        log = cartpole.fly(chosen, [0.0])
        fastest = max(fastest, -log.cart_velocity.min())
    return fastest


@pytest.mark.parametrize(("faults", "least_hz"), [((), 67), ((("payload", {"mass_kg": -0.5}),), 104)])
def test_steps_in_which_the_buffers_would_throw_the_cart_back_faster_are_refused(cartpole, faults, least_hz):
    """1 - c dt / m - k dt^2 / m = -1 for k = 5000 N/m, c = 60 N s/m and m of the cart and a quarter of the pole."""
    mass, dt = (1.025 if least_hz == 67 else 0.525), 1.0 / (least_hz - 1)
    assert 1.0 - 60.0 * dt / mass - 5000.0 * dt**2 / mass < -1.0
    assert hits(cartpole, least_hz, faults) < 3.0
    for physics_hz in (least_hz - 1, 40, 10):
        chosen = cartpole.scenario(control_hz=physics_hz, physics_hz=physics_hz, faults=faults)
        with pytest.raises(InputError, match=rf"rates\.physics_hz: at {physics_hz} .* write {least_hz} or more"):
            cartpole.plant.reset(chosen, 0)
