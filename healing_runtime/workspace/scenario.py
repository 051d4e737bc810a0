"""A scenario file -> core.Scenario: names looked up, units gone, times in ticks, defaults filled in."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from healing_runtime.core import units
from healing_runtime.core.errors import FileFormatError, InputError, NotFoundInCatalogue, UnitError
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import Acceptance, AssertionFile, FaultSpec, Policy, Scenario
from healing_runtime.workspace.document import Document, KeyPath, suggestion
from healing_runtime.workspace.models import FaultEntry, Rates, ScenarioFile
from healing_runtime.workspace.perturbation import read_perturbation
from healing_runtime.workspace.sections import resolve_section
from healing_runtime.workspace.validation import dotted, validate

T = TypeVar("T")
MAX_TICKS = 1_000_000
"""The longest run: what a log, a replay and the gate's flights can hold."""
_FAULT_KEYS = {"kind", *FaultEntry.times, *(f"{name}_s" for name in FaultEntry.times)}


@dataclasses.dataclass(frozen=True)
class LoadedScenario:
    """A resolved scenario and the file it came from; `notes` say what was rounded, one line each."""

    scenario: Scenario
    path: Path
    text: str
    sha256: str
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Lookups:
    """How a scenario's words are looked up; each raises `NotFoundInCatalogue` for a name that is not there.

    `controller` and `assertions` give the reference that finds the file from anywhere: its name, or its whole path.
    """

    robot: Callable[[str], Robot]
    controller: Callable[[str], str]
    assertions: Callable[[str], str]
    assertion_file: Callable[[str], AssertionFile]


def resolve_scenario(
    document: Document, name: str, lookups: Lookups, *, seed: int | None = None, policy: str | None = None
) -> tuple[Scenario, tuple[str, ...]]:
    """The scenario, and notes on what was rounded. `seed` and `policy` take the place of the file's.

    Raises:
        InputError: with the place in the file, what is wrong, and what to write.
    """
    file = validate(ScenarioFile, document, document.value)
    robot = _located(document, ("robot",), lambda: lookups.robot(file.robot))
    controller = _located(document, ("controller",), lambda: lookups.controller(file.controller))
    _check_rates(document, file.rates)
    assertions = _assertions(document, file, lookups)
    duration_ticks = _ticks(document, ("duration",), file.duration, file.rates.control_hz)
    if duration_ticks > MAX_TICKS:
        longest = _written_seconds(Fraction(MAX_TICKS, file.rates.control_hz))
        message = (
            f"duration: '{file.duration}' is {duration_ticks} ticks; a run has at most {MAX_TICKS:,}, so {longest}."
        )
        raise FileFormatError(message, where=document.where(("duration",)))
    faults, notes = _faults(document, file, robot, duration_ticks)
    initial = _section(robot.initial, document, file.initial, ("initial",))
    environment = _section(robot.environment, document, file.environment, ("environment",))
    duration_s = duration_ticks / file.rates.control_hz
    scenario = Scenario(
        name=name,
        robot=file.robot,
        controller=controller,
        assertions=assertions,
        mission=file.mission,
        duration_ticks=duration_ticks,
        control_hz=file.rates.control_hz,
        physics_hz=file.rates.physics_hz,
        seed=file.seed if seed is None else seed,
        initial=initial,
        environment=environment,
        faults=faults,
        perturb=read_perturbation(document, robot, (initial, environment), faults, duration_s),
        policy=_policy(document, file, lookups, policy),
        acceptance=_acceptance(file),
        reference=_section(robot.reference, document, file.reference, ("reference",)),
        dtype=file.dtype,
        healable=file.healable.label,
        healable_reason=file.healable.reason,
    )
    return scenario, (*notes, *_acceptance_notes(scenario.acceptance))


def _located(document: Document, at: KeyPath, look_up: Callable[[], T]) -> T:
    """Run a look-up; a name that is not there is reported where the file uses it."""
    try:
        return look_up()
    except NotFoundInCatalogue as error:
        raise NotFoundInCatalogue(f"{dotted(at)}: {error.message}", where=document.where(at)) from None


def _section(
    model: type[BaseModel], document: Document, value: Mapping[str, Any], at: KeyPath, beside: Collection[str] = ()
) -> Mapping[str, Any]:
    """A section that the robot declares; a text that is no quantity is reported where it stands."""
    try:
        return resolve_section(model, document, value, at, beside)
    except UnitError as error:
        if error.where is not None:
            raise
        here = next((path for path, text in _texts(value, at) if f"'{text}'" in error.message), at)
        raise UnitError(f"{dotted(here)}: {error.message}", where=document.where(here)) from None


