"""Faults that wait for a formula, in the simulated plants: from their onset on they are faults with that `start`."""

import dataclasses

import numpy as np
import pytest

from healing_runtime.core.records import FaultSpec

from .conftest import CARTPOLE, QUADROTOR, condition_of

TICKS, ONSET = 96, 40
KINDS = {
    "quadrotor": ("rotor_efficiency", "actuator_delay", "payload", "sensor_drift", "sensor_noise", "sensor_stuck"),
    "cartpole": ("push", "actuator_delay", "sensor_delay", "sensor_dropout"),
}
CASES = [(robot, kind) for robot in (QUADROTOR, CARTPOLE) for kind in KINDS[robot.name]]


@pytest.fixture(scope="module")
def plants():
    made = {robot.name: robot.make() for robot in (QUADROTOR, CARTPOLE)}
    yield made
    for plant in made.values():
        plant.close()


def scenario(robot, **times):
    from .conftest import scenario as plain

    def of(kind):
        return FaultSpec(kind, dict(robot.faults[kind].example), **times)

    return lambda *kinds: dataclasses.replace(plain(robot, seconds=2), faults=tuple(map(of, kinds)))


def actions(robot, n=TICKS):
    rng = np.random.default_rng(4)
    low, high = robot.signals.action.low, robot.signals.action.high
    return low + (high - low) * rng.uniform(0.3, 0.6, (n, robot.signals.action.size))


def flown(plant, robot, first, last, begin=None):
    rows = []
    for tick in range(first, last):
        if tick == begin:
            plant.begin(0)
        plant.apply(actions(robot)[tick])
        plant.step()
        rows.append(np.concatenate([plant.truth(), plant.observe()]).tobytes())
    return rows


@pytest.mark.parametrize(("robot", "kind"), CASES, ids=lambda v: v if isinstance(v, str) else v.name)
def test_it_is_the_fault_that_starts_then(plants, robot, kind):
    """A sensor's fault spares the sample at which the formula was true, as one does that starts a step later."""
    plant, substeps = plants[robot.name], scenario(robot)().substeps
    spares = robot.faults[kind].touches == "sensing" and kind != "sensor_drift"  # which counts its time from its start
    plant.reset(scenario(robot, start_step=ONSET * substeps + spares)(kind), 5)
    by_time = flown(plant, robot, 0, TICKS)
    waiting = scenario(robot, when="…")(kind)
    plant.reset(waiting, 5)
    by_formula = flown(plant, robot, 0, TICKS, begin=ONSET)
    assert by_formula[: ONSET - 1] == by_time[: ONSET - 1] and by_formula[ONSET:] == by_time[ONSET:]
    assert kind == "sensor_drift" or by_formula == by_time
    plant.reset(waiting, 5)
    assert flown(plant, robot, 0, TICKS) != by_formula, "without the formula it has no effect"


@pytest.mark.parametrize(("robot", "kind"), CASES, ids=lambda v: v if isinstance(v, str) else v.name)
def test_keyframes_before_and_after_the_onset(plants, robot, kind):
    plant = plants[robot.name]
    plant.reset(scenario(robot, when="…")(kind), 5)
    flown(plant, robot, 0, ONSET - 5)
    before, hash_before = plant.snapshot(), plant.state_hash()
    flown(plant, robot, ONSET - 5, ONSET + 5, begin=ONSET)
    after, hash_after = plant.snapshot(), plant.state_hash()
    rest = flown(plant, robot, ONSET + 5, TICKS)
    end = plant.state_hash()

    plant.restore(before)
    assert plant.state_hash() == hash_before
    healthy = flown(plant, robot, ONSET - 5, TICKS)
    assert healthy[10:] != rest, "a rewind before the onset forgets it"
    plant.restore(after)
    assert plant.state_hash() == hash_after
    assert flown(plant, robot, ONSET + 5, TICKS) == rest and plant.state_hash() == end
    # Begun at another time after a rewind, and back again.
    plant.restore(before)
    flown(plant, robot, ONSET - 5, ONSET + 1, begin=ONSET - 3)
    plant.restore(after)
    assert flown(plant, robot, ONSET + 5, TICKS) == rest and plant.state_hash() == end


def test_the_ramp_counts_from_the_onset_and_the_end_is_where_the_file_says(plants):
    plant = plants["quadrotor"]
    chosen = scenario(QUADROTOR, when="…", ramp_steps=10, until_step=240)("side_force")
    plant.reset(chosen, 5)
    force = QUADROTOR.faults["side_force"].example["force_n"][0]
    forces = []
    for tick in range(60):
        if tick == 20:
            plant.begin(0)
        plant.apply(actions(QUADROTOR)[tick])
        plant.step()
        forces.append(condition_of(plant).force_n[0])
    assert forces[:20] == [0.0] * 20
    # After one period of five steps the sixth step of the ramp is due.
    assert forces[20] == pytest.approx(0.6 * force) and forces[21:47] == pytest.approx([force] * 26)
    assert forces[47:] == [0.0] * 13, "step 240 begins after the 48th period"


def test_the_hash_tells_whether_a_fault_has_begun(plants):
    plant = plants["quadrotor"]
    plant.reset(scenario(QUADROTOR, when="…")("sensor_noise"), 5)
    before = plant.state_hash()
    plant.begin(0)
    assert plant.state_hash() != before
