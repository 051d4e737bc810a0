"""What rewritten sources call: margins over any numbers, and arithmetic in which Python values cannot grow for ever."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from healing_runtime.core import margins
from healing_runtime.core.margins import Margin
from healing_runtime.language.messages.mistake import Mistake

MAX_INTEGER_BITS = 62
MAX_LENGTH = 4_096
MAX_DIGITS = 400
MAX_DIFFERENCES = 64


def _real(value: Any) -> Any:
    """Integers and Booleans become floats; Python floats stay weak: they are rounded once, to the other's dtype."""
    if isinstance(value, int | float):
        return float(value)
    if not hasattr(value, "dtype"):
        raise Mistake(f"{kind(value)} cannot be compared with a number; write the signal or the element that is meant")
    return value if jnp.issubdtype(jnp.result_type(value), jnp.floating) else jnp.asarray(value, jnp.result_type(float))


def less(a: ArrayLike, b: ArrayLike) -> Margin:
    """`a < b`."""
    return margins.less(_real(a), _real(b))


def less_equal(a: ArrayLike, b: ArrayLike) -> Margin:
    """`a <= b`."""
    return margins.less_equal(_real(a), _real(b))


def greater(a: ArrayLike, b: ArrayLike) -> Margin:
    """`a > b`."""
    return less(b, a)


def greater_equal(a: ArrayLike, b: ArrayLike) -> Margin:
    """`a >= b`."""
    return less_equal(b, a)


def equal(a: ArrayLike, b: ArrayLike) -> Margin:
    """`a == b`: plus or minus infinity, and NaN where a side is NaN."""
    return _exact(_real(a), _real(b), jnp.equal(a, b))


def not_equal(a: ArrayLike, b: ArrayLike) -> Margin:
    """`a != b`, likewise: NaN differs from everything, which is no pass."""
    return _exact(_real(a), _real(b), jnp.not_equal(a, b))


def _exact(a: Any, b: Any, ok: Any) -> Margin:
    known = jnp.logical_and(jnp.equal(a, a), jnp.equal(b, b))
    decided = margins.boolean(ok)
    return Margin(jnp.where(known, decided.rho, jnp.nan), jnp.logical_and(decided.ok, known))


def best(a: Margin) -> Margin:
    """The best element (`jnp.any`); NaN stays NaN."""
    return Margin(jnp.max(a.rho, initial=-jnp.inf), jnp.any(a.ok))


class NoCondition(Mistake):
    """The condition of an assert is a number or a container, which would be true in silence."""

    def __init__(self, value: Any) -> None:
        dtype = getattr(value, "dtype", None)
        whole = dtype is not None and jnp.issubdtype(dtype, jnp.integer)
        self.bound = "0" if whole else "0.0"
        self.number = dtype is not None or isinstance(value, int | float)
        self.what = kind(value)
        super().__init__(f"the condition of an assert is {self.what}, not a comparison; write for example x > 0.0")


def is_boolean(value: Any) -> bool:
    """Whether a value is one Boolean, or an array of them."""
    return isinstance(value, bool) or jnp.issubdtype(getattr(value, "dtype", np.float32), jnp.bool_)


def boolean(value: Any) -> Margin:
    """A plain Boolean. `NoCondition` where it is none."""
    if not is_boolean(value):
        raise NoCondition(value)
    return margins.boolean(value)


def kind(value: Any) -> str:
    """What a value is, in a message."""
    match value:
        case None:
            return "None"
        case bool():
            return "a Boolean"
        case int() | float():
            return "a number"
        case tuple() | list():
            return f"a {type(value).__name__} of {len(value)}"
        case dict():
            return "a dictionary"
        case jax.Array() | np.ndarray():
            name = {"b": "Boolean", "i": "integer", "u": "integer"}.get(value.dtype.kind, "number")
            article = "an" if name == "integer" else "a"
            return f"{article} {name}" if value.ndim == 0 else f"an array of shape {tuple(value.shape)}"
    return "a function" if callable(value) else f"a {type(value).__name__}"


def items(value: Any) -> Any:
    """What Python is about to iterate over, unchanged.

    `Mistake` for text and dictionaries (their keys would be text as data), and beyond 4096 elements.
    """
    if isinstance(value, str | bytes | dict):
        raise Mistake("a dictionary is read by its keys, never iterated or unpacked; write the keys out")
    if hasattr(value, "__len__") and getattr(value, "ndim", 1) > 0 and len(value) > MAX_LENGTH:
        raise Mistake(f"more than {MAX_LENGTH} elements cannot be taken apart one by one; use jnp or lax.map")
    return value


