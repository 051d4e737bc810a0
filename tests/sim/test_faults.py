"""Every fault of every robot: it has an effect while it is on, none before, and it ends."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from healing_runtime.core.errors import InputError
from healing_runtime.core.records import FaultSpec
from healing_runtime.workspace.plants import load_robot, robots_in

from .conftest import condition_of

GENERAL = {
    "actuator_delay", "dropped_ticks",
    "sensor_bias", "sensor_delay", "sensor_drift", "sensor_dropout", "sensor_noise", "sensor_stuck",
}  # fmt: skip
PAD = {"friction_drop", "restitution", "slope"}
WANTED = {
    "cartpole": {"force_saturation", "joint_jammed", "joint_torque_loss", "payload", "pole_mass", "push"},
    "lander": {"force_saturation", "payload"} | PAD,
    "lander_planar": {"force_saturation", "impulse", "payload", "side_force"} | PAD,
    "quadrotor": {
        "battery_sag", "com_offset", "downwash", "frame_error", "ground_effect", "impulse", "payload",
        "rotor_efficiency", "rotor_lag", "rotor_stuck", "rpm_ceiling", "side_force", "thrust_noise", "turbulence",
        "wind",
    } | PAD,
}  # fmt: skip


LOW = {
    "lander": {"altitude_m": 0.5, "velocity_mps": -1.0},
    "lander_planar": {"position_m": (0.0, 1.8), "velocity_mps": (0.3, -1.0)},
    "quadrotor": {"position_m": (0, 0, 0.1)},
}


def every_fault():
    sim = Path(__file__).resolve().parents[2] / "sim"
    return [(name, kind) for name in robots_in(sim) for kind in load_robot(name, sim).faults]


@pytest.fixture(params=every_fault(), ids=lambda p: f"{p[0]}-{p[1]}")
def case(request):
    name, kind = request.param
    return request.getfixturevalue(name), kind


def example(bench, kind):
    return dict(bench.robot.faults[kind].example)


def test_the_catalogue_holds_what_is_promised(bench):
    assert set(bench.robot.faults) == GENERAL | WANTED[bench.robot.name]


def test_the_example_is_valid_and_unknown_keys_are_not(case):
    bench, kind = case
    model = bench.robot.faults[kind].Parameters
    model.model_validate(example(bench, kind))
    with pytest.raises(ValidationError, match="Extra inputs"):
        model.model_validate({**example(bench, kind), "surprise": 1.0})
    assert bench.robot.faults[kind].touches in ("actuation", "sensing", "body", "environment")


@pytest.fixture
def stage(case, wander):
    """A flight in which the fault can show: a pad that changes needs the robot on it, a limit needs a command."""
    bench, kind = case
    options = {}
    if kind in PAD:
        options = {"environment": {"pad": {"slope_deg": 8.0}}, **LOW[bench.robot.name]}
    chosen = bench.scenario(seconds=3, **options)
    actions = wander(bench, chosen.duration_ticks)
    if kind == "force_saturation":
        actions[:] = bench.robot.signals.action.high
    if kind in PAD:
        actions *= 0.3
    return chosen, actions


def test_it_has_an_effect_and_none_before_its_start(case, stage):
    (bench, kind), (chosen, actions) = case, stage
    healthy = bench.fly(chosen, actions)
    start_tick = 4 if kind in PAD else chosen.duration_ticks // 2
    spec = FaultSpec(kind, example(bench, kind), start_tick * chosen.substeps)
    hurt = bench.fly(dataclasses.replace(chosen, faults=(spec,)), actions)
    sensing = bench.robot.faults[kind].touches == "sensing"
    # Altitude counts from the pad: it is another one in the moment in which the pad moves.
    first = start_tick if sensing or kind == "slope" else start_tick + 1
    assert hurt.truth[:first].tobytes() == healthy.truth[:first].tobytes()
    assert hurt.observed[:first].tobytes() == healthy.observed[:first].tobytes()
    assert np.abs(hurt.observed[first + 2 :] - healthy.observed[first + 2 :]).max() > 1e-6
    if sensing:
        ages = [n for n in bench.robot.signals.true.slices if n.endswith("_age")]
        without_ages = bench.robot.signals.true.slices[ages[0]].start
        assert hurt.truth[:, :without_ages].tobytes() == healthy.truth[:, :without_ages].tobytes()


def rows_of(plant, actions):
    """Truth and readings after each action."""
    rows = []
    for action in actions:
        plant.apply(action)
        plant.step()
        rows.append(np.concatenate([plant.truth(), plant.observe()]))
    return np.array(rows).tobytes()


def test_it_ends(case, stage):
    """From the end on, the robot behaves as a healthy one in the same state and with the same readings."""
    (bench, kind), (chosen, actions) = case, stage
    spec = FaultSpec(kind, example(bench, kind), 24, until_step=120)
    end_tick = 120 // chosen.substeps
    plant = bench.plant
    plant.reset(dataclasses.replace(chosen, faults=(spec,)), 0)
    rows_of(plant, actions[:end_tick])
    at_end = plant.snapshot()
    rest = rows_of(plant, actions[end_tick:])
    expected = plant.state_hash()
    plant.restore(at_end)
    plant._schedule._faults.clear()
    plant._change()
    assert rows_of(plant, actions[end_tick:]) == rest
    assert plant.state_hash() == expected
    plant.release(at_end)


def test_the_condition_is_a_fresh_one_before_and_after(case, stage):
    (bench, kind), (chosen, _) = case, stage
    spec = FaultSpec(kind, example(bench, kind), 24, until_step=120)
    plant = bench.plant
    plant.reset(dataclasses.replace(chosen, faults=(spec,)), 0)
    fresh = condition_at(plant, 0)
    assert fresh == slots_of(plant.condition())
    assert condition_at(plant, 23) == condition_at(plant, 120) == fresh
    assert plant._schedule.sensing == ((), ())
    if bench.robot.faults[kind].touches != "sensing":
        assert any(condition_at(plant, step) != fresh for step in range(24, 120))


def condition_at(plant, step):
    condition = plant.condition()
    plant._schedule.act(condition, step)
    return slots_of(condition)


def slots_of(condition):
    slots = [slot for base in type(condition).__mro__ for slot in getattr(base, "__slots__", ())]
    return {slot: getattr(condition, slot) for slot in slots}


def test_runs_agree_and_a_keyframe_within_it_restores_every_bit(case, stage):
    """A ramp is on where the fault knows one; the keyframe is left after the fault is over, from another state.

    On a pad the ramp has ended, so that contacts are old ones.
    """
    (bench, kind), (chosen, actions) = case, stage
    ramp_steps = 0 if bench.robot.faults[kind].holds else 100 if kind in PAD else 200
    spec = FaultSpec(kind, example(bench, kind), 24, 300, ramp_steps)
    chosen, plant = dataclasses.replace(chosen, faults=(spec,)), bench.plant
    middle = 150 // chosen.substeps
    plant.reset(chosen, 5)
    first = rows_of(plant, actions[:middle])
    frame, at_frame = plant.snapshot(), plant.state_hash()
    rest = rows_of(plant, actions[middle:])
    at_end = plant.state_hash()
    rows_of(plant, 0.9 * actions[:3])
    plant.restore(frame)
    assert plant.state_hash() == at_frame
    assert rows_of(plant, actions[middle:]) == rest
    assert plant.state_hash() == at_end
    plant.release(frame)
    plant.reset(chosen, 5)
    assert rows_of(plant, actions[:middle]) == first
    assert rows_of(plant, actions[middle:]) == rest


def test_a_keyframe_a_hair_above_the_pad_knows_that_nothing_touched(quadrotor):
    """Restored from a crash: contacts of which the keyframe knew nothing must be gone."""
    plant, off = quadrotor.plant, np.zeros((30, 4))
    plant.reset(quadrotor.scenario(seconds=1, position_m=(0, 0, 0.0135), attitude_rpy_deg=(0, 0, 20)), 0)
    frame = plant.snapshot()
    fallen = rows_of(plant, off)
    plant.restore(frame)
    assert rows_of(plant, off) == fallen
    plant.release(frame)


@pytest.mark.slow
def test_every_keyframe_around_it_restores_every_bit(case, stage):
    """From the end of the flight back to every second tick: before the fault, in its ramp, in it, and after it."""
    (bench, kind), (chosen, actions) = case, stage
    ramp_steps = 0 if bench.robot.faults[kind].holds else 40
    chosen = dataclasses.replace(chosen, faults=(FaultSpec(kind, example(bench, kind), 60, 300, ramp_steps),))
    plant, rows, frames = bench.plant, [], {}
    plant.reset(chosen, 5)
    for tick, action in enumerate(actions):
        if tick % 2 == 0:
            frames[tick] = plant.snapshot()
        rows.append(rows_of(plant, [action]))
    for tick, frame in sorted(frames.items(), reverse=True):
        plant.restore(frame)
        assert rows_of(plant, actions[tick : tick + 20]) == b"".join(rows[tick : tick + 20]), f"keyframe {tick}"
        plant.release(frame)


def test_a_ramp_is_half_way_at_its_half(case):
    """What a fault does to the condition grows evenly; chance and a pair of (share, goal) are looked at elsewhere."""
    bench, kind = case
    fault = bench.robot.faults[kind]
    if fault.touches == "sensing" or fault.holds or kind in ("dropped_ticks", "restitution"):
        return
    plant = bench.plant

    def numbers(ramp_steps, step):
        plant.reset(bench.scenario(faults=[(kind, example(bench, kind), 0, None, ramp_steps)]), 0)
        return np.concatenate([np.ravel(np.array(v, float)) for v in condition_at(plant, step).values()])

    step = 99  # the hundredth step of the fault
    healthy = np.concatenate([np.ravel(np.array(v, float)) for v in slots_of(plant.condition()).values()])
    assert numbers(200, step) == pytest.approx(0.5 * (healthy + numbers(0, step)), nan_ok=True)
    assert np.array_equal(numbers(100, step), numbers(0, step), equal_nan=True)


def test_a_ramp_grows_to_the_full_fault(quadrotor):
    def force(ramp, step):
        chosen = quadrotor.scenario(faults=[("side_force", {"force_n": (1.0, 0, 0)}, 10, 100, ramp)])
        plant = quadrotor.plant
        plant.reset(chosen, 0)
        plant._step = step
        return condition_of(plant).force_n[0]

    assert [force(20, s) for s in (9, 10, 19, 29, 60, 99, 100)] == [0.0, 0.05, 0.5, 1.0, 1.0, 1.0, 0.0]
    assert [force(0, s) for s in (9, 10, 99, 100)] == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize(("robot", "one", "other", "common"), [
    ("quadrotor", ("rotor_stuck", {"rotor": 1, "value": 1.0}), ("rotor_stuck", {"rotor": 1, "value": 0.5}), True),
    ("quadrotor", ("rotor_stuck", {"rotor": 1, "value": 1.0}), ("rotor_efficiency", {"rotor": 1, "value": 0.5}), True),
    ("quadrotor", ("rotor_stuck", {"rotor": 1, "value": 1.0}), ("rotor_stuck", {"rotor": 2, "value": 1.0}), False),
    ("quadrotor", ("rpm_ceiling", {"value": 1.0}), ("rpm_ceiling", {"value": 1.2}), True),
    ("quadrotor", ("sensor_stuck", {"signal": "altitude"}), ("sensor_dropout", {"signal": "altitude"}), True),
    ("quadrotor", ("sensor_stuck", {"signal": "altitude"}), ("sensor_dropout", {"signal": "velocity"}), False),
    ("quadrotor", ("sensor_stuck", {"signal": "altitude"}), ("sensor_bias", {"signal": "altitude", "value": 1}), False),
    ("quadrotor", ("wind", {"velocity_mps": (1, 0, 0)}), ("wind", {"velocity_mps": (0, 1, 0)}), False),
    ("quadrotor", ("payload", {"mass_kg": -0.01}), ("payload", {"mass_kg": -0.01}), True),
    ("quadrotor", ("payload", {"mass_kg": -0.01}), ("payload", {"mass_kg": 0.01}), False),
    ("cartpole", ("joint_jammed", {"joint": 0}), ("joint_torque_loss", {"joint": 0, "value": 0.5}), True),
    ("cartpole", ("joint_jammed", {"joint": 1}), ("joint_torque_loss", {"joint": 0, "value": 0.5}), False),
    ("lander", ("restitution", {"value": 0.5}), ("restitution", {"value": 0.2}), True),
    ("lander", ("slope", {"value_deg": 5.0}), ("slope", {"value_deg": 2.0}), True),
])  # fmt: skip
def test_faults_claim_what_they_take_for_themselves_alone(request, robot, one, other, common):
    """Two faults with a common claim must not overlap; those that add up, or touch different parts, have none."""
    faults = request.getfixturevalue(robot).robot.faults
    claims = [faults[kind].claims(parameters) for kind, parameters in (one, other)]
    assert bool(claims[0] & claims[1]) is common


CLAIMS = {
    "joint_jammed": {"joint 0"}, "joint_torque_loss": {"joint 0"}, "pole_mass": {"pole mass"},
    "restitution": {"restitution"}, "slope": {"the pad's slope"}, "battery_sag": {"battery"},
    "rotor_efficiency": {"rotor 0"},
    "rotor_lag": {"rotor lag"}, "rotor_stuck": {"rotor 0"}, "rpm_ceiling": {"rotor ceiling"},
    "frame_error": {"frame of position", "frame of velocity"},
}  # fmt: skip
"""By the examples; a sensor that is held is claimed by its name, and everything else adds up with its like."""


def test_every_fault_answers_for_its_claims(case):
    bench, kind = case
    parameters = example(bench, kind)
    held = {f"sensor {parameters['signal']}"} if kind in ("sensor_stuck", "sensor_dropout") else set()
    claims = bench.robot.faults[kind].claims(parameters)
    assert isinstance(claims, frozenset)
    assert claims == CLAIMS.get(kind, held)


def test_faults_add_up(quadrotor):
    halves = [("rotor_efficiency", {"rotor": 2, "value": 0.5}), ("rotor_efficiency", {"rotor": 2, "value": 0.5})]
    quarter = [("rotor_efficiency", {"rotor": 2, "value": 0.25})]
    chosen = quadrotor.scenario(seconds=0.5, faults=halves)
    action = np.full(4, 1500.0)
    together = quadrotor.fly(chosen, action)
    alone = quadrotor.fly(quadrotor.scenario(seconds=0.5, faults=quarter), action)
    assert together.truth.tobytes() == alone.truth.tobytes()


def test_a_robot_refuses_what_it_cannot_take(lander):
    chosen = lander.scenario(faults=[("wind", {"velocity_mps": (1.0, 0.0, 0.0)})])
    with pytest.raises(InputError, match="lander cannot take the fault 'wind'"):
        lander.plant.reset(chosen, 0)


def test_a_misspelt_sensor_is_refused(quadrotor):
    model = quadrotor.robot.faults["sensor_bias"].Parameters
    with pytest.raises(ValidationError, match="altitude"):
        model.model_validate({"signal": "alltitude", "value": 1.0})
    with pytest.raises(ValidationError):
        model.model_validate({"signal": "q_xyzw_world_body", "value": 0.1})
    with pytest.raises(ValidationError, match="which has 3"):
        quadrotor.plant.reset(
            quadrotor.scenario(faults=[("sensor_bias", {"signal": "velocity", "value": (0.1, 0.2)})]), 0
        )


def test_stuck_looks_fresh_and_dropout_grows_old(quadrotor):
    action = np.full(4, 1400.0)
    for kind, oldest in (("sensor_stuck", 0.0), ("sensor_dropout", 0.5)):
        chosen = quadrotor.scenario(seconds=2, faults=[(kind, {"signal": "altitude"}, 240, 360)])
        log = quadrotor.fly(chosen, action)
        readings = log.reading("altitude")[:, 0]
        assert np.all(readings[48:72] == readings[47])
        assert np.array_equal(readings[72:], log.altitude[72:])
        assert log.altitude_age.max() == pytest.approx(oldest)
        assert log.altitude_age[72] == 0.0


@pytest.mark.parametrize("kind", ["sensor_stuck", "sensor_dropout"])
@pytest.mark.parametrize(
    "error",
    [
        ("sensor_bias", {"signal": "altitude", "value": -0.25}, 25),
        ("sensor_noise", {"signal": "altitude", "value": 0.2}, 25),
        ("sensor_drift", {"signal": "altitude", "rate": 0.5}, 25),
        ("sensor_delay", {"signal": "altitude", "value_s": 0.05}, 25),
    ],
    ids=lambda fault: fault[0],
)
def test_what_was_delivered_last_is_held_and_no_error_is_drawn_anew(quadrotor, kind, error):
    held = (kind, {"signal": "altitude"}, 100, 150)
    for faults in ([held, error], [error, held]):
        log = quadrotor.fly(quadrotor.scenario(seconds=1, faults=faults), np.full(4, 1400.0))
        readings = log.reading("altitude")[:, 0]
        assert readings[19] != log.altitude[19] and readings[19] != readings[18]
        assert np.all(readings[20:30] == readings[19])
        assert np.all(readings[33:] != readings[19])


@pytest.mark.parametrize("kind", ["sensor_stuck", "sensor_dropout"])
def test_an_error_that_begins_while_a_sensor_holds_shows_when_it_delivers_again(quadrotor, kind):
    held = (kind, {"signal": "altitude"}, 50, 150)
    for end in (120, 200):
        bias = ("sensor_bias", {"signal": "altitude", "value": -0.25}, 75, end)
        for faults in ([held, bias], [bias, held]):
            log = quadrotor.fly(quadrotor.scenario(seconds=1, faults=faults), np.full(4, 1400.0))
            readings = log.reading("altitude")[:, 0]
            assert np.all(readings[10:30] == log.altitude[9])
            off = np.where(np.arange(30, 40) < end // 5, -0.25, 0.0)
            assert readings[30:40] == pytest.approx(log.altitude[30:40] + off, abs=1e-12)


def test_what_a_sensor_holds_survives_a_keyframe_and_is_hashed(quadrotor):
    held = ("sensor_stuck", {"signal": "altitude"}, 50)
    bias = ("sensor_bias", {"signal": "altitude", "value": -0.25}, 75, 120)
    plant, ends = quadrotor.plant, []
    plant.reset(quadrotor.scenario(seconds=1, faults=[held, bias]), 0)
    for _ in range(20):
        plant.apply(np.full(4, 1400.0))
        plant.step()
    frame = plant.snapshot()
    before = plant.state_hash()
    for _ in range(2):
        plant.restore(frame)
        assert plant.state_hash() == before
        for _ in range(20):
            plant.step()
        ends.append((plant.state_hash(), plant.observe().tobytes()))
    assert ends[0] == ends[1]
    plant.restore(frame)
    plant._sensors._raw = tuple(value + 1.0 for value in plant._sensors._raw)
    assert plant.state_hash() != before
    plant.release(frame)


def test_bias_and_noise_are_what_they_say(quadrotor):
    action = np.full(4, 1515.0)
    bias = [("sensor_bias", {"signal": "velocity", "value": (0.1, 0.0, -0.2)})]
    log = quadrotor.fly(quadrotor.scenario(seconds=1, faults=bias), action)
    assert log.reading("velocity") - log.velocity == pytest.approx(np.tile([0.1, 0.0, -0.2], (49, 1)))
    noise = [("sensor_noise", {"signal": "position", "value": 0.1})]
    log = quadrotor.fly(quadrotor.scenario(seconds=8, faults=noise), action)
    error = log.reading("position") - log.position
    assert error.std() == pytest.approx(0.1, rel=0.1)
    assert abs(np.corrcoef(error[:-1, 0], error[1:, 0])[0, 1]) < 0.15


def test_a_late_command_is_the_same_command_later(bench, wander):
    """Bit for bit: with a delay of three ticks the actions do what they do three ticks later."""
    chosen = bench.scenario(seconds=2)
    actions = wander(bench, chosen.duration_ticks)
    delayed = dataclasses.replace(chosen, faults=(FaultSpec("actuator_delay", {"value_s": 3 * chosen.dt_s}),))
    plant = bench.plant
    plant.reset(chosen, 0)
    rows = [plant.truth()]
    for tick in range(chosen.duration_ticks):
        if tick >= 3:  # before, the actuators have the command that they start with
            plant.apply(actions[tick - 3])
        plant.step()
        rows.append(plant.truth())
    assert bench.fly(delayed, actions).truth.tobytes() == np.array(rows).tobytes()


def test_a_delay_counts_in_physics_steps(cartpole):
    chosen = cartpole.scenario(seconds=0.2, pole_angle_deg=0.0, faults=[("actuator_delay", {"value_s": 0.013})])
    log = cartpole.fly(chosen, [1.0])
    same = cartpole.fly(dataclasses.replace(chosen, faults=(FaultSpec("actuator_delay", {"value_s": 0.012}),)), [1.0])
    assert log.truth.tobytes() == same.truth.tobytes(), "13 ms are 3.25 steps of 4 ms"
    healthy = cartpole.fly(dataclasses.replace(chosen, faults=()), [1.0])
    assert log.cart_velocity[1] == pytest.approx(0.4 * healthy.cart_velocity[1], rel=1e-3), "two of five steps are left"


def test_a_command_overtakes_those_that_a_delay_still_holds_back(cartpole):
    """From the end of a delay on the newest command counts; what was under way never arrives."""
    chosen = cartpole.scenario(seconds=0.4, faults=[("actuator_delay", {"value_s": 0.1}, 0, 25)])
    actions = np.array([[8.0], [8.0], [8.0], [8.0], [8.0], *[[-2.0]] * 15])
    log = cartpole.fly(chosen, actions)
    assert log.motor_force[:6] == pytest.approx(0.0)
    assert log.motor_force[6:] == pytest.approx(-2.0)


def test_a_late_sensor_delivers_what_was_and_never_goes_back(cartpole, wander):
    """Five ticks late between ticks 20 and 60; when it begins the reading waits, when it ends it catches up."""
    faults = [("sensor_delay", {"signal": "pole_angle", "value_s": 0.09}, 100, 300)]
    chosen = cartpole.scenario(seconds=2, faults=faults)
    log = cartpole.fly(chosen, wander(cartpole, chosen.duration_ticks))
    reading = log.reading("pole_angle")[:, 0]
    assert np.array_equal(reading[:20], log.pole_angle[:20])
    assert np.all(reading[20:25] == log.pole_angle[19])
    assert np.array_equal(reading[25:60], log.pole_angle[20:55])
    assert np.array_equal(reading[60:], log.pole_angle[60:])
    assert log.pole_angle_age.max() == 0.0, "nothing tells that it is old"
    assert np.array_equal(log.reading("pole_rate")[:, 0], log.pole_rate)


def test_a_bias_is_not_delayed_and_a_sensor_that_is_stuck_delivers_nothing_late(cartpole, wander):
    late = ("sensor_delay", {"signal": "pole_angle", "value_s": 0.04})
    bias = ("sensor_bias", {"signal": "pole_angle", "value": 0.5}, 100)
    stuck = ("sensor_stuck", {"signal": "pole_angle"}, 150)
    chosen = cartpole.scenario(seconds=1, faults=[bias, stuck, late])
    log = cartpole.fly(chosen, wander(cartpole, chosen.duration_ticks))
    reading = log.reading("pole_angle")[:, 0]
    assert np.array_equal(reading[2:20], log.pole_angle[:18])
    assert np.array_equal(reading[20:30], log.pole_angle[18:28] + 0.5)
    assert np.all(reading[30:] == reading[29]), "what was delivered last, not what is still under way"


def test_drift_grows_from_its_start_and_is_gone_with_its_end(cartpole):
    faults = [("sensor_drift", {"signal": "cart_position", "rate": 0.2}, 100, 300)]
    log = cartpole.fly(cartpole.scenario(seconds=2, faults=faults), [0.0])
    error = log.reading("cart_position")[:, 0] - log.cart_position
    assert np.all(error[:20] == 0.0)
    assert error[20:60] == pytest.approx(0.2 * 0.02 * np.arange(40), abs=1e-12)
    assert np.all(error[60:] == 0.0)


@pytest.mark.parametrize("kind, parameters, whole", [
    ("sensor_bias", {"value": -0.3}, lambda since_s: np.full(len(since_s), -0.3)),
    ("sensor_drift", {"rate": 0.2}, lambda since_s: 0.2 * since_s),
])  # fmt: skip
def test_the_error_of_a_sensor_grows_over_its_ramp(cartpole, kind, parameters, whole):
    """From tick 20 on, over 40 ticks of 5 steps: in step k of 200 it is k / 200 of the error, afterwards all of it."""
    fault = (kind, {"signal": "cart_position", **parameters}, 100, None, 200)
    log = cartpole.fly(cartpole.scenario(seconds=2, faults=[fault]), [0.0])
    error = log.reading("cart_position")[:, 0] - log.cart_position
    ticks = np.arange(20, 101)
    amount = np.minimum((5 * ticks - 100 + 1) / 200, 1.0)
    assert np.all(error[:20] == 0.0)
    assert error[20:] == pytest.approx(amount * whole(0.02 * (ticks - 20)), abs=1e-12)


def test_noise_grows_over_its_ramp(cartpole):
    """The same draws, smaller ones."""

    def error(*ramp):
        fault = ("sensor_noise", {"signal": "cart_position", "value": 0.1}, 0, None, *ramp)
        log = cartpole.fly(cartpole.scenario(seconds=2, faults=[fault]), [0.0])
        return log.reading("cart_position")[:, 0] - log.cart_position

    amount = np.minimum((5 * np.arange(101) + 1) / 300, 1.0)
    assert error(300) == pytest.approx(amount * error(), abs=1e-12)
