"""Names and keys of an assertion file that nothing reads, or that are read in place of something else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from healing_runtime.core import units
from healing_runtime.core.errors import InputError
from healing_runtime.core.records import AssertionFile
from healing_runtime.core.signals import SignalTable
from healing_runtime.stl import vocabulary
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.formula import Predicate, walk
from healing_runtime.stl.parse import Raw, Text, parse_text
from healing_runtime.stl.vocabulary import Definition


class NameFinding(NamedTuple):
    """A warning about a key of the file: `("constants", "v_max")`, `("assertions", 2, "tolerance")`."""

    key: tuple[str | int, ...]
    message: str


def names(file: AssertionFile, table: SignalTable) -> list[NameFinding]:
    """What is defined and not used, and what hides a signal.

    Raises:
        AssertionSyntaxError: a formula or a definition does not parse.
    """
    written = {head: vocabulary.definition(head, body) for head, body in file.definitions.items()}
    formulas = [parse_text(Text(assertion.formula)) for assertion in file.assertions]
    signals = {*table.true.by_name, *table.observed.by_name}
    return [
        *_unused_constants(file, formulas, written.values()),
        *_unused_definitions(formulas, written),
        *_unused_parameters(written),
        *_shadows(file, written, signals),
        *_tolerances(file, formulas, written),
    ]


def idle_scales(file: AssertionFile, bound: Sequence[Requirement]) -> Iterator[NameFinding]:
    """Scales for a unit in which the assertion compares nothing; `bound` are the file's requirements, in its order."""
    for number, (assertion, requirement) in enumerate(zip(file.assertions, bound, strict=True)):
        compared = {part.left.dimension for part in walk(requirement.formula) if isinstance(part, Predicate)}
        for unit in assertion.scale:
            if units.dimension(unit) not in compared:
                what = f"'{assertion.id}' has a scale for '{unit}' and compares nothing in it; remove the scale."
                yield NameFinding(("assertions", number, "scale", unit), what)


def wrong_names(file: AssertionFile) -> Iterator[tuple[tuple[str, str], str, InputError]]:
    """Every constant and definition that is wrong in itself: its key, its name, and what is wrong."""
    for name, text in file.constants.items():
        try:
            vocabulary.constants({name: text})
        except InputError as error:
            yield ("constants", name), name, error
    for head, body in file.definitions.items():
        try:
            vocabulary.head_of(head)
            vocabulary.definition(head, body, file.definition_where.get(head))
        except InputError as error:
            yield ("definitions", head), head.partition("(")[0].strip(), error


def rests_on(file: AssertionFile, formula: str, wrong: Collection[str]) -> bool:
    """Whether a formula reads one of the names that are wrong, itself or through definitions; no formula reads none."""
    texts = {head.partition("(")[0].strip(): body for head, body in file.definitions.items()}
    reached: set[str] = set()
    waiting = [formula]
    while waiting:
        try:
            read = _read(parse_text(Text(waiting.pop())))
        except InputError:
            continue
        waiting += [texts[name] for name in read - reached if name in texts]
        reached |= read
    return not reached.isdisjoint(wrong)


def _unused_constants(file: AssertionFile, formulas: list[Raw], written: Iterable[Definition]) -> Iterator[NameFinding]:
    read = {name for raw in formulas for name in _read(raw)}
    read |= {name for definition in written for name in _read(definition.body) - {*definition.parameters}}
    for name in file.constants:
        if name not in read:
            yield NameFinding(("constants", name), f"nothing uses the constant '{name}'; remove it.")


def _unused_definitions(formulas: list[Raw], written: dict[str, Definition]) -> Iterator[NameFinding]:
    by_name = {definition.name: definition for definition in written.values()}
    reached: set[str] = set()
    waiting = [name for raw in formulas for name in _read(raw)]
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in reached:
            reached.add(name)
            waiting += _read(by_name[name].body) - {*by_name[name].parameters}
    for head, definition in written.items():
        if definition.name not in reached:
            what = f"no assertion uses the definition '{definition.name}'; remove it."
            yield NameFinding(("definitions", head), what)


def _unused_parameters(written: dict[str, Definition]) -> Iterator[NameFinding]:
    for head, definition in written.items():
        for name in definition.parameters:
            if name not in _read(definition.body):
                what = f"'{definition.name}' does not use its parameter '{name}'; remove it, or use it."
                yield NameFinding(("definitions", head), what)


def _shadows(file: AssertionFile, written: dict[str, Definition], signals: set[str]) -> Iterator[NameFinding]:
    for name in file.constants:
        if name in signals:
            what = f"'{name}' is a signal of the robot too, and formulas read this constant instead; rename it."
            yield NameFinding(("constants", name), what)
    for head, definition in written.items():
        if definition.name in signals:
            what = f"'{definition.name}' is a signal of the robot too, and formulas read this instead; rename it."
            yield NameFinding(("definitions", head), what)
        for parameter in definition.parameters:
            if parameter in signals or parameter in file.constants:
                kind = "signal" if parameter in signals else "constant"
                what = f"the parameter '{parameter}' of '{definition.name}' hides the {kind} of that name; rename it."
                yield NameFinding(("definitions", head), what)


def _tolerances(file: AssertionFile, formulas: list[Raw], written: dict[str, Definition]) -> Iterator[NameFinding]:
    """A tolerance that no `==` uses."""
    bodies = {definition.name: definition.body for definition in written.values()}
    assertions = [a for a in file.assertions if not a.mission]
    for number, (assertion, raw) in enumerate(zip(assertions, formulas, strict=False)):
        if assertion.tolerance is not None and not _compares(raw, bodies):
            what = f"'{assertion.id}' has a tolerance and compares nothing with '=='; remove the key."
            yield NameFinding(("assertions", number, "tolerance"), what)


def _compares(raw: Raw, bodies: dict[str, Raw]) -> bool:
    """Whether `==` stands in a text or in a definition that it reaches."""
    waiting, reached = [raw], set()
    while waiting:
        node = waiting.pop()
        if node.tag == "compare" and node.parts[1].parts[0] == "==":
            return True
        for name in _read(node) - reached:
            reached.add(name)
            waiting += [bodies[name]] if name in bodies else []
        waiting += [part for part in node.parts if isinstance(part, Raw)]
    return False


def _read(raw: Raw) -> set[str]:
    """Every name that a text reads: signals, constants, parameters, definitions, functions."""
    found, waiting = set(), [raw]
    while waiting:
        node = waiting.pop()
        if node.tag in ("name", "call"):
            found.add(node.parts[0].parts[0])
        waiting += [part for part in node.parts if isinstance(part, Raw)]
    return found
