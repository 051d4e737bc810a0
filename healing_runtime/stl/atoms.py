"""Atoms: predicates over arithmetic, evaluated on whatever arrays the signals come as.

The same code serves the tick (scalars, one sample) and the offline evaluation (arrays over samples); vectors keep their
components on the last axis. A formula's number is rounded once to the dtype of the signals. `xp` computes: JAX, or
NumPy for what is asked once, where a compilation would cost more than the answer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType

import jax.numpy as jnp
from jax import Array

from healing_runtime.core import margins
from healing_runtime.stl import margin
from healing_runtime.stl.formula import Arithmetic, Atom, Expression, Flag, Literal, Number, Predicate, Reference

Read = Callable[[Reference], Array]
_NAMES = {"+": "add", "-": "subtract", "*": "multiply", "min": "minimum", "max": "maximum"}


def value(expression: Expression, read: Read, xp: ModuleType = jnp) -> Array | float:
    """An expression's value; a literal stays a Python float, so that it takes the signals' dtype."""
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Reference):
        return read(expression)
    arguments = [value(argument, read, xp) for argument in expression.arguments]
    # Numbers alone are for JAX in any case: it takes them in the dtype of the day, NumPy in double precision.
    return _apply(expression.operation, arguments, jnp if all(map(_is_literal, arguments)) else xp)


def _is_literal(argument: Array | float) -> bool:
    return isinstance(argument, int | float)


def _apply(operation: str, arguments: list[Array | float], xp: ModuleType) -> Array:
    first, *rest = arguments
    if operation == "negate":
        return xp.negative(first)
    if operation == "abs":
        return xp.abs(first)
    if operation == "clamp":
        low, high = rest
        return xp.minimum(xp.maximum(first, low), high)
    if operation == "norm" and rest:
        return _root(functools.reduce(xp.add, map(xp.square, arguments)), xp)
    if operation == "norm":
        return _root(xp.sum(xp.square(first), axis=-1), xp)
    if not rest:
        return {"min": xp.min, "max": xp.max}[operation](first, axis=-1)
    out = first
    for other in rest:
        one, other = _aligned(out, other)
        out = _quotient(one, other, xp) if operation == "/" else getattr(xp, _NAMES[operation])(one, other)
    return xp.asarray(out)


def _quotient(one: Array | float, other: Array | float, xp: ModuleType) -> Array:
    """What is divided by zero is NaN, hence invalid: an infinity would satisfy a comparison."""
    if _is_literal(other):
        return xp.divide(one, other)
    zero = other == 0
    return xp.where(zero, xp.nan, xp.divide(one, xp.where(zero, 1, other)))


def _root(square: Array, xp: ModuleType) -> Array:
    """The square root, with a gradient of zero at zero: the norm has a kink there, not a pole."""
    positive = square > 0
    return xp.where(positive, xp.sqrt(xp.where(positive, square, 1.0)), square)


def _aligned(one: Array | float, other: Array | float) -> tuple[Array | float, Array | float]:
    """A scalar signal over samples beside a vector over samples gets an axis for the components."""
    if isinstance(one, int | float) or isinstance(other, int | float):
        return one, other
    if one.ndim and other.ndim and one.ndim != other.ndim:
        return (one[..., None], other) if one.ndim < other.ndim else (one, other[..., None])
    return one, other


def key(atom: Atom, read: Read, like: Array, xp: ModuleType = jnp) -> Array:
    """Key of an atom in the shape and dtype of `like`; NaN where a signal it reads is NaN."""
    if isinstance(atom, Literal):
        return xp.full_like(like, xp.inf if atom.value else -xp.inf)
    if isinstance(atom, Flag):
        return margin.flag_key(xp.asarray(read(atom.signal), like.dtype), xp)
    return margin.key(_compared(atom, read, like, xp), xp)


def rho(atom: Atom, read: Read, like: Array) -> Array:
    """Robustness of an atom without the truth at zero, which would stop a gradient there."""
    return _compared(atom, read, like, jnp).rho if isinstance(atom, Predicate) else key(atom, read, like)


def _compared(atom: Predicate, read: Read, like: Array, xp: ModuleType) -> margins.Margin:
    small, large = (xp.asarray(value(side, read, xp), like.dtype) for side in _sides(atom))
    compare = margins.less if _strict(atom) else margins.less_equal
    small, large = xp.broadcast_arrays(small, large, like)[:2]
    return compare(small, large, xp)


def _sides(atom: Predicate) -> tuple[Expression, Expression]:
    """The side that shall be the smaller one, and the other."""
    if atom.relation == "==":
        gap = Arithmetic("abs", (Arithmetic("-", (atom.left, atom.right), atom.left.dimension),), atom.left.dimension)
        return gap, Number(atom.tolerance, atom.left.dimension)
    return (atom.left, atom.right) if "<" in atom.relation else (atom.right, atom.left)


def _strict(atom: Predicate) -> bool:
    return atom.relation in ("<", ">")
