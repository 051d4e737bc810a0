"""Assertion files -> requirements: formulas with names, units and ticks settled against a robot's signal table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from healing_runtime.core import units
from healing_runtime.core.errors import FileFormatError, InputError, Location
from healing_runtime.core.records import AssertionFile, AssertionText
from healing_runtime.core.signals import Signal, SignalTable
from healing_runtime.core.status import Severity
from healing_runtime.stl import check, vocabulary
from healing_runtime.stl.budget import check_budget
from healing_runtime.stl.formula import Apply, Formula, Predicate, walk
from healing_runtime.stl.parse import Text, parse_text
from healing_runtime.stl.ticks import check_online, in_ticks, looks_ahead
from healing_runtime.stl.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class Requirement:
    """One assertion or mission, ready to be judged.

    Attributes:
        id: as written in the file.
        formula: windows in ticks. An assertion without a future operator is kept for the whole run, so it stands here
            under `always`; everything else is judged from the first sample.
        text: the formula as written, on one line.
        scale: nominal range in the formula's unit; robustness divided by it is comparable between requirements.
        file: name of the assertion file.
        where: first character of the formula.
        source: the formula as it stands in the file, for places in it.
    """

    id: str
    formula: Formula
    severity: Severity
    mission: bool
    text: str
    scale: float
    file: str
    where: Location
    source: Text


def parse(
    text: str,
    *,
    signals: Mapping[str, str | Signal] | SignalTable | None = None,
    constants: Mapping[str, str] | None = None,
    definitions: Mapping[str, str] | None = None,
    tolerance: str | None = None,
    scale: Mapping[str, float] | None = None,
    where: Location | None = None,
) -> Formula:
    """A formula from its text.

    Args:
        text: the formula.
        signals: name -> unit or `Signal`, or a robot's table; None takes every name for a scalar without a unit.
        constants: name -> quantity.
        definitions: head (`settled(v)`) -> body.
        tolerance: quantity used by `==`.
        scale: unit -> nominal range that replaces the signals' own.
        where: place of the first character, for messages.

    Raises:
        AssertionSyntaxError, UnitError, UnknownSignalError: where, what, a caret, and what to write instead.
        InputError: an argument of another type.
    """
    if not isinstance(text, str):
        raise InputError(f"the formula is of type {type(text).__name__}; give its text.")
    _check_texts("constants", constants)
    _check_texts("definitions", definitions)
    if tolerance is not None and not isinstance(tolerance, str):
        raise InputError(f"the tolerance is {tolerance!r}; write it as a text, as in '0.1 m'.")
    if isinstance(signals, Mapping):
        _check_texts("signals", {name: unit for name, unit in signals.items() if not isinstance(unit, Signal)})
    elif signals is not None and not isinstance(signals, SignalTable):
        raise InputError(f"the signals are of type {type(signals).__name__}; give a mapping from names to units.")
    for unit, range_ in (scale or {}).items():
        if isinstance(range_, bool) or not isinstance(range_, int | float) or not 0 < range_ < float("inf"):
            raise InputError(f"the scale of '{unit}' is {range_!r}; give a positive number.")
    words = _vocabulary(signals, constants or {}, definitions or {}, {}, where)
    return _parse(Text(text, where), _local(words, tolerance, scale or {}, where))


def _check_texts(what: str, given: Mapping[str, str] | None) -> None:
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"the {what} are of type {type(given).__name__}; give a mapping from texts to texts.")
    for name, text in (given or {}).items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise InputError(f"the {what} have {name!r}: {text!r}; write both as texts, as in 'v_max': '0.5 m/s'.")


def bind(
    files: Sequence[AssertionFile], table: SignalTable, control_hz: int | Fraction | None, *, online: bool = True
) -> tuple[Requirement, ...]:
    """Every assertion and mission of the files, in their order.

    `online` asks that each can be judged during a run; without it they are for recordings. Without a rate the windows
    stay as written: that is enough to read the formulas, not to judge them.

    Raises:
        FileFormatError: an id occurs twice.
        AssertionSyntaxError, UnitError, UnknownSignalError: a formula is wrong, or with it the formulas need more than
            the `budget`; file:line:column of the character.
    """
    period = None if control_hz is None else 1 / Fraction(control_hz)
    found = tuple(r for file in files for r in _bind_file(file, table, period, online))
    first: dict[str, Requirement] = {}
    for requirement in found:
        other = first.setdefault(requirement.id, requirement)
        if other is not requirement:
            raise FileFormatError(
                f"the id '{requirement.id}' is also at {other.where}; rename one.", where=requirement.where
            )
    if online and period is not None:
        check_budget([(requirement.formula, requirement.source) for requirement in found])
    return found


def _bind_file(
    file: AssertionFile, table: SignalTable, period: Fraction | None, online: bool
) -> Iterator[Requirement]:
    words = _vocabulary(table, file.constants, file.definitions, file.definition_where, Location(file.path))
    for written in file.assertions:
        source = Text(written.formula, written.where)
        local = _local(words, written.tolerance, written.scale, written.where)
        formula = _parse(source, local)
        formula = formula if period is None else in_ticks(formula, period, source)
        if online:
            check_online(formula, source)
        formula = _judged_formula(formula, written, source)
        yield Requirement(
            written.id,
            formula,
            written.severity,
            written.mission,
            " ".join(written.formula.split()),
            _scale(formula),
            file.name,
            written.where,
            source,
        )


def judging(bound: Iterable[Requirement], mission: str | None) -> tuple[Requirement, ...]:
    """The requirements that judge a scenario: every assertion, and of the missions the one it names, if any."""
    return tuple(r for r in bound if not r.mission or r.id == mission)


def _judged_formula(formula: Formula, written: AssertionText, source: Text) -> Formula:
    if looks_ahead(formula):
        return formula
    if written.mission:
        source.fail("a mission is something to come; write 'eventually (…)' with or without bounds.", 0)
    return Apply("always", (formula,), None, " ".join(written.formula.split()), 0)


def vocabulary_of(table: SignalTable) -> Vocabulary:
    """The words of a robot alone: its signals, without an assertion file's constants and definitions."""
    return _vocabulary(table, {}, {}, {}, None)


