"""From a scenario's name to everything that must be right before anything moves. All bad input is found here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from healing_runtime import stl, workspace
from healing_runtime.compile.programs import Program
from healing_runtime.core import perturb
from healing_runtime.core.codec import read
from healing_runtime.core.errors import InputError, Location
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import AssertionFile, Policy, Scenario, Source
from healing_runtime.gate.neighbourhood import must_be_provable
from healing_runtime.language import source as sources
from healing_runtime.workspace.document import display


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A scenario with everything it names, read and checked, before anything is traced."""

    workspace: Any
    loaded: Any
    scenario: Scenario
    robot: Robot
    sim_root: Path
    files: tuple[AssertionFile, ...]
    requirements: tuple[Any, ...]
    source: Source
    parsed: sources.Parsed
    fallback: Source | None = None

    @property
    def table(self) -> Any:
        """The robot's signal table."""
        return self.robot.signals


def prepare(
    name: str | Path | workspace.LoadedScenario, *, home: Any = None, seed: int | None = None, policy: str | None = None
) -> Prepared:
    """Resolve a scenario and check everything it names.

    Raises:
        InputError: with file, line, what is wrong and what to do.
    """
    home = home or workspace.open()
    if isinstance(name, workspace.LoadedScenario):
        loaded = _overridden(name, seed, policy)
    else:
        loaded = home.scenario(name, seed=seed, policy=policy)
    scenario = loaded.scenario
    if scenario.policy.on_violation == "failsafe":
        raise InputError(
            "policy 'failsafe' is not available yet; use 'rewind' or 'freeze'.", where=Location(str(loaded.path))
        )
    if unprovable := must_be_provable(scenario.acceptance):
        raise InputError(unprovable, where=Location(str(loaded.path)))
    robot = home.robot(scenario.robot)
    idle = set_up(loaded, robot)
    loaded = dataclasses.replace(loaded, notes=tuple(dict.fromkeys((*loaded.notes, *idle))))
    refuse_bad_triggers(scenario, loaded.triggers, robot)
    files = tuple(home.assertion_file(n) for n in scenario.assertions)
    source = home.controller(scenario.controller)
    parsed = sources.parse(source.text, name=source.name, path=source.path)
    fallback = fallback_of(scenario, source, home.controller, fallback_at(loaded))
    return Prepared(
        workspace=home,
        loaded=loaded,
        scenario=scenario,
        robot=robot,
        sim_root=home.sim_root(scenario.robot),
        files=files,
        requirements=judged_by(scenario, files, robot, Location(str(loaded.path))),
        source=source,
        parsed=parsed,
        fallback=fallback,
    )


def _overridden(loaded: workspace.LoadedScenario, seed: int | None, policy: str | None) -> workspace.LoadedScenario:
    """A loaded scenario with a caller's seed and policy in place of the file's."""
    scenario = loaded.scenario
    if seed is not None:
        scenario = dataclasses.replace(scenario, seed=seed)
    if policy is not None:
        on_violation = read(Policy, {"on_violation": policy}).on_violation
        scenario = dataclasses.replace(scenario, policy=dataclasses.replace(scenario.policy, on_violation=on_violation))
    return dataclasses.replace(loaded, scenario=scenario)


def set_up(loaded: Any, robot: Robot) -> tuple[str, ...]:
    """Set a scenario up as a flight would: only the plant knows which starts and surroundings it bears.

    Returns a note for every fault that changes nothing, where the plant can tell (`idle_faults`).

    Raises:
        InputError: with the place in the scenario's file of what the plant holds to blame, or at the robot's file.
    """
    try:
        plant = workspace.set_up(robot, loaded.scenario)
    except InputError as error:
        if error.where is not None:  # the robot's file
            raise
        where = loaded.where(error.at) if error.at else Location(display(loaded.path))
        raise InputError(error.message, where=where) from None
    try:
        idle: tuple[int, ...] = getattr(plant, "idle_faults", tuple)()
    finally:
        plant.close()
    drawn = perturb.drawn(loaded.scenario)
    return tuple(_said_of_idle(i, loaded.scenario.faults[i].kind, drawn) for i in idle)


def _said_of_idle(index: int, kind: str, drawn: Sequence[str]) -> str:
    own = f"faults[{index}]."
    varied = any(name.startswith(own) and name != f"{own}start" for name in drawn)
    return f"faults[{index}]: {kind} has no effect as it is written{'; only what perturb draws has one' * varied}"


def fallback_at(loaded: Any) -> Location:
    """Where a scenario names its fallback, as far as that is known."""
    return loaded.fallback_at or Location(str(loaded.path))


def unfit_fallback(error: InputError, where: Location) -> InputError:
    """What is wrong with a fallback, at the place of the scenario that names it; its own place is in the words."""
    return InputError(f"policy.fallback: {error}", where=where)


def fallback_of(scenario: Scenario, flown: Source, find: Callable[[str], Source], where: Location) -> Source | None:
    """The scenario's fallback controller, which is TensorLang too; None where it names none.

    Raises:
        InputError: at `where`: it is not there, does not parse, or is the controller itself under another name.
    """
    if scenario.policy.fallback is None:
        return None
    source = find(scenario.policy.fallback)
    if source.sha256 == flown.sha256:
        what = f"policy.fallback: '{source.name}' is a copy of the controller: it fails where that fails; name another."
        raise InputError(what, where=where)
    try:
        sources.parse(source.text, name=source.name, path=source.path)
    except InputError as error:
        raise unfit_fallback(
            InputError(f"{error.where or source.path} is no controller: {error.message}"), where
        ) from None
    return source


def judged_by(scenario: Scenario, files: Sequence[AssertionFile], robot: Robot, where: Location) -> tuple[Any, ...]:
    """The requirements that judge a scenario: all assertions of its files and the one mission it names."""
    for file in files:
        if file.robot != scenario.robot:
            raise InputError(
                f"assertion file '{file.name}' is for robot '{file.robot}', the scenario flies '{scenario.robot}'.",
                where=where,
            )
    bound = stl.bind(files, robot.signals, scenario.control_hz)
    missions = [r.id for r in bound if r.mission]
    if scenario.mission is not None and scenario.mission not in missions:
        known = ", ".join(missions) or "none"
        raise InputError(f"mission '{scenario.mission}' is not in its assertion files; there is: {known}.", where=where)
    return stl.judging(bound, scenario.mission)


def refuse_bad_triggers(scenario: Scenario, triggers: Sequence[Any], robot: Robot) -> None:
    """Read the formulas that faults wait for; `triggers` say where they stand, as far as that is known.

    Raises:
        InputError: with the place in the scenario's file.
    """
    places = [trigger.where for trigger in triggers]
    for i, text in enumerate(scenario.triggers):
        stl.condition(text, robot.signals, scenario.control_hz, places[i] if i < len(places) else None)


def refuse_bad_start(prepared: Prepared, program: Program) -> None:
    """Judge the first sample before a run exists: a plant that is none, or a first action that is not finite."""
    plant = workspace.set_up(prepared.robot, prepared.scenario)
    try:
        dtype = np.dtype(program.interface.controller.dtype)
        sample = plant.sample().astype(dtype)
        _, packed = program.tick(program.params, program.start().joined(), sample)
    finally:
        plant.close()
    action = np.asarray(packed)[program.interface.slices["action"]]
    if not np.isfinite(action).all():
        names = ", ".join(np.asarray(prepared.table.action.columns)[~np.isfinite(action)])
        raise InputError(
            f"the controller's first action is not finite ({names}); guard divisions, roots and logarithms.",
            where=Location(prepared.source.path),
        )
