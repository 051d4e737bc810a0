"""The quadrotor in PyBullet against textbook physics."""

import math

import numpy as np
import pytest

HOVER = 1515.6443359717355
OFF = np.zeros(4)


def rotation(q):
    x, y, z, w = q
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def test_limits_are_derived_from_the_published_figures(quadrotor):
    rotor = quadrotor.robot.signals.action.signals[0]
    rpm = 60 / (2 * math.pi)
    assert rotor.high == pytest.approx(2273.5, abs=0.1)
    assert rotor.high * rpm == pytest.approx(21710, rel=1e-3)
    assert 4 * 3.16e-10 * (rotor.high * rpm) ** 2 == pytest.approx(2.25 * 0.027 * 9.80665, rel=1e-9)


def test_hover_speed_holds_still(quadrotor):
    log = quadrotor.fly(quadrotor.scenario(), np.full(4, HOVER))
    assert np.abs(log.position - log.position[0]).max() < 1e-9
    assert log.tilt.max() < 1e-9


def test_free_fall_has_no_damping(quadrotor):
    """Once the rotors have run down nothing brakes: Bullet's default damping would take 0.8 m/s off in this second."""
    chosen = quadrotor.scenario(seconds=3, position_m=(0, 0, 200.0), velocity_mps=(1.0, 0, 0))
    log = quadrotor.fly(chosen, OFF)
    vz = -log.descent_rate
    assert vz[144] - vz[96] == pytest.approx(-9.80665, abs=1e-6)
    energy = 9.80665 * log.position[:, 2] + 0.5 * np.sum(log.velocity**2, axis=1)
    # Semi-implicit Euler loses g * dt / 2 of height for each m/s of speed gained; nothing else may be missing.
    drift = energy[144] - energy[96]
    assert drift == pytest.approx(-0.5 * 9.80665 / 240 * 9.80665 * 1.0, rel=2e-3)


def test_tumbling_keeps_angular_momentum_and_energy_and_turns_as_a_free_body_does(quadrotor):
    """A symmetric body free of torque: its spin axis circles at (Izz - Ixx) / Ixx * wz (Euler).

    Bullet's step is of first order: what it gains or loses is half as much with half the step. What is left when that
    is taken out is of second order.
    """
    ixx, _, izz = inertia = np.array([1.4e-5, 1.4e-5, 2.17e-5])
    start = {"position_m": (0, 0, 200.0), "angular_velocity_radps": (6.0, 1.0, 3.0)}
    ends, lost = [], []
    for physics_hz in (480, 960):
        log = quadrotor.fly(quadrotor.scenario(seconds=3, physics_hz=physics_hz, **start), OFF)
        w, t = log.angular_velocity, np.arange(len(log.truth)) / 48
        attitudes = [rotation(q) for q in log.q_xyzw_world_body]
        momentum = np.array([r @ (inertia * rate) for r, rate in zip(attitudes, w, strict=True)])
        energy = np.sum(inertia * w**2, axis=1)
        circling = (6.0 + 1.0j) * np.exp(1.0j * (izz - ixx) / ixx * 3.0 * t)
        ends.append(momentum[-1])
        lost.append((energy[-1] / energy[0] - 1.0, np.abs(w[:, 0] + 1.0j * w[:, 1] - circling).max()))
        assert np.ptp(w[:, 2]) < 1e-9
    (coarse_energy, coarse_circle), (fine_energy, fine_circle) = lost
    size = np.linalg.norm(momentum[0])
    assert np.linalg.norm(ends[1] - momentum[0]) < 5e-3 * size
    assert np.linalg.norm(2.0 * ends[1] - ends[0] - momentum[0]) < 1e-4 * size
    assert abs(fine_energy) < 1e-2 and abs(2.0 * fine_energy - coarse_energy) < 1e-4
    assert fine_circle < 3e-2 and fine_circle == pytest.approx(0.5 * coarse_circle, rel=1e-2)


