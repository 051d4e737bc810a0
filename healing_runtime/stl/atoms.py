"""Atoms: predicates over arithmetic, evaluated on whatever arrays the signals come as.

The same code serves the tick (scalars, one sample) and the offline evaluation (arrays over samples); vectors keep their
components on the last axis. A formula's number is rounded once to the dtype of the signals.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from healing_runtime.core import margins
from healing_runtime.stl import margin
from healing_runtime.stl.formula import Arithmetic, Atom, Expression, Flag, Literal, Number, Predicate, Reference

Read = Callable[[Reference], Array]


def _quotient(one: Array | float, other: Array | float) -> Array:
    """What is divided by zero is NaN, hence invalid: an infinity would satisfy a comparison."""
    if isinstance(other, int | float):
        return jnp.divide(one, other)
    zero = other == 0
    return jnp.where(zero, jnp.nan, jnp.divide(one, jnp.where(zero, 1, other)))


_BINARY = {"+": jnp.add, "-": jnp.subtract, "*": jnp.multiply, "/": _quotient, "min": jnp.minimum, "max": jnp.maximum}


def value(expression: Expression, read: Read) -> Array | float:
    """An expression's value; a literal stays a Python float, so that it takes the signals' dtype."""
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Reference):
        return read(expression)
    arguments = [value(argument, read) for argument in expression.arguments]
    return _apply(expression.operation, arguments)


def _apply(operation: str, arguments: list[Array | float]) -> Array:
    first, *rest = arguments
    if operation == "negate":
        return jnp.negative(first)
    if operation == "abs":
        return jnp.abs(first)
    if operation == "clamp":
        low, high = rest
        return jnp.minimum(jnp.maximum(first, low), high)
    if operation == "norm" and rest:
        return _root(sum((jnp.square(other) for other in rest), jnp.square(first)))
    if operation == "norm":
        return _root(jnp.sum(jnp.square(first), axis=-1))
    if not rest:
        return {"min": jnp.min, "max": jnp.max}[operation](first, axis=-1)
    out = first
    for other in rest:
        out = _BINARY[operation](*_aligned(out, other))
    return jnp.asarray(out)


def _root(square: Array) -> Array:
    """The square root, with a gradient of zero at zero: the norm has a kink there, not a pole."""
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), square)


def _aligned(one: Array | float, other: Array | float) -> tuple[Array | float, Array | float]:
    """A scalar signal over samples beside a vector over samples gets an axis for the components."""
    if isinstance(one, int | float) or isinstance(other, int | float):
        return one, other
    if one.ndim and other.ndim and one.ndim != other.ndim:
        return (one[..., None], other) if one.ndim < other.ndim else (one, other[..., None])
    return one, other


def key(atom: Atom, read: Read, like: Array) -> Array:
    """Key of an atom in the shape and dtype of `like`; NaN where a signal it reads is NaN."""
    if isinstance(atom, Literal):
        return jnp.full_like(like, jnp.inf if atom.value else -jnp.inf)
    if isinstance(atom, Flag):
        return margin.flag_key(jnp.asarray(read(atom.signal), like.dtype))
    return margin.key(_compared(atom, read, like))


def rho(atom: Atom, read: Read, like: Array) -> Array:
    """Robustness of an atom without the truth at zero, which would stop a gradient there."""
    return _compared(atom, read, like).rho if isinstance(atom, Predicate) else key(atom, read, like)


def _compared(atom: Predicate, read: Read, like: Array) -> margins.Margin:
    small, large = (jnp.asarray(value(side, read), like.dtype) for side in _sides(atom))
    compare = margins.less if _strict(atom) else margins.less_equal
    small, large = jnp.broadcast_arrays(small, large, like)[:2]
    return compare(small, large)


def _sides(atom: Predicate) -> tuple[Expression, Expression]:
    """The side that shall be the smaller one, and the other."""
    if atom.relation == "==":
        gap = Arithmetic("abs", (Arithmetic("-", (atom.left, atom.right), atom.left.dimension),), atom.left.dimension)
        return gap, Number(atom.tolerance, atom.left.dimension)
    return (atom.left, atom.right) if "<" in atom.relation else (atom.right, atom.left)


def _strict(atom: Predicate) -> bool:
    return atom.relation in ("<", ">")
