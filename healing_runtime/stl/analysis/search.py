"""Whether formulas can hold together in some run: a tableau over single samples.

A formula that shall be true (or false) is taken apart into what that asks of this sample, of some other sample and of
every sample; the arithmetic at a sample is decided by `inequalities`. What temporal operators say is used where it
follows at once (`always p` says p now; `eventually[1 s, 2 s] p` asks for a sample at which p can be true), never the
order of samples. So "impossible" is a theorem about every run, and "possible" is no promise.

True and false are those of a verdict: a window that reaches past the end of the run leaves a formula unknown, which is
neither. A sample with NaN in it is invalid and does not count.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Literal as Either
from typing import NamedTuple

from healing_runtime.stl.analysis.inequalities import Limits, System
from healing_runtime.stl.analysis.linear import Inequality, flag, inequalities, pieces
from healing_runtime.stl.formula import Apply, Flag, Formula, Literal, Outside, Predicate
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.ticks import ticks_of

_STEPS, _ALL_STEPS, _DEPTH = 4000, 200_000, 12
"""Of one question and of all together, and how many samples one leads to another; beyond it, all is called possible."""


class Claim(NamedTuple):
    """A formula is true, or false, at a sample."""

    formula: Formula
    holds: bool


Item = Claim | Inequality


class _Elsewhere(NamedTuple):
    """A claim about some (or every) sample from `low` to `high` ticks away; None is without bound."""

    side: Either["future", "past"]
    low: int
    high: int | None
    claim: Claim

    def covers(self, other: _Elsewhere) -> bool:
        """Whether the samples of the other are all among this one's."""
        within = self.high is None or (other.high is not None and other.high <= self.high)
        return self.side == other.side and self.low <= other.low and within


@dataclasses.dataclass
class _Branch:
    """One way in which the claims about a sample may come true."""

    todo: list[Item]
    splits: list[list[list[Item]]] = dataclasses.field(default_factory=list)
    seen: set[Claim] = dataclasses.field(default_factory=set)
    system: System = dataclasses.field(default_factory=System)
    kept: list[Claim] = dataclasses.field(default_factory=list)
    some: list[_Elsewhere] = dataclasses.field(default_factory=list)
    every: list[_Elsewhere] = dataclasses.field(default_factory=list)

    def either(self, alternative: list[Item]) -> _Branch:
        """A copy that takes one alternative."""
        return _Branch(
            list(alternative),
            list(self.splits),
            set(self.seen),
            self.system.copy(),
            list(self.kept),
            list(self.some),
            list(self.every),
        )


class _TooLarge(Exception):
    """The question is given up."""


