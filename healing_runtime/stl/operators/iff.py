"""`p iff q`: min(max(-p, q), max(-q, p)).

Both arguments occur in both directions, so the bounds are sound but not always tight.
"""

from __future__ import annotations

from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import boolean
from healing_runtime.stl.operators.and_ import connect as both
from healing_runtime.stl.operators.implies import connect as implies


def connect(p: Span, q: Span, lattice: Lattice = EXACT) -> Span:
    """Either implies the other."""
    return both(implies(p, q, lattice), implies(q, p, lattice), lattice)


OPERATOR = boolean("iff", 2, "{0} exactly when {1}", connect)