def _texts(value: Any, at: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Every text in a value, with its key path."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*at, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*at, index))


def _check_rates(document: Document, rates: Rates) -> None:
    if rates.physics_hz % rates.control_hz == 0:
        return
    divisors = [d for d in range(1, rates.physics_hz + 1) if rates.physics_hz % d == 0]
    below = max((d for d in divisors if d < rates.control_hz), default=None)
    above = min((d for d in divisors if d > rates.control_hz), default=None)
    legal = " or ".join(str(d) for d in (below, above) if d is not None)
    message = (
        f"control_hz {rates.control_hz} does not divide physics_hz {rates.physics_hz}; "
        f"write control_hz {legal}, or a multiple of {rates.control_hz} as physics_hz."
    )
    raise FileFormatError(message, where=document.where(("rates", "control_hz")))


def _assertions(document: Document, file: ScenarioFile, lookups: Lookups) -> tuple[str, ...]:
    """References to the assertion files, which are for this robot and hold the mission."""
    references: list[str] = []
    missions: set[str] = set()
    for index, name in enumerate(file.assertions):
        at = ("assertions", index)
        reference = _located(document, at, functools.partial(lookups.assertions, name))
        found = lookups.assertion_file(reference)
        if found.robot != file.robot:
            message = f"assertions '{name}' are for the robot {found.robot}, not {file.robot}; name another file."
            raise InputError(message, where=document.where(at))
        if reference in references:
            raise FileFormatError(f"'{name}' is listed twice; keep one.", where=document.where(at))
        references.append(reference)
        missions |= {entry.id for entry in found.assertions if entry.mission}
    if file.mission is not None and file.mission not in missions:
        hint = suggestion(file.mission, missions, what="Missions there") or " Those files hold no mission."
        message = f"mission: no assertion file of this scenario has a mission '{file.mission}'.{hint}"
        raise NotFoundInCatalogue(message, where=document.where(("mission",)))
    return tuple(references)


def _seconds(document: Document, at: KeyPath, text: str) -> Fraction:
    try:
        seconds = units.exact_seconds(text)
    except UnitError as error:
        raise UnitError(f"{dotted(at)}: {error.message}", where=document.where(at)) from None
    if seconds < 0:
        raise FileFormatError(f"{dotted(at)}: a time is never negative.", where=document.where(at))
    return seconds


def _ticks(document: Document, at: KeyPath, text: str, hz: int) -> int:
    """A duration that is a whole, positive number of ticks, exactly."""
    ticks = _seconds(document, at, text) * hz
    if ticks.denominator == 1 and ticks > 0:
        return int(ticks)
    legal = [_written_seconds(Fraction(n, hz)) for n in sorted({max(1, math.floor(ticks)), max(1, math.ceil(ticks))})]
    message = f"{dotted(at)}: '{text}' is not a whole number of ticks at {hz} Hz; write {' or '.join(legal)}."
    raise FileFormatError(message, where=document.where(at))


def _written_seconds(seconds: Fraction) -> str:
    return f"'{float(seconds):.10g} s'" if (seconds * 10**9).denominator == 1 else f"'{float(seconds):.17g} s'"


def _faults(
    document: Document, file: ScenarioFile, robot: Robot, duration_ticks: int
) -> tuple[tuple[FaultSpec, ...], tuple[str, ...]]:
    specs, notes = [], []
    end_step = duration_ticks * file.rates.physics_hz // file.rates.control_hz
    for index, entry in enumerate(file.faults):
        at: KeyPath = ("faults", index)
        if entry.kind not in robot.faults:
            hint = suggestion(entry.kind, robot.faults, what=f"Faults of {robot.name}")
            message = f"the robot {robot.name} cannot take a fault '{entry.kind}'.{hint}"
            raise NotFoundInCatalogue(message, where=document.where((*at, "kind")))
        steps = _fault_steps(document, at, entry, file.rates.physics_hz, notes)
        written = {k: v for k, v in document.value["faults"][index].items() if k not in _FAULT_KEYS}
        parameters = _section(robot.faults[entry.kind].Parameters, document, written, at, FaultEntry.model_fields)
        specs.append(FaultSpec(entry.kind, parameters, steps["start"], steps.get("until"), steps.get("ramp", 0)))
        if specs[-1].until_step is not None and specs[-1].until_step <= specs[-1].start_step:
            message = f"{dotted(at)}: 'until' is not after 'start'; give the time at which the fault ends."
            raise FileFormatError(message, where=document.where((*at, "until")))
        if specs[-1].start_step >= end_step:
            message = (
                f"{dotted((*at, 'start'))}: {entry.start} is not before the end of the flight, {file.duration}; "
                "start the fault earlier, or lengthen 'duration'."
            )
            raise FileFormatError(message, where=document.where((*at, "start")))
        if entry.ramp is not None and getattr(robot.faults[entry.kind], "holds", False):
            message = f"{dotted((*at, 'ramp'))}: {entry.kind} is on or off, it does not grow; leave out 'ramp'."
            raise FileFormatError(message, where=document.where((*at, "ramp")))
    return tuple(specs), tuple(notes)


def _fault_steps(document: Document, at: KeyPath, entry: FaultEntry, hz: int, notes: list[str]) -> dict[str, int]:
    steps = {}
    for key in ("start", "until", "ramp"):
        text = getattr(entry, key)
        if text is None:
            continue
        exact = _seconds(document, (*at, key), text) * hz
        steps[key] = round(exact)
        if exact != steps[key]:
            notes.append(f"{dotted((*at, key))}: {text} is rounded to physics step {steps[key]}, {steps[key] / hz:g} s")
    return steps


def _policy(document: Document, file: ScenarioFile, lookups: Lookups, override: str | None) -> Policy:
    section = file.policy
    choice = section.on_violation if override is None else override
    if choice not in ("freeze", "rewind"):
        where = document.where(("policy", "on_violation")) if override is None else None
        raise InputError(f"the policy '{choice}' is not available; use rewind or freeze.", where=where)
    fallback = section.fallback
    if fallback is not None:
        fallback = _located(document, ("policy", "fallback"), functools.partial(lookups.controller, fallback))
    return Policy(
        on_violation=choice,
        fallback=fallback,
        probation_ticks=_ticks(document, ("policy", "probation"), section.probation, file.rates.control_hz),
        max_attempts=section.max_attempts,
        wall_budget_s=section.wall_budget_s,
        confinement=section.confinement,
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
