"""`once[a, b] p`: p at some sample from a to b ticks ago (-inf where there are none); the dual of `historically`."""

from __future__ import annotations

from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import End, Machine, Operator, Ticks, dual
from healing_runtime.stl.operators import historically


def reference(end: End, ticks: Ticks, p: Span, lattice: Lattice = EXACT) -> Span:
    """Greatest over the window, truncated at the first sample."""
    return -historically.reference(end, ticks, -p, lattice)


def stream(ticks: Ticks, horizon: int, *, ring_up_to: int) -> Machine:
    """`not historically not`."""
    return dual(historically.stream(ticks, horizon, ring_up_to=ring_up_to))


OPERATOR = Operator(
    "once",
    "past",
    1,
    "at some time{window}, {0}",
    reference,
    short="O",
    window="optional",
    stream=stream,
)
