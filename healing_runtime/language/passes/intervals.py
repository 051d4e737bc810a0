"""Intervals for the pass `finite`: bounds on every element of a value, as its dtype holds it.

An interval says what a value can be, and how near to zero, as XLA computes it: rounded to the dtype, numbers too small
for it flushed to zero. Not tracked are NaN, and integers without a bound that wrap around (a loop's counter is one).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

TINY = 5e-324
"""Anything but zero; XLA compares what is too small for a dtype as zero, so what is not zero is a normal number."""


class Interval(NamedTuple):
    """Closed bounds; every element is at least `gap` from zero, also where the bounds lie on both sides of it."""

    low: float
    high: float
    gap: float = 0.0

    @property
    def apart(self) -> float:
        """The least that an element can be in size."""
        return max(self.gap, self.low, -self.high)


ANYTHING = Interval(-math.inf, math.inf)


def of_constant(value: Any, dtype: Any = None) -> Interval:
    """The range of a constant array, of its own dtype or of the one that a program gives it."""
    array = np.asarray(value, dtype)
    if array.size == 0 or not jnp.issubdtype(array.dtype, jnp.number) or np.isnan(array).any():
        return ANYTHING
    return rounded(array.dtype, Interval(float(array.min()), float(array.max())))


def hull(*parts: Interval) -> Interval:
    """The smallest interval that holds all."""
    low, high, apart = min(p.low for p in parts), max(p.high for p in parts), min(p.apart for p in parts)
    return Interval(low, high, apart if low <= 0.0 <= high else 0.0)  # elsewhere the bounds say it


def compared(a: Interval, relation: str, b: Interval) -> Interval:
    """What is known of `a` where `a relation b` holds; relations by the names of their primitives."""
    strictly = TINY if relation in ("gt", "lt") else 0.0
    match relation:
        case "gt" | "ge":
            return Interval(max(a.low, b.low), a.high, max(a.gap, strictly if b.low == 0.0 else 0.0))
        case "lt" | "le":
            return Interval(a.low, min(a.high, b.high), max(a.gap, strictly if b.high == 0.0 else 0.0))
        case "ne" if b.low == b.high == 0.0:
            return a._replace(gap=max(a.gap, TINY))
        case "eq":
            return Interval(max(a.low, b.low), min(a.high, b.high))
    return a


# ---------------------------------------------------------------- what a dtype makes of bounds
def rounded(dtype: Any, bounds: Interval) -> Interval:
    """Rounding keeps order: a bound rounded like a value still bounds it."""
    if jnp.issubdtype(dtype, jnp.floating):
        limits = jnp.finfo(dtype)
        tiny, largest = float(limits.tiny), float(limits.max)
        with np.errstate(over="ignore"):
            low, high, gap = (float(dtype.type(x)) for x in bounds)
        low = 0.0 if 0.0 < low < tiny else min(low, largest)
        high = 0.0 if -tiny < high < 0.0 else max(high, -largest)
        return Interval(low, high, 0.0 if gap < tiny else min(gap, largest))
    if jnp.issubdtype(dtype, jnp.integer):
        limits = jnp.iinfo(dtype)
        low, high, gap = (float(math.trunc(x)) if math.isfinite(x) else x for x in bounds)
        wraps = -math.inf < low < limits.min or limits.max < high < math.inf
        return ANYTHING if wraps else Interval(low, high, gap)
    return Interval(0.0, 1.0) if dtype == np.bool_ else ANYTHING


def normal(dtype: Any, bounds: Interval) -> Interval:
    """An operand: what is not zero is at least as large as the smallest normal number, or one."""
    if dtype == np.bool_:
        return Interval(0.0, 1.0)
    smallest = float(jnp.finfo(dtype).tiny) if jnp.issubdtype(dtype, jnp.floating) else 1.0
    low, high, gap = bounds
    return Interval(
        smallest if 0.0 < low < smallest else low,
        -smallest if -smallest < high < 0.0 else high,
        smallest if 0.0 < gap < smallest else gap,
    )
