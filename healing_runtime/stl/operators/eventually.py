"""`eventually[a, b] p`: p at some sample from a to b ticks ahead; the dual of `always`."""

from __future__ import annotations

from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import Bounded, End, Machine, Operator, Root, Ticks, dual, dual_root
from healing_runtime.stl.operators import always


def reference(end: End, ticks: Ticks, p: Span, lattice: Lattice = EXACT) -> Span:
    """Greatest over the window."""
    return -always.reference(end, ticks, -p, lattice)


def stream(ticks: Bounded, horizon: int, *, ring_up_to: int) -> Machine:
    """`not always not`."""
    return dual(always.stream(ticks, horizon, ring_up_to=ring_up_to))


def root(ticks: Ticks, horizon: int) -> Root:
    """`not always not`."""
    return dual_root(always.root(ticks, horizon))


OPERATOR = Operator(
    "eventually",
    "future",
    1,
    "at some time{window}, {0}",
    reference,
    short="F",
    window="optional",
    stream=stream,
    root=root,
)
