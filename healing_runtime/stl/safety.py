"""Promises about every start, rewritten so that one scalar and a few past windows judge them.

`always (p implies always[a, b] q)` judged start by start needs an array of pending starts. The same promise read
backwards does not: at every t, `q` or `historically[a, b] not p`. And `always (p implies eventually[a, b] q)` is, at
the last moment each start has, `once[0, b - a] q` or `not p` b ticks ago. Both are identities of distributive
lattices, so robustness is the same number, bit for bit, and the upper bound falls in the same tick: the trip is not
delayed (tests hold them against the start-by-start machines).

What the rewriting must keep apart is the end of the run: a start whose window reaches past the last sample is unknown,
not satisfied. `pending` is the least that those starts still vouch for.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from healing_runtime.stl.formula import Apply, Duration, Formula, Literal, Outside, Window
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import Bounds, Root, Ticks
from healing_runtime.stl.ticks import looks_ahead


class Safety(NamedTuple):
    """`always` over some clauses, as formulas without a future operator.

    Attributes:
        fold: its least value so far is the upper bound of the promise.
        pending: the value at the last sample that undecided starts are sure of; None if none is ever undecided.
        rest: clauses that are not of a form known here, to be judged start by start.
    """

    fold: Formula | None
    pending: Formula | None
    rest: tuple[Formula, ...]


class _Clause(NamedTuple):
    """At every start: `sure` (no future operator; None is false) or `open_` (looks ahead; None is false)."""

    sure: Formula | None
    open_: Formula | None


def safety(body: Formula, starts: Ticks = None) -> Safety:
    """`always body` (or `always[starts] body` at the first sample), split into what folds and what does not."""
    folds: list[Formula] = []
    pending: list[Formula] = []
    rest: list[Formula] = []
    for clause in _clauses(_positive(body)):
        excused = clause if starts is None else _Clause(_any([Outside(*starts), *_given(clause.sure)]), clause.open_)
        if not _fold(excused, folds, pending):
            rest += _given(_any([*_given(clause.sure), *_given(clause.open_)]))
    return Safety(_all(folds), _all(pending), tuple(rest))


def promise(ticks: Ticks) -> Root:
    """The root of a `Safety`: steps over the fold, and over what is pending if anything is."""
    high = None if ticks is None else ticks[1]

    def init(dtype: Any) -> tuple[Array, Array]:
        return jnp.full((), jnp.inf, dtype), jnp.full((), jnp.inf, dtype)

    def step(state: tuple[Array, Array], tick: Array, fold: Span, *pending: Span) -> tuple[Array, Array]:
        return jnp.fmin(state[0], fold.lo), pending[0].lo if pending else state[1]

    def read(state: tuple[Array, Array], tick: Array) -> tuple[Bounds, Bounds]:
        worst, sure = state[0], jnp.fmin(*state)
        unseen = jnp.full_like(worst, -jnp.inf)
        if high is None:
            return Bounds(unseen, worst, worst), Bounds(sure, worst, worst)
        # Bounded, it is sure once every start that is asked for has been seen, whether the run ends or not.
        bounds = Bounds(jnp.where(tick >= high, sure, unseen), worst, worst)
        return bounds, bounds

    return Root(init, step, read)


# ---------------------------------------------------------------- normal form
def _positive(formula: Formula) -> Formula:
    """Negations pushed inwards as far as future operators reach; what has no future operator is left as it is."""
    if not looks_ahead(formula):
        return formula
    match formula:
        case Apply("not", (inner,)):
            return _negative(inner)
        case Apply("implies", (p, q)):
            return _or(_negative(p), _positive(q))
        case Apply("and" | "or" | "always" | "eventually" as name, arguments, window):
            return Apply(name, tuple(map(_positive, arguments)), window)
    return formula


def _negative(formula: Formula) -> Formula:
    if not looks_ahead(formula):
        return _not(formula)
    match formula:
        case Apply("not", (inner,)):
            return _positive(inner)
        case Apply("implies", (p, q)):
            return _and(_positive(p), _negative(q))
        case Apply("and" | "or" | "always" | "eventually" as name, arguments, window):
            dual = {"and": "or", "or": "and", "always": "eventually", "eventually": "always"}[name]
            return Apply(dual, tuple(map(_negative, arguments)), window)
    return _not(formula)


def _clauses(formula: Formula) -> Iterator[_Clause]:
    """The conjuncts, each with its parts without a future operator gathered."""
    if isinstance(formula, Apply) and formula.operator == "and" and looks_ahead(formula):
        for argument in formula.arguments:
            yield from _clauses(argument)
        return
    sure, open_ = [], []
    for part in _disjuncts(formula):
        (open_ if looks_ahead(part) else sure).append(part)
    yield _Clause(_any(sure), _any(open_))


def _disjuncts(formula: Formula) -> Iterator[Formula]:
    if isinstance(formula, Apply) and formula.operator == "or" and looks_ahead(formula):
        for argument in formula.arguments:
            yield from _disjuncts(argument)
    else:
        yield formula


# ---------------------------------------------------------------- the two forms
def _fold(clause: _Clause, folds: list[Formula], pending: list[Formula]) -> bool:
    """Append the clause's fold and what is pending; False, and nothing appended, if it has another form."""
    found_folds: list[Formula] = []
    found_pending: list[Formula] = []
    if not _fold_into(clause, found_folds, found_pending):
        return False
    folds += found_folds
    pending += found_pending
    return True