def test_nothing_limits_how_fast_it_moves_or_turns(quadrotor):
    """Bullet's own limit is 100 m/s and 100 rad/s."""
    start = {"position_m": (0, 0, 5000.0), "velocity_mps": (300.0, 0, 0), "angular_velocity_radps": (0.0, 0.0, 300.0)}
    log = quadrotor.fly(quadrotor.scenario(seconds=1, **start), OFF)
    assert log.angular_velocity[-1, 2] == pytest.approx(300.0, abs=1e-6)
    assert 290.0 < log.velocity[-1, 0] < 300.0, "the rotors' drag alone, while they run down"


@pytest.mark.parametrize(
    ("faster", "axis"), [((2, 3), 0), ((1, 2), 1), ((1, 3), 2)], ids=["left: roll", "rear: pitch", "1 and 3: yaw"]
)
def test_rotors_turn_the_body_the_documented_way(quadrotor, faster, axis):
    action = np.full(4, HOVER)
    action[list(faster)] *= 1.02
    log = quadrotor.fly(quadrotor.scenario(seconds=0.25, position_m=(0, 0, 5.0)), action)
    rates = log.angular_velocity[-1]
    assert rates[axis] > 0.1
    assert np.abs(np.delete(rates, axis)).max() < 0.05 * rates[axis]


def test_angular_velocity_is_in_the_body_frame(quadrotor):
    chosen = quadrotor.scenario(seconds=0.25, attitude_rpy_deg=(60, 20, 130), angular_velocity_radps=(0.0, 0.0, 2.0))
    log = quadrotor.fly(chosen, np.full(4, HOVER))
    assert log.angular_velocity[0] == pytest.approx([0.0, 0.0, 2.0], abs=1e-6)


def test_rotor_speed_follows_with_its_time_constant(quadrotor):
    action = np.full(4, 1.1 * HOVER)
    log = quadrotor.fly(quadrotor.scenario(seconds=0.5), action)
    t = np.arange(len(log.truth)) / 48
    expected = HOVER * (1.1 - 0.1 * np.exp(-t / 0.03))
    assert log.rotor_speed[:, 0] == pytest.approx(expected, rel=1e-12)


def test_rotor_drag(quadrotor):
    log = quadrotor.fly(quadrotor.scenario(seconds=0.5, velocity_mps=(2.0, 0, 0)), np.full(4, HOVER))
    expected = 2.0 * math.exp(-9.1785e-7 * 4 * HOVER / 0.027 * 0.5)
    assert log.velocity[-1, 0] == pytest.approx(expected, rel=1e-3)


def test_ground_effect_lifts_near_the_ground_alone(quadrotor):
    def climb(height, effect):
        chosen = quadrotor.scenario(seconds=0.125, position_m=(0, 0, height), environment={"ground_effect": effect})
        return quadrotor.fly(chosen, np.full(4, HOVER)).velocity[-1, 2] / 0.125

    assert climb(0.1, 1.0) == pytest.approx(9.80665 * 11.36859 * (0.0231348 / 4 / 0.1) ** 2, rel=0.05)
    assert climb(0.1, 0.0) == pytest.approx(0.0, abs=1e-9)
    assert climb(1.2, 1.0) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("slope_deg", "effect", "distance_m", "felt"), [
    (30.0, 1.0, 0.5, True), (30.0, 1.0, 0.65, False), (-30.0, 1.0, 0.5, True), (0.0, 3.0, 0.95, True),
    (0.0, 3.0, 1.1, False), (0.0, 0.25, 0.35, False),
])  # fmt: skip
def test_ground_effect_reaches_along_the_normal_and_as_far_as_it_is_strong(
    quadrotor, slope_deg, effect, distance_m, felt
):
    """On a slope the body is placed off the origin: near the pad at a great height, or far from it at a small one."""
    slope = math.radians(slope_deg)
    x = -0.5 if slope_deg else 0.0  # along x the pad's height is -x tan(slope)
    z = (distance_m - math.sin(slope) * x) / math.cos(slope)

    def rise(effect):
        environment = {"ground_effect": effect, "pad": {"slope_deg": slope_deg}}
        chosen = quadrotor.scenario(seconds=0.1, position_m=(x, 0, z), environment=environment)
        return quadrotor.fly(chosen, np.full(4, HOVER)).velocity[-1, 2]

    assert (abs(rise(effect) - rise(0.0)) > 1e-5) == felt


