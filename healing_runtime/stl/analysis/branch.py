"""What the claims about one sample ask for, as they are taken apart: of this sample, of another, of every one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal as Either
from typing import NamedTuple

from healing_runtime.stl.analysis.inequalities import System
from healing_runtime.stl.analysis.linear import Inequality
from healing_runtime.stl.formula import Apply, Formula
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.ticks import ticks_of


class Claim(NamedTuple):
    """A formula is true, or false, at a sample."""

    formula: Formula
    holds: bool


Item = Claim | Inequality


class Elsewhere(NamedTuple):
    """A claim about some (or every) sample from `low` to `high` ticks away; None is without bound."""

    side: Either["future", "past"]
    low: int
    high: int | None
    claim: Claim

    def covers(self, other: Elsewhere) -> bool:
        """Whether the samples of the other are all among this one's."""
        within = self.high is None or (other.high is not None and other.high <= self.high)
        return self.side == other.side and self.low <= other.low and within


@dataclasses.dataclass
class Branch:
    """One way in which the claims about a sample may come true."""

    todo: list[Item]
    splits: list[list[list[Item]]] = dataclasses.field(default_factory=list)
    seen: set[Claim] = dataclasses.field(default_factory=set)
    system: System = dataclasses.field(default_factory=System)
    kept: list[Claim] = dataclasses.field(default_factory=list)
    some: list[Elsewhere] = dataclasses.field(default_factory=list)
    every: list[Elsewhere] = dataclasses.field(default_factory=list)

    def either(self, alternative: list[Item]) -> Branch:
        """A copy that takes one alternative."""
        return Branch(
            list(alternative),
            list(self.splits),
            set(self.seen),
            self.system.copy(),
            list(self.kept),
            list(self.some),
            list(self.every),
        )


def choose(branch: Branch, alternatives: list[list[Item]]) -> None:
    """Note that one of several must be; of one alone, do it."""
    if len(alternatives) == 1:
        branch.todo += alternatives[0]
    else:
        branch.splits.append(alternatives)


# ---------------------------------------------------------------- operators
def take_apart(branch: Branch, formula: Apply, holds: bool, first: bool) -> None:
    """What it asks of this sample and of others if an operator's formula is true (or false) here."""
    name, arguments = formula.operator, formula.arguments
    if name == "not":
        branch.todo.append(Claim(arguments[0], not holds))
    elif name in _CONNECTIVES:
        table = _CONNECTIVES[name][holds]
        choose(
            branch,
            [[Claim(p, sign) for p, sign in zip(arguments, row, strict=True) if sign is not None] for row in table],
        )
    elif name in ("always", "eventually", "historically", "once"):
        _take_window(branch, formula, holds, first)
    elif name in ("until", "since"):
        _take_binary(branch, formula, holds)
    elif name in ("prev", "rise", "fall"):
        _take_edge(branch, formula, holds)
    elif name == "held_for" and holds:
        # False says little: it may be that d has not passed yet.
        claim = Claim(arguments[0], True)
        branch.todo.append(claim)
        branch.every.append(Elsewhere("past", *(ticks_of(formula) or (0, None)), claim))


_CONNECTIVES: Mapping[str, Mapping[bool, tuple[tuple[bool | None, bool | None], ...]]] = {
    "and": {True: ((True, True),), False: ((False, None), (None, False))},
    "or": {True: ((True, None), (None, True)), False: ((False, False),)},
    "implies": {True: ((False, None), (None, True)), False: ((True, False),)},
    "iff": {True: ((True, True), (False, False)), False: ((True, False), (False, True))},
    "xor": {True: ((True, False), (False, True)), False: ((True, True), (False, False))},
}
"""Operator -> verdict -> the verdicts of its arguments that make it so; None is any."""


def _take_window(branch: Branch, formula: Apply, holds: bool, first: bool) -> None:
    side: Either["future", "past"] = "future" if OPERATORS[formula.operator].kind == "future" else "past"
    low, high = ticks_of(formula) or (0, None)
    claim = Claim(formula.arguments[0], holds)
    elsewhere = Elsewhere(side, low, high, claim)
    if holds != (formula.operator in ("always", "historically")):
        # Some sample of the window.
        if high == 0:
            branch.todo.append(claim)
        else:
            branch.some.append(elsewhere)
        return
    branch.every.append(elsewhere)
    if low == 0:
        branch.todo.append(claim)
    elif side == "future":
        # Known only when the run has reached the window; a window of the past may lie before the run.
        branch.some.append(elsewhere._replace(high=low))
    if side == "future" and high is None and first:
        branch.kept = [*branch.kept, claim]


def _take_binary(branch: Branch, formula: Apply, holds: bool) -> None:
    side: Either["future", "past"] = "future" if formula.operator == "until" else "past"
    low, high = ticks_of(formula) or (0, None)
    hold, goal = (Claim(argument, holds) for argument in formula.arguments)
    if not holds:
        branch.todo += [goal] if low == 0 else []
        return
    if high == 0:
        branch.todo.append(goal)
        return
    branch.some.append(Elsewhere(side, low, high, goal))
    if low == 0:
        branch.splits.append([[goal], [hold]])
    else:
        branch.todo.append(hold)


def _take_edge(branch: Branch, formula: Apply, holds: bool) -> None:
    """Edges are weak at the first sample: what they say of the sample before, they say of one that there may not be."""
    (inner,) = formula.arguments
    if formula.operator == "prev":
        before = Elsewhere("past", 1, 1, Claim(inner, holds))
        (branch.every if holds else branch.some).append(before)
        return
    now = formula.operator == "rise"
    if holds:
        branch.todo.append(Claim(inner, now))
        branch.every.append(Elsewhere("past", 1, 1, Claim(inner, not now)))
    else:
        was = inner if not now else Apply("not", (inner,))
        branch.splits.append([[Claim(inner, not now)], [Claim(Apply("prev", (was,)), False)]])
