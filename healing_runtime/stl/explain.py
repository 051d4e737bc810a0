"""Formulas in English, for the people who sign them.

A trigger on an edge says "when", one on a level "whenever"; windows are read as times from the moment judged.
"""

from __future__ import annotations

import re

from healing_runtime.stl.formula import Apply, Duration, Flag, Formula, Literal, Outside, Predicate, Window
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.parse import WORDS

_RELATIONS = {"<": "is below", "<=": "is at most", ">": "is above", ">=": "is at least", "==": "equals"}
_EDGES = ("rise", "fall")


def explain(formula: Formula) -> str:
    """One English sentence."""
    text = _outer(formula)
    return text[0].upper() + text[1:] + "."


def _outer(formula: Formula) -> str:
    """The outermost layer needs no 'at all times' before 'whenever'."""
    match formula:
        case Apply("always", (Apply("implies", (trigger, promise)),), None):
            return _conditional(trigger, promise)
        case Apply("always", (body,), None):
            return f"at all times {_say(body)}"
        case Apply("and", (p, q)):
            return f"{_outer(p)}; and {_outer(q)}"
    return _say(formula)


def _conditional(trigger: Formula, promise: Formula) -> str:
    edge = isinstance(trigger, Apply) and trigger.operator in _EDGES
    return f"{'when' if edge else 'whenever'} {_say(trigger)}, {_say(promise)}"


def _say(formula: Formula) -> str:
    match formula:
        case Predicate(text=text) | Apply(text=text) if _names(text):
            return f"'{text}' holds"
        case Predicate():
            return _predicate(formula)
        case Flag():
            return f"'{formula.text}' is true"
        case Literal(value):
            return "true" if value else "false"
        case Outside(low, high):
            return f"the tick lies outside {low} to {high}"
        case Apply("not", (Flag() as flag,)):
            return f"'{flag.text}' is false"
        case Apply("rise" | "fall" as edge, (Flag() as flag,)):
            return f"'{flag.text}' becomes {'true' if edge == 'rise' else 'false'}"
        case Apply("implies", (trigger, promise)):
            return _conditional(trigger, promise)
    operator = OPERATORS[formula.operator]
    words = [_group(argument) for argument in formula.arguments]
    window = _window(formula.window, operator.kind, operator.window)
    if operator.arity == 2 and window:
        window = f" ({window.strip()})"
    return operator.english.format(*words, window=window)


def _group(formula: Formula) -> str:
    said = _say(formula)
    binary = isinstance(formula, Apply) and len(formula.arguments) == 2
    return f"({said})" if binary else said


def _names(text: str) -> bool:
    """Whether a text is a definition's name, which then stands for its body."""
    call = re.fullmatch(r"([A-Za-z_]\w*)\s*(\(.*\))?", text)
    return call is not None and call[1] not in WORDS


def _predicate(formula: Predicate) -> str:
    sign = next(s for s in ("<=", ">=", "==", "<", ">") if s in formula.text)
    before, after = formula.text.split(sign, 1)
    within = f" to within {formula.tolerance:g} (SI)" if formula.relation == "==" else ""
    return f"{before.strip()} {_RELATIONS[sign]} {after.strip()}{within}"


def _window(window: Window | None, kind: str, form: str) -> str:
    if window is None:
        return " so far" if kind == "past" and form == "optional" else ""
    low, high = _time(window.low), _time(window.high)
    if form == "duration":
        return high
    side = "from now" if kind == "future" else "ago"
    if window.low.amount == 0:
        return f" within the next {high}" if kind == "future" else f" within the last {high}"
    return f" between {low} and {high} {side}"


def _time(end: Duration) -> str:
    if end.in_ticks:
        return f"{end.amount} tick{'s' if end.amount != 1 else ''}"
    seconds = float(end.amount)
    return f"{seconds:g} s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:g} ms"
