"""Interval arithmetic on jaxpr equations: bounds on every element of a value, for the pass `finite`.

An interval says what a finite value can be, and how near to zero; NaN and overflow are not tracked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jax.extend.core import JaxprEqn

TINY = 5e-324
"""Anything but zero."""


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


def of_constant(value: Any) -> Interval:
    """The range of a constant array."""
    array = np.asarray(value)
    if array.size == 0 or not np.issubdtype(array.dtype, np.number) or np.isnan(array).any():
        return ANYTHING
    return Interval(float(array.min()), float(array.max()))


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


def transfer(eqn: JaxprEqn, operands: list[Interval]) -> list[Interval]:
    """Bounds on the results of an equation, given bounds on its operands."""
    rule = _RULES.get(eqn.primitive.name)
    result = rule(eqn, *operands) if rule else ANYTHING
    if result.low > result.high or math.isnan(result.low) or math.isnan(result.high):
        result = ANYTHING
    return [result] * len(eqn.outvars)


def _product(a: Interval, b: Interval) -> Interval:
    corners = [0.0 if 0.0 in (x, y) else x * y for x in a[:2] for y in b[:2]]
    return Interval(min(corners), max(corners))


def _mul(eqn: JaxprEqn, a: Interval, b: Interval) -> Interval:
    gap = a.apart * b.apart
    return _product(a, b)._replace(gap=gap if 1e-30 < gap < math.inf else 0.0)  # single precision underflows


def _div(eqn: JaxprEqn, a: Interval, b: Interval) -> Interval:
    if b.low <= 0.0 <= b.high:
        return ANYTHING
    return _product(a, Interval(1.0 / b.high, 1.0 / b.low))


def _abs(eqn: JaxprEqn, a: Interval) -> Interval:
    return Interval(max(0.0, a.apart), max(abs(a.low), abs(a.high)))


def square(eqn: JaxprEqn, a: Interval) -> Interval:
    """`a * a`."""
    size = _abs(eqn, a)
    return Interval(_squared(size.low), _squared(size.high))


def _squared(x: float) -> float:
    return x * x if x > 1e-18 else 0.0  # single precision underflows


def _integer_pow(eqn: JaxprEqn, a: Interval) -> Interval:
    y = eqn.params["y"]
    if y > 0 and y % 2 == 0:
        size = _abs(eqn, a)
        return Interval(_power(size.low, y), _power(size.high, y))
    return ANYTHING


def _power(x: float, y: int) -> float:
    try:
        return x**y
    except OverflowError:
        return math.inf


def _exp(eqn: JaxprEqn, a: Interval) -> Interval:
    # Single precision underflows to zero below -87; a bound that far down promises nothing.
    low = math.exp(a.low) if -80.0 < a.low < 80.0 else 0.0
    return Interval(low, math.exp(a.high) if a.high < 80.0 else math.inf)


def _reduce_sum(eqn: JaxprEqn, a: Interval) -> Interval:
    before: Any = eqn.invars[0].aval
    after: Any = eqn.outvars[0].aval
    return added(a, math.prod(before.shape) // max(1, math.prod(after.shape)))


def added(a: Interval, count: int) -> Interval:
    """The sum of `count` elements."""
    return Interval(a.low * count if count else 0.0, a.high * count if count else 0.0)


def _clamp(eqn: JaxprEqn, low: Interval, x: Interval, high: Interval) -> Interval:
    return Interval(max(low.low, min(x.low, high.low)), min(high.high, max(x.high, low.high)))


def _same(eqn: JaxprEqn, a: Interval, *_: Interval) -> Interval:
    return a


_Rule = Callable[..., Interval]

_RULES: Mapping[str, _Rule] = {
    "abs": _abs,
    "add": lambda eqn, a, b: Interval(a.low + b.low, a.high + b.high),
    "broadcast_in_dim": _same,
    "clamp": _clamp,
    "concatenate": lambda eqn, *parts: hull(*parts),
    "convert_element_type": _same,
    "copy": _same,
    "copy_p": _same,
    "cos": lambda eqn, a: Interval(-1.0, 1.0),
    "cosh": lambda eqn, a: Interval(1.0, math.inf),
    "div": _div,
    "dynamic_slice": _same,
    "erf": lambda eqn, a: Interval(-1.0, 1.0),
    "exp": _exp,
    "exp2": _exp,
    "gather": lambda eqn, a, *_: hull(a, Interval(0.0, 0.0)),
    "integer_pow": _integer_pow,
    "iota": lambda eqn, *_: Interval(0.0, float(max(0, eqn.params["shape"][eqn.params["dimension"]] - 1))),
    "log1p": lambda eqn, a: Interval(math.log1p(a.low) if a.low > -1.0 else -math.inf, math.inf),
    "logistic": lambda eqn, a: Interval(0.0, 1.0),
    "max": lambda eqn, a, b: Interval(max(a.low, b.low), max(a.high, b.high)),
    "min": lambda eqn, a, b: Interval(min(a.low, b.low), min(a.high, b.high)),
    "mul": _mul,
    "neg": lambda eqn, a: Interval(-a.high, -a.low, a.gap),
    "reduce_max": _same,
    "reduce_min": _same,
    "reduce_sum": _reduce_sum,
    "reshape": _same,
    "rev": _same,
    "select_n": lambda eqn, which, *cases: hull(*cases),
    "sign": lambda eqn, a: Interval(-1.0, 1.0),
    "sin": lambda eqn, a: Interval(-1.0, 1.0),
    "slice": _same,
    "sort": _same,
    "sqrt": lambda eqn, a: Interval(math.sqrt(max(a.low, 0.0)), math.sqrt(max(a.high, 0.0))),
    "square": square,
    "squeeze": _same,
    "stack": lambda eqn, *parts: hull(*parts),
    "stop_gradient": _same,
    "sub": lambda eqn, a, b: Interval(a.low - b.high, a.high - b.low),
    "tanh": lambda eqn, a: Interval(-1.0, 1.0),
    "tensorlang.reset": _same,
    "tile": _same,
    "transpose": _same,
}