ROTORS = np.array([[1, -1, 0], [-1, -1, 0], [-1, 1, 0], [1, 1, 0]]) * 0.028
"""Front right, rear right, rear left, front left; x is forward and y is left."""


@pytest.mark.parametrize(("attitude_rpy_deg", "slope_deg"), [
    ((12, 0, 0), 0.0), ((-12, 0, 0), 0.0), ((0, 12, 0), 0.0), ((9, -6, 0), 0.0), ((8, 5, 70), 0.0), ((0, 0, 0), 12.0),
    ((0, 0, 90), 12.0), ((6, -9, -130), -8.0),
])  # fmt: skip
def test_ground_effect_rights_a_tilted_hover_over_the_pad(quadrotor, attitude_rpy_deg, slope_deg):
    """A rotor that is lower has more thrust, 1 + G (R / 4 h)² of it: the side that hangs down is lifted."""
    slope = math.radians(slope_deg)
    chosen = quadrotor.scenario(
        seconds=1 / 240, control_hz=240, position_m=(0, 0, 0.09), attitude_rpy_deg=attitude_rpy_deg,
        environment={"pad": {"slope_deg": slope_deg}},
    )  # fmt: skip
    log = quadrotor.fly(chosen, np.full(4, HOVER))
    normal = np.array([math.sin(slope), 0.0, math.cos(slope)])
    places = np.array([0, 0, 0.09]) + ROTORS @ rotation(log.q_xyzw_world_body[0]).T
    thrusts = 0.027 * 9.80665 / 4.0 * (1.0 + 11.36859 * (0.0231348 / 4.0 / (places @ normal)) ** 2)
    moment = (np.cross(ROTORS, np.array([0.0, 0.0, 1.0])) * thrusts[:, None]).sum(axis=0)
    assert np.abs(moment).max() > 1e-5
    assert log.angular_velocity[-1] == pytest.approx(moment / 1.4e-5 / 240, abs=1e-6)
    upright = rotation(log.q_xyzw_world_body[0])[:, 2]
    rights = np.cross(upright, normal) @ rotation(log.q_xyzw_world_body[0]) @ moment
    assert rights > 0.0, "it turns the body's up towards the pad's normal"


@pytest.mark.parametrize(("roll_deg", "felt"), [(60.0, True), (120.0, False), (180.0, False)])
def test_rotors_that_blow_upwards_have_no_ground_effect(quadrotor, roll_deg, felt):
    def flown(effect):
        chosen = quadrotor.scenario(
            seconds=1 / 48, position_m=(0, 0, 0.1), attitude_rpy_deg=(roll_deg, 0, 0),
            environment={"ground_effect": effect},
        )  # fmt: skip
        return quadrotor.fly(chosen, np.full(4, HOVER)).truth

    assert (np.abs(flown(1.0) - flown(0.0)).max() > 1e-3) == felt
    assert felt or flown(1.0).tobytes() == flown(0.0).tobytes()


@pytest.mark.parametrize("drop_m", [0.05, 1.0])
def test_touchdown_speed_is_the_one_before_the_impact(quadrotor, drop_m):
    """Between two ticks the body goes from fast to rest; the plant has looked at the physics rate."""
    chosen = quadrotor.scenario(
        seconds=3, position_m=(0, 0, 0.0125 + drop_m), velocity_mps=(0, 0, -1.0), environment={"ground_effect": 0.0}
    )
    log = quadrotor.fly(chosen, OFF)
    first = int(np.argmax(log.contact))
    assert log.contact[first] == 1
    assert np.all(log.touchdown_speed[:first] == 0)
    speed = -log.velocity[first - 1, 2]
    assert speed <= log.touchdown_speed[first] + 1e-12 <= speed + 10.0 / 48
    assert log.touchdown_speed[first] > -log.velocity[first, 2] + 0.5
    assert np.all(log.touchdown_speed[first:] >= log.touchdown_speed[first])


def test_landed_needs_contact_rest_low_thrust_and_time(quadrotor):
    chosen = quadrotor.scenario(seconds=3, position_m=(0, 0, 0.0126))
    log = quadrotor.fly(chosen, OFF)
    first = int(np.argmax(log.landed))
    assert 24 <= first <= 40
    assert np.all(log.landed[first:] == 1)
    assert np.all(log.contact[first:] == 1)
    assert abs(log.altitude[-1]) < 1e-4
    pushing = quadrotor.fly(chosen, np.full(4, 0.6 * HOVER))
    assert pushing.contact[-1] == 1
    assert pushing.landed.max() == 0


