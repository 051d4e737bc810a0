"""A scenario file -> core.Scenario: names looked up, units gone, times in ticks, defaults filled in.

Everything that can be looked at is, whatever is wrong besides, so that all mistakes of a file come at once.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from healing_runtime.core.errors import FileFormatError, InputError, NotFoundInCatalogue
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import Acceptance, AssertionFile, Policy, Scenario
from healing_runtime.workspace.document import Document, KeyPath, suggestion
from healing_runtime.workspace.faults import Trigger, Written, read_faults, triggers
from healing_runtime.workspace.gathering import Gathering
from healing_runtime.workspace.models import FaultEntry, ScenarioFile
from healing_runtime.workspace.perturbation import read_perturbation
from healing_runtime.workspace.remains import scenario_remains
from healing_runtime.workspace.sections import resolve_section
from healing_runtime.workspace.timing import check_rates, length_in_ticks, whole_ticks
from healing_runtime.workspace.validation import Mistakes, dotted, in_order, ordered, read

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class LoadedScenario:
    """A resolved scenario and the file it came from; `notes` say what was rounded, one line each.

    `triggers` are the formulas that faults wait for, in the order of the faults, with their places.
    """

    scenario: Scenario
    path: Path
    text: str
    sha256: str
    notes: tuple[str, ...] = ()
    triggers: tuple[Trigger, ...] = ()


@dataclasses.dataclass(frozen=True)
class Lookups:
    """How a scenario's words are looked up; each raises `NotFoundInCatalogue` for a name that is not there.

    `controller` and `assertions` give the reference that finds the file from anywhere: its name, or its whole path.
    """

    robot: Callable[[str], Robot]
    controller: Callable[[str], str]
    assertions: Callable[[str], str]
    assertion_file: Callable[[str], AssertionFile]


class ScenarioReading(NamedTuple):
    """A scenario file as far as it can be read.

    Attributes:
        scenario: None where something is wrong.
        notes: what was rounded, and what is given and comes to nothing.
        mistakes: what is wrong, in the order of the file.
        triggers: the formulas that faults wait for; they are still text.
        robot: the robot it names, if there is one.
        control_hz: its control rate, if that is right.
    """

    scenario: Scenario | None
    notes: tuple[str, ...]
    mistakes: tuple[InputError, ...]
    triggers: tuple[Trigger, ...]
    robot: Robot | None
    control_hz: int | None


def read_scenario(
    document: Document, name: str, lookups: Lookups, *, seed: int | None = None, policy: str | None = None
) -> ScenarioReading:
    """The scenario, or everything that is wrong with it. `seed` and `policy` take the place of the file's.

    Raises:
        InputError: nothing of the file can be read.
    """
    gathering, notes = Gathering(), []
    file, wrong = _form(document, gathering)
    attempt = gathering.attempt
    robot = controller = None
    if "robot" not in wrong:
        robot = attempt(lambda: _located(document, ("robot",), lambda: lookups.robot(file.robot)))
    if "controller" not in wrong:
        controller = attempt(lambda: _located(document, ("controller",), lambda: lookups.controller(file.controller)))
    rates = None
    if "rates" not in wrong and attempt(lambda: _right(check_rates(document, file.rates))):
        rates = file.rates
    assertions = _assertions(document, file, robot, lookups, gathering, whole=not {"assertions", "mission"} & wrong)
    ticks, time = None, None
    if rates is not None and "duration" not in wrong:
        ticks = attempt(lambda: length_in_ticks(document, file.duration, rates))
    if rates is not None and ticks is not None:
        time = Written(rates, file.duration, ticks * rates.physics_hz // rates.control_hz)
    entries: Sequence[FaultEntry | None] = [
        None if ("faults", i) in wrong else entry for i, entry in enumerate(file.faults)
    ]
    sections: dict[str, Any] = dict.fromkeys(("initial", "environment", "reference"))
    faults = perturb = None
    if robot is not None:
        for section in sections:
            if section not in wrong:
                model, value = getattr(robot, section), getattr(file, section)
                sections[section] = attempt(lambda m=model, v=value, at=(section,): resolve_section(m, document, v, at))
        if "faults" not in wrong:
            faults = read_faults(document, entries, robot, time, notes, gathering)
        if "perturb" not in wrong:
            nominal = sections["initial"], sections["environment"]
            perturb = read_perturbation(document, robot, nominal, faults, time, notes, gathering)
    settled = None
    if "policy" not in wrong:
        settled = attempt(lambda: _policy(document, file, lookups, policy, rates and rates.control_hz))
    acceptance = _acceptance(file)
    scenario = None
    if not gathering.mistakes:
        assert rates and ticks and controller and settled and perturb is not None and faults is not None
        scenario = Scenario(
            name=name,
            robot=file.robot,
            controller=controller,
            assertions=assertions,
            mission=file.mission,
            duration_ticks=ticks,
            control_hz=rates.control_hz,
            physics_hz=rates.physics_hz,
            seed=file.seed if seed is None else seed,
            initial=sections["initial"],
            environment=sections["environment"],
            faults=faults,
            perturb=perturb,
            policy=settled,
            acceptance=acceptance,
            reference=sections["reference"],
            dtype=file.dtype,
            healable=file.healable.label,
            healable_reason=file.healable.reason,
        )
        notes += _acceptance_notes(acceptance)
    hz = None if rates is None else rates.control_hz
    return ScenarioReading(scenario, tuple(notes), ordered(gathering.mistakes), triggers(document, entries), robot, hz)


def _form(document: Document, gathering: Gathering) -> tuple[ScenarioFile, frozenset[Any]]:
    """The file's form, with something harmless where it is wrong, and what is wrong: keys, or one of the faults."""
    file = read(ScenarioFile, document, document.value)
    if not isinstance(file, Mistakes):
        return file, frozenset()
    for mistake in file.told:
        gathering.add(mistake.error)
    value, wrong = scenario_remains(document.value, [mistake.path for mistake in file.every])
    mended = read(ScenarioFile, document, value)
    if isinstance(mended, Mistakes):
        raise in_order(gathering.mistakes)
    return mended, wrong


