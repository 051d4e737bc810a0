"""Interval arithmetic on jaxpr equations, one rule a primitive; what has none can be anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jax.extend.core import JaxprEqn
from jax.lax import GatherScatterMode

from healing_runtime.language.passes.intervals import ANYTHING, Interval, hull, normal, of_constant, rounded


def transferred(eqn: JaxprEqn, operands: list[Interval]) -> list[Interval]:
    """Bounds on the results of an equation, given bounds on its operands."""
    operands = [normal(v.aval.dtype, a) for v, a in zip(eqn.invars, operands, strict=True)]  # type: ignore[attr-defined]
    if eqn.primitive.name == "sort":
        return operands
    rule = _RULES.get(eqn.primitive.name)
    return [_result(eqn, rule(eqn, *operands) if rule else ANYTHING)] * len(eqn.outvars)


def _result(eqn: JaxprEqn, bounds: Interval) -> Interval:
    """As the dtype of an equation's result holds it; anything where a rule has come to nothing."""
    if bounds.low > bounds.high or math.isnan(bounds.low) or math.isnan(bounds.high):
        return ANYTHING
    aval: Any = eqn.outvars[0].aval
    return rounded(aval.dtype, bounds)


def _loosened(eqn: JaxprEqn, bounds: Interval, units: float = 4.0) -> Interval:
    """Of what XLA does not round correctly, but to some units in the last place."""
    aval: Any = eqn.outvars[0].aval
    if not jnp.issubdtype(aval.dtype, jnp.floating):
        return bounds
    slack = min(1.0, units * float(jnp.finfo(aval.dtype).eps))
    low, high = bounds.low, bounds.high
    return Interval(low - _times(slack, abs(low)), high + _times(slack, abs(high)), bounds.gap * (1.0 - slack))


# ---------------------------------------------------------------- rules
def _times(x: float, y: float) -> float:
    return 0.0 if 0.0 in (x, y) else x * y


def _mul(eqn: JaxprEqn, a: Interval, b: Interval) -> Interval:
    corners = [_times(x, y) for x in a[:2] for y in b[:2]]
    return Interval(min(corners), max(corners), _times(a.apart, b.apart))


def _div(eqn: JaxprEqn, a: Interval, b: Interval) -> Interval:
    if b.low <= 0.0 <= b.high:
        return ANYTHING
    # Of infinity by infinity the other corners tell. XLA divides by a constant as it multiplies by its inverse.
    corners = [x / y for x in a[:2] for y in b[:2] if math.isfinite(x) or math.isfinite(y)]
    return _loosened(eqn, Interval(min(corners), max(corners)))


def _abs(eqn: JaxprEqn, a: Interval) -> Interval:
    return Interval(max(0.0, a.apart), max(abs(a.low), abs(a.high)))


def square(eqn: JaxprEqn, a: Interval) -> Interval:
    """`a * a`."""
    size = _abs(eqn, a)
    return _result(eqn, Interval(_power(size.low, 2), _power(size.high, 2)))


def _integer_pow(eqn: JaxprEqn, a: Interval) -> Interval:
    y = eqn.params["y"]
    if y <= 0 or y % 2:
        return ANYTHING
    size = _abs(eqn, a)
    low, high, _ = _loosened(eqn, Interval(_power(size.low, y), _power(size.high, y)), 4.0 * (y - 2))
    return Interval(max(low, 1.0) if size.low >= 1.0 else low, min(high, 1.0) if size.high <= 1.0 else high)


def _power(x: float, y: int) -> float:
    try:
        return x**y
    except OverflowError:
        return math.inf


def _exp(eqn: JaxprEqn, a: Interval, base: float = math.e) -> Interval:
    # Single precision underflows to zero below e^-87; a bound that far down promises nothing.
    low, high = a.low * math.log(base), a.high * math.log(base)
    bounds = Interval(math.exp(low) if -80.0 < low < 80.0 else 0.0, math.exp(high) if high < 80.0 else math.inf)
    return _loosened(eqn, bounds, 200.0)  # 2^x is computed as e^(x log 2), whose exponent is rounded


