"""What faults do, in the quantity that physics says, against closed forms."""

import dataclasses
import math

import numpy as np
import pytest
from pydantic import ValidationError

from healing_runtime.core.errors import InputError

from .conftest import condition_of

HOVER = 1515.6443359717355
MASS, G, ARM, INERTIA = 0.027, 9.80665, 0.028, 1.4e-5
HIGH = {"position_m": (0.0, 0.0, 20.0)}


def flown(bench, *faults, action=HOVER, seconds=0.5, seed=0, **options):
    chosen = bench.scenario(seconds=seconds, faults=faults, **{**HIGH, **options})
    return bench.fly(chosen, np.broadcast_to(np.asarray(action, float), 4), seed=seed)


def test_a_stuck_rotor_turns_at_its_own_speed_whatever_it_is_told(quadrotor):
    log = flown(quadrotor, ("rotor_stuck", {"rotor": 2, "value": 0.8}, 24, 96), action=1.1 * HOVER)
    t = np.arange(len(log.truth)) / 48
    before = 1.1 - 0.1 * math.exp(-0.1 / 0.03)
    stuck = HOVER * (0.8 + (before - 0.8) * np.exp(-(t - 0.1) / 0.03))
    assert log.rotor_speed[5:20, 2] == pytest.approx(stuck[5:20], rel=1e-9)
    assert log.rotor_speed[:, [0, 1, 3]] == pytest.approx(
        np.repeat(HOVER * (1.1 - 0.1 * np.exp(-t / 0.03))[:, None], 3, axis=1), rel=1e-9
    )
    assert log.rotor_speed[-1, 2] > 1.05 * HOVER, "it listens again"


def test_a_stuck_rotor_tilts_the_body_away_from_the_strong_side(quadrotor):
    """Rotor 2 is at the rear left: with less thrust there the body rolls left and pitches up; thrust goes by speed²."""
    log = flown(quadrotor, ("rotor_stuck", {"rotor": 2, "value": 0.8}), seconds=0.25)
    dt = 1.0 / 240
    speed = HOVER * (0.8 + 0.2 * np.exp(-dt * np.arange(1, 61) / 0.03))
    lost_n = MASS * G / 4.0 * (1.0 - (speed / HOVER) ** 2)
    expected = -np.cumsum(ARM * lost_n / INERTIA * dt)[4::5]
    assert log.angular_velocity[1:4, 0] == pytest.approx(expected[:3], rel=1e-2)
    assert log.angular_velocity[1:4, 1] == pytest.approx(expected[:3], rel=1e-2)


def test_a_ceiling_cuts_what_is_faster_and_nothing_else(quadrotor):
    action = np.array([0.9, 1.0, 1.2, 1.4]) * HOVER
    log = flown(quadrotor, ("rpm_ceiling", {"value": 1.1}), action=action)
    assert log.rotor_speed[-1] / HOVER == pytest.approx([0.9, 1.0, 1.1, 1.1], abs=1e-6)
    half = flown(quadrotor, ("rpm_ceiling", {"value": 1.1}, 0, None, 480), action=np.full(4, 1.45 * HOVER), seconds=1)
    assert half.rotor_speed[-1] / HOVER == pytest.approx(np.full(4, 1.5 - 0.4 * 0.5), abs=0.03), "half of the ramp"


@pytest.mark.parametrize("offset_m", [(0.002, 0.0, 0.0), (0.0, -0.003, 0.0), (0.001, 0.002, 0.01)])
def test_thrust_has_a_moment_about_a_centre_of_mass_that_is_off(quadrotor, offset_m):
    """-d × T: angular acceleration (-d_y, d_x) m g / I in hover, at once."""
    log = flown(quadrotor, ("com_offset", {"offset_m": offset_m}), seconds=1 / 48)
    expected = np.array([-offset_m[1], offset_m[0], 0.0]) * MASS * G / INERTIA / 48
    assert log.angular_velocity[-1] == pytest.approx(expected, abs=1e-5)


