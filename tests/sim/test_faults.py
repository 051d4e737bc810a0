"""Every fault of every robot: it has an effect while it is on, none before, and it ends."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from healing_runtime.core.errors import InputError
from healing_runtime.core.records import FaultSpec
from healing_runtime.workspace.plants import load_robot, robots_in

GENERAL = {
    "actuator_delay", "sensor_bias", "sensor_delay", "sensor_drift", "sensor_dropout", "sensor_noise", "sensor_stuck",
}  # fmt: skip
WANTED = {
    "cartpole": {"force_saturation", "payload", "pole_mass", "push"},
    "lander": {"force_saturation", "payload"},
    "lander_planar": {"force_saturation", "payload", "side_force"},
    "quadrotor": {"rotor_efficiency", "rotor_lag", "payload", "side_force", "wind"},
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


def test_it_has_an_effect_and_none_before_its_start(case, wander):
    bench, kind = case
    chosen = bench.scenario(seconds=3)
    actions = wander(bench, chosen.duration_ticks)
    if kind == "force_saturation":
        actions[:] = bench.robot.signals.action.high
    healthy = bench.fly(chosen, actions)
    start_tick = chosen.duration_ticks // 2
    spec = FaultSpec(kind, example(bench, kind), start_tick * chosen.substeps)
    hurt = bench.fly(dataclasses.replace(chosen, faults=(spec,)), actions)
    sensing = bench.robot.faults[kind].touches == "sensing"
    first = start_tick if sensing else start_tick + 1
    assert hurt.truth[:first].tobytes() == healthy.truth[:first].tobytes()
    assert hurt.observed[:first].tobytes() == healthy.observed[:first].tobytes()
    assert np.abs(hurt.observed[first + 2 :] - healthy.observed[first + 2 :]).max() > 1e-6
    if sensing:
        ages = [n for n in bench.robot.signals.true.slices if n.endswith("_age")]
        without_ages = bench.robot.signals.true.slices[ages[0]].start
        assert hurt.truth[:, :without_ages].tobytes() == healthy.truth[:, :without_ages].tobytes()


def test_it_ends(case, wander):
    """From the end on, the robot behaves as a healthy one in the same state and with the same readings."""
    bench, kind = case
    chosen = bench.scenario(seconds=3)
    actions = wander(bench, chosen.duration_ticks)
    spec = FaultSpec(kind, example(bench, kind), 24, until_step=120)
    end_tick = 120 // chosen.substeps
    plant = bench.plant
    plant.reset(dataclasses.replace(chosen, faults=(spec,)), 0)
    for action in actions[:end_tick]:
        plant.apply(action)
        plant.step()
    at_end = plant.snapshot()
    for action in actions[end_tick:]:
        plant.apply(action)
        plant.step()
    expected = plant.state_hash()
    observed = plant.observe().tobytes()
    plant.restore(at_end)
    plant._schedule._faults.clear()
    plant._change()
    for action in actions[end_tick:]:
        plant.apply(action)
        plant.step()
    assert plant.state_hash() == expected
    assert plant.observe().tobytes() == observed
    plant.release(at_end)


def test_a_ramp_grows_to_the_full_fault(quadrotor):
    def force(ramp, step):
        chosen = quadrotor.scenario(faults=[("side_force", {"force_n": (1.0, 0, 0)}, 10, 100, ramp)])
        plant = quadrotor.plant
        plant.reset(chosen, 0)
        plant._step = step
        plant._change()
        return plant._force[0]

    assert [force(20, s) for s in (9, 10, 19, 29, 60, 99, 100)] == [0.0, 0.05, 0.5, 1.0, 1.0, 1.0, 0.0]
    assert [force(0, s) for s in (9, 10, 99, 100)] == [0.0, 1.0, 1.0, 0.0]


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
    with pytest.raises(InputError, match="3"):
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
def test_a_held_sensor_is_off_by_its_bias_once_whatever_the_order(quadrotor, kind):
    held = (kind, {"signal": "altitude"}, 50, 150)
    bias = ("sensor_bias", {"signal": "altitude", "value": -0.25}, 75, 120)
    for faults in ([held, bias], [bias, held]):
        chosen = quadrotor.scenario(seconds=1, faults=faults)
        log = quadrotor.fly(chosen, np.full(4, 1400.0))
        readings = log.reading("altitude")[:, 0]
        assert np.all(readings[10:15] == log.altitude[9])
        assert readings[15:24] == pytest.approx(np.full(9, log.altitude[9] - 0.25), abs=1e-12)
        assert np.all(readings[24:30] == log.altitude[9])
        assert np.array_equal(readings[30:], log.altitude[30:])


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
    plant._sensors._raw = plant._sensors._raw + 1.0
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


def test_a_bias_is_not_delayed_and_a_held_value_is(cartpole, wander):
    late = ("sensor_delay", {"signal": "pole_angle", "value_s": 0.04})
    bias = ("sensor_bias", {"signal": "pole_angle", "value": 0.5}, 100)
    stuck = ("sensor_stuck", {"signal": "pole_angle"}, 150)
    chosen = cartpole.scenario(seconds=1, faults=[bias, stuck, late])
    log = cartpole.fly(chosen, wander(cartpole, chosen.duration_ticks))
    reading = log.reading("pole_angle")[:, 0]
    assert np.array_equal(reading[2:20], log.pole_angle[:18])
    assert np.array_equal(reading[20:32], log.pole_angle[18:30] + 0.5)
    assert np.all(reading[32:] == log.pole_angle[29] + 0.5)


def test_drift_grows_from_its_start_and_is_gone_with_its_end(cartpole):
    faults = [("sensor_drift", {"signal": "cart_position", "rate": 0.2}, 100, 300)]
    log = cartpole.fly(cartpole.scenario(seconds=2, faults=faults), [0.0])
    error = log.reading("cart_position")[:, 0] - log.cart_position
    assert np.all(error[:20] == 0.0)
    assert error[20:60] == pytest.approx(0.2 * 0.02 * np.arange(40), abs=1e-12)
    assert np.all(error[60:] == 0.0)
