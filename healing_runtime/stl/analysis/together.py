"""What can be said of assertions that judge the same flight: they contradict, or forbid what one of them waits for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from healing_runtime.stl.analysis.alone import implications, shown, text_of
from healing_runtime.stl.analysis.finding import Finding, because, place
from healing_runtime.stl.analysis.search import Claim, Search
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.formula import Apply, Formula, references

_MOST, _PAIRS = 10, 1000
"""Findings of one kind, and questions about pairs, beyond which the rest is left."""


def together(requirements: Sequence[Requirement], search: Search) -> list[Finding]:
    """Errors for assertions that no run satisfies together; warnings where together they forbid a trigger.

    Each mission is asked beside all assertions, never beside another mission: a flight has one.
    """
    possible = [r for r in requirements if search.in_a_run([Claim(r.formula, True)])]
    assertions = [r for r in possible if not r.mission]
    found = list(_contradictions(assertions, search))
    if found:
        return found
    for mission in (r for r in possible if r.mission):
        found += _contradictions([*assertions, mission], search)
    return found + list(_forbidden(assertions, search))


def _contradictions(requirements: Sequence[Requirement], search: Search) -> Iterator[Finding]:
    def satisfiable(some: Sequence[Requirement]) -> bool:
        return search.in_a_run([Claim(r.formula, True) for r in some])

    left = list(requirements)
    for _ in range(_MOST):
        if satisfiable(left):
            break
        core = _core(left, satisfiable)
        yield _contradiction(core, search)
        left.remove(core[-1])
    if search.gave_up:
        # All at once is too much; two by two is not.
        pairs = (pair for pair in itertools.combinations(left, 2) if _touch(*pair))
        for pair in itertools.islice(pairs, _PAIRS):
            if not satisfiable(pair):
                yield _contradiction(pair, search)


def _contradiction(core: Sequence[Requirement], search: Search) -> Finding:
    *others, last = core
    what = (
        f"'{last.id}' can never hold together with {_listed(others)}, whatever the flight{because(search.evidence)}; "
        "correct one of them."
    )
    return Finding("error", what, place(last))


def _forbidden(requirements: Sequence[Requirement], search: Search) -> Iterator[Finding]:
    """Triggers that cannot come true while the other assertions hold."""
    told: set[tuple[Formula, tuple[str, ...]]] = set()
    for requirement in requirements:
        for part in implications(requirement.formula):
            trigger = part.arguments[0]

            def satisfiable(some: Sequence[Requirement], trigger: Formula = trigger) -> bool:
                kept = [claim for r in some for claim in _kept(r.formula)]
                return search.at_a_sample([Claim(trigger, True)], kept)

            if not satisfiable([]) or satisfiable(requirements):
                continue
            core = _core(requirements, satisfiable)
            key = (trigger, tuple(r.id for r in core))
            if core != [requirement] and key not in told and len(told) < _MOST:
                told.add(key)
                yield _forbids(core, requirement, trigger, search)


def _forbids(core: list[Requirement], owner: Requirement, trigger: Formula, search: Search) -> Finding:
    *others, last = core
    why = because(search.evidence, text_of(trigger))
    if owner in core:
        what = f"'{last.id}' and {_listed(others)} together forbid '{shown(trigger)}'{why}; correct one of them"
    else:
        while_ = f"{_listed(core)} {'holds' if len(core) == 1 else 'hold'}"
        what = f"while {while_}, the trigger '{shown(trigger)}' of '{owner.id}' cannot come true{why}; correct one"
        return Finding("warning", what + " of them.", place(owner, trigger))
    return Finding("warning", f"{what}, or write 'not ({shown(trigger)})'.", place(last))


def _core(
    requirements: Sequence[Requirement], satisfiable: Callable[[Sequence[Requirement]], bool]
) -> list[Requirement]:
    """A part of them that is still impossible, and from which none can be left out. The last question is about it."""
    core = list(requirements)
    for requirement in requirements:
        rest = [r for r in core if r is not requirement]
        if not satisfiable(rest):
            core = rest
    satisfiable(core)
    return core


def _kept(formula: Formula) -> list[Claim]:
    """What is true at every sample of a run in which the formula is true."""
    match formula:
        case Apply("always", (body,), None):
            return [Claim(body, True)]
        case Apply("and", (p, q)):
            return _kept(p) + _kept(q)
        case Apply("not", (Apply("eventually", (body,), None),)):
            return [Claim(body, False)]
    return []


def _touch(one: Requirement, other: Requirement) -> bool:
    """Whether they read a signal in common."""
    own, their = ({(r.signal, r.observed) for r in references(x.formula)} for x in (one, other))
    return not own.isdisjoint(their)


def _listed(requirements: Sequence[Requirement]) -> str:
    return " and ".join(f"'{r.id}' ({r.where})" for r in requirements)