def test_a_thrust_through_the_centre_of_mass_turns_nothing(quadrotor):
    """Rotors trimmed so that their thrust acts at the offset: sum of (r_i - d) × T_i is zero."""
    thrust = MASS * G / 4.0
    rear, front = thrust * (1.0 - 0.002 / ARM), thrust * (1.0 + 0.002 / ARM)
    speeds = HOVER * np.sqrt(np.array([front, rear, rear, front]) / thrust)
    quick = ("rotor_lag", {"value_s": 0.0})
    log = flown(quadrotor, ("com_offset", {"offset_m": (0.002, 0, 0)}), quick, action=speeds, seconds=1)
    assert np.abs(log.angular_velocity).max() < 1e-6


@pytest.mark.parametrize("over_s", [0.05, 0.0021, 1 / 240])
def test_an_impulse_gives_its_momentum_whatever_the_steps(quadrotor, over_s):
    log = flown(quadrotor, ("impulse", {"impulse": (0.02, 0.0, -0.01), "over_s": over_s}, 25), seconds=0.5)
    after = log.velocity[10]
    drag = math.exp(-9.1785e-7 * 4 * HOVER / MASS * 0.1)
    assert np.abs(log.velocity[:6]).max() < 1e-12
    assert after[0] * MASS == pytest.approx(0.02, rel=1.5 * (1 - drag))
    assert after[2] * MASS == pytest.approx(-0.01, rel=1.5 * (1 - drag))
    assert abs(log.velocity[-1, 0]) < abs(after[0]), "the push is over, though the fault has no end"


def test_an_impulse_says_to_what_its_time_is_rounded(quadrotor):
    rounded = quadrotor.robot.faults["impulse"].rounded
    assert rounded({"over_s": 0.05}, 48, 240) == {}
    assert rounded({"over_s": 0.0501}, 48, 240) == {"over_s": "12 physics steps, 0.05 s"}
    assert rounded({"over_s": 1e-4}, 48, 240) == {"over_s": "1 physics step, 0.00416667 s"}


def test_an_impulse_that_is_cut_short_gives_its_share(quadrotor):
    log = flown(quadrotor, ("impulse", {"impulse": (0.02, 0.0, 0.0), "over_s": 0.1}, 24, 30), seconds=0.25)
    assert log.velocity[-1, 0] * MASS == pytest.approx(0.02 * 6 / 24, rel=0.05)


def test_downwash_is_a_share_of_the_weight(quadrotor):
    drag = 10.311e-7 * 4 * HOVER * math.sqrt(5.0 / G) / MASS
    # The rotors start at the hover speed of this gravity and are told to stay there.
    log = flown(
        quadrotor, ("downwash", {"value": 0.4}), seconds=0.125, environment={"gravity_mps2": 5.0},
        action=HOVER * math.sqrt(5.0 / G),
    )  # fmt: skip
    assert log.velocity[-1, 2] == pytest.approx(-0.4 * 5.0 * 0.125, rel=drag * 0.125)


def test_a_wake_presses_on_its_axis_and_less_beside_it(quadrotor):
    """Within a thirtieth of a second the body hardly moves: exp(-(r / radius)²) of the weight on the axis."""
    wake = ("downwash", {"value": 0.8, "radius_m": 0.3, "centre_m": (1.0, -2.0)})
    for off_m, share in ((0.0, 1.0), (0.3, math.exp(-1)), (0.6, math.exp(-4)), (3.0, 0.0)):
        log = flown(quadrotor, wake, seconds=1 / 48, position_m=(1.0 + 0.6 * off_m, -2.0 + 0.8 * off_m, 20.0))
        assert log.velocity[-1, 2] == pytest.approx(-0.8 * G * share / 48, rel=1e-2, abs=1e-9)
    across = flown(quadrotor, wake, position_m=(0.0, -2.0, 20.0), velocity_mps=(2.0, 0.0, 0.0), seconds=1)
    assert np.diff(across.velocity[:, 2]).argmin() == pytest.approx(24, abs=2), "it flies through the axis"
    many = flown(quadrotor, *[wake] * 3, seconds=1 / 48, position_m=(1.0, -2.0, 20.0))
    assert many.velocity[-1, 2] == pytest.approx(-2.4 * G / 48, rel=1e-2)


