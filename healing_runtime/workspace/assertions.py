"""An assertion file -> core.AssertionFile: formulas stay text, with the place of their first character.

The grammar, signals and dimensions inside formulas are `stl`'s business; here the file's own form is checked.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from healing_runtime.core import units
from healing_runtime.core.errors import FileFormatError, InputError, UnitError
from healing_runtime.core.records import AssertionFile, AssertionText
from healing_runtime.core.status import Severity
from healing_runtime.workspace.document import Document, KeyPath
from healing_runtime.workspace.models import AssertionEntry, AssertionsFile, MissionEntry
from healing_runtime.workspace.remains import compares, name_in, remains
from healing_runtime.workspace.validation import Mistakes, dotted, in_order, read

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEAD = re.compile(rf"{_NAME.pattern}(?:\(\s*{_NAME.pattern}(?:\s*,\s*{_NAME.pattern})*\s*\))?")


class Reading(NamedTuple):
    """An assertion file as far as it can be read.

    Attributes:
        file: what is left without the mistakes, None if nothing is. Its robot is empty if names are missing as a whole.
        mistakes: what is wrong with its form, in the order of the file.
        left_out: constants and definitions that are not in `file`.
    """

    file: AssertionFile | None
    mistakes: tuple[InputError, ...]
    left_out: frozenset[str]


def resolve_assertions(document: Document, name: str) -> AssertionFile:
    """The file's assertions and missions, in the order written.

    Raises:
        FileFormatError: the form is wrong, or an id stands twice.
        UnitError: a constant, a tolerance or a scale whose unit is unknown. `more` holds the other mistakes.
    """
    reading = read_assertions(document, name)
    if reading.mistakes or reading.file is None:
        raise in_order(reading.mistakes)
    return reading.file


def read_assertions(document: Document, name: str) -> Reading:
    """As `resolve_assertions`, with every mistake of the form as a value beside what is left of the file."""
    file = read(AssertionsFile, document, document.value)
    left = remains(document.value, [])
    mistakes: list[InputError] = []
    if isinstance(file, Mistakes):
        mistakes += [mistake.error for mistake in file.told]
        left = remains(document.value, [mistake.path for mistake in file.every])
        file = read(AssertionsFile, document, left.value)
        if isinstance(file, Mistakes):
            return Reading(None, _sorted(mistakes), frozenset())
    wrong = {**_wrong_constants(document, file), **_wrong_definitions(document, file)}
    mistakes += [*wrong.values(), *_wrong_ids(document, file)]
    texts = []
    for section, entries in (("assertions", file.assertions), ("mission", file.mission)):
        for index, entry in enumerate(entries):
            text, found = _entry(document, entry, (section, index))
            mistakes += found
            if (section, index) not in left.dropped and not (found and compares(entry.formula)):
                texts.append(text)
    found = AssertionFile(
        name=name,
        path=document.path,
        sha256=document.sha256,
        robot=file.robot if left.complete else "",
        assertions=tuple(texts),
        constants={name: text for name, text in file.constants.items() if ("constants", name) not in wrong},
        definitions={
            head: document.layouts.get(("definitions", head), body)
            for head, body in file.definitions.items()
            if ("definitions", head) not in wrong
        },
        definition_where={head: document.where(("definitions", head)) for head in file.definitions},
    )
    return Reading(found, _sorted(mistakes), left.names | {name_in(str(key[1])) for key in wrong})


def _sorted(mistakes: Sequence[InputError]) -> tuple[InputError, ...]:
    if not mistakes:
        return ()
    first = in_order(mistakes)
    others, first.more = first.more, ()
    return (first, *others)


def _text(document: Document, entry: MissionEntry, at: KeyPath, *, mission: bool) -> AssertionText:
    return AssertionText(
        id=entry.id,
        formula=document.layouts.get((*at, "formula"), entry.formula),
        where=document.where((*at, "formula")),
        severity=entry.severity if isinstance(entry, AssertionEntry) else Severity.CRITICAL,
        mission=mission,
        requirement=entry.requirement,
        rationale=entry.rationale,
        scale=dict(entry.scale) if isinstance(entry, AssertionEntry) else {},
        tolerance=entry.tolerance if isinstance(entry, AssertionEntry) else None,
    )


def _entry(document: Document, entry: MissionEntry, at: KeyPath) -> tuple[AssertionText, list[InputError]]:
    """An entry without what is wrong in its scale and its tolerance, and that."""
    text, mistakes = _text(document, entry, at, mission=at[0] == "mission"), []
    seen: dict[tuple[tuple[str, float], ...], str] = {}
    scale = dict(text.scale)
    for unit in text.scale:
        where: KeyPath = (*at, "scale", unit)
        try:
            other = seen.setdefault(_check_unit(document, unit, where), unit)
            if other != unit:
                message = f"the unit '{unit}' measures what '{other}' does; keep one scale for both."
                raise FileFormatError(message, where=document.where_key(where))
        except InputError as error:
            mistakes.append(error)
            del scale[unit]
    tolerance, where = text.tolerance, (*at, "tolerance")
    try:
        if tolerance is not None and _check_quantity(document, tolerance, where) < 0:
            message = f"{dotted(where)} is never negative; write '{tolerance.strip().lstrip('-')}'."
            raise FileFormatError(message, where=document.where(where))
    except InputError as error:
        mistakes.append(error)
        tolerance = None
    return dataclasses.replace(text, scale=scale, tolerance=tolerance), mistakes


def _wrong_constants(document: Document, file: AssertionsFile) -> dict[KeyPath, InputError]:
    wrong: dict[KeyPath, InputError] = {}
    for name, text in file.constants.items():
        at: KeyPath = ("constants", name)
        if not _NAME.fullmatch(name):
            message = f"'{name}' is not a name for a constant; use letters, digits and '_'."
            wrong[at] = FileFormatError(message, where=document.where_key(at))
            continue
        try:
            _check_quantity(document, text, at)
        except InputError as error:
            wrong[at] = error
    return wrong


def _wrong_definitions(document: Document, file: AssertionsFile) -> dict[KeyPath, InputError]:
    wrong: dict[KeyPath, InputError] = {}
    seen = {name: "constants" for name in file.constants}
    for head in file.definitions:
        at: KeyPath = ("definitions", head)
        name = head.partition("(")[0]
        if not _HEAD.fullmatch(head):
            message = f"'{head}' is not the head of a definition; write 'name' or 'name(a, b)'."
            wrong[at] = FileFormatError(message, where=document.where_key(at))
        elif name in seen:
            message = f"'{name}' stands in {seen[name]} already; give this one another name."
            wrong[at] = FileFormatError(message, where=document.where_key(at))
        seen.setdefault(name, "definitions")
    return wrong


def _wrong_ids(document: Document, file: AssertionsFile) -> Iterator[InputError]:
    seen: set[str] = set()
    for section, entries in (("assertions", file.assertions), ("mission", file.mission)):
        for index, entry in enumerate(entries):
            if entry.id in seen:
                message = f"the id '{entry.id}' stands twice in this file; give each assertion its own."
                yield FileFormatError(message, where=document.where((section, index, "id")))
            seen.add(entry.id)


def _check_quantity(document: Document, text: str, at: KeyPath) -> float:
    try:
        return units.quantity(text)[0]
    except UnitError as error:
        raise UnitError(f"{dotted(at)}: {error.message}", where=document.where(at)) from None


def _check_unit(document: Document, unit: str, at: KeyPath) -> tuple[tuple[str, float], ...]:
    try:
        return units.dimension(unit)
    except UnitError as error:
        raise UnitError(f"{dotted(at[:-1])}: {error.message}", where=document.where_key(at)) from None
