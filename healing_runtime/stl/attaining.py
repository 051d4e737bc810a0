"""Of which values a formula's value at a sample is the least or the greatest: the operators, read for a descent.

One rule an operator. `operators/` computes the same minima and maxima for whole recordings; here they are told apart.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from healing_runtime.stl.formula import Apply, Formula
from healing_runtime.stl.ticks import ticks_of

Interval = tuple[np.ndarray, np.ndarray]
"""Lower and upper bounds, one a sample."""


class Stretch(NamedTuple):
    """A part of a formula at the samples `first` to `last`; `sign` -1 reads it negated."""

    part: Formula
    first: int
    last: int
    sign: int = 1


class Choice(NamedTuple):
    """The value is the `least` or the greatest over these stretches, told in the order in which equals are preferred.

    Empty where a window lies before the first sample.
    """

    least: bool
    stretches: tuple[Stretch, ...] = ()


class Reaches(NamedTuple):
    """`p until q` and `p since q`: the greatest, over the samples `first` to `last`, of what `reaching` is least of."""

    formula: Apply
    at: int
    first: int
    last: int

    @property
    def between(self) -> tuple[int, int]:
        """First and last sample at which p may have to hold; the first lies after the last where there is none."""
        return (self.at, self.last - 1) if self.formula.operator == "until" else (self.first + 1, self.at)

    def reaching(self, goal: int) -> Choice:
        """What the formula rests on where q holds at `goal`."""
        p, q = self.formula.arguments
        here = Stretch(q, goal, goal)
        if self.formula.operator == "until":
            return Choice(True, ((Stretch(p, self.at, goal - 1),) if goal > self.at else ()) + (here,))
        return Choice(True, (here, *((Stretch(p, goal + 1, self.at),) if goal < self.at else ())))

    def values(self, p: Interval, q: Interval) -> Interval:
        """Bounds for every goal; `p` over the samples `between`, `q` over the goals."""
        count, ahead = len(q[0]), self.formula.operator == "until"
        held = []
        for bound in p:
            # From the formula's own sample outwards; before the first of them nothing has to hold.
            least = np.append(np.inf, np.minimum.accumulate(bound if ahead else bound[::-1]))
            held.append(least[len(least) - count :] if ahead else least[::-1][:count])
        return np.minimum(held[0], q[0]), np.minimum(held[1], q[1])


def rests_on(formula: Apply, t: int, length: int, end: Literal["ended", "running"]) -> Choice | Reaches | None:
    """What the formula's value at sample `t` of `length` is made of; None for an operator that is not known here.

    A stretch may go one sample beyond the last: it stands for all that may come.
    """
    p, q = formula.arguments[0], formula.arguments[-1]
    match formula.operator:
        case "not":
            return Choice(True, (Stretch(p, t, t, -1),))
        case "and" | "or" as name:
            return Choice(name == "and", (Stretch(p, t, t), Stretch(q, t, t)))
        case "implies":
            return Choice(False, (Stretch(p, t, t, -1), Stretch(q, t, t)))
        case "iff":
            ways = Apply("implies", (p, q)), Apply("implies", (q, p))
            return Choice(True, tuple(Stretch(way, t, t) for way in ways))
        case "xor":
            return Choice(True, (Stretch(Apply("iff", (p, q)), t, t, -1),))
        case "prev":
            return Choice(True, (Stretch(p, t - 1, t - 1),) if t else ())
        case "rise" | "fall" as name:
            now = 1 if name == "rise" else -1
            before = (Stretch(p, t - 1, t - 1, -now),) if t else ()
            return Choice(True, (*before, Stretch(p, t, t, now)))
        case "always" | "eventually" | "historically" | "once" | "held_for" as name:
            first, last = _window(formula, t, length, end)
            found = (Stretch(p, first, last),) if first <= last else ()
            return Choice(name in ("always", "historically", "held_for"), found)
        case "until" | "since":
            first, last = _window(formula, t, length, end)
            return Reaches(formula, t, first, last) if first <= last else Choice(False)
    return None


def _window(formula: Apply, t: int, length: int, end: Literal["ended", "running"]) -> tuple[int, int]:
    """First and last sample of an operator's window; the first lies after the last where it is empty."""
    ticks = ticks_of(formula)
    if formula.operator == "held_for":
        assert ticks is not None
        return (t - ticks[1], t) if t >= ticks[1] else (1, 0)
    if formula.operator in ("historically", "once", "since"):
        low, high = ticks or (0, t)
        return max(0, t - high), t - low
    if ticks is None:
        return t, length if end == "running" else length - 1
    low, high = t + ticks[0], t + ticks[1]
    return low, min(high, max(low, length))
