"""An arm of two joints through the same plant, faults, keyframes and loop: nothing there asks for a free body.

Its signals are vectors, it has two actuators and no contact, and it is no robot of the catalogue.
"""

import dataclasses
import importlib
import math

import numpy as np
import pybullet as bullet
import pytest
from pydantic import BaseModel, ValidationError

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


class Condition(jointed.Condition):
    """What may be wrong with the arm: what may be wrong with any joints."""

    __slots__ = ()
    joints = 2
    driven = (0, 1)


FAULTS = faults.faults_for(Condition, OBSERVED)


class Nothing(BaseModel):
    """A section without keys."""


class Arm(plant.SimulatedPlant):
    """Two rods that hang one on the other."""

    signals = SIGNALS
    name = "arm"
    fault_kinds = FAULTS
    condition = Condition

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
        self._strength = tuple(condition.joint_torque)
        self._body.jam(condition.joint_jammed)

    def _obey(self, command):
        self._command = command

    def _begin_period(self):
        pass

    def _fly(self, end):
        client, body = self._world.client, self._body
        torques = [share * torque for share, torque in zip(self._strength, self._command, strict=True)]
        for _ in range(self._step, end):
            bullet.setJointMotorControlArray(
                body.id, body.joints, bullet.TORQUE_CONTROL, forces=torques, physicsClientId=client
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
    FaultSpec("joint_torque_loss", {"joint": 1, "value": 0.3}, 500, 1200, 300),
    FaultSpec("joint_jammed", {"joint": 0}, 600, 1400),
)


def test_it_takes_the_general_faults_and_those_of_joints_and_no_other():
    general, of_joints = {"actuator_delay", "dropped_ticks"}, {"joint_jammed", "joint_torque_loss"}
    assert {kind for kind in FAULTS if not kind.startswith("sensor_")} == general | of_joints
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


def test_a_joint_that_is_not_there_is_refused():
    for kind, rest in (("joint_jammed", {}), ("joint_torque_loss", {"value": 0.5})):
        model = FAULTS[kind].Parameters
        model(joint=1, **rest)
        with pytest.raises(ValidationError, match="0 or 1"):
            model(joint=2, **rest)


def test_a_jammed_joint_makes_one_rod_of_two(arm):
    """Hanging straight, the second joint jammed: a pendulum of twice the length, at its own small rate."""
    chosen = dataclasses.replace(scenario(FaultSpec("joint_jammed", {"joint": 1})), physics_hz=2000)
    arm.reset(chosen, 0)
    for joint, angle in ((0, 0.01), (1, 0.0)):
        bullet.resetJointState(arm._body.id, joint, angle, 0.0, physicsClientId=arm._world.client)
    angles = []
    for _ in range(200):
        arm.step()
        angles.append(arm.truth()[:2])
    near, far = np.array(angles).T
    long_m = 4.0 * HALF_M  # of both; a uniform rod about its end: g / (2/3 of its length) is the rate squared
    t = np.arange(1, 201) / 50
    assert near == pytest.approx(0.01 * np.cos(math.sqrt(9.80665 / (2.0 / 3.0 * long_m)) * t), abs=1e-4)
    assert np.abs(far).max() < 1e-6


def test_a_joint_that_lost_torque_turns_as_with_a_smaller_one(arm):
    whole = np.tile([0.4, 1.0], (40, 1))
    arm.reset(scenario(FaultSpec("joint_torque_loss", {"joint": 1, "value": 0.25})), 0)
    weak = flown(arm, None, whole)
    arm.reset(scenario(), 0)
    assert weak.tobytes() == flown(arm, None, whole * [1.0, 0.25]).tobytes()