def _reduce_sum(eqn: JaxprEqn, a: Interval) -> Interval:
    before: Any = eqn.invars[0].aval
    after: Any = eqn.outvars[0].aval
    return added(eqn, a, math.prod(before.shape) // max(1, math.prod(after.shape)))


def added(eqn: JaxprEqn, a: Interval, count: int) -> Interval:
    """The sum of `count` elements, in whatever order."""
    total = _loosened(eqn, Interval(_times(a.low, count), _times(a.high, count)), float(count))
    if a.low > 0.0 and count:
        total = total._replace(low=max(total.low, a.low))  # what is positive never makes a sum smaller
    return _result(eqn, total)


def _clamp(eqn: JaxprEqn, low: Interval, x: Interval, high: Interval) -> Interval:
    return Interval(min(high.low, max(x.low, low.low)), min(high.high, max(x.high, low.high)))


def _gather(eqn: JaxprEqn, a: Interval, *_: Interval) -> Interval:
    """Elements, or what stands where an index leads outside."""
    if eqn.params["mode"] != GatherScatterMode.FILL_OR_DROP:
        return a
    filler, aval = eqn.params["fill_value"], eqn.outvars[0].aval
    if filler is None and jnp.issubdtype(aval.dtype, jnp.floating):  # type: ignore[attr-defined]
        return a  # NaN
    return ANYTHING if filler is None else hull(a, of_constant(filler, aval.dtype))  # type: ignore[attr-defined]


def _cosh(eqn: JaxprEqn, a: Interval) -> Interval:
    return _loosened(eqn, Interval(1.0, math.inf))


def _erf(eqn: JaxprEqn, a: Interval) -> Interval:
    return _loosened(eqn, Interval(-1.0, 1.0))


def _iota(eqn: JaxprEqn, *_: Interval) -> Interval:
    return Interval(0.0, float(max(0, eqn.params["shape"][eqn.params["dimension"]] - 1)))


def _log1p(eqn: JaxprEqn, a: Interval) -> Interval:
    return _loosened(eqn, Interval(math.log1p(a.low) if a.low > -1.0 else -math.inf, math.inf))


def _convert(eqn: JaxprEqn, a: Interval) -> Interval:
    """Into integers a floating-point number is cut off at their ends, and an integer wraps around."""
    before, after = eqn.invars[0].aval.dtype, eqn.outvars[0].aval.dtype  # type: ignore[attr-defined]
    if not jnp.issubdtype(after, jnp.integer):
        return a
    ends = jnp.iinfo(after)
    if jnp.issubdtype(before, jnp.floating):
        low, high = (min(max(x, float(ends.min)), float(ends.max)) for x in a[:2])
        return Interval(low, high, a.gap if a.low >= ends.min else 0.0)
    if jnp.issubdtype(before, jnp.integer):
        own = jnp.iinfo(before)
        a = a._replace(low=max(a.low, float(own.min)), high=min(a.high, float(own.max)))
    return a if ends.min <= a.low and a.high <= ends.max else ANYTHING


def _same(eqn: JaxprEqn, a: Interval, *_: Interval) -> Interval:
    return a


_Rule = Callable[..., Interval]

_RULES: Mapping[str, _Rule] = {
    "abs": _abs,
    "add": lambda eqn, a, b: Interval(a.low + b.low, a.high + b.high),
    "broadcast_in_dim": _same,
    "clamp": _clamp,
    "concatenate": lambda eqn, *parts: hull(*parts),
    "convert_element_type": _convert,
    "copy": _same,
    "cos": lambda eqn, a: Interval(-1.0, 1.0),
    "cosh": _cosh,
    "div": _div,
    "dynamic_slice": _same,
    "erf": _erf,
    "exp": _exp,
    "exp2": lambda eqn, a: _exp(eqn, a, 2.0),
    "gather": _gather,
    "integer_pow": _integer_pow,
    "iota": _iota,
    "log1p": _log1p,
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
