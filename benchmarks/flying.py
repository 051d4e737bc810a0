"""Programs and plants for the benchmarks, built in this process with the runtime's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from healing_runtime import stl, workspace
from healing_runtime.compile import batch, export, portable, programs
from healing_runtime.compile.programs import Program
from healing_runtime.core.errors import Location
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import AssertionFile, AssertionText, Scenario
from healing_runtime.language import controller, source, trace
from healing_runtime.language.trace import Traced


class Course(NamedTuple):
    """A scenario with its robot, files and traced controller."""

    scenario: Scenario
    robot: Robot
    files: tuple[AssertionFile, ...]
    traced: Traced


def course(name: str) -> Course:
    """Read a scenario of the catalogue and trace its controller."""
    home = workspace.open(workspace.catalogue_root())
    scenario = home.scenario(name).scenario
    robot = home.robot(scenario.robot)
    text = home.controller(scenario.controller)
    parsed = source.parse(text.text, name=text.name, path=text.path)
    traced = trace.trace(controller.load(parsed), robot.signals, scenario.dt_s, scenario.dtype)
    return Course(scenario, robot, tuple(home.assertion_file(n) for n in scenario.assertions), traced)


def program(flown: Course, files: Sequence[AssertionFile]) -> Program:
    """The course's controller together with the monitors of these files, as the loop loads it."""
    hz = flown.scenario.control_hz
    requirements = stl.judging(stl.bind(files, flown.robot.signals, hz), flown.scenario.mission)
    exported = export.export_controller(flown.traced, None, hz)
    return programs.load(programs.build(exported, requirements, flown.robot.signals, hz, one_kernel=True))


def assertion_file(robot: str, formulas: Sequence[str]) -> AssertionFile:
    """Formulas as if they stood in a file."""
    here = Location("benchmark.yaml")
    texts = tuple(AssertionText(f"a{n}", formula, here) for n, formula in enumerate(formulas))
    return AssertionFile("benchmark", here.path, "", robot, texts)


def batch_program(flown: Course, lanes: int) -> Program:
    """The course's controller and monitors for a number of lanes, compiled here."""
    hz = flown.scenario.control_hz
    requirements = stl.judging(stl.bind(flown.files, flown.robot.signals, hz), flown.scenario.mission)
    return portable.compiled(batch.export_lanes(flown.traced, requirements, hz, lanes))
