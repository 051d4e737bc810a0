"""Whether formulas can hold together in some run: a tableau over single samples.

A formula that shall be true (or false) is taken apart into what that asks of this sample, of some other sample and of
every sample; the arithmetic at a sample is decided by `inequalities`. What temporal operators say is used where it
follows at once (`always p` says p now; `eventually[1 s, 2 s] p` asks for a sample at which p can be true), never the
order of samples. So "impossible" is a theorem about every run, and "possible" is no promise.

True and false are those of a verdict: a window that reaches past the end of the run leaves a formula unknown, which is
neither. A sample with NaN in it is invalid and does not count.
"""

from __future__ import annotations

from collections.abc import Iterable

from healing_runtime.stl.analysis.branch import Branch, Claim, Item, choose, take_apart
from healing_runtime.stl.analysis.inequalities import Limits
from healing_runtime.stl.analysis.linear import Inequality, flag, inequalities, pieces
from healing_runtime.stl.formula import Apply, Flag, Formula, Literal, Outside, Predicate

__all__ = ["Claim", "Search"]

_STEPS, _ALL_STEPS, _DEPTH = 4000, 200_000, 12
"""Of one question and of all together, and how many samples one leads to another; beyond it, all is called possible."""


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
        branches = [Branch([*claims, *kept], kept=kept)]
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

    def _complete(self, branch: Branch, depth: int) -> bool:
        """A branch with nothing left to do: its arithmetic, and the other samples it asks for."""
        if not branch.system.possible(self._limits):
            self._note(branch.system.sources)
            return False
        for one in branch.some:
            beside = [other.claim for other in branch.every if other.covers(one)]
            if not self._sample([one.claim, *beside], branch.kept, False, depth + 1):
                return False
        return True

    def _work(self, branch: Branch, first: bool) -> bool:
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

    def _refuted(self, branch: Branch, item: Item) -> bool:
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

    def _take(self, branch: Branch, item: Item, first: bool) -> bool:
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
            take_apart(branch, item.formula, item.holds, first)
        elif (found := _arithmetic(item)) is not None:
            choose(branch, [list[Item](these) for these in found])
        return True

    def _take_inequality(self, branch: Branch, item: Inequality) -> bool:
        written_out = pieces(item)
        if written_out is not None:
            parts, together = written_out
            choose(branch, [list[Item](parts)] if together else [[part] for part in parts])
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
