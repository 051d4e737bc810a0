"""When a true verdict is vacuous: one rule, used online and offline.

A formula that is true because none of its implications was ever put to the test says nothing about the system.
"""

from __future__ import annotations

from healing_runtime.stl.formula import Apply, Formula, Window, walk
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.ticks import ticks_of

Starts = tuple[int, int | None]
"""First and last start at which a formula is judged, counted from the start of the whole; None if there is no last."""


def triggers(formula: Formula, starts: Starts = (0, 0)) -> tuple[tuple[Formula, Starts], ...]:
    """What must have come true at some of the starts beside it, lest a true formula be vacuous; empty if nothing must.

    The rule: an implication is exercised at a start at which its trigger is true and its consequent is exercised; a
    conjunction if one of its parts is; `always[a, b]` if its body is at a start in the window; any other formula always
    is. A formula is judged at the first sample, the body of an outermost `always` at the starts of its window, without
    bounds at every start. A trigger that only the end of the run decides counts as true.
    """
    match formula:
        case Apply("always", (body,)):
            window, (low, high) = ticks_of(formula), starts
            last = None if window is None or high is None else high + window[1]
            return triggers(body, (low + (window[0] if window else 0), last))
        case Apply("and", (p, q)):
            parts = triggers(p, starts), triggers(q, starts)
            return (*parts[0], *parts[1]) if all(parts) else ()
    exercised = _exercised(formula)
    return () if exercised is None else ((exercised, starts),)


def _exercised(formula: Formula) -> Formula | None:
    """Whether the formula is exercised at a start, as a formula; None if it always is."""
    match formula:
        case Apply("implies", (trigger, consequent)):
            inner = _exercised(consequent)
            if _unbounded(trigger):
                return inner
            return trigger if inner is None else Apply("and", (trigger, inner))
        case Apply("and", (p, q)):
            one, other = _exercised(p), _exercised(q)
            return None if one is None or other is None else Apply("or", (one, other))
        case Apply("always", (body,), Window()):
            inner = _exercised(body)
            return None if inner is None else Apply("eventually", (inner,), formula.window)
    return None


def _unbounded(formula: Formula) -> bool:
    """Whether only the end of the run decides some part of it."""
    return any(
        isinstance(part, Apply) and OPERATORS[part.operator].kind == "future" and part.window is None
        for part in walk(formula)
    )
