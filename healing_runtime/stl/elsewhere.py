"""What people write who know another language, and what it is called here; names that are nearly another's."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SIGNS = {
    "->": "implies", "=>": "implies", "→": "implies", "⇒": "implies", "<->": "iff", "<=>": "iff", "↔": "iff",
    "⇔": "iff", "&&": "and", "&": "and", "∧": "and", "||": "or", "|": "or", "∨": "or", "!": "not", "~": "not",
    "¬": "not", "≤": "<=", "≥": ">=", "=<": "<=", "⩽": "<=", "⩾": ">=", "<<": "<", ">>": ">", "＜": "<", "＞": ">",
    "□": "always", "◻": "always", "◇": "eventually", "◊": "eventually", "×": "*", "·": "*", "÷": "/", "−": "-",
    "–": "-", "{": "(", "}": ")",
}  # fmt: skip
"""A sign of other languages -> ours."""

SIGNS_IN_WORDS = {
    "=": "write '==' and give the key 'tolerance', or compare with '<=' and '>='",
    "!=": "write 'not (a == b)' and give the key 'tolerance'",
    "<>": "write 'not (a == b)' and give the key 'tolerance'",
    "≠": "write 'not (a == b)' and give the key 'tolerance'",
    "^": "there are no powers: multiply, as in 'x * x'",
    "**": "there are no powers: multiply, as in 'x * x'",
    "²": "there are no powers: multiply, as in 'x * x'",
    "³": "there are no powers: multiply, as in 'x * x * x'",
    "#": "put comments on a line of their own in the file",
    "//": "put comments on a line of their own in the file, after '#'",
    ";": "remove it",
    "@": "remove it",
    "$": "remove it",
    "?": "remove it",
    "\\": "remove it",
    **dict.fromkeys("\"'“”„‘’«»`", "remove the quotation marks"),
}
"""A sign of other languages -> what to do."""

WORDS_ELSEWHERE = {
    "globally": "always", "henceforth": "always", "finally": "eventually", "sometime": "eventually",
    "past": "once", "previously": "prev", "previous": "prev", "imply": "implies", "then": "implies",
    "rising": "rise", "falling": "fall", "is": "==", "equals": "==", "below": "<", "under": "<", "less": "<",
    "lt": "<", "le": "<=", "above": ">", "over": ">", "greater": ">", "exceeds": ">", "gt": ">", "ge": ">=",
}  # fmt: skip
SAID_ELSEWHERE = {
    "never": "write 'always (not (…))'",
    "if": "write '(…) implies (…)'",
    "when": "write '(…) implies (…)', and 'rise(…)' for the moment at which it begins",
    "whenever": "write '(…) implies (…)'",
    "next": "write 'eventually[1 tick, 1 tick] (…)'",
    "X": "write 'eventually[1 tick, 1 tick] (…)'",
    "within": "write 'eventually[0 s, 2 s] (…)'",
    "unless": "write '(…) or (…)'",
    "while": "write '(…) implies (…)'",
}

UNITS_ELSEWHERE = {
    **dict.fromkeys(("meter", "meters", "metre", "metres", "mtr"), "m"), "mps": "m/s",
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"), **dict.fromkeys(("minute", "minutes", "mins"), "min"),
    **dict.fromkeys(("degree", "degrees", "degs", "°"), "deg"), **dict.fromkeys(("radian", "radians", "rads"), "rad"),
    **dict.fromkeys(("hz", "hertz"), "Hz"), **dict.fromkeys(("newton", "newtons", "n"), "N"), "kgs": "kg",
    **dict.fromkeys(("kilogram", "kilograms"), "kg"), **dict.fromkeys(("revs", "revolutions"), "rev"),
    "um": "µm", "us": "µs", "msec": "ms", "millis": "ms", "pct": "%", "ticks": "ticks", "samples": "ticks",
    "steps": "ticks", "m": "m", "rpm": "rpm", "radps": "rad/s", "degps": "deg/s",
}  # fmt: skip
"""A unit's other name -> ours."""
HOURS = ("h", "hr", "hrs", "hour", "hours")
KILOMETRES_PER_HOUR = ("kmh", "kph", "kmph")

FUNCTIONS_ELSEWHERE = {
    "hypot": "norm",
    "length": "norm",
    "magnitude": "norm",
    "minimum": "min",
    "maximum": "max",
    "absolute": "abs",
    "fabs": "abs",
    "clip": "clamp",
    "sensed": "observed",
    "measured": "observed",
}
NO_SIGNALS = {
    **dict.fromkeys(("nan", "inf", "infinity", "none", "null"), "compare with a number; NaN is always a violation."),
    "pi": "define it under 'constants', or write degrees.",
    "t": "times are written as bounds, as in 'always[0 s, 2 s]'.",
}
"""What is looked for like a signal and is none -> what to do."""


def nearest_names(name: str, known: Iterable[str]) -> list[str]:
    """The names most like one: the same in other letters, one that begins or ends with it, then by likeness."""
    names = list(dict.fromkeys(known))
    same = [n for n in names if n.lower() == name.lower()]
    if same:
        return same
    part = [
        n for n in names if len(name) > 2 and (n.lower().startswith(name.lower()) or n.lower().endswith(name.lower()))
    ]
    near = difflib.get_close_matches(name.lower(), [n.lower() for n in names], n=3, cutoff=0.6)
    return list(dict.fromkeys([*part, *(n for close in near for n in names if n.lower() == close)]))[:3]
