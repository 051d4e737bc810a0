"""The planar lander in PyBullet against closed forms.

Velocities come first in Bullet's step, then the pose with the new ones: under a constant acceleration a speed is exact,
and a path is a t dt / 2 longer than the closed form's.
"""

import math

import numpy as np
import pytest
from pydantic import ValidationError

MOON, MASS, INERTIA, EXHAUST_MPS = 1.62, 1000.0, 1500.0, 300.0 * 9.80665
HIGH = {"position_m": (0.0, 1000.0), "velocity_mps": (0.0, 0.0)}
OFF = [0.0, 0.0]


def test_thrown_and_spinning_it_follows_the_parabola_and_keeps_its_spin(lander_planar):
    """No damping: momentum along x, spin and energy, but for the g dt / 2 of height for each m/s of the integrator."""
    start = {"position_m": (-50.0, 500.0), "velocity_mps": (7.0, 4.0), "pitch_deg": 20.0, "pitch_rate_radps": 1.3}
    log = lander_planar.fly(lander_planar.scenario(seconds=15, **start), OFF)
    t = np.arange(len(log.truth)) / 20
    assert log.velocity[:, 0] == pytest.approx(7.0, abs=1e-9)
    assert log.velocity[:, 1] == pytest.approx(4.0 - MOON * t, abs=1e-9)
    assert log.position[:, 0] == pytest.approx(-50.0 + 7.0 * t, abs=1e-8)
    assert log.position[:, 1] == pytest.approx(500.0 + 4.0 * t - 0.5 * MOON * t * (t + 1.0 / 240.0), abs=1e-8)
    assert log.pitch_rate == pytest.approx(1.3, abs=1e-12)
    assert np.unwrap(log.pitch) == pytest.approx(math.radians(20.0) + 1.3 * t, abs=1e-9)
    assert log.tilt == pytest.approx(np.abs(log.pitch), abs=1e-7)
    energy = 0.5 * np.sum(log.velocity**2, axis=1) + MOON * log.position[:, 1]
    assert energy - energy[0] == pytest.approx(-0.5 * MOON / 240.0 * MOON * t, abs=1e-6)
    assert log.fuel[-1] == 300.0


@pytest.mark.parametrize("moment_nm", [300.0, -900.0])
def test_the_jets_turn_it_and_push_it_nowhere(lander_planar, moment_nm):
    log = lander_planar.fly(lander_planar.scenario(seconds=2, **HIGH), [0.0, moment_nm])
    t = np.arange(len(log.truth)) / 20
    assert log.pitch_rate == pytest.approx(moment_nm / INERTIA * t, rel=1e-9)
    turned = 0.5 * moment_nm / INERTIA * t * (t + 1.0 / 240.0)
    assert np.unwrap(log.pitch) == pytest.approx(turned, abs=1e-9)
    assert np.abs(log.velocity[:, 0]).max() < 1e-12
    # Jets at 1.5 m to either side: a moment M takes M / 1.5 m of thrust.
    assert 300.0 - log.fuel == pytest.approx(abs(moment_nm) / 1.5 * t / EXHAUST_MPS, rel=1e-9)


@pytest.mark.parametrize("pitch_deg", [0.0, 30.0, -120.0])
@pytest.mark.parametrize("gravity", [MOON, 9.80665])
def test_the_engine_pushes_along_the_bodys_up_by_the_rocket_equation(lander_planar, pitch_deg, gravity):
    """v = Isp g0 ln(m0 / m1) along the body's up, less F T / 2 (1 / m1 - 1 / m0): the mass follows once a period T."""
    start = {"position_m": (0.0, 5000.0), "velocity_mps": (0.0, 0.0), "pitch_deg": pitch_deg}
    log = lander_planar.fly(
        lander_planar.scenario(seconds=20, environment={"gravity_mps2": gravity}, **start), [4000.0, 0.0]
    )
    burned = 4000.0 * 20.0 / EXHAUST_MPS
    assert 300.0 - log.fuel[-1] == pytest.approx(burned, rel=1e-9)
    late = 4000.0 * 0.05 / 2.0 * (1.0 / (MASS - burned) - 1.0 / MASS)
    gained = EXHAUST_MPS * math.log(MASS / (MASS - burned)) - late
    up = np.array([math.sin(math.radians(pitch_deg)), math.cos(math.radians(pitch_deg))])
    assert log.velocity[-1] == pytest.approx(gained * up - np.array([0.0, gravity * 20.0]), abs=1e-4)
    assert np.ptp(log.pitch) < 1e-12, "the engine does not turn it"


