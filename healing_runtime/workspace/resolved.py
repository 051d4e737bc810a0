"""A resolved scenario that somebody else wrote down: everything that a scenario file is held to holds for it too.

A record keeps scenarios resolved, so that nothing of a file is read again; what a foreign one says is checked with the
models and the limits of the file's reader, before anything is made of it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from healing_runtime.core import units
from healing_runtime.core.codec import plain
from healing_runtime.core.errors import FileFormatError, NotFoundInCatalogue
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import AssertionFile, Distribution, FaultSpec, Scenario
from healing_runtime.workspace.assertions import resolve_assertions
from healing_runtime.workspace.document import Document, KeyPath
from healing_runtime.workspace.faults import refuse_overlap
from healing_runtime.workspace.models import ScenarioFile
from healing_runtime.workspace.perturbation import is_numeric, rivals_of
from healing_runtime.workspace.sections import frozen, limits_of, numbers_in, resolve_section
from healing_runtime.workspace.timing import MAX_STEPS, MAX_TICKS, checked_rates
from healing_runtime.workspace.validation import dotted, validate


@dataclasses.dataclass(frozen=True)
class _Said(Document):
    """A document without places, and what to do where it says something impossible."""

    remedy: str = ""


SECTIONS = ("initial", "environment", "reference")
"""What of a scenario its robot declares."""


def must_be_legal(
    scenario: Scenario, robot: Robot, origin: Path | str, remedy: str = "the run must be recorded again"
) -> None:
    """Refuse a scenario of `origin` that no scenario file can say; `remedy` is what to do about it.

    Formulas that faults wait for are still text here.

    Raises:
        InputError: the first thing that is wrong, one line.
    """
    document = unplaced(str(origin), {**plain(scenario), **_as_file(scenario)}, remedy)
    for at, number in numbers_in(_without_limits(scenario), ()):
        if not abs(number) <= units.LARGEST:
            raise _wrong(document, f"{dotted(at)}: {number:g} is not a number that a robot can reach")
    file = validate(ScenarioFile, document, _as_file(scenario))
    rates = checked_rates(document, file.rates)
    most = min(MAX_TICKS, MAX_STEPS * rates.control_hz // rates.physics_hz)
    if not 0 < scenario.duration_ticks <= most:
        raise _wrong(document, f"{scenario.duration_ticks} ticks; a run of these rates has 1 to {most:,}")
    if scenario.policy.probation_ticks < 1:
        raise _wrong(document, "policy: a probation takes at least one tick")
    if scenario.policy.on_violation not in ("rewind", "freeze"):
        raise _wrong(document, "policy: only rewind and freeze are available")
    if scenario.policy.fallback == scenario.controller:
        raise _wrong(document, "policy.fallback is the controller itself")
    for name in SECTIONS:
        _must_be_declared(getattr(robot, name), document, getattr(scenario, name), (name,))
    end_step = scenario.duration_ticks * scenario.substeps
    for index, fault in enumerate(scenario.faults):
        _must_be_possible(document, ("faults", index), fault, robot, end_step)
        for other in range(index):
            refuse_overlap(document, ((other, scenario.faults[other]), (index, fault)), robot, end_step)
    for at, distribution, nominal, limits in _draws(document, scenario, robot):
        _must_be_drawable(document, at, distribution, nominal, limits)


def must_be_written(file: AssertionFile, path: Path) -> None:
    """Refuse an assertion file of `path` that no file can say; its formulas are still text.

    Raises:
        InputError: the first thing that is wrong, one line.
    """
    entries: dict[str, list[dict[str, Any]]] = {"assertions": [], "mission": []}
    for text in file.assertions:
        entry = {key: getattr(text, key) for key in ("id", "formula", "requirement", "rationale")}
        if not text.mission:
            entry |= {"severity": text.severity.value, "scale": dict(text.scale), "tolerance": text.tolerance}
        entries["mission" if text.mission else "assertions"].append(entry)
    value = {"robot": file.robot, "constants": file.constants, "definitions": file.definitions, **entries}
    for at, number in numbers_in(value, ()):
        if not abs(number) <= units.LARGEST:
            raise FileFormatError(f"{path}: {file.name}: {dotted(at)}: {number:g} is not a number to measure with.")
    resolve_assertions(unplaced(f"{path}: {file.name}", value), file.name)


def unplaced(path: str, value: Mapping[str, Any], remedy: str = "") -> _Said:
    """A document without places: what is in it, so that messages name it."""
    return _Said(path, "", "", value, dict.fromkeys(_paths(value, ()), (0, 0)), {}, remedy=remedy)


def _paths(value: Any, at: KeyPath) -> Iterator[KeyPath]:
    yield at
    if isinstance(value, Mapping | list | tuple):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _paths(inner, (*at, key))


def _wrong(document: _Said, what: str) -> FileFormatError:
    return FileFormatError(f"{document.path}: {what}; {document.remedy}.")


def _as_file(scenario: Scenario) -> dict[str, Any]:
    """What of the scenario the file's own model checks: forms, words and limits."""
    s, policy, acceptance = scenario, scenario.policy, scenario.acceptance
    return {
        "robot": s.robot,
        "controller": s.controller,
        "assertions": list(s.assertions),
        "mission": s.mission,
        "duration": "in ticks",
        "rates": {"control_hz": s.control_hz, "physics_hz": s.physics_hz},
        "seed": s.seed,
        "faults": [{"kind": fault.kind, "when": fault.when} for fault in s.faults],
        "policy": {
            "on_violation": policy.on_violation,
            "fallback": policy.fallback,
            "max_attempts": policy.max_attempts,
            "wall_budget_s": policy.wall_budget_s,
            "confinement": policy.confinement,
            "approval": policy.approval,
        },
        "acceptance": {
            "min_robustness": acceptance.min_robustness,
            "neighbourhood": {key: getattr(acceptance, key) for key in ("samples", "min_pass_rate", "confidence")},
            "regressions": acceptance.regressions,
        },
        "dtype": s.dtype,
        "healable": {"label": s.healable, "reason": s.healable_reason},
    }