def _fold_into(clause: _Clause, folds: list[Formula], pending: list[Formula]) -> bool:
    sure = clause.sure if clause.sure is not None else Literal(False)
    match clause.open_:
        case None:
            folds.append(sure)
            return True
        case Apply("and", arguments):
            return all(
                _fold_into(inner, folds, pending) for argument in arguments for inner in _clauses(_or(sure, argument))
            )
        case Apply("always", (goal,), Window(ticks=(low, high))):
            return _keep(sure, goal, low, high, folds, pending)
        case Apply("eventually", (goal,), Window(ticks=(low, high))) if not looks_ahead(goal):
            _respond(sure, goal, low, high, folds, pending)
            return True
    return False


def _keep(sure: Formula, goal: Formula, low: int, high: int, folds: list[Formula], pending: list[Formula]) -> bool:
    """`sure or always[low, high] goal`: at every t, goal or sure at every start whose window holds t."""
    excused = sure if high == 0 else _historically(low, high, sure)
    if high:
        undecided = _historically(0, high - 1, sure)
        pending.append(undecided)
        if low == 0:
            # One window serves both: [0, b] now is [0, b - 1] a tick ago, and now.
            excused = _and(sure, Apply("prev", (undecided,)))
    return all(_fold_into(inner, folds, pending) for inner in _clauses(_or(excused, goal)))


def _respond(sure: Formula, goal: Formula, low: int, high: int, folds: list[Formula], pending: list[Formula]) -> None:
    """`sure or eventually[low, high] goal`: judged when the start's time is up."""
    folds.append(_or(_historically(high, high, sure), Apply("once", (goal,), _window(0, high - low))))
    if high == 0:
        return
    # The worst start still waiting: not sure of itself, and no goal since. Starts whose time is up are in the fold.
    missed = _not(goal)
    unsure = _not(sure) if low == 0 else Apply("once", (_not(sure),), _window(low, low))
    pending.append(_not(Apply("since", (missed, _and(unsure, missed)))))
    if low:
        pending.append(_historically(0, low - 1, sure))


# ---------------------------------------------------------------- shorthand
def _window(low: int, high: int) -> Window:
    return Window(Duration(Fraction(low), True), Duration(Fraction(high), True), (low, high))


def _historically(low: int, high: int, p: Formula) -> Formula:
    return p if high == 0 else Apply("historically", (p,), _window(low, high))


def _not(p: Formula) -> Formula:
    return Apply("not", (p,))


def _and(p: Formula, q: Formula) -> Formula:
    return Apply("and", (p, q))


def _or(p: Formula, q: Formula) -> Formula:
    return Apply("or", (p, q))


def _given(part: Formula | None) -> list[Formula]:
    return [] if part is None else [part]


def _all(parts: Sequence[Formula]) -> Formula | None:
    return functools.reduce(_and, parts) if parts else None


def _any(parts: Sequence[Formula]) -> Formula | None:
    return functools.reduce(_or, parts) if parts else None