def test_the_first_step_against_newton_and_euler(lander_planar):
    faults = [("side_force", {"force_n": (120.0, 0.0, -80.0)}), ("payload", {"mass_kg": 250.0})]
    chosen = lander_planar.scenario(seconds=0.01, control_hz=1000, physics_hz=1000, pitch_deg=25.0, faults=faults)
    log = lander_planar.fly(chosen, [3000.0, -450.0])
    up = np.array([math.sin(math.radians(25.0)), math.cos(math.radians(25.0))])
    force = 3000.0 * up + np.array([120.0, -80.0]) - np.array([0.0, 1250.0 * MOON])
    assert (log.velocity[1] - log.velocity[0]) * 1000 == pytest.approx(force / 1250.0, rel=1e-9)
    assert log.pitch_rate[1] * 1000 == pytest.approx(-450.0 / INERTIA, rel=1e-9)


def test_engine_and_jets_share_what_the_tank_has_left(lander_planar):
    """1 kg is 588 N at 5 s: then neither pushes, and what was burned is what was there."""
    chosen = lander_planar.scenario(seconds=10, fuel_kg=1.0, **HIGH)
    log = lander_planar.fly(chosen, [400.0, 300.0])
    empty_s = EXHAUST_MPS / (400.0 + 300.0 / 1.5)
    after = int(empty_s * 20) + 2
    assert log.fuel[after - 3] > 0.0 and np.all(log.fuel[after:] == 0.0)
    assert np.ptp(log.pitch_rate[after:]) < 1e-12
    assert log.pitch_rate[-1] == pytest.approx(300.0 / INERTIA * empty_s, rel=1e-9)
    assert np.diff(log.velocity[after:, 1]) == pytest.approx(-MOON / 20.0, abs=1e-9)


def test_commands_beyond_the_limits_give_what_there_is_and_no_more(lander_planar):
    chosen = lander_planar.scenario(seconds=1, **HIGH)
    full = lander_planar.fly(chosen, [5000.0, -900.0]).truth
    assert np.array_equal(lander_planar.fly(chosen, [9000.0, -2000.0]).truth, full)


@pytest.mark.parametrize("pitch_deg", [0.0, 7.0, -60.0, 150.0])
@pytest.mark.parametrize("slope_deg", [0.0, -10.0])
def test_it_stays_in_its_plane_however_it_hits_the_ground(lander_planar, pitch_deg, slope_deg):
    """Through touchdowns, tumbles and slides: along y and out of the plane no more than the robot's file says."""
    start = {"position_m": (0.0, 5.0), "velocity_mps": (-3.0, -2.0), "pitch_deg": pitch_deg, "pitch_rate_radps": 0.4}
    environment = {"pad": {"slope_deg": slope_deg, "restitution": 0.5}}
    chosen = lander_planar.scenario(seconds=8, environment=environment, **start)
    plant = lander_planar.plant
    plant.reset(chosen, 0)
    actions = np.random.default_rng(2).uniform((0.0, -900.0), (1500.0, 900.0), (chosen.duration_ticks, 2))
    touched = 0
    for action in actions:
        plant.apply(action)
        plant.step()
        (_, y, _), (qx, _, qz, _), (_, vy, _), (wx, _, wz) = plant._body.pose()
        assert abs(y) < 1e-6 and abs(vy) < 1e-6
        assert 2.0 * math.hypot(qx, qz) < 1e-6 and math.hypot(wx, wz) < 1e-6
        touched += plant._touchdown.contact
    assert touched > 2