def test_tilt_yaw_and_altitude(quadrotor):
    chosen = quadrotor.scenario(seconds=0.5, position_m=(0, 0, 2.0), attitude_rpy_deg=(0, 30, 90))
    log = quadrotor.fly(chosen, np.full(4, HOVER))
    assert log.tilt[0] == pytest.approx(math.radians(30))
    assert log.yaw[0] == pytest.approx(math.radians(90))
    low = 0.04 * math.sin(math.radians(30)) + 0.0125 * math.cos(math.radians(30))
    assert log.altitude[0] == pytest.approx(2.0 - low)


def test_a_sloped_pad_tilts_the_resting_body(quadrotor):
    slope = math.radians(5)
    chosen = quadrotor.scenario(
        seconds=3, position_m=(0, 0, 0.03), environment={"pad": {"slope_deg": 5.0, "friction": 1.0}}
    )
    log = quadrotor.fly(chosen, OFF)
    assert log.tilt[-1] == pytest.approx(slope, abs=2e-3)
    assert abs(log.altitude[-1]) < 1e-3
    assert log.landed[-1] == 1


def test_references_are_passed_on(quadrotor):
    chosen = quadrotor.scenario(seconds=0.25, reference={"position_m": (1.0, 2.0, 3.0)})
    log = quadrotor.fly(chosen, OFF)
    assert log.reading("reference_position")[-1] == pytest.approx([1.0, 2.0, 3.0])


def test_contact_is_what_bullet_calls_contact(quadrotor):
    """The plant infers contact from the push; Bullet's own contact forces are the oracle, at every physics step."""
    import pybullet as bullet

    chosen = quadrotor.scenario(
        seconds=2, control_hz=240, position_m=(0, 0, 0.15), attitude_rpy_deg=(15, -10, 0), velocity_mps=(0.3, 0, 0)
    )
    plant, body, client = quadrotor.plant, quadrotor.plant._body, quadrotor.plant._world.client
    plant.reset(chosen, 0)
    column = quadrotor.robot.signals.true.slices["contact"].start
    seen = []
    for tick in range(chosen.duration_ticks):
        plant.apply(OFF if tick < 240 else np.full(4, 1.2 * HOVER))
        plant.step()
        forces = [c[9] for c in bullet.getContactPoints(body.id, body.pad, physicsClientId=client)]
        # A push of 1e-6 m/s in a step is 6.5 micronewtons on 27 g.
        assert plant.truth()[column] == (sum(forces) > 6.5e-6), f"step {tick}: {forces}"
        seen.append(plant.truth()[column])
    assert 0 < np.sum(seen) < len(seen)
    assert seen[-1] == 0


@pytest.mark.parametrize("spin", [(4.0, 0.0, 20.0), (30.0, 10.0, 60.0), (10.0, -5.0, -200.0)])
def test_a_spinning_body_gains_no_energy_and_keeps_its_angular_momentum(quadrotor, spin):
    """Rotors off and no air to speak of: Euler's equations, whose energy grew by two thirds in 2 s at 20 rad/s."""
    chosen = quadrotor.scenario(
        seconds=4, control_hz=240, position_m=(0, 0, 500), angular_velocity_radps=spin,
        faults=[("rotor_lag", {"value_s": 0.0})],
    )  # fmt: skip
    log = quadrotor.fly(chosen, OFF)
    inertia = np.array([1.4e-5, 1.4e-5, 2.17e-5])
    energy = (inertia * log.angular_velocity**2).sum(axis=1)
    assert energy == pytest.approx(np.full(len(energy), energy[0]), rel=1e-6)
    rate = (2.17 - 1.4) / 1.4 * spin[2]
    t = np.arange(len(energy)) / 240
    turned = (spin[0] + 1j * spin[1]) * np.exp(1j * rate * t)
    assert log.angular_velocity[:, 0] == pytest.approx(turned.real, abs=1e-4)
    assert log.angular_velocity[:, 1] == pytest.approx(turned.imag, abs=1e-4)
