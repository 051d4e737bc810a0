"""Everything shipped resolves, and its neighbours are scenarios too."""

from __future__ import annotations

import numpy as np
import pytest

from healing_runtime import workspace
from healing_runtime.core import codec
from healing_runtime.core.perturb import draw
from healing_runtime.core.records import Scenario
from healing_runtime.workspace.opened import Workspace

SHIPPED = Workspace(workspace.catalogue_root(), workspace.catalogue_root())


def test_there_is_a_catalogue():
    assert SHIPPED.robot_names()
    assert SHIPPED.scenario_names()


@pytest.mark.parametrize("name", SHIPPED.scenario_names())
def test_a_shipped_scenario_resolves(name):
    loaded = SHIPPED.scenario(name)
    scenario = loaded.scenario
    assert scenario.name == name
    assert name.startswith(f"{scenario.robot}/")
    assert all(".value_s: " in note and " is rounded to " in note for note in loaded.notes), "delays alone are rounded"
    assert codec.canonical(codec.read(Scenario, codec.plain(scenario))) == codec.canonical(scenario)


@pytest.mark.parametrize("name", SHIPPED.scenario_names())
def test_its_neighbours_are_what_the_robot_takes(name):
    scenario = SHIPPED.scenario(name).scenario
    robot = SHIPPED.robot(scenario.robot)
    rng = np.random.default_rng(0)
    for neighbour in (draw(scenario, rng) for _ in range(50)):
        robot.initial.model_validate(neighbour.initial)
        robot.environment.model_validate(neighbour.environment)
        for fault in neighbour.faults:
            robot.faults[fault.kind].Parameters.model_validate(fault.parameters)
        assert neighbour.initial != scenario.initial


@pytest.mark.parametrize("name", SHIPPED.assertion_names())
def test_a_shipped_assertion_file_resolves(name):
    file = SHIPPED.assertion_file(name)
    assert file.robot in SHIPPED.robot_names()
    assert all(a.requirement and a.rationale for a in file.assertions if not a.mission)


@pytest.mark.parametrize("name", SHIPPED.controller_names())
def test_a_shipped_controller_is_found(name):
    assert SHIPPED.controller(name).name == name
