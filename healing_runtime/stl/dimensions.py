"""Dimensions of expressions: what a product has, and the unit that people write for one."""

from __future__ import annotations

from healing_runtime.core import units
from healing_runtime.stl.formula import Dimension

PER_SECOND, RADIANS_PER_SECOND = units.dimension("1/s"), units.dimension("rad/s")


def product(left: Dimension, right: Dimension, power: int) -> Dimension:
    """Dimension of a product (power 1) or a quotient (power -1)."""
    out = dict(left)
    for base, exponent in right:
        out[base] = out.get(base, 0.0) + power * exponent
    return tuple(sorted((base, exponent) for base, exponent in out.items() if exponent))


def usual_unit(dimension: Dimension) -> str:
    """A unit that people write for a dimension."""
    return units.symbols(dimension).replace("rad", "deg") if len(dimension) == 1 else units.symbols(dimension)