def test_a_wake_grows_over_its_ramp(quadrotor):
    """In the physics step k of a ramp of n steps it presses with k / n; after it, in full."""
    wake = ("downwash", {"value": 0.8, "radius_m": 5.0}, 0, None, 20)
    log = flown(quadrotor, wake, seconds=0.25)
    whole = flown(quadrotor, wake[:2], seconds=0.25)
    pressed = np.minimum(np.arange(1, 61) / 20, 1.0)
    expected = np.r_[0.0, np.cumsum(-0.8 * G / 240 * pressed)[4::5]]
    assert log.velocity[:, 2] == pytest.approx(expected, rel=0.03, abs=1e-9)
    assert whole.velocity[1, 2] == pytest.approx(-0.8 * G / 48, rel=0.01)


def test_turbulence_has_its_strength_and_its_memory(quadrotor):
    """The gusts themselves; and what they do is wind: the same gusts as `wind`, tick by tick, give the same flight."""
    chosen = quadrotor.scenario(seconds=400, faults=[("turbulence", {"sigma_mps": 4.0, "memory_s": 0.5})])
    gusts = winds(quadrotor, chosen, seed=1)
    assert gusts.mean(axis=0) == pytest.approx(np.zeros(3), abs=0.5)
    assert gusts.std(axis=0) == pytest.approx(np.full(3, 4.0), rel=0.08)
    for lag in (12, 24, 48):
        one = [np.corrcoef(gusts[:-lag, axis], gusts[lag:, axis])[0, 1] for axis in range(3)]
        assert one == pytest.approx(np.full(3, math.exp(-lag / 48 / 0.5)), abs=0.08)
    assert abs(np.corrcoef(gusts[:, 0], gusts[:, 1])[0, 1]) < 0.1
    other = winds(quadrotor, chosen, seed=2)
    assert abs(np.corrcoef(gusts[:, 0], other[:, 0])[0, 1]) < 0.1, "the seed draws them"


def winds(bench, chosen, seed):
    """The wind that the plant is told of, tick by tick, without flying."""
    plant, rows = bench.plant, []
    plant.reset(chosen, seed)
    for tick in range(chosen.duration_ticks):
        plant._step = tick * chosen.substeps
        rows.append(condition_of(plant).wind_mps)
    return np.array(rows)


def test_gusts_act_as_wind_does(quadrotor):
    gust = ("turbulence", {"sigma_mps": 4.0, "memory_s": 60.0})
    chosen = quadrotor.scenario(seconds=0.5, faults=[gust], **HIGH)
    wind = winds(quadrotor, chosen, seed=3)
    steady = [("wind", {"velocity_mps": tuple(row.tolist())}, 5 * tick, 5 * tick + 5) for tick, row in enumerate(wind)]
    gusty = flown(quadrotor, gust, seed=3)
    assert gusty.truth.tobytes() == flown(quadrotor, *steady).truth.tobytes()
    assert np.abs(gusty.velocity[-1]).max() > 0.01


def test_thrust_noise_has_its_strength_on_every_rotor_alone(quadrotor):
    chosen = quadrotor.scenario(seconds=40, faults=[("thrust_noise", {"value": 0.1})])
    shares = shares_of_thrust(quadrotor, chosen, seed=1)
    assert shares.mean(axis=0) == pytest.approx(np.ones(4), abs=0.01)
    assert shares.std(axis=0) == pytest.approx(np.full(4, 0.1), rel=0.08)
    assert np.abs(np.corrcoef(shares.T) - np.eye(4)).max() < 0.1
    assert np.abs(np.corrcoef(shares[:-1, 0], shares[1:, 0])[0, 1]) < 0.1


def test_thrust_noise_remembers_as_long_as_it_says(quadrotor):
    """Two deviations t apart correlate with exp(-t / memory); their strength is the same as without a memory."""
    chosen = quadrotor.scenario(seconds=400, faults=[("thrust_noise", {"value": 0.1, "memory_s": 0.5})])
    shares = shares_of_thrust(quadrotor, chosen, seed=1)
    assert shares.std(axis=0) == pytest.approx(np.full(4, 0.1), rel=0.08)
    for lag in (12, 24, 48):
        one = [np.corrcoef(shares[:-lag, rotor], shares[lag:, rotor])[0, 1] for rotor in range(4)]
        assert one == pytest.approx(np.full(4, math.exp(-lag / 48 / 0.5)), abs=0.08)


