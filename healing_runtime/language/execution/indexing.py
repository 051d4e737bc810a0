"""Constant indices that lie outside: JAX clamps them or drops the write in silence, so they are refused here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from healing_runtime.language.execution.updates import Updates
from healing_runtime.language.messages.mistake import Mistake


def item(value: Any, index: Any) -> Any:
    """`value[index]`, where the constants in the index are inside the shape of an array (or of the `x` of `x.at`).

    Raises:
        Mistake: an index that does not exist, or a constant slice without elements.
    """
    written = hasattr(value, "array")
    shape = getattr(getattr(value, "array", value), "shape", None)
    if isinstance(shape, tuple):
        _check(shape, index if isinstance(index, tuple) else (index,), written=written)
    return Updates(value[index]) if written else value[index]


def _check(shape: tuple[int, ...], parts: Sequence[Any], *, written: bool) -> None:
    axis = 0
    for position, part in enumerate(parts):
        if part is Ellipsis:
            rest = parts[position + 1 :]
            axis = len(shape) - sum(p is not None for p in rest)
        elif part is not None:
            if axis < 0 or axis >= len(shape) or getattr(getattr(part, "dtype", None), "kind", "") == "b":
                return  # too many indices, or a mask: both are refused where they are used
            _check_one(shape[axis], part, written)
            axis += 1


def _check_one(size: int, part: Any, written: bool) -> None:
    if isinstance(part, slice):
        constant = all(isinstance(bound, int | None) for bound in (part.start, part.stop, part.step))
        if size and constant and part.step != 0 and not range(*part.indices(size)):
            raise Mistake(f"this slice of {size} elements has none; write bounds between 0 and {size}")
    elif isinstance(part, int | np.integer) and not isinstance(part, bool):
        inside(int(part), size, "drop what is written there" if written else "read another element")


def inside(index: int, size: int, silently: str) -> None:
    """A constant index of an axis."""
    if not -size <= index < size:
        valid = "there is none" if size == 0 else "write 0" if size == 1 else f"write an index from 0 to {size - 1}"
        raise Mistake(f"index {index} of {size} elements does not exist, and JAX would {silently} in silence; {valid}")


# ---------------------------------------------------------------- functions that take an index
def _constant(value: Any) -> int | None:
    return int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else None


def _start(start: Any, length: Any, size: int) -> None:
    """A constant start of a part with a constant length, which JAX would move until the part fits."""
    first, count = _constant(start), _constant(length)
    if first is not None and count is not None and not (-size <= first and (first % max(size, 1)) + count <= size):
        raise Mistake(
            f"{count} elements from {first} on reach outside of {size}, and JAX would move the start in silence;"
            f" write a start from 0 to {max(size - count, 0)}"
        )


def _size(value: Any, axis: Any) -> int | None:
    shape = np.shape(value) if isinstance(value, tuple | list) else getattr(value, "shape", None)
    if shape is None or not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
        return None
    return shape[axis]


def _take(a: Any, indices: Any, axis: Any = None, **keywords: Any) -> Any:
    size = int(np.prod(a.shape)) if axis is None and hasattr(a, "shape") else _size(a, axis)
    if size is not None and _constant(indices) is not None:
        inside(int(indices), size, "return NaN")
    return jnp.take(a, indices, axis, **keywords)


def _dynamic_index_in_dim(operand: Any, index: Any, axis: Any = 0, keepdims: Any = True) -> Any:
    _index(operand, index, axis, "read another element")
    return lax.dynamic_index_in_dim(operand, index, axis, keepdims)


def _dynamic_update_index_in_dim(operand: Any, update: Any, index: Any, axis: Any) -> Any:
    _index(operand, index, axis, "write another element")
    return lax.dynamic_update_index_in_dim(operand, update, index, axis)


def _index(operand: Any, index: Any, axis: Any, silently: str) -> None:
    size = _size(operand, axis)
    if size is not None and _constant(index) is not None:
        inside(index, size, silently)


def _dynamic_slice_in_dim(operand: Any, start_index: Any, slice_size: Any, axis: Any = 0) -> Any:
    size = _size(operand, axis)
    if size is not None:
        _start(start_index, slice_size, size)
    return lax.dynamic_slice_in_dim(operand, start_index, slice_size, axis)


def _dynamic_update_slice_in_dim(operand: Any, update: Any, start_index: Any, axis: Any) -> Any:
    size = _size(operand, axis)
    if size is not None:
        _start(start_index, _size(update, axis), size)
    return lax.dynamic_update_slice_in_dim(operand, update, start_index, axis)


def _dynamic_slice(operand: Any, start_indices: Any, slice_sizes: Any) -> Any:
    _starts(operand, start_indices, slice_sizes)
    return lax.dynamic_slice(operand, start_indices, slice_sizes)


def _dynamic_update_slice(operand: Any, update: Any, start_indices: Any) -> Any:
    _starts(operand, start_indices, getattr(update, "shape", ()))
    return lax.dynamic_update_slice(operand, update, start_indices)


def _starts(operand: Any, starts: Any, lengths: Any) -> None:
    if all(isinstance(each, tuple | list) for each in (starts, lengths)):
        for start, length, size in zip(starts, lengths, getattr(operand, "shape", ()), strict=False):
            _start(start, length, size)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "jnp.take": _take,
    "lax.dynamic_index_in_dim": _dynamic_index_in_dim,
    "lax.dynamic_slice": _dynamic_slice,
    "lax.dynamic_slice_in_dim": _dynamic_slice_in_dim,
    "lax.dynamic_update_index_in_dim": _dynamic_update_index_in_dim,
    "lax.dynamic_update_slice": _dynamic_update_slice,
    "lax.dynamic_update_slice_in_dim": _dynamic_update_slice_in_dim,
}
"""Functions of the vocabulary that take an index -> the same with constant indices checked."""
