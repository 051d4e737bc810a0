"""How a status looks and is worded: told apart by colour, by hatching and by symbol, so that any one of them will do.

Colours after Okabe and Ito (2008), who chose them for people who do not see red and green apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from healing_runtime.core.status import Status
from healing_runtime.reports.wording import Unit


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


def verdict_words(status: Status) -> str:
    """A verdict with its symbol, and what a reader must not overlook about it."""
    rider = {
        Status.VACUOUS: ": the trigger never came true, so nothing was verified",
        Status.INVALID: ": a sample it rests on is NaN or stale, which counts as a violation",
        Status.UNKNOWN: ": the recording ended before it was decided",
        Status.FALSE: ": violated",
    }.get(status, "")
    return f"{LOOKS[status].symbol} {status.word}{rider}"


def unit_words(unit: Unit) -> str:
    """A unit in brackets, with raised powers; quantities of several dimensions are told to be in SI."""
    text = unit.text.translate(str.maketrans("23", "²³"))
    if unit.mixed:
        return f" [mixed, SI: {text}]"
    return f" [{text}]" if text else ""


def quantity(value: float, unit: Unit, digits: int = 3) -> str:
    """A number with its unit; infinities and NaN as words people read."""
    if math.isnan(value):
        return "invalid"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}g}".replace("-", "−")
    return f"{text} (SI, mixed units)" if unit.mixed else f"{text} {unit.text}".rstrip()


def seconds(value: float) -> str:
    """A time of a sample, to the millisecond at most."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + " s"
