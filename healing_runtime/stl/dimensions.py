"""Dimensions of expressions: what a product has, and how one is written for people."""

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
    return unit_text(dimension).replace("rad", "deg") if len(dimension) == 1 else unit_text(dimension)


_SYMBOLS = {"[length]": "m", "[time]": "s", "[mass]": "kg", "[angle]": "rad", "[tick]": "ticks"}


def unit_text(dimension: Dimension) -> str:
    """A dimension in SI symbols, for messages."""
    if not dimension:
        return "no unit"

    def power(base: str, exponent: float) -> str:
        return _SYMBOLS.get(base, base) + (f"{exponent:g}" if exponent != 1 else "")

    over = " ".join(power(b, e) for b, e in dimension if e > 0) or "1"
    under = "".join("/" + power(b, -e) for b, e in dimension if e < 0)
    return over + under
