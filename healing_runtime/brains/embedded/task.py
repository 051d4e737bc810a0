"""What is flown on the twin and how it is judged: read from the request alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from healing_runtime import stl
from healing_runtime.core.plant import Robot, Twin
from healing_runtime.core.records import RepairRequest, Scenario
from healing_runtime.core.signals import SignalTable
from healing_runtime.core.status import Severity
from healing_runtime.language import controller, source
from healing_runtime.language.controller import Controller
from healing_runtime.language.source import Parsed


class Task(NamedTuple):
    """The same for every structure of a search.

    Attributes:
        twin: the robot's dynamics for this scenario, without its faults.
        table: the robot's signals.
        monitor: `stl.online_all` over all requirements.
        requirements: the bound requirements, in the monitor's order.
        parsed: the source of the controller that failed.
        original: that controller, loaded; its contract asserts are judged with its own PARAMS.
        ticks: length of the flight.
        control_hz: control rate.
    """

    twin: Twin
    table: SignalTable
    monitor: Any
    requirements: tuple[Any, ...]
    parsed: Parsed
    original: Controller
    ticks: int
    control_hz: int

    @property
    def contract_labels(self) -> tuple[str, ...]:
        """Labels of the original's contract asserts; their margins follow those of the requirements."""
        return tuple(statement.label for statement in self.parsed.contract)

    @property
    def labels(self) -> tuple[str, ...]:
        """Ids of everything that is judged, in the order of its columns."""
        return (*(r.id for r in self.requirements), *(f"controller/{a.slug}" for a in self.parsed.contract))

    @property
    def trips(self) -> np.ndarray:
        """Which judged columns end a flight when they are violated: all but warnings."""
        judged = [r.mission or r.severity == Severity.CRITICAL for r in self.requirements]
        return np.array([*judged, *(True for _ in self.contract_labels)], bool)


def task_of(request: RepairRequest, robot: Robot) -> Task:
    """Bind assertions and mission, make the twin, load the original. InputErrors pass through."""
    assert robot.make_twin is not None
    bound = stl.bind(request.files, robot.signals, request.control_hz)
    requirements = stl.judging(bound, request.mission)
    parsed = source.parse(request.source, name=request.controller, path=request.controller)
    return Task(
        twin=robot.make_twin(scenario_of(request)),
        table=robot.signals,
        monitor=stl.online_all(requirements, robot.signals, request.control_hz),
        requirements=requirements,
        parsed=parsed,
        original=controller.load(parsed),
        ticks=request.duration_ticks,
        control_hz=request.control_hz,
    )


def scenario_of(request: RepairRequest) -> Scenario:
    """The scenario as the brain may know it: the operator's view, without faults or held-out cases."""
    return Scenario(
        name="twin",
        robot=request.robot,
        controller=request.controller,
        assertions=tuple(file.name for file in request.files),
        mission=request.mission,
        duration_ticks=request.duration_ticks,
        control_hz=request.control_hz,
        physics_hz=request.physics_hz,
        seed=request.seed,
        initial=request.initial,
        environment=request.environment,
        reference=request.reference,
    )
