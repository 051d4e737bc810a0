"""An arm of two joints through the same plant, faults, keyframes and loop: nothing there asks for a free body.

Its signals are vectors, it has two actuators and no contact, and it is no robot of the catalogue.
"""

import importlib
import math

import numpy as np
import pybullet as bullet
import pytest
from pydantic import BaseModel

from healing_runtime.core.plant import Robot
from healing_runtime.core.records import FaultSpec, Perturbation, Scenario
from healing_runtime.core.signals import Layout, Signal, SignalTable

from .conftest import CARTPOLE

SIM = CARTPOLE.make.__module__.rpartition(".robots.")[0]
plant, jointed, faults, sensing = (
    importlib.import_module(f"{SIM}.{name}") for name in ("plant", "jointed", "faults", "sensing")
)

HALF_M, MASS_KG = 0.25, 1.0
OBSERVED = Layout((Signal("angle", "rad", (2,), scale=1.0), Signal("rate", "rad/s", (2,), scale=1.0)))
SIGNALS = SignalTable(
    observed=OBSERVED,
    action=Layout((Signal("torque", "N m", (2,), low=-5.0, high=5.0),)),
    true=Layout((*OBSERVED, *sensing.age_signals(OBSERVED))),
)
FAULTS = faults.faults_for(plant.Condition, OBSERVED)


class Nothing(BaseModel):
    """A section without keys."""


class Arm(plant.SimulatedPlant):
    """Two rods that hang one on the other."""

    signals = SIGNALS
    name = "arm"
    fault_kinds = FAULTS
    condition = plant.Condition

    def _build(self, scenario):
        self._command = (0.0, 0.0)
        self._world.clear(scenario.physics_hz, 9.80665)
        extents, axis = (0.02, 0.02, HALF_M), (0.0, 1.0, 0.0)
        self._body = jointed.JointedBody(self._world)
        near = jointed.Link(bullet.JOINT_REVOLUTE, axis, (0.0, 0.0, -HALF_M), extents)
        far = near._replace(at_m=(0.0, 0.0, -2.0 * HALF_M))
        self._body.build([near, far], [jointed.Joint(0.5, 0.0), jointed.Joint(-0.3, 1.0)])
        for link in (0, 1):
            self._body.set_mass(link, MASS_KG, (MASS_KG * HALF_M**2 / 3.0,) * 3)

    def _suffer(self, condition):
        pass

    def _obey(self, command):
        self._command = command

    def _begin_period(self):
        pass

    def _fly(self, end):
        client, body = self._world.client, self._body
        for _ in range(self._step, end):
            bullet.setJointMotorControlArray(
                body.id, body.joints, bullet.TORQUE_CONTROL, forces=self._command, physicsClientId=client
            )
            bullet.stepSimulation(physicsClientId=client)
        self._step = end
        self._read_world()

    def _true_values(self):
        return (*(j.position for j in self._joints), *(j.velocity for j in self._joints))

    def _read_world(self):
        self._joints = self._body.state()
        return self._true_values()

    def _kept(self):
        return self._command

    def _keep(self, values):
        self._command = values


ROBOT = Robot("arm", "two rods", SIGNALS, Nothing, Nothing, Nothing, FAULTS, Perturbation(), Arm)


@pytest.fixture(scope="module")
def arm():
    made = ROBOT.make()
    yield made
    made.close()


def scenario(*specs):
    return Scenario("arm/test", "arm", "", (), None, 200, 50, 500, 1, {}, {}, faults=specs)


def flown(arm, chosen, actions, start=0):
    rows = []
    for action in actions[start:]:
        arm.apply(action)
        arm.step()
        rows.append(np.concatenate([arm.truth(), arm.observe()]))
    return np.array(rows)


LATE = (
    FaultSpec("actuator_delay", {"value_s": 0.03}, 300, 1500),
    FaultSpec("sensor_delay", {"signal": "rate", "value_s": 0.05}, 400),
    FaultSpec("sensor_noise", {"signal": "angle", "value": 0.01}),
)


def test_it_takes_the_general_faults_and_no_other():
    assert {kind for kind in FAULTS if not kind.startswith("sensor_")} == {"actuator_delay", "dropped_ticks"}
    assert all(cls.example["signal"] in OBSERVED for kind, cls in FAULTS.items() if kind.startswith("sensor_"))


def test_flights_repeat_and_keyframes_restore_every_bit(arm):
    actions = np.random.default_rng(0).uniform(-1.0, 1.0, (200, 2))
    chosen = scenario(*LATE)
    arm.reset(chosen, 3)
    first, end = flown(arm, chosen, actions), arm.state_hash()
    arm.reset(chosen, 3)
    again = flown(arm, chosen, actions[:90])
    frame, at_frame = arm.snapshot(), arm.state_hash()
    flown(arm, chosen, np.zeros((30, 2)))
    arm.restore(frame)
    assert arm.state_hash() == at_frame
    rest = flown(arm, chosen, actions, start=90)
    assert np.concatenate([again, rest]).tobytes() == first.tobytes()
    assert arm.state_hash() == end
    arm.release(frame)


def test_a_torque_moves_the_far_rod_as_it_should(arm):
    """Both rods hang at rest; a torque on the second joint: the mass matrix of two rods, solved by hand."""
    arm.reset(scenario(), 0)
    for joint in (0, 1):
        bullet.resetJointState(arm._body.id, joint, 0.0, 0.0, physicsClientId=arm._world.client)
    bullet.setJointMotorControlArray(
        arm._body.id, (0, 1), bullet.TORQUE_CONTROL, forces=(0.0, 1.0), physicsClientId=arm._world.client
    )
    bullet.stepSimulation(physicsClientId=arm._world.client)
    long_m, rod = 2.0 * HALF_M, MASS_KG * HALF_M**2 * 4.0 / 3.0
    far, both = rod + MASS_KG * HALF_M * long_m, rod + MASS_KG * long_m**2 + 2.0 * MASS_KG * HALF_M * long_m + rod
    expected = np.linalg.solve([[both, far], [far, rod]], [0.0, 1.0])
    rates = [joint.velocity * 500.0 for joint in arm._body.state()]
    assert rates == pytest.approx(expected, rel=1e-6)
    assert math.copysign(1.0, rates[0]) == -1.0, "the near rod is pushed back"
