"""`not p`: the sign turned."""

from __future__ import annotations

from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import boolean


def connect(p: Span, lattice: Lattice = EXACT) -> Span:
    """The bounds change places."""
    return -p


OPERATOR = boolean("not", 1, "it is not so that {0}", connect)
