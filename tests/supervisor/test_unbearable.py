"""Worlds that a robot cannot be set up in: told with their place, and not drawn where they are told to vary."""

from __future__ import annotations

import numpy as np
import pytest

from healing_runtime.campaign import falsify
from healing_runtime.campaign.space import Space
from healing_runtime.cli.main import execute
from healing_runtime.core.bearing import bearing
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
