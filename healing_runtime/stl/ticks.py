"""Windows in ticks: exact rational arithmetic, never rounding.

A bound that is not a whole number of control periods is refused, and the two nearest legal ones are named.
"""

from __future__ import annotations

import dataclasses
import numbers
from fractions import Fraction

from healing_runtime.core.errors import InputError
from healing_runtime.stl.formula import Apply, Duration, Formula
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.parse import Text

MAX_TICKS = 1_000_000


def exact_period(dt_s: float | Fraction) -> Fraction:
    """A control period as a rational: 1/48 for the float nearest to it, 1/100 for 0.01.

    Raises:
        InputError: not a positive number.
    """
    if isinstance(dt_s, Fraction) and dt_s > 0:
        return dt_s
    if isinstance(dt_s, bool) or not isinstance(dt_s, numbers.Real) or not 0 < dt_s < float("inf"):
        raise InputError(f"the period dt_s is {dt_s!r}; give a positive number of seconds, as in 0.01.")
    rate = round(1.0 / dt_s)
    if rate and abs(rate * dt_s - 1.0) < 1e-12:
        return Fraction(1, rate)
    return Fraction(repr(float(dt_s)))


def in_ticks(formula: Formula, period: Fraction, source: Text | None = None) -> Formula:
    """The formula with every window's `ticks` filled in.

    Raises:
        AssertionSyntaxError: a bound that falls between two ticks, an empty window, or one longer than a million ticks.
    """
    if not isinstance(formula, Apply):
        return formula
    source = source or Text(formula.text)
    window = formula.window
    if window is not None:
        low, high = (_whole(end, period, source) for end in (window.low, window.high))
        if low > high:
            source.fail(
                f"the lower bound {window.low.text} lies above {window.high.text}; exchange them.", formula.place
            )
        window = dataclasses.replace(window, ticks=(low, high))
    arguments = tuple(in_ticks(argument, period, source) for argument in formula.arguments)
    return dataclasses.replace(formula, arguments=arguments, window=window)


def _whole(end: Duration, period: Fraction, source: Text) -> int:
    ticks = end.amount if end.in_ticks else end.amount / period
    if ticks.denominator != 1:
        below = ticks.numerator // ticks.denominator
        options = " or ".join(f"'{n} ticks' ({float(n * period):.6g} s)" for n in (below, below + 1))
        rate = f"{float(1 / period):g} Hz"
        source.fail(f"{end.text} is not a whole number of ticks at {rate}; write {options}.", end.place)
    if ticks > MAX_TICKS:
        source.fail(f"{end.text} is longer than {MAX_TICKS} ticks; shorten the window.", end.place)
    return int(ticks)


def horizon(formula: Formula) -> int | None:
    """Ticks after its start at which the formula is decided; None if only the end of the run decides it."""
    if not isinstance(formula, Apply):
        return 0
    reach = 0
    for argument in formula.arguments:
        below = horizon(argument)
        if below is None:
            return None
        reach = max(reach, below)
    if OPERATORS[formula.operator].kind != "future":
        return reach
    ticks = ticks_of(formula)
    return None if ticks is None else reach + ticks[1]


def ticks_of(formula: Apply) -> tuple[int, int] | None:
    """The operator's bounds in ticks; None without bounds."""
    if formula.window is None:
        return None
    if formula.window.ticks is None:
        raise ValueError(f"'{formula.text}' has bounds in seconds; in_ticks comes first")
    return formula.window.ticks


def looks_ahead(formula: Formula) -> bool:
    """Whether a future operator occurs in it."""
    if not isinstance(formula, Apply):
        return False
    return OPERATORS[formula.operator].kind == "future" or any(map(looks_ahead, formula.arguments))


def check_online(formula: Formula, source: Text | None = None, *, outermost: bool = True) -> None:
    """Refuse what cannot be judged during a run.

    Raises:
        AssertionSyntaxError: an unbounded future operator under a temporal one, or a past operator over the future.
    """
    if not isinstance(formula, Apply):
        return
    source = source or Text(formula.text)
    kind = OPERATORS[formula.operator].kind
    if kind == "future" and formula.window is None and not outermost:
        source.fail(
            f"'{formula.operator}' without bounds inside another temporal operator is known only after the run; "
            f"give it bounds, as in '{formula.operator}[0 s, 2 s]'.",
            formula.place,
        )
    if kind == "past" and any(map(looks_ahead, formula.arguments)):
        source.fail(
            f"'{formula.operator}' looks back at something that looks ahead; write it with past operators only.",
            formula.place,
        )
    for argument in formula.arguments:
        check_online(argument, source, outermost=outermost and kind == "boolean")