def shares_of_thrust(bench, chosen, seed):
    """What the rotors give of their thrust, tick by tick, without flying."""
    plant, rows = bench.plant, []
    plant.reset(chosen, seed)
    for tick in range(chosen.duration_ticks):
        plant._step = tick * chosen.substeps
        rows.append(condition_of(plant).rotor_efficiency)
    return np.array(rows)


def test_thrust_noise_shakes_the_body(quadrotor):
    """In hover four independent thrusts of 10 % each: the climb rate takes a random walk, once a control period."""
    ends = [flown(quadrotor, ("thrust_noise", {"value": 0.1}), seed=seed, seconds=0.25) for seed in range(40)]
    step = 0.1 * G / 2.0 / 48  # of the sum of four, over the weight
    assert np.std([log.velocity[2, 2] for log in ends]) == pytest.approx(step * math.sqrt(2), rel=0.3)


@pytest.mark.parametrize("signals", [("position", "velocity"), ("q_xyzw_world_body",)])
def test_a_turned_frame_turns_what_is_measured_in_it(quadrotor, signals):
    options = {"velocity_mps": (1.0, 2.0, 3.0), "attitude_rpy_deg": (10, 20, 30), "seconds": 0.25}
    fault = ("frame_error", {"value_deg": 90.0, "signals": signals})
    log = flown(quadrotor, fault, position_m=(3.0, 4.0, 20.0), **options)
    for name in ("position", "velocity"):
        true = getattr(log, name)
        turned = np.stack([true[:, 1], -true[:, 0], true[:, 2]], axis=1)
        assert log.reading(name) == pytest.approx(turned if name in signals else true, abs=1e-12)
    x, y, z, w = log.reading("q_xyzw_world_body").T
    yaw = np.arctan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z))
    tilt = np.arccos(1 - 2 * (x * x + y * y))
    assert yaw == pytest.approx(log.yaw - (math.pi / 2 if "q_xyzw_world_body" in signals else 0.0), abs=1e-9)
    assert tilt == pytest.approx(log.tilt, abs=1e-9)
    assert x * x + y * y + z * z + w * w == pytest.approx(np.ones(len(x)))
    assert np.array_equal(log.reading("angular_velocity"), log.angular_velocity), "the body's axes are not the frame's"


def test_a_bias_comes_on_top_of_a_turned_frame_whatever_the_order(quadrotor):
    turned = ("frame_error", {"value_deg": 90.0})
    bias = ("sensor_bias", {"signal": "velocity", "value": (5.0, 0.0, 0.0)})
    for faults in ([turned, bias], [bias, turned]):
        log = flown(quadrotor, *faults, velocity_mps=(1.0, 2.0, 0.0), seconds=0.1)
        expected = np.stack([log.velocity[:, 1] + 5.0, -log.velocity[:, 0], log.velocity[:, 2]], axis=1)
        assert log.reading("velocity") == pytest.approx(expected, abs=1e-12)


def test_missed_ticks_hold_the_last_command(quadrotor, wander):
    """Bit for bit the flight in which the lost commands are the ones before them; the seed draws which."""
    chosen = quadrotor.scenario(seconds=2, faults=[("dropped_ticks", {"value": 0.6}, 50, 400)], **HIGH)
    actions = wander(quadrotor, chosen.duration_ticks)
    heard = actions.copy()
    draws = np.random.default_rng([9, 0]).uniform(size=chosen.duration_ticks + 1)
    lost = [tick for tick in range(10, 80) if draws[tick] < 0.6]
    for tick in lost:
        heard[tick] = heard[tick - 1]
    assert 0.4 < len(lost) / 70 < 0.8
    log = quadrotor.fly(chosen, actions, seed=9)
    assert log.truth.tobytes() == quadrotor.fly(dataclasses.replace(chosen, faults=()), heard, seed=9).truth.tobytes()


def test_more_and_more_ticks_are_missed_in_a_ramp(cartpole):
    faults = [("dropped_ticks", {"value": 1.0}, 0, None, 5 * 800)]
    log = cartpole.fly(cartpole.scenario(seconds=16, faults=faults), 1e-3 * np.arange(800.0)[:, None])
    missed = np.diff(log.motor_force[1:]) == 0.0
    assert [part.mean() for part in np.split(missed[:796], 4)] == pytest.approx([0.125, 0.375, 0.625, 0.875], abs=0.12)


