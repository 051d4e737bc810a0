"""What makes a dangerous operation safe: only a selection reads its result, or has tested what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jax.extend.core import Jaxpr, Literal

from healing_runtime.language.passes.calls import CALLS, called
from healing_runtime.language.passes.intervals import Interval, compared
from healing_runtime.language.passes.numbers import Number

_NOT: Mapping[str, str] = {"gt": "le", "ge": "lt", "lt": "ge", "le": "gt", "eq": "ne", "ne": "eq"}
_SWAPPED: Mapping[str, str] = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}

Test = tuple[str, Number, Number]
"""A comparison: its primitive and what it compares."""


def selected_only(jaxpr: Jaxpr, results_guarded: bool) -> set[Any]:
    """Values that nothing reads but selections, as one of their cases, and tests of finiteness; through calls too."""
    unguarded: set[Any] = set()
    read: set[Any] = set()

    def note(v: Any, guarded: bool) -> None:
        if not isinstance(v, Literal):
            read.add(v)
            if not guarded:
                unguarded.add(v)

    for v in jaxpr.outvars:
        note(v, results_guarded)
    for eqn in reversed(jaxpr.eqns):
        name = eqn.primitive.name
        if name in CALLS:
            inner = called(eqn).jaxpr
            inside = selected_only(inner, all(v in read and v not in unguarded for v in eqn.outvars))
            for v, within in zip(eqn.invars, inner.invars, strict=True):
                note(v, within in inside)
            continue
        itself = name in ("eq", "ne") and eqn.invars[0] is eqn.invars[1]
        for index, v in enumerate(eqn.invars):
            note(v, name == "is_finite" or itself or (name == "select_n" and index > 0))
    return read - unguarded


def tested(
    case: Number,
    bound: Interval,
    test: Test,
    holds: bool,
    bounds: Callable[[Number], Interval],
    sizes: Mapping[Number, Number],
) -> Interval:
    """Bounds on one case of a selection, which is taken where a test holds (or fails), given those known anyway.

    `bounds` tells those of any number; `sizes` leads from the number of an absolute value to that of the value.
    """
    told, a, b = test
    told = told if holds else _NOT[told]
    for subject, relation, other in ((a, told, b), (b, _SWAPPED[told], a)):
        if subject == case:
            bound = compared(bound, relation, bounds(other))
        elif sizes.get(subject) == case:
            size = compared(bounds(subject), relation, bounds(other))
            bound = Interval(max(bound.low, -size.high), min(bound.high, size.high), max(bound.gap, size.apart))
    return bound
