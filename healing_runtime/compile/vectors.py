"""Pytrees as a few flat vectors, one for floats and one for integers; and as one, from tick to tick.

Every array that crosses the host boundary costs about a microsecond a tick each way, so a program's parameters are one
vector, and so is its whole memory: `joined`, donated, of integers, which nothing rounds or flushes to zero. Booleans
and unsigned integers travel in the integer vector.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One array of a pytree: its path (`integral_m_s`, `gains.kp`), shape and dtype name."""

    path: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def floating(self) -> bool:
        """True where the leaf travels in the float vector."""
        return self.dtype.startswith(("float", "bfloat"))


class Vectors(NamedTuple):
    """A pytree laid flat: floats in the tick's dtype, everything else as int32."""

    floats: Any
    ints: Any

    def joined(self) -> np.ndarray:
        """A new array of int32 with both in it, bit for bit, floats first; leading axes stay. See `parted`."""
        floats = np.ascontiguousarray(self.floats)
        return np.concatenate([floats.view(np.int32), self.ints], axis=-1)


def parted(memory: Any, like: Vectors) -> Vectors:
    """The inverse of `joined`, a view where that is possible; `like` has the sizes and the dtype."""
    dtype, memory = like.floats.dtype, np.asarray(memory)
    words = like.floats.shape[-1] * dtype.itemsize // 4
    return Vectors(np.ascontiguousarray(memory[..., :words]).view(dtype), memory[..., words:])


def join(vectors: Vectors) -> jax.Array:
    """`joined`, inside a traced function over one flight."""
    words = jax.lax.bitcast_convert_type(vectors.floats, jnp.int32)
    return jnp.concatenate([jnp.ravel(words), vectors.ints])


def part(memory: Any, floats: int, dtype: Any) -> Vectors:
    """`parted`, inside a traced function over one flight, for so many floats."""
    width = jnp.dtype(dtype).itemsize // 4
    words = memory[: floats * width]
    shaped = words.reshape(floats, width) if width > 1 else words
    return Vectors(jax.lax.bitcast_convert_type(shaped, dtype), memory[floats * width :])


jax_export.register_namedtuple_serialization(Vectors, serialized_name="healing_runtime.Vectors")


@dataclasses.dataclass(frozen=True)
class Packing:
    """How a pytree of fixed structure lies in `Vectors`."""

    leaves: tuple[Leaf, ...]
    treedef: Any

    @property
    def sizes(self) -> tuple[int, int]:
        """Lengths of the float and of the integer vector."""
        floats = sum(leaf.size for leaf in self.leaves if leaf.floating)
        return floats, sum(leaf.size for leaf in self.leaves) - floats

    def pack(self, tree: Any, dtype: Any) -> Vectors:
        """Pytree -> vectors, inside a traced function."""
        floats, ints = [], []
        for leaf, value in zip(self.leaves, jax.tree.leaves(tree), strict=True):
            flat = jnp.ravel(value)
            if leaf.floating:
                floats.append(flat.astype(dtype))
            elif leaf.dtype == "uint32":
                ints.append(jax.lax.bitcast_convert_type(flat, jnp.int32))
            else:
                ints.append(flat.astype(jnp.int32))
        return Vectors(_join(floats, dtype), _join(ints, jnp.int32))

    def unpack(self, vectors: Vectors) -> Any:
        """Vectors -> pytree, inside a traced function."""
        at_float = at_int = 0
        values = []
        for leaf in self.leaves:
            if leaf.floating:
                flat = vectors.floats[at_float : at_float + leaf.size].astype(leaf.dtype)
                at_float += leaf.size
            else:
                flat = vectors.ints[at_int : at_int + leaf.size]
                at_int += leaf.size
                if leaf.dtype == "uint32":
                    flat = jax.lax.bitcast_convert_type(flat, jnp.uint32)
                else:
                    flat = flat.astype(leaf.dtype)
            values.append(flat.reshape(leaf.shape))
        return jax.tree.unflatten(self.treedef, values)

    def pack_values(self, tree: Any, dtype: Any) -> Vectors:
        """Concrete pytree -> NumPy vectors, without tracing anything."""
        floats, ints = [], []
        for leaf, value in zip(self.leaves, jax.tree.leaves(tree), strict=True):
            flat = np.ravel(np.asarray(value))
            if leaf.floating:
                floats.append(flat.astype(dtype))
            else:
                ints.append(flat.view(np.int32) if leaf.dtype == "uint32" else flat.astype(np.int32))
        empty_float, empty_int = np.zeros(0, dtype), np.zeros(0, np.int32)
        return Vectors(np.concatenate([empty_float, *floats]), np.concatenate([empty_int, *ints]))


def packing_of(tree: Any) -> Packing:
    """The packing of a pytree of arrays (or of anything with shape and dtype)."""
    paths, treedef = jax.tree.flatten_with_path(tree)
    leaves = tuple(
        Leaf(jax.tree_util.keystr(path, simple=True, separator="."), tuple(np.shape(value)), _dtype_name(value))
        for path, value in paths
    )
    return Packing(leaves, treedef)


def _dtype_name(value: Any) -> str:
    return str(value.dtype) if hasattr(value, "dtype") else str(np.asarray(value).dtype)


def _join(parts: Sequence[Any], dtype: Any) -> Any:
    return jnp.concatenate(parts) if parts else jnp.zeros(0, dtype)