def test_a_controller_that_has_stopped_leaves_its_last_command(cartpole):
    chosen = cartpole.scenario(seconds=1, faults=[("dropped_ticks", {"value": 1.0}, 100, 200)])
    log = cartpole.fly(chosen, np.arange(50.0)[:, None] / 10)
    assert log.motor_force[1:21] == pytest.approx(np.arange(20) / 10)
    assert log.motor_force[21:41] == pytest.approx(1.9)
    assert log.motor_force[41:] == pytest.approx(np.arange(40, 50) / 10)


def test_a_sagging_battery_slows_the_rotors_with_time_and_thrust_with_their_square(quadrotor):
    sag, quick = ("battery_sag", {"rate": 0.1, "floor": 0.9}, 48), ("rotor_lag", {"value_s": 0.0})
    log = flown(quadrotor, sag, quick, seconds=2)
    t = np.arange(len(log.truth)) / 48
    # The voltage is lowered at the beginning of a control period, and that of the fault's first step is still full.
    voltage = 1.0 - np.clip(0.1 * (np.floor(t * 48) / 48 - 1 / 48 - 0.2), 0.0, 0.1)
    assert log.rotor_speed[:, 0] == pytest.approx(HOVER * voltage, rel=1e-9)
    assert log.velocity[40:58, 2].tolist() == pytest.approx(
        np.cumsum(np.r_[0.0, G * (voltage[1:] ** 2 - 1) / 48])[40:58].tolist(), rel=0.1
    )
    assert log.rotor_speed[-1, 0] == pytest.approx(0.9 * HOVER)


def test_a_scaled_ground_effect_is_the_environments(quadrotor):
    low = {"position_m": (0.0, 0.0, 0.1)}
    fault = flown(quadrotor, ("ground_effect", {"value": 2.5}), **low)
    assert fault.truth.tobytes() == flown(quadrotor, environment={"ground_effect": 2.5}, **low).truth.tobytes()
    assert fault.velocity[-1, 2] > 1.5 * flown(quadrotor, **low).velocity[-1, 2]
    reach = {"position_m": (0.0, 0.0, 0.8)}
    assert flown(quadrotor, ("ground_effect", {"value": 2.5}), **reach).velocity[-1, 2] > 1e-3, "it reaches farther"


def test_a_tilting_pad_takes_the_resting_body_along(quadrotor):
    rest = {"position_m": (0.0, 0.0, 0.0126), "action": 0.0, "seconds": 4}
    log = flown(quadrotor, ("slope", {"value_deg": 10.0}, 240, 960, 240), **{**rest, "seconds": 5})
    assert log.tilt[40] < 1e-3
    assert log.tilt[100:140] == pytest.approx(math.radians(10), abs=5e-3)
    assert np.abs(log.altitude[110:140]).max() < 1e-3
    assert log.landed[140] == 1
    assert log.tilt[-1] == pytest.approx(0.0, abs=5e-3)
    rest["position_m"] = (0.0, 0.0, 0.021)
    standing = flown(quadrotor, environment={"pad": {"slope_deg": 10.0}}, **rest)
    assert log.tilt[140] == pytest.approx(standing.tilt[140], abs=2e-3)


def test_altitude_counts_from_the_tilted_pad(quadrotor):
    """It heels from step 20, the fourth tick, at 20 degrees a second; a tick is 5 steps of 240 a second."""
    fault = ("slope", {"value_deg": 10.0, "rate_degps": 20.0}, 20)
    log = flown(quadrotor, fault, position_m=(0.5, 0.0, 1.0), seconds=1)
    slope = np.radians(np.clip(20.0 / 240 * (5.0 * np.arange(49) - 19.0), 0.0, 10.0))
    expected = (0.5 - 0.04) * np.sin(slope) + (1.0 - 0.0125) * np.cos(slope)
    assert log.altitude[3] == pytest.approx(1.0 - 0.0125)
    assert slope[4] > 0.0 and slope[-1] == pytest.approx(math.radians(10.0))
    assert log.altitude == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize(("name", "start"), [
    ("quadrotor", {"position_m": (-30.0, 0.0, 0.0125)}),
    ("lander_planar", {"position_m": (-30.0, 1.0), "velocity_mps": (0.0, 0.0)}),
])  # fmt: skip
def test_a_heeling_deck_lifts_what_stands_on_it_at_its_own_speed(request, name, start):
    """Thirty metres from the axis, and back again at the end: no faster than the deck."""
    bench = request.getfixturevalue(name)
    fault = ("slope", {"value_deg": 12.0}, 240, 1200)
    log = bench.fly(bench.scenario(seconds=5, faults=[fault], **start), np.zeros(bench.robot.signals.action.size))
    deck_mps = 30.0 * math.radians(10.0)
    assert log.velocity[:, -1].max() == pytest.approx(deck_mps, rel=0.05)
    assert bench.plant._body.pad_now[0] == 0.0