def _vocabulary(
    signals: Mapping[str, str | Signal] | SignalTable | None,
    constants: Mapping[str, str],
    definitions: Mapping[str, str],
    places: Mapping[str, Location],
    where: Location | None,
) -> Vocabulary:
    if isinstance(signals, SignalTable):
        true, observed = signals.true.by_name, signals.observed.by_name
    elif signals is None:
        true, observed = None, {}
    else:
        true = {name: _signal(name, given, where) for name, given in signals.items()}
        observed = true
    named = [vocabulary.definition(head, body, places.get(head, where)) for head, body in definitions.items()]
    return Vocabulary(
        true, observed, vocabulary.constants(constants, where), {definition.name: definition for definition in named}
    )


def _signal(name: str, given: str | Signal, where: Location | None) -> Signal:
    if isinstance(given, Signal):
        return given
    # The data are taken to be in SI; the unit only says of what.
    units.dimension(given)
    return Signal(name, given)


def _local(words: Vocabulary, tolerance: str | None, scale: Mapping[str, float], where: Location | None) -> Vocabulary:
    return dataclasses.replace(
        words,
        tolerance=vocabulary.quantity(tolerance, where) if tolerance is not None else None,
        scales={units.dimension(unit): value * units.si_factor(unit) for unit, value in scale.items()},
    )


def _parse(source: Text, words: Vocabulary) -> Formula:
    return check.check(source, parse_text(source), words)


def _scale(formula: Formula) -> float:
    """The scale of the promise: of an implication's conclusion, not of its trigger."""
    if isinstance(formula, Predicate):
        return formula.scale
    if not isinstance(formula, Apply):
        return 1.0
    for argument in reversed(formula.arguments):
        if any(isinstance(part, Predicate) for part in walk(argument)):
            return _scale(argument)
    return 1.0