class Search:
    """Answers questions about formulas over one robot's signals.

    Attributes:
        evidence: texts of the predicates on which the last "impossible" rests, in the order found.
        gave_up: the last question was too large to be answered.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits: Limits = limits or {}
        self._known: dict[tuple[frozenset[Claim], frozenset[Claim]], bool] = {}
        self._steps = self._all_steps = 0
        self.evidence: dict[str, None] = {}
        self.gave_up = False

    def in_a_run(self, claims: Iterable[Claim]) -> bool:
        """Whether they can all come true at the first sample of a run."""
        return self._ask(list(claims), [], first=True)

    def at_a_sample(self, claims: Iterable[Claim], kept: Iterable[Claim] = ()) -> bool:
        """Whether they can all come true at some sample of a run in which `kept` are true at every sample."""
        return self._ask(list(claims), list(kept), first=False)

    def _ask(self, claims: list[Claim], kept: list[Claim], *, first: bool) -> bool:
        self._steps, self._known = 0, {}
        self.evidence, self.gave_up = {}, False
        try:
            return self._sample(claims, kept, first, 0)
        except _TooLarge:
            self.gave_up = True
            return True

    # ------------------------------------------------ one sample
    def _sample(self, claims: list[Claim], kept: list[Claim], first: bool, depth: int) -> bool:
        asked = (frozenset(claims), frozenset(kept))
        if not first and asked in self._known:
            return self._known[asked]
        if depth > _DEPTH:
            return True
        # Asked again on the way to the answer, it may be taken for possible: nothing is claimed by that.
        if not first:
            self._known[asked] = True
        branches = [_Branch([*claims, *kept], kept=kept)]
        found = False
        while branches and not found:
            branch = branches.pop()
            if not self._work(branch, first):
                continue
            if branch.splits:
                split = min(branch.splits, key=len)
                branch.splits.remove(split)
                branches += [branch.either(alternative) for alternative in reversed(split)]
            else:
                found = self._complete(branch, depth)
        if not first:
            self._known[asked] = found
        return found

    def _complete(self, branch: _Branch, depth: int) -> bool:
        """A branch with nothing left to do: its arithmetic, and the other samples it asks for."""
        if not branch.system.possible(self._limits):
            self._note(branch.system.sources)
            return False
        for one in branch.some:
            beside = [other.claim for other in branch.every if other.covers(one)]
            if not self._sample([one.claim, *beside], branch.kept, False, depth + 1):
                return False
        return True

    def _work(self, branch: _Branch, first: bool) -> bool:
        """Everything that follows without a choice; False if the branch is closed."""
        while True:
            while branch.todo:
                self._step()
                if not self._take(branch, branch.todo.pop(), first):
                    return False
            waiting = []
            for split in branch.splits:
                self._step()
                left = [a for a in split if not any(self._refuted(branch, item) for item in a)]
                if not left:
                    return False
                if len(left) == 1:
                    branch.todo += left[0]
                elif not any(all(isinstance(i, Claim) and i in branch.seen for i in a) for a in left):
                    waiting.append(left)
            branch.splits = waiting
            if not branch.todo:
                return True

    def _refuted(self, branch: _Branch, item: Item) -> bool:
        if isinstance(item, Inequality):
            refuted = branch.system.conflicts(item)
        elif Claim(item.formula, not item.holds) in branch.seen:
            self._note([_text(item.formula)])
            return True
        else:
            found = _arithmetic(item)
            refuted = found is not None and all(any(map(branch.system.conflicts, these)) for these in found)
        if refuted:
            self._note(branch.system.sources)
        return refuted

    def _take(self, branch: _Branch, item: Item, first: bool) -> bool:
        if isinstance(item, Inequality):
            return self._take_inequality(branch, item)
        if item in branch.seen:
            return True
        branch.seen.add(item)
        if Claim(item.formula, not item.holds) in branch.seen:
            self._note([_text(item.formula)])
            return False
        if isinstance(item.formula, Literal):
            return item.formula.value == item.holds
        if isinstance(item.formula, Apply):
            _take_apart(branch, item.formula, item.holds, first)
        elif (found := _arithmetic(item)) is not None:
            _choose(branch, [list[Item](these) for these in found])
        return True

    def _take_inequality(self, branch: _Branch, item: Inequality) -> bool:
        written_out = pieces(item)
        if written_out is not None:
            parts, together = written_out
            _choose(branch, [list[Item](parts)] if together else [[part] for part in parts])
            return True
        possible = branch.system.add(item)
        if not possible:
            self._note(branch.system.sources)
        return possible

    def _step(self) -> None:
        self._steps += 1
        self._all_steps += 1
        if self._steps > _STEPS or self._all_steps > _ALL_STEPS:
            raise _TooLarge

    def _note(self, texts: Iterable[str]) -> None:
        self.evidence.update(dict.fromkeys(sorted(text for text in texts if text)))


def _arithmetic(claim: Claim) -> list[list[Inequality]] | None:
    """Alternatives of inequalities that say what an atom says; None for what is no atom, or not arithmetic."""
    formula, holds = claim
    if isinstance(formula, Predicate):
        return inequalities(formula, holds)
    if isinstance(formula, Flag):
        return [[flag(formula.signal, holds, formula.text)]]
    return None


def _text(formula: Formula) -> str:
    return "" if isinstance(formula, Outside) else formula.text


def _choose(branch: _Branch, alternatives: list[list[Item]]) -> None:
    if len(alternatives) == 1:
        branch.todo += alternatives[0]
    else:
        branch.splits.append(alternatives)


# ---------------------------------------------------------------- operators
def _take_apart(branch: _Branch, formula: Apply, holds: bool, first: bool) -> None:
    """What it asks of this sample and of others if an operator's formula is true (or false) here."""
    name, arguments = formula.operator, formula.arguments
    if name == "not":
        branch.todo.append(Claim(arguments[0], not holds))
    elif name in _CONNECTIVES:
        table = _CONNECTIVES[name][holds]
        _choose(
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
        branch.every.append(_Elsewhere("past", *(ticks_of(formula) or (0, None)), claim))


_CONNECTIVES: Mapping[str, Mapping[bool, tuple[tuple[bool | None, bool | None], ...]]] = {
    "and": {True: ((True, True),), False: ((False, None), (None, False))},
    "or": {True: ((True, None), (None, True)), False: ((False, False),)},
    "implies": {True: ((False, None), (None, True)), False: ((True, False),)},
    "iff": {True: ((True, True), (False, False)), False: ((True, False), (False, True))},
    "xor": {True: ((True, False), (False, True)), False: ((True, True), (False, False))},
}
"""Operator -> verdict -> the verdicts of its arguments that make it so; None is any."""


def _take_window(branch: _Branch, formula: Apply, holds: bool, first: bool) -> None:
    side: Either["future", "past"] = "future" if OPERATORS[formula.operator].kind == "future" else "past"
    low, high = ticks_of(formula) or (0, None)
    claim = Claim(formula.arguments[0], holds)
    elsewhere = _Elsewhere(side, low, high, claim)
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


def _take_binary(branch: _Branch, formula: Apply, holds: bool) -> None:
    side: Either["future", "past"] = "future" if formula.operator == "until" else "past"
    low, high = ticks_of(formula) or (0, None)
    hold, goal = (Claim(argument, holds) for argument in formula.arguments)
    if not holds:
        branch.todo += [goal] if low == 0 else []
        return
    if high == 0:
        branch.todo.append(goal)
        return
    branch.some.append(_Elsewhere(side, low, high, goal))
    if low == 0:
        branch.splits.append([[goal], [hold]])
    else:
        branch.todo.append(hold)


def _take_edge(branch: _Branch, formula: Apply, holds: bool) -> None:
    """Edges are weak at the first sample: what they say of the sample before, they say of one that there may not be."""
    (inner,) = formula.arguments
    if formula.operator == "prev":
        before = _Elsewhere("past", 1, 1, Claim(inner, holds))
        (branch.every if holds else branch.some).append(before)
        return
    now = formula.operator == "rise"
    if holds:
        branch.todo.append(Claim(inner, now))
        branch.every.append(_Elsewhere("past", 1, 1, Claim(inner, not now)))
    else:
        was = inner if not now else Apply("not", (inner,))
        branch.splits.append([[Claim(inner, not now)], [Claim(Apply("prev", (was,)), False)]])