def test_what_would_push_it_out_of_its_plane_is_refused(lander_planar):
    chosen = lander_planar.scenario(faults=[("side_force", {"force_n": (1.0, 2.0, 0.0)})])
    with pytest.raises(ValidationError, match=r"moves along x and z alone, not by 2 along y; write 0"):
        lander_planar.plant.reset(chosen, 0)


def test_the_touchdown_is_latched_as_it_was_before_the_contact(lander_planar):
    """Between two ticks: downward speed, sideways speed and tilt of the step before, the largest of a touchdown."""
    start = {"position_m": (0.0, 3.0), "velocity_mps": (0.9, -1.0), "pitch_deg": 4.0}
    log = lander_planar.fly(lander_planar.scenario(seconds=8, **start), OFF)
    first = int(np.argmax(log.contact))
    assert np.all(log.touchdown_speed[:first] == 0.0) and np.all(log.touchdown_tilt[:first] == 0.0)
    reach = 1.5 * math.sin(math.radians(4.0)) + math.cos(math.radians(4.0))
    impact = math.sqrt(1.0 + 2.0 * MOON * (3.0 - reach))
    assert log.touchdown_speed[first] == pytest.approx(impact, abs=MOON / 240.0)
    assert log.touchdown_sideways[first] == pytest.approx(0.9, abs=1e-9)
    assert log.touchdown_tilt[first] == pytest.approx(math.radians(4.0), abs=1e-9)
    assert log.landed[-1] == 1 and abs(log.altitude[-1]) < 1e-3 and abs(log.pitch[-1]) < 1e-3


def test_altitude_is_that_of_the_lowest_corner_over_a_slope(lander_planar):
    environment = {"pad": {"slope_deg": 5.0}}
    log = lander_planar.fly(
        lander_planar.scenario(seconds=0.1, position_m=(20.0, 30.0), pitch_deg=-35.0, environment=environment), OFF
    )
    normal = np.array([math.sin(math.radians(5.0)), math.cos(math.radians(5.0))])
    pitch = math.radians(-35.0)
    turn = np.array([[math.cos(pitch), math.sin(pitch)], [-math.sin(pitch), math.cos(pitch)]])
    corners = [np.array([20.0, 30.0]) + turn @ (x, z) for x in (-1.5, 1.5) for z in (-1.0, 1.0)]
    assert log.altitude[0] == pytest.approx(min(normal @ corner for corner in corners), abs=1e-9)


@pytest.mark.parametrize("friction", [0.8, 2.0])
def test_thrown_at_the_ground_it_tumbles_on_in_its_plane_and_gains_no_energy(lander_planar, friction):
    """At 80 m/s it spins at 50 rad/s, at which Bullet's explicit gyroscopic step would fling it out."""
    start = {"position_m": (0.0, 50.0), "velocity_mps": (80.0, -10.0), "pitch_deg": 60.0}
    chosen = lander_planar.scenario(seconds=30, environment={"pad": {"friction": friction}}, **start)
    plant = lander_planar.plant
    plant.reset(chosen, 0)

    def energy():
        (_, _, z), _, velocity, (_, rate, _) = plant._pose
        return 0.5 * MASS * sum(v * v for v in velocity) + 0.5 * INERTIA * rate**2 + MASS * MOON * z

    at_start, fastest = energy(), 0.0
    for _ in range(chosen.duration_ticks):
        plant.apply(np.array(OFF))
        plant.step()
        (_, y, _), (qx, _, qz, _), _, (_, rate, _) = plant._pose
        fastest = max(fastest, abs(rate))
        assert energy() < 1.01 * at_start
        assert abs(y) < 1e-6 and 2.0 * math.hypot(qx, qz) < 1e-6
    assert fastest > 20.0


@pytest.mark.parametrize(
    "start", [{"position_m": (5e3, 100.0)}, {"position_m": (0.0, 2e5)}, {"velocity_mps": (0.0, -1e10)}]
)
def test_where_no_lander_begins_is_refused(lander_planar, start):
    with pytest.raises(ValidationError):
        lander_planar.robot.initial.model_validate(start)
