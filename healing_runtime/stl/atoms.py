"""Atoms: predicates over arithmetic, evaluated on whatever arrays the signals come as.

Offline an atom is evaluated over arrays of samples; in the tick all atoms together become one vector, because a few vector
operations cost less than many scalar ones. Vectors keep their components on the last axis. A formula's number is rounded
once to the dtype of the signals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array

from healing_runtime.core import margins
from healing_runtime.stl import margin
from healing_runtime.stl.formula import Expression, Flag, Literal, Number, Predicate, Reference

Read = Callable[[Reference], Array]
Atom = Predicate | Flag | Literal

_BINARY = {"+": jnp.add, "-": jnp.subtract, "*": jnp.multiply, "/": jnp.divide, "min": jnp.minimum, "max": jnp.maximum}


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
        return jnp.sqrt(sum((jnp.square(other) for other in rest), jnp.square(first)))
    if operation == "norm":
        return jnp.sqrt(jnp.sum(jnp.square(first), axis=-1))
    if not rest:
        return {"min": jnp.min, "max": jnp.max}[operation](first, axis=-1)
    for other in rest:
        # A scalar signal over samples meets a vector over samples: align the components.
        if jnp.ndim(first) and jnp.ndim(other) and jnp.ndim(first) != jnp.ndim(other):
            first, other = (x[..., None] if jnp.ndim(x) < max(jnp.ndim(first), jnp.ndim(other)) else x
                            for x in (first, other))  # fmt: skip
        first = _BINARY[operation](first, other)
    return first


def key(atom: Atom, read: Read, like: Array) -> Array:
    """Key of an atom in the shape and dtype of `like`; NaN where a signal it reads is NaN."""
    if isinstance(atom, Literal):
        return jnp.full_like(like, jnp.inf if atom.value else -jnp.inf)
    if isinstance(atom, Flag):
        return margin.flag_key(read(atom.signal))
    small, large = (jnp.asarray(value(side, read), like.dtype) for side in _sides(atom))
    compare = margins.less if _strict(atom) else margins.less_equal
    return jnp.broadcast_to(margin.key(compare(small, large)), like.shape)


def _sides(atom: Predicate) -> tuple[Expression, Expression]:
    """The side that shall be the smaller one, and the other."""
    if atom.relation == "==":
        gap = Arithmetic("abs", (Arithmetic("-", (atom.left, atom.right), atom.left.dimension),), atom.left.dimension)
        return gap, Number(atom.tolerance, atom.left.dimension)
    return (atom.left, atom.right) if "<" in atom.relation else (atom.right, atom.left)


def _strict(atom: Predicate) -> bool:
    return atom.relation in ("<", ">")


class Table:
    """All atoms of a monitor, evaluated together from one flat vector of signals.

    Args:
        atoms: the atoms, in the order of the keys.
        column: scalar reference -> its column, vector reference -> its columns.
    """

    def __init__(self, atoms: Sequence[Atom], column: Callable[[Reference], int | slice]) -> None:
        self._column = column
        self._computed: list[Expression] = []
        self._constants: list[float] = []
        self._predicates = [atom for atom in atoms if isinstance(atom, Predicate)]
        self._flags = [atom for atom in atoms if isinstance(atom, Flag)]
        self._literals = [atom for atom in atoms if isinstance(atom, Literal)]
        groups = [*self._predicates, *self._flags, *self._literals]
        self._order = np.array([groups.index(atom) for atom in atoms], np.int32)
        self._sides = [tuple(map(self._source, _sides(atom))) for atom in self._predicates]
        self._strict = np.array([_strict(atom) for atom in self._predicates], bool)

    def _source(self, side: Expression) -> tuple[str, int]:
        """Where a side's value stands: a column, a computed number, or a constant."""
        if isinstance(side, Reference):
            return "column", self._column(side)
        kind, store, item = (
            ("constant", self._constants, side.value) if isinstance(side, Number) else ("computed", self._computed, side)
        )
        if item not in store:
            store.append(item)
        return kind, store.index(item)

    def keys(self, vector: Array) -> Array:
        """Keys of all atoms, in order."""
        parts = []
        if self._predicates:
            parts.append(self._compare(vector))
        if self._flags:
            columns = np.array([self._column(flag.signal) for flag in self._flags], np.int32)
            parts.append(margin.flag_key(vector[columns]))
        if self._literals:
            values = [np.inf if literal.value else -np.inf for literal in self._literals]
            parts.append(jnp.asarray(np.array(values), vector.dtype))
        keys = parts[0] if len(parts) == 1 else jnp.concatenate(parts)
        return keys if np.array_equal(self._order, np.arange(len(self._order))) else keys[self._order]

    def _compare(self, vector: Array) -> Array:
        computed = [value(side, lambda reference: vector[self._column(reference)]) for side in self._computed]
        constants = jnp.asarray(np.array(self._constants), vector.dtype)
        extra = jnp.stack([jnp.asarray(c, vector.dtype) for c in computed]) if computed else vector[:0]
        pool = jnp.concatenate([vector, extra, constants])
        start = {"column": 0, "computed": vector.shape[0], "constant": vector.shape[0] + len(computed)}
        small, large = (
            pool[np.array([start[kind] + at for kind, at in side], np.int32)] for side in zip(*self._sides, strict=True)
        )
        holds = jnp.where(self._strict, small < large, small <= large)
        return margin.key(margins.Margin(large - small, holds))