@pytest.mark.parametrize(("pad_deg", "value_deg"), [(30.0, 29.0), (-20.0, -26.0)])
def test_a_pad_that_would_be_steeper_than_45_degrees_is_refused(lander, pad_deg, value_deg):
    slope = ("slope", {"value_deg": value_deg}, 240)
    chosen = lander.scenario(faults=[slope], environment={"pad": {"slope_deg": pad_deg}})
    with pytest.raises(InputError, match=r"slope_deg .* 45 degrees"):
        lander.plant.reset(chosen, 0)


@pytest.mark.parametrize("name", ["lander", "quadrotor"])
def test_a_bouncing_pad_throws_the_body_up_again_and_ends(request, name):
    """As the scenario's own restitution, bit for bit; Bullet's box meets the pad corner by corner: no closed form."""
    bench = request.getfixturevalue(name)
    start = {"altitude_m": 5.0, "velocity_mps": 0.0} if name == "lander" else {"position_m": (0.0, 0.0, 0.5)}
    off = np.zeros(bench.robot.signals.action.size)
    dead = bench.fly(bench.scenario(seconds=4, **start), off)
    hit = int(np.argmax(dead.contact))
    bouncing = bench.fly(bench.scenario(seconds=4, faults=[("restitution", {"value": 0.6})], **start), off)
    own = bench.fly(bench.scenario(seconds=4, environment={"pad": {"restitution": 0.6}}, **start), off)
    assert bouncing.truth.tobytes() == own.truth.tobytes()
    assert bouncing.altitude[hit + 1 :].max() > 0.03 * bouncing.altitude[0] > 10 * dead.altitude[hit + 1 :].max()
    bench.fly(bench.scenario(seconds=0.5, faults=[("restitution", {"value": 0.6}, 0, None, 240)], **start), off)
    assert bench.plant._body.pad_now[2] == pytest.approx(0.3, abs=0.003), "half of the ramp"
    over = bench.fly(bench.scenario(seconds=4, faults=[("restitution", {"value": 0.6}, 0, 10)], **start), off)
    assert over.truth.tobytes() == dead.truth.tobytes(), "the pad is its old self before the touchdown"


@pytest.mark.parametrize("name", ["lander", "quadrotor"])
def test_ice_lets_a_standing_body_slide_down_a_slope(request, name):
    """a = g (sin s - mu cos s), mu what is left of the friction; the healthy pad holds it."""
    bench, slope, left = request.getfixturevalue(name), math.radians(10), 0.1
    start = {"altitude_m": 0.01, "velocity_mps": 0.0} if name == "lander" else {"position_m": (0.0, 0.0, 0.021)}
    options = {"seconds": 6, "environment": {"pad": {"slope_deg": 10.0}}, **start}
    off = np.zeros(bench.robot.signals.action.size)
    hz = bench.scenario(**options).control_hz
    slide = bench.fly(bench.scenario(faults=[("friction_drop", {"value": left}, 960)], **options), off)
    gravity = G if name == "quadrotor" else 1.62
    expected = gravity * (math.sin(slope) - left * 0.8 * math.cos(slope))
    assert slide.speed[4 * hz] < 1e-2
    assert (slide.speed[6 * hz] - slide.speed[5 * hz]) == pytest.approx(expected, rel=0.03)
    assert bench.fly(bench.scenario(**options), off).speed[-1] < 1e-2
    over = bench.fly(bench.scenario(faults=[("friction_drop", {"value": left}, 960, 1080)], **options), off)
    assert over.speed[4 * hz :].max() > 0.2 * expected
    assert over.speed[-1] < 1e-2, "the pad holds it again"


