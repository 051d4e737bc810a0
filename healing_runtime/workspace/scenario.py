"""A scenario file -> core.Scenario: names looked up, units gone, times in ticks, defaults filled in.

Everything that can be looked at is, whatever is wrong besides, so that all mistakes of a file come at once.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from healing_runtime.core.errors import FileFormatError, InputError, Location, NotFoundInCatalogue
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import AssertionFile, Scenario
from healing_runtime.workspace.document import Document, KeyPath, display, nearest, parse_document, suggestion
from healing_runtime.workspace.faults import Trigger, Written, read_faults, triggers
from healing_runtime.workspace.gathering import Gathering, located
from healing_runtime.workspace.models import Rates, ScenarioFile
from healing_runtime.workspace.perturbation import perturbation_notes, read_perturbation
from healing_runtime.workspace.policy import acceptance_notes, read_acceptance, read_policy
from healing_runtime.workspace.remains import scenario_remains
from healing_runtime.workspace.sections import resolve_section
from healing_runtime.workspace.timing import checked_rates, length_in_ticks
from healing_runtime.workspace.validation import Mistakes, in_order, ordered, read

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class LoadedScenario:
    """A resolved scenario and the file it came from; `notes` say what was rounded, one line each.

    `triggers` are the formulas that faults wait for, in the order of the faults, with their places; `fallback_at` is
    the place of `policy.fallback`.
    """

    scenario: Scenario
    path: Path
    text: str
    sha256: str
    notes: tuple[str, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    fallback_at: Location | None = None

    def where(self, at: KeyPath) -> Location:
        """The place in the file of what stands at a path of keys; of what encloses it where it is not written."""
        return parse_document(self.text, path=display(self.path), sha256=self.sha256).where(at)


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
        path: of the file, for people.
    """

    scenario: Scenario | None
    notes: tuple[str, ...]
    mistakes: tuple[InputError, ...]
    triggers: tuple[Trigger, ...]
    robot: Robot | None
    control_hz: int | None
    path: str


def read_scenario(
    document: Document, name: str, lookups: Lookups, *, seed: int | None = None, policy: str | None = None
) -> ScenarioReading:
    """The scenario, or everything that is wrong with it. `seed` and `policy` take the place of the file's.

    Raises:
        InputError: nothing of the file can be read.
    """
    reader = _Reader(document, lookups)
    file, gathering = reader.file, reader.gathering
    robot = reader.named("robot", lookups.robot)
    controller = reader.named("controller", lookups.controller)
    assertions = _assertions(document, file, robot, lookups, gathering, whole=reader.right("assertions", "mission"))
    time = reader.time()
    initial, environment, reference = (reader.section(robot, name) for name in ("initial", "environment", "reference"))
    entries = [None if ("faults", i) in reader.wrong else entry for i, entry in enumerate(file.faults)]
    faults = perturb = None
    if robot is not None and reader.right("faults"):
        faults = read_faults(document, entries, robot, time, reader.notes, gathering)
    if robot is not None and reader.right("perturb"):
        nominal = initial, environment
        perturb = read_perturbation(document, robot, nominal, faults, time, reader.notes, gathering)
    hz = None if reader.rates is None else reader.rates.control_hz
    settled = None
    if reader.right("policy"):
        settled = gathering.attempt(lambda: read_policy(document, file, policy, hz, controller, lookups.controller))
    scenario = None
    if not gathering.mistakes:
        assert time and controller and settled and perturb is not None and faults is not None
        assert initial is not None and environment is not None and reference is not None
        scenario = Scenario(
            name=name,
            robot=file.robot,
            controller=controller,
            assertions=assertions,
            mission=file.mission,
            duration_ticks=time.ticks,
            control_hz=time.rates.control_hz,
            physics_hz=time.rates.physics_hz,
            seed=file.seed if seed is None else seed,
            initial=initial,
            environment=environment,
            faults=faults,
            perturb=perturb,
            policy=settled,
            acceptance=read_acceptance(file),
            reference=reference,
            dtype=file.dtype,
            healable=file.healable.label,
            healable_reason=file.healable.reason,
        )
        reader.notes += (*acceptance_notes(scenario.acceptance), *perturbation_notes(scenario))
    notes, mistakes = tuple(reader.notes), ordered(gathering.mistakes)
    return ScenarioReading(scenario, notes, mistakes, triggers(document, entries), robot, hz, document.path)


class _Reader:
    """One reading of a file: what was gathered, and the parts of it that need no other; None where one is wrong."""

    def __init__(self, document: Document, lookups: Lookups) -> None:
        self.document, self.lookups = document, lookups
        self.gathering, self.notes = Gathering(document), []
        self.file, self.wrong = _form(document, self.gathering)
        self.rates = self._rates()

    def right(self, *keys: str) -> bool:
        """Whether the form of these keys is right."""
        return not self.wrong & set(keys)

    def named(self, key: str, look_up: Callable[[str], T]) -> T | None:
        """What a name stands for."""
        name = getattr(self.file, key)
        if not self.right(key):
            return None
        return self.gathering.attempt(lambda: located(self.document, (key,), functools.partial(look_up, name)))

    def _rates(self) -> Rates | None:
        if not self.right("rates"):
            return None
        return self.gathering.attempt(lambda: checked_rates(self.document, self.file.rates))

    def time(self) -> Written | None:
        """Rates and length, where both are right."""
        rates, duration = self.rates, self.file.duration
        if rates is None or not self.right("duration"):
            return None
        ticks = self.gathering.attempt(lambda: length_in_ticks(self.document, duration, rates))
        return None if ticks is None else Written(rates, duration, ticks)

    def section(self, robot: Robot | None, key: str) -> Mapping[str, Any] | None:
        """A section that the robot declares."""
        if robot is None or not self.right(key):
            return None
        model, value = getattr(robot, key), getattr(self.file, key)
        return self.gathering.attempt(lambda: resolve_section(model, self.document, value, (key,)))


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
    # A mistyped key leaves the one that was meant at its default, which says nothing about the file.
    known = ScenarioFile.model_fields
    meant = {near for key in wrong if isinstance(key, str) and key not in known for near in nearest(key, known)}
    return mended, wrong | meant


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
            lambda at=at, name=name: located(document, at, functools.partial(lookups.assertions, name))
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
