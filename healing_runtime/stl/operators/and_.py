"""`p and q`: the smaller margin."""

from __future__ import annotations

from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import boolean


def connect(p: Span, q: Span, lattice: Lattice = EXACT) -> Span:
    """Bound by bound, because min never decreases in either argument."""
    return Span(lattice.lesser(p.lo, q.lo), lattice.lesser(p.hi, q.hi))


OPERATOR = boolean("and", 2, "{0} and {1}", connect)
