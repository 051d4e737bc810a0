"""What a fault's parameters may be on this robot is told where the file is read, at its place: nothing is flown."""

from __future__ import annotations

import re

import numpy as np
import pytest

from healing_runtime import workspace
from healing_runtime.core.perturb import draw

HEAD = """\
robot: {robot}
controller: {controller}
duration: 10 s
faults:
  - {{{fault}}}
"""


@pytest.fixture
def mistakes(tmp_path):
    def tell(robot, fault):
        path = tmp_path / "parameters.yaml"
        controller = next(n for n in workspace.open().controller_names() if n.startswith(f"{robot}/"))
        path.write_text(HEAD.format(robot=robot, controller=controller, fault=fault))
        reading, _ = workspace.open().scenario_reading(path)
        return [(e.where and (e.where.line, e.where.column), e.message) for e in reading.mistakes]

    return tell


ONE_NUMBER = "faults[0].value: must be one number in {}, or one a component; write numbers without units."


@pytest.mark.parametrize(
    ("robot", "fault", "at", "message"),
    [
        (
            "quadrotor",
            "kind: sensor_bias, signal: velocity, value: [0.1, 0.2]",
            "[0.1",
            "faults[0].value: 2 values for 'velocity', which has 3; write one number or 3.",
        ),
        ("quadrotor", "kind: sensor_bias, signal: altitude, value: 10 cm", "10 cm", ONE_NUMBER.format("m")),
        ("quadrotor", "kind: sensor_bias, signal: velocity, value: [0, 1 m/s, 0]", "[0", ONE_NUMBER.format("m/s")),
        (
            "quadrotor",
            "kind: frame_error, value_deg: 20, signals: [position, velocity, position]",
            "[position",
            "faults[0].signals: 'position' is listed twice; keep one.",
        ),
        (
            "lander_planar",
            "kind: side_force, force_n: [1, 2, 0]",
            "2, 0",
            "faults[0].force_n[1]: the robot moves along x and z alone, not by 2 along y; write 0.",
        ),
        (
            "lander_planar",
            "kind: impulse, impulse: [1, -0.5, 0], over_s: 0.1",
            "-0.5",
            "faults[0].impulse[1]: the robot moves along x and z alone, not by -0.5 along y; write 0.",
        ),
    ],
)
def test_what_the_robot_cannot_take_is_one_mistake_at_its_place(mistakes, robot, fault, at, message):
    assert mistakes(robot, fault) == [((5, 6 + fault.index(at)), message)]


@pytest.mark.parametrize(
    ("robot", "fault", "at", "most"),
    [
        ("quadrotor", "kind: wind, velocity_mps: [0, 0, -101]", "-101", "100"),
        ("quadrotor", "kind: side_force, force_n: [1e20, 0, 0]", "1e20", "100"),
        ("quadrotor", "kind: impulse, impulse: [0, 1000, 0], over_s: 0.1", "1000", "100"),
        ("lander_planar", "kind: side_force, force_n: [0, 0, 2e6]", "2e6", "1000000"),
        ("lander_planar", "kind: impulse, impulse: [-1e30, 0, 0], over_s: 0.1", "-1e30", "1000000"),
        ("cartpole", "kind: push, force_n: 1e30", "1e30", "1000"),
        ("cartpole", "kind: pole_mass, mass_kg: 1e-9", "1e-9", "0.001"),
        ("quadrotor", "kind: sensor_bias, signal: altitude, value: -1e30", "-1e30", "1e+06"),
        ("quadrotor", "kind: sensor_bias, signal: velocity, value: [0, 0, 1e7]", "[0", "1e+06"),
        ("quadrotor", "kind: sensor_noise, signal: altitude, value: 3e20", "3e20", "1000000"),
        ("quadrotor", "kind: sensor_drift, signal: altitude, rate: -1e30", "-1e30", "1000000"),
    ],
)
def test_what_is_beyond_physics_is_one_mistake_at_its_place(mistakes, robot, fault, at, most):
    ((place, message),) = mistakes(robot, fault)
    assert place == (5, 6 + fault.index(at)) and re.search(
        rf"must be .*\b{re.escape(most)}\b.*; write one that is", message
    )


@pytest.mark.parametrize(
    "fault",
    ["kind: sensor_bias, signal: altitude, value: 0.1", "kind: sensor_bias, signal: velocity, value: [0, 1, 2]"],
)
def test_a_draw_stays_within_physics(tmp_path, fault):
    path = tmp_path / "drawn.yaml"
    text = HEAD.format(robot="quadrotor", controller="quadrotor/landing_pid", fault=fault)
    path.write_text(text + "perturb: {faults: {value: {normal: 1e20}}}\n")
    drawn = draw(workspace.open().scenario(path).scenario, np.random.default_rng(1)).faults[0].parameters["value"]
    assert set(np.abs(np.atleast_1d(drawn))) == {1e6}


@pytest.mark.parametrize(
    ("robot", "fault"),
    [
        ("quadrotor", "kind: sensor_bias, signal: velocity, value: [0.1, 0.2, 0]"),
        ("quadrotor", "kind: sensor_bias, signal: velocity, value: 1"),
        ("quadrotor", "kind: frame_error, value_deg: 20, signals: [position, velocity, q_xyzw_world_body]"),
        ("lander_planar", "kind: side_force, force_n: [1, 0, 2]"),
        ("lander_planar", "kind: impulse, impulse: [1, 0.0, 0], over_s: 0.1"),
    ],
)
def test_what_it_can_take_is_taken(mistakes, robot, fault):
    assert mistakes(robot, fault) == []


def test_a_misspelt_sensor_is_one_mistake_whatever_its_value(mistakes):
    ((place, message),) = mistakes("quadrotor", "kind: sensor_bias, signal: altimeter, value: [0.1, 0.2]")
    assert place == (5, 33) and "'altitude'" in message


def test_a_draw_stays_in_the_plane(tmp_path):
    """What a neighbour of the scenario draws along y is put to 0, as the robot asks."""
    path = tmp_path / "drawn.yaml"
    controller = next(n for n in workspace.open().controller_names() if n.startswith("lander_planar/"))
    text = HEAD.format(robot="lander_planar", controller=controller, fault="kind: side_force, force_n: [1, 0, 2]")
    path.write_text(text + "perturb: {faults: {force_n: {normal: 5.0}}}\n")
    drawn = draw(workspace.open().scenario(path).scenario, np.random.default_rng(1)).faults[0].parameters["force_n"]
    assert drawn[1] == 0.0 and drawn[0] != 1.0 and drawn[2] != 2.0
