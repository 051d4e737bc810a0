"""Rows of the ledger read as documents. Anybody may have written there: what is of another form is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from healing_runtime.core.errors import RecordError

Document = dict[str, Any]
Kinds = Mapping[str, type | tuple[type, ...]]
Row = TypeVar("Row")

_STAGE: Kinds = {"stage": str, "accepted": bool, "reason": str}

Tell = Callable[[str], None]
"""Hears of a row that cannot be read: where it is, what is wrong with it, what to do."""


def document(text: Any, what: str) -> Document:
    """The JSON document of a row. RecordError, naming it by `what`, where it holds none."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise damaged(what, "it holds no JSON document")
    return found


def shaped(found: Mapping[str, Any], kinds: Kinds, what: str) -> None:
    """RecordError unless a document has a value of the right kind under each of these keys."""
    for key, kind in kinds.items():
        if not isinstance(found.get(key), kind):
            raise damaged(what, f"'{key}' is {'of another kind' if key in found else 'missing'}")


def staged(found: Mapping[str, Any], what: str) -> None:
    """RecordError unless a document has `stages`, each as the gate writes one."""
    shaped(found, {"stages": list}, what)
    for stage in found["stages"]:
        if not isinstance(stage, dict):
            raise damaged(what, "one of its stages is of another kind")
        shaped(stage, _STAGE, f"{what}, a stage of it,")


def damaged(what: str, why: str) -> RecordError:
    """The error of a row that cannot be read."""
    return RecordError(f"{what} is damaged: {why}; run its scenario anew.")


def readable(rows: Iterable[Row], read: Callable[[Row], Document], tell: Tell | None) -> tuple[Document, ...]:
    """The rows that can be read; `tell` hears of every other one."""
    found: list[Document] = []
    for row in rows:
        try:
            found.append(read(row))
        except RecordError as error:
            if tell is not None:
                tell(error.message)
    return tuple(found)