def _right(_: None) -> bool:
    """What a check that only raises gives where it does not."""
    return True


def _located(document: Document, at: KeyPath, look_up: Callable[[], T]) -> T:
    """Run a look-up; a name that is not there is reported where the file uses it."""
    try:
        return look_up()
    except NotFoundInCatalogue as error:
        raise NotFoundInCatalogue(f"{dotted(at)}: {error.message}", where=document.where(at)) from None


def _assertions(
    document: Document, file: ScenarioFile, robot: Robot | None, lookups: Lookups, gathering: Gathering, *, whole: bool
) -> tuple[str, ...]:
    """References to the assertion files, which are for this robot and hold the mission.

    The mission is looked for if the `whole` of what may hold it is there.
    """
    references: list[str] = []
    missions: set[str] = set()
    for index, name in enumerate(file.assertions):
        at: KeyPath = ("assertions", index)
        reference = gathering.attempt(
            lambda at=at, name=name: _located(document, at, functools.partial(lookups.assertions, name))
        )
        found = None if reference is None else gathering.attempt(functools.partial(lookups.assertion_file, reference))
        if reference is None or found is None:
            whole = False
            continue
        if robot is not None and found.robot != robot.name:
            message = f"assertions '{name}' are for the robot {found.robot}, not {file.robot}; name another file."
            gathering.add(InputError(message, where=document.where(at)))
        if reference in references:
            gathering.add(FileFormatError(f"'{name}' is listed twice; keep one.", where=document.where(at)))
        references.append(reference)
        missions |= {entry.id for entry in found.assertions if entry.mission}
    if whole and file.mission is not None and file.mission not in missions:
        hint = suggestion(file.mission, missions, what="Missions there") or " Those files hold no mission."
        message = f"mission: no assertion file of this scenario has a mission '{file.mission}'.{hint}"
        gathering.add(NotFoundInCatalogue(message, where=document.where(("mission",))))
    return tuple(references)


def _policy(
    document: Document, file: ScenarioFile, lookups: Lookups, override: str | None, control_hz: int | None
) -> Policy | None:
    """The policy; None without a rate."""
    section, gathering = file.policy, Gathering()
    choice = section.on_violation if override is None else override
    if choice not in ("freeze", "rewind"):
        where = document.where(("policy", "on_violation")) if override is None else None
        gathering.add(InputError(f"the policy '{choice}' is not available; use rewind or freeze.", where=where))
    fallback = section.fallback
    if fallback is not None:
        look_up = functools.partial(lookups.controller, fallback)
        fallback = gathering.attempt(lambda: _located(document, ("policy", "fallback"), look_up))
    ticks, at = 0, ("policy", "probation")
    if control_hz is not None:
        ticks = gathering.attempt(lambda: whole_ticks(document, at, section.probation, control_hz))
    gathering.raise_all()
    if control_hz is None or ticks is None or choice not in ("freeze", "rewind"):
        return None
    return Policy(
        on_violation=choice,
        fallback=fallback,
        probation_ticks=ticks,
        max_attempts=section.max_attempts,
        wall_budget_s=section.wall_budget_s,
    )


def _acceptance(file: ScenarioFile) -> Acceptance:
    section, neighbourhood = file.acceptance, file.acceptance.neighbourhood
    return Acceptance(
        min_robustness=section.min_robustness,
        samples=neighbourhood.samples,
        min_pass_rate=neighbourhood.min_pass_rate,
        confidence=neighbourhood.confidence,
        regressions=section.regressions,
    )


def _acceptance_notes(acceptance: Acceptance) -> tuple[str, ...]:
    """Too few samples certify nothing even if all pass: the exact bound after n of n is alpha ** (1 / n)."""
    alpha = (1.0 - acceptance.confidence) / 2.0
    needed = math.ceil(math.log(alpha) / math.log(acceptance.min_pass_rate))
    if acceptance.samples >= needed:
        return ()
    best = alpha ** (1.0 / acceptance.samples)
    return (
        f"acceptance.neighbourhood: {acceptance.samples} samples certify a pass rate of {best:.2f} at most; "
        f"no patch can reach {acceptance.min_pass_rate:g}, which takes {needed} samples",
    )
