"""Whether a violation is declared in the first tick in which nothing can avert it: `exact` or `bound`.

What the monitor does. Call a maximal sub-formula without a future operator a *leaf*. At a sample that has been seen the
monitor knows every leaf; at a sample to come it knows of none. It trips when the formula is false with every leaf to
come taken for what the formula wishes it to be: true where it stands under an even number of negations, false under an
odd one, free at each place under `iff` and `xor`. That is never too early: no continuation can do better than a wish.

Theorem. Let there be a *steady sample*: values of the signals that, held from the next tick on, make every leaf below a
future operator what it is wished to be, in every tick and whatever came before. Then the monitor trips in the first
tick after which no continuation satisfies the formula. Proof: while it has not tripped, holding the steady sample gives
every leaf to come the very value the monitor took for it, so the formula is true: a continuation that satisfies it.

So one direction for each signal is enough (`x < 1` beside `x < 3`), and is not needed (`x > 1` beside `x < 3`: hold 2).
A past operator below a future one is no exception: `prev p` rests on samples already seen, no sample can steady it, and
so it is `bound`; but `rise(p)` can be wished away by holding p false.

A continuation is any endless sequence of valid samples within the signals' limits, physically possible or not, each
signal, component and sensor free of the others, a Boolean one 0 or 1. A NaN trips in its own tick in any case.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from healing_runtime.core.signals import SignalTable
from healing_runtime.stl.formula import Apply, Atom, Formula
from healing_runtime.stl.lattice import EXACT
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.steady import Wish, search
from healing_runtime.stl.ticks import looks_ahead, ticks_of

_INFINITY = np.inf
_NUMPY = EXACT._replace(lesser=np.minimum, greater=np.maximum)  # pyright: ignore[reportArgumentType]
_TURNED: Mapping[str, tuple[bool, ...]] = {
    **dict.fromkeys(("always", "eventually", "historically", "once", "held_for", "prev", "rise"), (False,)),
    **dict.fromkeys(("and", "or", "until", "since"), (False, False)),
    **dict.fromkeys(("not", "fall"), (True,)),
    "implies": (True, False),
}
"""Whether an operator turns what is wished of it, argument by argument; of one not named here nothing is known."""


class ZeroDelay(enum.StrEnum):
    """When a violation is declared.

    exact: in the first tick after which no continuation satisfies the formula, neither later nor earlier.
    bound: never earlier than that, perhaps later: a formula with a horizon trips when it has passed at the latest, one
        without may be found false only when the run ends.
    """

    EXACT = "exact"
    BOUND = "bound"


def zero_delay(formula: Formula, table: SignalTable | None = None) -> ZeroDelay:
    """`exact` if a steady sample is found, else `bound`: the search may miss one, what it finds is checked.

    Args:
        formula: windows in ticks, within the online fragment.
        table: where the signals have limits; without it they have none.
    """
    wishes = tuple(_wishes(formula, True, later=False))
    if not wishes:
        return ZeroDelay.EXACT  # it rests on the first sample alone

    def granted(keys: Mapping[Atom, np.ndarray]) -> np.ndarray:
        return np.logical_and.reduce([_is(wanted, _held(leaf, keys)) for leaf, wanted in wishes])

    hoped = tuple(atom for leaf, wanted in wishes for atom in _hopes(leaf, wanted))
    return ZeroDelay.EXACT if search(formula, hoped, granted, table) else ZeroDelay.BOUND


# ---------------------------------------------------------------- wishes
def _arguments(formula: Apply, wanted: bool) -> Iterator[tuple[Formula, bool]]:
    """What is wished of the arguments if `wanted` is wished of the formula."""
    turned = _TURNED.get(formula.operator)
    for at, argument in enumerate(formula.arguments):
        if turned is None:
            yield argument, True
            yield argument, False
        else:
            yield argument, wanted != turned[at]


def _wishes(formula: Formula, wanted: bool, *, later: bool) -> Iterator[tuple[Formula, bool]]:
    """The leaves that count at samples to come, each with the value that is wished."""
    if not looks_ahead(formula):
        if later:
            yield formula, wanted
    elif isinstance(formula, Apply):
        later = later or OPERATORS[formula.operator].kind == "future"
        for argument, wish in _arguments(formula, wanted):
            yield from _wishes(argument, wish, later=later)


def _hopes(leaf: Formula, wanted: bool) -> Iterator[Wish]:
    """What would help the leaf, atom by atom; a hint for the search."""
    if isinstance(leaf, Apply):
        for argument, wish in _arguments(leaf, wanted):
            yield from _hopes(argument, wish)
    else:
        yield leaf, wanted  # pyright: ignore[reportReturnType]


# ---------------------------------------------------------------- a sample that is held
def _is(wanted: bool, span: Span) -> np.ndarray:
    return np.asarray(span.lo > 0 if wanted else span.hi < 0)


def _held(leaf: Formula, keys: Mapping[Atom, np.ndarray]) -> Span:
    """Bounds of a leaf in each tick in which a sample is held, from the first on, whatever came before it."""
    if not isinstance(leaf, Apply):
        return Span.exact(keys[leaf])  # pyright: ignore[reportArgumentType]
    spans = [_held(argument, keys) for argument in leaf.arguments]
    connect = OPERATORS[leaf.operator].connect
    return _after_anything(leaf, *spans) if connect is None else connect(*spans, lattice=_NUMPY)


def _after_anything(leaf: Apply, p: Span, q: Span | None = None) -> Span:
    """A past operator, of which only the argument's value now is known."""
    lo: Any = np.full_like(p.lo, -_INFINITY)
    hi: Any = np.full_like(p.hi, _INFINITY)
    window = ticks_of(leaf)
    now = window is None or window[0] == 0  # whether the window holds the present sample
    match leaf.operator:
        case "historically" | "held_for" if now:
            return Span(lo, p.hi)
        case "once" if now:
            return Span(p.lo, hi)
        case "since" if q is not None:
            return Span(q.lo, _NUMPY.greater(p.hi, q.hi)) if now else Span(lo, p.hi)
        case "rise":
            return Span(lo, p.hi)
        case "fall":
            return Span(lo, -p.lo)
    return Span(lo, hi)
