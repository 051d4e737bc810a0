"""How a status looks: told apart by colour, by hatching and by symbol, so that any one of them will do.

Colours after Okabe and Ito (2008), who chose them for people who do not see red and green apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from healing_runtime.core.status import Status


class Look(NamedTuple):
    """A status on paper: fill, ink for hatching and text, hatching (matplotlib), symbol and what it means."""

    fill: str
    ink: str
    hatch: str
    symbol: str
    meaning: str


LOOKS: Mapping[Status, Look] = {
    Status.TRUE: Look("#7fc4e8", "#0b5c8a", "", "✓", "true"),
    Status.FALSE: Look("#d55e00", "#8a3c00", "////", "✗", "false, and so the assertion is violated"),
    Status.UNKNOWN: Look("#e5e7eb", "#6b7280", "..", "?", "not decided yet"),
    Status.VACUOUS: Look("#ffffff", "#9ca3af", "\\\\\\", "○", "true because nothing was asked (trigger false)"),
    Status.INVALID: Look("#1f2937", "#f5c710", "xxxx", "!", "invalid (NaN or stale): counts as a violation"),
}
MILD = Look("#f6d9bd", "#a8713c", "//", "✗", "false, which by itself violates nothing")
"""A false sub-formula that need not hold: a trigger, one side of an `or`."""

INK, FAINT, GRID = "#111827", "#4b5563", "#e5e7eb"
LINE, SECOND, LIMIT, VIOLATION = "#0b5c8a", "#7a3e9d", "#111827", "#b3261e"
CURVES = (LINE, SECOND)


def look_of(status: Status, binding: bool) -> Look:
    """How a status is drawn in a row that must hold, or need not."""
    return MILD if status is Status.FALSE and not binding else LOOKS[status]