@pytest.mark.parametrize("name", ["cartpole", "lander", "quadrotor"])
def test_no_payload_makes_a_mass_negative(request, name):
    bench = request.getfixturevalue(name)
    payload = bench.robot.faults["payload"]
    least = bench.plant.condition.least_payload_kg
    with pytest.raises(ValidationError, match="greater than or equal to"):
        payload.Parameters(mass_kg=1.001 * least)
    assert payload.claims({"mass_kg": least}) == {"lost mass"}
    assert payload.claims({"mass_kg": 1.0}) == frozenset()
    with pytest.raises(InputError, match="not overlap"):
        bench.plant.reset(bench.scenario(faults=[("payload", {"mass_kg": least})] * 3, **fuel(bench)), 0)


def fuel(bench):
    return {"fuel_kg": 0.0} if bench.robot.name == "lander" else {}


CART, POLE, HALF = 1.0, 0.1, 0.5
ABOUT_PIVOT = 4.0 / 3.0 * POLE * HALF**2


def test_a_weak_joint_gets_its_share_of_the_force(cartpole):
    log = cartpole.fly(cartpole.scenario(seconds=1, faults=[("joint_torque_loss", {"joint": 0, "value": 0.3})]), [8.0])
    same = cartpole.fly(cartpole.scenario(seconds=1), [0.3 * 8.0])
    assert log.motor_force[-1] == pytest.approx(2.4)
    assert log.truth == pytest.approx(same.truth, rel=1e-9)


def test_a_pole_on_a_jammed_cart_is_a_pendulum(cartpole):
    chosen = cartpole.scenario(
        seconds=4, control_hz=200, physics_hz=2000, pole_angle_deg=179.0, faults=[("joint_jammed", {"joint": 0})]
    )
    log = cartpole.fly(chosen, [9.0])
    t = np.arange(len(log.truth)) / 200
    rate = math.sqrt(POLE * HALF * G / ABOUT_PIVOT)
    assert np.abs(log.cart_position).max() < 1e-7
    assert log.pole_angle - math.pi == pytest.approx(-math.radians(1) * np.cos(rate * t), abs=2e-4)


def test_a_jammed_cart_that_is_free_again_goes_on(cartpole):
    chosen = cartpole.scenario(seconds=1, pole_angle_deg=0.0, faults=[("joint_jammed", {"joint": 0}, 25, 125)])
    log = cartpole.fly(chosen, [3.0])
    assert log.cart_position[25] == pytest.approx(log.cart_position[5], abs=1e-9)
    assert log.cart_velocity[30] - log.cart_velocity[25] == pytest.approx(
        log.cart_velocity[5] - log.cart_velocity[0], rel=0.2
    )


def test_a_cart_that_jams_throws_its_pole_forward(cartpole):
    """What the jolt keeps is the momentum about the pivot: J w + m l v cos(angle)."""
    chosen = cartpole.scenario(
        seconds=0.1, control_hz=1000, physics_hz=1000, pole_angle_deg=30.0, cart_velocity_mps=2.0, pole_rate_radps=0.5,
        faults=[("joint_jammed", {"joint": 0}, 50)],
    )  # fmt: skip
    log = cartpole.fly(chosen, [0.0])
    v, w, angle = log.cart_velocity, log.pole_rate, log.pole_angle
    kept = ABOUT_PIVOT * w[50] + POLE * HALF * v[50] * math.cos(angle[50])
    assert abs(v[51]) < 1e-6 < 1.0 < v[50]
    assert w[51] == pytest.approx(kept / ABOUT_PIVOT, rel=0.01)


def test_a_jammed_pole_is_a_load(cartpole):
    chosen = cartpole.scenario(seconds=0.5, pole_angle_deg=40.0, faults=[("joint_jammed", {"joint": 1})])
    log = cartpole.fly(chosen, [3.0])
    t = np.arange(1, len(log.truth)) / 50
    assert log.pole_angle == pytest.approx(np.full(len(log.truth), math.radians(40)), abs=1e-6)
    assert log.cart_velocity[1:] == pytest.approx(3.0 / (CART + POLE) * t, rel=1e-3)