def _without_limits(scenario: Scenario) -> dict[str, Any]:
    """The scenario with everything in it that has to be finite: a draw's limits need not be."""
    out = {name: getattr(scenario, name) for name in Scenario.__dataclass_fields__ if name != "perturb"}
    out["faults"] = [vars(fault) for fault in scenario.faults]
    out |= {"policy": vars(scenario.policy), "acceptance": vars(scenario.acceptance)}
    out["perturb"] = {
        name: {key: (draw.scale, draw.low, draw.high) for key, draw in draws.items()}
        for name, draws in vars(scenario.perturb).items()
    }
    return out


def _must_be_declared(model: Any, document: _Said, value: Mapping[str, Any], at: KeyPath) -> None:
    """A section holds all that its model declares, as the model gives it."""
    resolved = resolve_section(model, document, plain(value), at)
    if json.dumps(plain(resolved), sort_keys=True) != json.dumps(plain(value), sort_keys=True):
        raise _wrong(document, f"{dotted(at)} is not as the robot's model resolves it")


def _must_be_possible(document: _Said, at: KeyPath, fault: FaultSpec, robot: Robot, end_step: int) -> None:
    if fault.kind not in robot.faults:
        message = f"{document.path}: the robot {robot.name} cannot take a fault '{fault.kind}'."
        raise NotFoundInCatalogue(message)
    kind: Any = robot.faults[fault.kind]
    _must_be_declared(kind.Parameters, document, fault.parameters, at)
    kind(kind.Parameters.model_validate(dict(fault.parameters)))  # what only the fault itself knows
    if not 0 <= fault.start_step < end_step:
        raise _wrong(document, f"{dotted(at)} starts at step {fault.start_step} of a flight of {end_step}")
    if fault.until_step is not None and fault.until_step <= fault.start_step:
        raise _wrong(document, f"{dotted(at)} does not end after it starts")
    if fault.ramp_steps < 0 or (fault.ramp_steps and getattr(kind, "holds", False)):
        raise _wrong(document, f"{dotted(at)} cannot grow over {fault.ramp_steps} steps")


Draw = tuple[KeyPath, Distribution, Any, tuple[Any, Any]]


def _draws(document: _Said, scenario: Scenario, robot: Robot) -> Iterator[Draw]:
    """Every distribution with its place, the value that it is about, and the limits that it has."""
    sections = (("initial", robot.initial), ("environment", robot.environment))
    for section, model in sections:
        for key, distribution in getattr(scenario.perturb, section).items():
            at: KeyPath = ("perturb", section, key)
            nominal: Any = getattr(scenario, section)
            for part in key.split("."):
                nominal = nominal.get(part) if isinstance(nominal, Mapping) else None
            yield at, distribution, nominal, limits_of(model, key)
    for key, distribution in scenario.perturb.faults.items():
        at = ("perturb", "faults", key)
        kind, _, name = key.rpartition(".")
        faults = [f for f in scenario.faults if kind in ("", f.kind)]
        if name == "start":
            waiting = all(fault.when is not None for fault in faults)
            if waiting or rivals_of(scenario.faults, robot) is not None:
                raise _wrong(document, f"{dotted(at)} draws an onset that cannot be drawn")
            yield at, distribution, 0.0, (-math.inf, math.inf)
            continue
        for fault in faults if kind else ():
            model = robot.faults[fault.kind].Parameters
            yield at, distribution, fault.parameters.get(name), limits_of(model, name)
        if not kind or not faults:
            raise _wrong(document, f"{dotted(at)} is of no fault of this scenario")


def _must_be_drawable(
    document: _Said, at: KeyPath, distribution: Distribution, nominal: Any, limits: tuple[Any, Any]
) -> None:
    onset = at[1] == "faults" and str(at[2]).rpartition(".")[2] == "start"
    if not is_numeric(frozen(nominal)):
        raise _wrong(document, f"{dotted(at)} is about nothing that can be drawn")
    if plain((distribution.floor, distribution.ceiling)) != plain(tuple(limits)):
        raise _wrong(document, f"{dotted(at)} has other limits than the robot declares")
    if distribution.scale < 0 or distribution.low > distribution.high:
        raise _wrong(document, f"{dotted(at)} is no distribution")
    if distribution.absolute != (onset and distribution.kind == "uniform") or (onset and distribution.low < 0):
        raise _wrong(document, f"{dotted(at)} is not added to what it is about")
