"""`p xor q`: minus `p iff q`."""

from __future__ import annotations

from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import boolean
from healing_runtime.stl.operators.iff import connect as iff


def connect(p: Span, q: Span, lattice: Lattice = EXACT) -> Span:
    """One of the two and not both."""
    return -iff(p, q, lattice)


OPERATOR = boolean("xor", 2, "either {0} or {1}, but not both", connect)
