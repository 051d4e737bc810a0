"""The sections of a scenario that the robot declares: `initial`, `environment`, `reference`, a fault's parameters.

Their keys carry a unit suffix (`altitude_m: 100`). A quantity with its unit is taken too, under the suffixed key or the
bare name (`altitude: 30 cm`), and becomes a number in the suffix's unit.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import numpy as np
from pydantic import BaseModel

from healing_runtime.core import units
from healing_runtime.core.errors import FileFormatError, UnitError
from healing_runtime.core.signals import SUFFIX_OF_UNIT
from healing_runtime.workspace.document import Document, KeyPath
from healing_runtime.workspace.gathering import Gathering
from healing_runtime.workspace.validation import Mistakes, dotted, read

_UNIT_OF_SUFFIX = {suffix: unit for unit, suffix in SUFFIX_OF_UNIT.items() if suffix} | {"_deg": "deg"}


class Limits(NamedTuple):
    """What a declared number may be at least and at most; tuples hold one entry a component."""

    floor: float | tuple[float, ...] = -math.inf
    ceiling: float | tuple[float, ...] = math.inf


def resolve_section(
    model: type[BaseModel], document: Document, value: Mapping[str, Any], at: KeyPath, beside: Collection[str] = ()
) -> Mapping[str, Any]:
    """Every key that the robot declares, defaults filled in, as numbers, tuples and nested mappings.

    `beside` are keys that have been read already, for messages.

    Raises:
        FileFormatError: unknown keys, wrong types, values out of range.
        UnitError: a quantity without a unit or of another dimension. `more` holds the other mistakes.
    """
    gathering, wrong = Gathering(), set()
    declared = _in_declared_units(model, document, value, at, gathering, wrong)
    found = read(model, document, declared, at, beside)
    if isinstance(found, Mistakes):
        for mistake in found.told:
            if mistake.path not in wrong:  # its value is told of already
                gathering.add(mistake.error)
    gathering.raise_all()
    assert not isinstance(found, Mistakes)
    resolved = found.model_dump()
    for path, number in numbers_in(resolved, at):
        if abs(number) > units.LARGEST:
            what = f"{dotted(path)}: {number:g} is too large a number; write one that a robot can reach."
            gathering.add(FileFormatError(what, where=document.where(path)))
    gathering.raise_all()
    return frozen(resolved)


def numbers_in(value: Any, at: KeyPath) -> Iterator[tuple[KeyPath, float]]:
    """Every number in a value, with its key path."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield at, value
    elif isinstance(value, Mapping | list | tuple):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from numbers_in(inner, (*at, key))


def unit_of_key(key: str) -> str:
    """The unit that a key's suffix names; empty where it names none."""
    return next((unit for suffix, unit in _UNIT_OF_SUFFIX.items() if key.endswith(suffix)), "")


def limits_of(model: type[BaseModel], path: str) -> Limits:
    """The limits a model declares for a (dotted) key, from its `ge gt le lt`."""
    head, _, rest = path.partition(".")
    field = model.model_fields.get(head)
    if field is None:
        return Limits()
    annotation: Any = field.annotation
    if rest:
        nested = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        return limits_of(annotation, rest) if nested else Limits()
    if get_origin(annotation) is tuple and Ellipsis not in get_args(annotation):
        entries = [_limits_in(_metadata_of(entry)) for entry in get_args(annotation)]
        if len(set(entries)) == 1:
            return Limits(*entries[0])
        return Limits(tuple(floor for floor, _ in entries), tuple(ceiling for _, ceiling in entries))
    if get_origin(annotation) in (Union, UnionType):  # one number, or one a component: each has the same limits
        return Limits(*_limits_in(_metadata_of(get_args(annotation)[0])))
    return Limits(*_limits_in(field.metadata))


def in_unit(document: Document, text: Any, unit: str, at: KeyPath) -> float:
    """A number in `unit`, from a number or from a quantity of that dimension. UnitError with its place."""
    try:
        if isinstance(text, str) and unit and not units.split_quantity(text)[1]:
            raise UnitError(f"the text '{text}' has no unit; write '{text} {unit}', or {text} without quotes.")
        found = units.to_si(text, unit) / (units.si_factor(unit) if isinstance(text, str) else 1.0)
        if abs(found) > units.LARGEST:
            raise UnitError(f"{found:g} is too large a number; write one that a robot can reach.")
    except UnitError as error:
        raise UnitError(f"{dotted(at)}: {error.message}", where=document.where(at)) from None
    return found


def _in_declared_units(
    model: type[BaseModel],
    document: Document,
    value: Mapping[str, Any],
    at: KeyPath,
    gathering: Gathering,
    wrong: set[KeyPath],
) -> dict[str, Any]:
    """The values under the declared keys; what is wrong with one is gathered, and its path is among the `wrong`."""
    out: dict[str, Any] = {}
    for key, given in value.items():
        here = (*at, key)
        declared = _declared_key(model, key)
        if declared is None:
            out[key] = given
            continue
        if declared in out:
            what = f"{dotted(here)} and {declared} are the same quantity; keep one."
            gathering.add(FileFormatError(what, where=document.where_key(here)))
            continue
        annotation = model.model_fields[declared].annotation
        if isinstance(given, dict) and isinstance(annotation, type) and issubclass(annotation, BaseModel):
            out[declared] = _in_declared_units(annotation, document, given, here, gathering, wrong)
            continue
        out[declared] = given
        if unit := unit_of_key(declared):
            try:
                out[declared] = _numbers(document, given, unit, here, bare=declared != key)
            except UnitError as error:
                gathering.add(error)
                wrong.add((*at, declared))
                del out[declared]
    return out


def _declared_key(model: type[BaseModel], key: str) -> str | None:
    if key in model.model_fields:
        return key
    return next((f for f in model.model_fields if unit_of_key(f) and f.rpartition("_")[0] == key), None)


def _numbers(document: Document, given: Any, unit: str, at: KeyPath, *, bare: bool) -> Any:
    if isinstance(given, list):
        return [_numbers(document, entry, unit, (*at, i), bare=bare) for i, entry in enumerate(given)]
    if isinstance(given, str):
        return in_unit(document, given, unit, at)
    if bare and isinstance(given, int | float) and not isinstance(given, bool):
        raise UnitError(f"{dotted(at)}: {given} has no unit; write '{given} {unit}'.", where=document.where(at))
    return given


def _metadata_of(annotation: Any) -> list[Any]:
    if get_origin(annotation) is not Annotated:
        return []
    return [inner for entry in get_args(annotation)[1:] for inner in getattr(entry, "metadata", None) or [entry]]


def _limits_in(metadata: list[Any]) -> tuple[float, float]:
    floor, ceiling = -math.inf, math.inf
    for entry in metadata:
        if (least := getattr(entry, "ge", None)) is not None:
            floor = max(floor, float(least))
        if (least := getattr(entry, "gt", None)) is not None:
            floor = max(floor, float(np.nextafter(least, math.inf)))
        if (most := getattr(entry, "le", None)) is not None:
            ceiling = min(ceiling, float(most))
        if (most := getattr(entry, "lt", None)) is not None:
            ceiling = min(ceiling, float(np.nextafter(most, -math.inf)))
    return floor, ceiling


def frozen(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    if isinstance(value, Mapping):
        return {key: frozen(inner) for key, inner in value.items()}
    return tuple(frozen(inner) for inner in value) if isinstance(value, list | tuple) else value
