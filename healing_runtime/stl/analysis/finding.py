"""What the analysis of assertions finds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from healing_runtime.core.errors import Location
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.formula import Formula, Outside

_SHOWN = 4
"""Predicates beyond which an explanation explains nothing."""


class Finding(NamedTuple):
    """One thing found: what is wrong, and what to do."""

    severity: Literal["error", "warning"]
    message: str
    where: Location


def place(requirement: Requirement, part: Formula | None = None) -> Location:
    """Where a requirement's formula, or a part of it, stands."""
    offset = 0 if part is None or isinstance(part, Outside) else part.place
    return requirement.source.at(offset) or requirement.where


def because(evidence: Iterable[str], known: str = "") -> str:
    """`": 'x < 1 m' against 'x > 2 m'"`, if there is little enough of it to be read; `known` has been said already."""
    texts = [f"'{text}'" for text in evidence if text != known]
    if not 0 < len(texts) <= _SHOWN:
        return ""
    return f" (look at {texts[0]})" if len(texts) == 1 else f": {' against '.join(texts)}"
