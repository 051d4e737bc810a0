"""An assertion file -> core.AssertionFile: formulas stay text, with the place of their first character.

The grammar, signals and dimensions inside formulas are `stl`'s business; here the file's own form is checked.
"""

from __future__ import annotations

import re

from healing_runtime.core import units
from healing_runtime.core.errors import FileFormatError, UnitError
from healing_runtime.core.records import AssertionFile, AssertionText
from healing_runtime.core.status import Severity
from healing_runtime.workspace.document import Document, KeyPath
from healing_runtime.workspace.models import AssertionEntry, AssertionsFile, MissionEntry
from healing_runtime.workspace.validation import dotted, validate

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEAD = re.compile(rf"{_NAME.pattern}(?:\(\s*{_NAME.pattern}(?:\s*,\s*{_NAME.pattern})*\s*\))?")


def resolve_assertions(document: Document, name: str) -> AssertionFile:
    """The file's assertions and missions, in the order written.

    Raises:
        FileFormatError: the form is wrong, or an id stands twice.
        UnitError: a constant, a tolerance or a scale whose unit is unknown.
    """
    file = validate(AssertionsFile, document, document.value)
    _check_constants(document, file)
    _check_definitions(document, file)
    _check_ids(document, file)
    assertions = [_assertion(document, entry, ("assertions", i)) for i, entry in enumerate(file.assertions)]
    missions = [_text(document, entry, ("mission", i), mission=True) for i, entry in enumerate(file.mission)]
    return AssertionFile(
        name=name,
        path=document.path,
        sha256=document.sha256,
        robot=file.robot,
        assertions=(*assertions, *missions),
        constants=dict(file.constants),
        definitions={
            head: document.layouts.get(("definitions", head), body) for head, body in file.definitions.items()
        },
        definition_where={head: document.where(("definitions", head)) for head in file.definitions},
    )


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


def _assertion(document: Document, entry: AssertionEntry, at: KeyPath) -> AssertionText:
    seen: dict[tuple[tuple[str, float], ...], str] = {}
    for unit in entry.scale:
        where: KeyPath = (*at, "scale", unit)
        other = seen.setdefault(_check_unit(document, unit, where), unit)
        if other != unit:
            message = f"the unit '{unit}' measures what '{other}' does; keep one scale for both."
            raise FileFormatError(message, where=document.where_key(where))
    if entry.tolerance is not None and _check_quantity(document, entry.tolerance, (*at, "tolerance")) < 0:
        message = f"{dotted((*at, 'tolerance'))} is never negative; write '{entry.tolerance.strip().lstrip('-')}'."
        raise FileFormatError(message, where=document.where((*at, "tolerance")))
    return _text(document, entry, at, mission=False)


def _check_constants(document: Document, file: AssertionsFile) -> None:
    for name, text in file.constants.items():
        at: KeyPath = ("constants", name)
        if not _NAME.fullmatch(name):
            message = f"'{name}' is not a name for a constant; use letters, digits and '_'."
            raise FileFormatError(message, where=document.where_key(at))
        _check_quantity(document, text, at)


def _check_definitions(document: Document, file: AssertionsFile) -> None:
    seen = {name: "constants" for name in file.constants}
    for head in file.definitions:
        at: KeyPath = ("definitions", head)
        if not _HEAD.fullmatch(head):
            message = f"'{head}' is not the head of a definition; write 'name' or 'name(a, b)'."
            raise FileFormatError(message, where=document.where_key(at))
        name = head.partition("(")[0]
        if name in seen:
            message = f"'{name}' stands in {seen[name]} already; give this one another name."
            raise FileFormatError(message, where=document.where_key(at))
        seen[name] = "definitions"


def _check_ids(document: Document, file: AssertionsFile) -> None:
    seen: set[str] = set()
    for section, entries in (("assertions", file.assertions), ("mission", file.mission)):
        for index, entry in enumerate(entries):
            if entry.id in seen:
                message = f"the id '{entry.id}' stands twice in this file; give each assertion its own."
                raise FileFormatError(message, where=document.where((section, index, "id")))
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
