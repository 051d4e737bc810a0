"""`p implies q`: max(-p, q). Never triggered over a run, it is vacuous."""

from __future__ import annotations

from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import boolean
from healing_runtime.stl.operators.or_ import connect as either


def connect(p: Span, q: Span, lattice: Lattice = EXACT) -> Span:
    """`not p or q`."""
    return either(-p, q, lattice)


OPERATOR = boolean("implies", 2, "if {0}, then {1}", connect)
