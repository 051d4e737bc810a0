"""What a flight is too short to decide."""

from __future__ import annotations

from typing import NamedTuple

from healing_runtime.stl.analysis.finding import Finding, place
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.formula import Apply, Formula
from healing_runtime.stl.ticks import ticks_of


class Earliest(NamedTuple):
    """Ticks after a formula's start before which it cannot be known to be true, and to be false."""

    true: int
    false: int


def too_short(requirement: Requirement, duration_ticks: int, control_hz: int, flight: str) -> list[Finding]:
    """A warning if a verdict cannot be reached within a flight; `flight` names it.

    What is `unknown` at the end is neither kept nor violated: a promise that cannot be seen to fail protects nothing.
    """
    needs = earliest(requirement.formula)
    late = [ticks for ticks in needs if ticks > duration_ticks]
    if not late:
        return []
    lasts = f"{flight} lasts {duration_ticks / control_hz:g} s"
    advice = "shorten the window, or lengthen the flight."
    name, after = requirement.id, f"{max(late) / control_hz:g} s"
    if len(late) == 2:
        what = (
            f"'{name}' can only end unknown: {lasts}, and it takes at least {min(late) / control_hz:g} s to decide it"
        )
    elif needs.false > duration_ticks:
        what = f"'{name}' can never be seen to fail: {lasts}, and that takes at least {after}"
    else:
        what = f"'{name}' can never be seen to hold: {lasts}, and that takes at least {after}"
    return [Finding("warning", f"{what}; {advice}", place(requirement))]


def earliest(formula: Formula) -> Earliest:
    """Lower bounds by the structure alone; what has no window ahead may be decided at once."""
    if not isinstance(formula, Apply):
        return Earliest(0, 0)
    parts = [earliest(argument) for argument in formula.arguments]
    low, high = ticks_of(formula) or (0, None)
    match formula.operator:
        case "not":
            return Earliest(parts[0].false, parts[0].true)
        case "and":
            return Earliest(max(p.true for p in parts), min(p.false for p in parts))
        case "or":
            return Earliest(min(p.true for p in parts), max(p.false for p in parts))
        case "implies":
            return Earliest(min(parts[0].false, parts[1].true), max(parts[0].true, parts[1].false))
        case "always":
            return Earliest(parts[0].true + (high or 0), low + parts[0].false)
        case "eventually":
            return Earliest(low + parts[0].true, parts[0].false + (high or 0))
        case "until":
            return Earliest(low + parts[1].true, min(parts[0].false, parts[1].false + (high or 0)))
    # Past operators look back at what is known; `iff` and `xor` need both sides.
    return Earliest(min(map(min, parts)), min(map(min, parts)))
