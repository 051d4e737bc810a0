"""Fly the catalogue's scenarios as the gate does: one plant a robot, one executable a controller."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from healing_runtime import stl, workspace
from healing_runtime.compile import export, programs
from healing_runtime.compile.programs import Program
from healing_runtime.core.perturb import draw
from healing_runtime.core.records import Scenario
from healing_runtime.language import controller, passes, source, trace
from healing_runtime.loop import rollout

from . import tables

ROOT = Path(__file__).resolve().parents[2]
PASSES_OF_96 = 93
"""The gate's: of 96 neighbours, for a rate of 0.9 at 97.5 %, one-sided."""


class Hangar:
    """Programs are built once; a witness that differs in PARAMS alone flies the same executable with other numbers."""

    def __init__(self, plant_of: Callable[[str], Any]) -> None:
        self.home = workspace.open(ROOT)
        self._plant_of = plant_of
        self._built: dict[tuple, Program] = {}

    def scenario(self, name: str) -> Scenario:
        """A scenario of the catalogue."""
        return self.home.scenario(name).scenario

    def given(self, name: str) -> str:
        """The controller that a scenario names."""
        return f"controllers/{self.scenario(name).controller}.py"

    def fly(self, scenario: Scenario, path: str, changed: Mapping[str, float] | None = None) -> rollout.Flight:
        """One flight with the controller at `path`."""
        return self.fly_with(self.program(scenario, path, changed or {}), scenario)

    def fly_with(self, program: Program, scenario: Scenario) -> rollout.Flight:
        """One flight with a program."""
        return rollout.fly(self._plant_of(scenario.robot), program, rollout.FlightPlan(scenario, scenario.seed))

    def program(self, scenario: Scenario, path: str, changed: Mapping[str, float]) -> Program:
        """The controller at `path` with some of its PARAMS changed."""
        known = (scenario.robot, scenario.assertions, scenario.control_hz, scenario.dtype, path)
        if known not in self._built:
            self._built[known] = self.build(scenario, (ROOT / path).read_text(), path)
        program = self._built[known]
        return dataclasses.replace(program, params=with_params(program, changed)) if changed else program

    def build(self, scenario: Scenario, text: str, path: str) -> Program:
        """Parse, trace, check and compile a controller, as the gate does."""
        table = self.home.robot(scenario.robot).signals
        parsed = source.parse(text, name=Path(path).stem, path=path)
        traced = trace.trace(controller.load(parsed), table, scenario.dt_s, np.dtype(scenario.dtype))
        assert [f for f in passes.run(traced) if f.severity == "error"] == []
        files = tuple(self.home.assertion_file(name) for name in scenario.assertions)
        requirements = stl.bind(files, table, scenario.control_hz)
        exported = export.export_controller(traced, None, scenario.control_hz)
        blob = programs.build(exported, requirements, table, scenario.control_hz, one_kernel=True)
        return programs.load(blob)

    def passed(self, scenario: Scenario, samples: int, path: str, changed: Mapping[str, float] | None = None) -> int:
        """How many of the scenario's drawn neighbours end well."""
        rng = np.random.default_rng(2024)
        neighbours = (draw(scenario, rng) for _ in range(samples))
        return sum(accepted(s, self.fly(s, path, changed)) for s in neighbours)

    # ------------------------------------------------------------ what is said of a scenario, checked
    def check_failing(self, name: str) -> None:
        """The given controller trips on what the tables say, when they say it; the label stands with its reason."""
        scenario = self.scenario(name)
        flight = self.fly(scenario, self.given(name))
        assertions, t_s = tables.FAILING[name]
        assert flight.tripped == tuple(assertions.split())
        assert flight.trip_tick is not None
        assert t_s is None or abs(flight.trip_tick / scenario.control_hz - t_s) < 0.3
        assert not flight.kept
        assert scenario.healable == tables.label(name)
        assert scenario.healable_reason

    def check_sound(self, name: str, samples: int) -> None:
        """The given controller survives, with its neighbours."""
        scenario = self.scenario(name)
        assert accepted(scenario, self.fly(scenario, self.given(name)))
        assert self.passed(scenario, samples, self.given(name)) == samples

    def check_witness(self, name: str, samples: int) -> None:
        """The witness keeps every promise with a clear margin, and in the first few neighbours."""
        scenario = self.scenario(name)
        flight = self.fly(scenario, *tables.WITNESS[name])
        assert accepted(scenario, flight)
        assert flight.robustness > 10 * scenario.acceptance.min_robustness
        assert all(v.status.word in ("true", "vacuous") for v in flight.verdicts)
        assert self.passed(scenario, samples, *tables.WITNESS[name]) == samples

    def check_neighbourhood(self, name: str) -> int:
        """The gate's own draws, thresholds and statistics; gives how many passed."""
        scenario = self.scenario(name)
        samples = scenario.acceptance.samples
        count = self.passed(scenario, samples, *tables.WITNESS[name])
        assert count >= PASSES_OF_96 / 96 * samples, f"{count} of {samples}"
        return count


def accepted(scenario: Scenario, flight: rollout.Flight) -> bool:
    """What the gate asks of a flight."""
    return flight.kept and flight.within_limits and flight.robustness >= scenario.acceptance.min_robustness


def with_params(program: Program, changed: Mapping[str, float]) -> np.ndarray:
    """The program's parameters with some changed, by name."""
    params = np.array(program.params)
    leaves = program.interface.controller.params
    places = dict(zip((leaf.path for leaf in leaves), np.cumsum([0, *(leaf.size for leaf in leaves)]), strict=False))
    for name, value in changed.items():
        params[places[name]] = value
    return params
