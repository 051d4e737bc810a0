"""Worlds that a robot cannot be set up in: told with their place, and not drawn where they are told to vary."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from healing_runtime import workspace
from healing_runtime.campaign import falsify
from healing_runtime.campaign.space import Space
from healing_runtime.cli.main import execute
from healing_runtime.core.bearing import bearing
from healing_runtime.core.records import FaultSpec
from healing_runtime.supervisor.preparation import prepare

HEAD = """\
robot: quadrotor
controller: quadrotor/landing_pid
assertions: [quadrotor/landing]
mission: landed
duration: 10 s
"""
STEEP = """\
environment: {pad: {slope_deg: 15}}
faults:
  - {kind: slope, value_deg: 29, start: 1 s}
perturb: {pad: {slope_deg: {uniform: [0, 10]}}}
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text):
        (tmp_path / "mine.yaml").write_text(HEAD + text)
        return "mine.yaml"

    return write


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (
            "environment: {pad: {slope_deg: 20}}\nfaults:\n  - {kind: wind, velocity_mps: [1, 0, 0]}\n"
            "  - {kind: slope, value_deg: 30}\n",
            "9:30",
            "the pad's slope_deg and the slope fault's value_deg make 50 degrees together",
        ),
        ("initial: {position_m: [0, 0, -1]}\n", "6:23", "initial.position_m: the body's lowest point"),
        ("initial: {position_m: [3500, 0, 1]}\n", "6:23", "initial.position_m: x and y are 3500 and 0 m"),
    ],
)
def test_what_cannot_be_set_up_is_told_at_its_place(file, capsys, text, place, said):
    name = file(text)
    assert execute(["run", name, "--brain", "none"]) == 2
    assert capsys.readouterr().err.startswith(f"heal: {name}:{place}: {said}")


def test_a_check_tells_it_there_too(file, capsys):
    name = file("initial: {position_m: [0, 0, -1]}\n")
    assert execute(["check", name]) == 2
    assert f"{name}:6:23: error: initial.position_m: the body's lowest point" in capsys.readouterr().out


IDLE = (
    "payload, mass_kg: 0",
    "rotor_efficiency, rotor: 1, value: 1.0",
    "wind, velocity_mps: [0, 0, 0]",
    "frame_error, value_deg: 0",
    "impulse, impulse: [0, 0, 0], over_s: 1",
    "actuator_delay, value_s: 0.001",
    "turbulence, sigma_mps: 0",
    "thrust_noise, value: 0",
    "sensor_noise, signal: altitude, value: 0",
    "sensor_delay, signal: altitude, value_s: 0, start: 1 s, until: 2 s",
    "sensor_bias, signal: velocity, value: [0, 0, 0], ramp: 2 s",
    "dropped_ticks, value: 0",
    "slope, value_deg: 0",
    "battery_sag, rate: 0",
    "side_force, force_n: [0, 0, 0], when: altitude < 1 m",
)


def test_faults_that_do_nothing_are_noted(file, capsys):
    faults = "".join(f"  - {{kind: {fault}}}\n" for fault in ("wind, velocity_mps: [1, 0, 0]", *IDLE))
    prepared = prepare(file(f"faults:\n{faults}perturb: {{faults: {{mass_kg: {{normal: 0.01}}}}}}\n"))
    kinds = [fault.partition(",")[0] for fault in IDLE]
    told = [f"faults[{i}]: {kind} has no effect as it is written" for i, kind in enumerate(kinds, 1)]
    told[0] += "; only what perturb draws has one"
    assert [note for note in prepared.loaded.notes if "no effect" in note] == told
    assert execute(["check", "mine.yaml"]) == 0
    assert f"mine.yaml: note: {told[1]}.\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["cartpole", "lander", "lander_planar", "quadrotor"])
def test_a_fault_that_does_something_is_not_noted(name):
    """Every fault of a robot, as the catalogue shows it."""
    home = workspace.open()
    robot = home.robot(name)
    given = home.scenario(next(n for n in home.scenario_names(name) if n.startswith(f"{name}/"))).scenario
    plant: Any = robot.make()
    for kind, fault in robot.faults.items():
        example: Any = fault
        spec = FaultSpec(kind, example.Parameters(**example.example).model_dump(), given.substeps)
        plant.reset(dataclasses.replace(given, faults=(spec,)), 1)
        assert plant.idle_faults() == (), kind
    plant.close()


def test_a_search_stays_within_what_the_robot_bears(file, monkeypatch):
    """Also where the pad and its fault could be steeper together than a pad is: the search does not end there."""
    prepared = prepare(file(STEEP))
    free = Space(prepared.scenario)
    steepest = np.array([axis.name == "pad.slope_deg" for axis in free.axes], float)
    found = []

    def hunt(fleet, record, space, *_):
        found.append(space.scenario_at(steepest, 1))
        raise InterruptedError

    monkeypatch.setattr(falsify, "Hunt", hunt)
    monkeypatch.setattr(falsify.policy, "admit", lambda *_: None)
    with pytest.raises(InterruptedError):
        falsify.search_for(prepared, falsify.Wish(), lambda _: None, lambda *_: None, str)
    with bearing(prepared.robot) as bears:
        assert not bears(free.scenario_at(steepest, 1))
        assert bears(found[0]) and found[0].environment["pad"]["slope_deg"] > 15.9


def test_a_drawn_episode_begins(file):
    gym_env = pytest.importorskip("healing_runtime.gym_env")
    env = gym_env.make_env(file(STEEP))
    for seed in range(8):
        env.reset(seed=seed, options={"perturb": True})
    env.close()
