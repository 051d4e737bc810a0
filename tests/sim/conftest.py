import dataclasses
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from healing_runtime.core.records import FaultSpec, Scenario
from healing_runtime.workspace.plants import load_robot

from .hangar import Hangar

ROOT = Path(__file__).resolve().parents[2]
CARTPOLE, LANDER, LANDER_PLANAR, QUADROTOR = (
    load_robot(name, ROOT / "sim") for name in ("cartpole", "lander", "lander_planar", "quadrotor")
)

RATES = {"cartpole": (50, 250), "lander": (10, 240), "lander_planar": (20, 240), "quadrotor": (48, 240)}


def condition_of(plant):
    """What is wrong with a plant at its step, as its faults tell it."""
    told = []
    with mock.patch.object(plant, "_suffer", told.append):
        plant._change()
    return told[0]


def scenario(robot, *, seconds=4, control_hz=None, physics_hz=None, faults=(), environment=(), reference=(), **initial):
    """A scenario with the robot's defaults; faults are (kind, parameters, start_step[, until_step[, ramp_steps]])."""
    default_control, default_physics = RATES[robot.name]
    control_hz = control_hz or default_control
    return Scenario(
        name=f"{robot.name}/test",
        robot=robot.name,
        controller="",
        assertions=(),
        mission=None,
        duration_ticks=round(seconds * control_hz),
        control_hz=control_hz,
        physics_hz=physics_hz or default_physics,
        seed=1,
        initial=robot.initial(**initial).model_dump(),
        environment=robot.environment(**dict(environment)).model_dump(),
        reference=robot.reference(**dict(reference)).model_dump(),
        faults=tuple(FaultSpec(*entry) for entry in faults),
    )


class Log:
    """Rows of a flight; `log.altitude` and so on are columns of the true signals, `log.observed` the readings."""

    def __init__(self, robot, truth, observed):
        self.truth, self.observed = np.array(truth), np.array(observed)
        self._slices = robot.signals.true.slices
        self._shapes = {s.name: s.shape for s in robot.signals.true}
        self._observed_slices = robot.signals.observed.slices

    def __getattr__(self, name):
        columns = self.truth[:, self._slices[name]]
        return columns if self._shapes[name] else columns[:, 0]

    def reading(self, name):
        return self.observed[:, self._observed_slices[name]]


def fly(plant, robot, chosen, actions, seed=0, reset=True):
    """Reset, then one row a tick and one after the last; `actions` is one vector for all ticks, or one a tick."""
    if reset:
        plant.reset(chosen, seed)
    actions = np.asarray(actions, dtype=np.float64)
    if actions.ndim == 1:
        actions = np.tile(actions, (chosen.duration_ticks, 1))
    truth, observed = [plant.truth().copy()], [plant.observe().copy()]
    for action in actions:
        plant.apply(action)
        plant.step()
        truth.append(plant.truth().copy())
        observed.append(plant.observe().copy())
    return Log(robot, truth, observed)


@dataclasses.dataclass(frozen=True)
class Bench:
    """What a test needs of one robot."""

    robot: object
    plant: object

    def scenario(self, **options):
        return scenario(self.robot, **options)

    def fly(self, chosen, actions, **options):
        return fly(self.plant, self.robot, chosen, actions, **options)


@pytest.fixture(scope="session")
def quadrotor():
    plant = QUADROTOR.make()
    yield Bench(QUADROTOR, plant)
    plant.close()


@pytest.fixture(scope="session")
def lander():
    plant = LANDER.make()
    yield Bench(LANDER, plant)
    plant.close()


@pytest.fixture(scope="session")
def lander_planar():
    plant = LANDER_PLANAR.make()
    yield Bench(LANDER_PLANAR, plant)
    plant.close()


@pytest.fixture(scope="session")
def cartpole():
    plant = CARTPOLE.make()
    yield Bench(CARTPOLE, plant)
    plant.close()


@pytest.fixture(params=["cartpole", "lander", "lander_planar", "quadrotor"])
def bench(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def wander():
    """Reproducible actions that keep the robot busy, for a number of ticks."""

    def make(bench, ticks):
        rng = np.random.default_rng(5)
        if bench.robot.name == "lander":
            return rng.uniform(500.0, 2500.0, (ticks, 1))
        if bench.robot.name == "lander_planar":
            return rng.uniform((500.0, -400.0), (2500.0, 400.0), (ticks, 2))
        if bench.robot.name == "cartpole":
            return rng.uniform(-4.0, 8.0, (ticks, 1))
        hover = 1515.6
        return hover * (1.0 + np.cumsum(rng.normal(0.0, 0.002, (ticks, 1)), axis=0) + rng.normal(0.0, 0.01, (ticks, 4)))

    return make


@pytest.fixture(scope="module")
def hangar(request):
    """Flies any scenario of the catalogue; worlds are the session's."""
    return Hangar(lambda robot: request.getfixturevalue(robot).plant)