def unpacked(value: Any, pattern: Any) -> Any:
    """The value of `a, (b, c) = value`, unchanged; `items` wherever the pattern takes it apart. None is a name."""
    if pattern is not None:
        items(value)
        if isinstance(value, tuple | list):
            for part, inner in zip(value, pattern, strict=False):
                unpacked(part, inner)
    return value


def each(values: Any, pattern: Any) -> list[Any]:
    """The elements of a loop over `values` whose target is a pattern."""
    return [unpacked(value, pattern) for value in items(values)]


def grown(value: Any, container: Any = None) -> Any:
    """A new container, or what is put into one, unchanged.

    `Mistake` beyond 4096 leaves (`t = [t, t]` doubles what will be converted), and where a container would hold itself.
    """
    _leaves(value, container)
    return value


def _leaves(value: Any, container: Any = None) -> int:
    """Numbers in nested containers, none of which is `container`. Looks at a bounded number of them."""
    pending, leaves, seen = [value], 0, 0
    while pending:
        item = pending.pop()
        seen += 1
        if item is container and item is not None:
            raise Mistake("a list or dictionary cannot hold itself; write its elements, or a new one")
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, tuple | list):
            pending.extend(item)
        else:
            leaves += 1
        if leaves > MAX_LENGTH or seen > 2 * MAX_LENGTH:
            raise Mistake(f"a sequence grows beyond {MAX_LENGTH} elements; use jnp arrays")
    return leaves


def _taking_apart(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        return function(*map(items, args))

    return call


def _joining(function: Callable[..., Any]) -> Callable[..., Any]:
    """A builtin that makes containers of what it is given: these grow like those that are written out."""

    def call(*args: Any) -> Any:
        return grown(function(*map(items, args)))

    return call


def rounding(function: Callable[..., Any]) -> Callable[..., Any]:
    """`round` that computes no power of ten with millions of digits."""

    def call(number: Any, *rest: Any, **keywords: Any) -> Any:
        for digits in (*rest, *keywords.values()):
            if isinstance(digits, int) and abs(digits) > MAX_DIGITS:
                raise Mistake(f"{digits} digits are more than a number has; write how many are meant")
        return function(number, *rest, **keywords)

    return call


def differences(a: Any, n: Any = 1, *rest: Any, **keywords: Any) -> Any:
    """`jnp.diff` that subtracts neighbours a bounded number of times: JAX writes every time out."""
    if isinstance(n, int) and n > MAX_DIFFERENCES:
        raise Mistake(
            f"jnp.diff is to subtract neighbours {n} times, and {MAX_DIFFERENCES} is the most; write how many"
        )
    return jnp.diff(a, n, *rest, **keywords)


def _total(values: Any, start: Any = 0) -> Any:
    if isinstance(start, tuple | list):
        raise Mistake("sum adds numbers; write a + b for two lists or tuples")
    return builtins.sum(items(values), start)


BUILTINS: Mapping[str, Callable[..., Any]] = {
    **{name: _taking_apart(getattr(builtins, name)) for name in ("float", "int", "max", "min")},
    **{name: _joining(getattr(builtins, name)) for name in ("list", "tuple")},
    "enumerate": _joining(lambda *args: list(builtins.enumerate(*args))),
    "round": rounding(builtins.round),
    "sum": _total,
    "zip": _joining(lambda *args: list(builtins.zip(*args, strict=False))),
}
"""Builtins that iterate or convert, over `items` only."""


def guarded(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """`+`, `*` or `**` that refuses integers beyond 62 bits and sequences beyond 4096 leaves."""
    power = function is operator.pow

    def guard(a: Any, b: Any) -> Any:
        if isinstance(a, int) and isinstance(b, int):
            bits = a.bit_length() * abs(b) if power else a.bit_length() + b.bit_length()
            if bits > (MAX_INTEGER_BITS if power else 2 * MAX_INTEGER_BITS):
                raise Mistake("an integer grows beyond 62 bits; write floating-point numbers")
        elif isinstance(a, tuple | list) or isinstance(b, tuple | list):
            length = _length(a) * _length(b) if function is operator.mul else _length(a) + _length(b)
            if length > MAX_LENGTH:
                raise Mistake(f"a sequence grows beyond {MAX_LENGTH} elements; use jnp arrays")
        result = function(a, b)
        if isinstance(result, complex):
            raise Mistake("this power of a negative number is complex; write a whole exponent, or jnp.abs of the base")
        return result

    return guard


def _length(value: Any) -> int:
    return _leaves(value) if isinstance(value, tuple | list) else value if isinstance(value, int) else 1
