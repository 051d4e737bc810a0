"""`p or q`: the larger margin."""

from __future__ import annotations

from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import boolean


def connect(p: Span, q: Span, lattice: Lattice = EXACT) -> Span:
    """Bound by bound, because max never decreases in either argument."""
    return Span(lattice.greater(p.lo, q.lo), lattice.greater(p.hi, q.hi))


OPERATOR = boolean("or", 2, "{0} or {1}", connect)
