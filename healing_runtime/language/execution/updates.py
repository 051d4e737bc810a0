"""`x.at[i].set(v)` and the like: what is written keeps its value. JAX cuts a float off to fit an integer array."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from healing_runtime.language.messages.mistake import Mistake


class Updates:
    """What `x.at[i]` gives: `set`, `add`, `min` and `max`, with the dtype of what is written checked first."""

    __slots__ = ("_ref",)

    def __init__(self, ref: Any) -> None:
        object.__setattr__(self, "_ref", ref)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("an index of an array cannot be changed")

    def set(self, value: Any) -> Any:
        """The array with these elements replaced."""
        return self._ref.set(fitting(value, self._ref.array))

    def add(self, value: Any) -> Any:
        """The array with something added to these elements."""
        return self._ref.add(fitting(value, self._ref.array))

    def min(self, value: Any) -> Any:
        """The array with these elements lowered to a value at most."""
        return self._ref.min(fitting(value, self._ref.array))

    def max(self, value: Any) -> Any:
        """The array with these elements raised to a value at least."""
        return self._ref.max(fitting(value, self._ref.array))


def fitting(value: Any, array: Any) -> Any:
    """A value that an array can hold, unchanged. `Mistake` for a float where the array holds none."""
    if jnp.issubdtype(array.dtype, jnp.floating) or not _is_float(value):
        return value
    holds = "Booleans" if array.dtype == np.bool_ else "integers"
    raise Mistake(
        f"this array holds {holds}, and JAX would cut a float off in silence; make it of floats, as in jnp.zeros(4), or"
        " write jnp.astype(v, jnp.int32)"
    )


def _is_float(value: Any) -> bool:
    dtype = getattr(value, "dtype", None)
    return isinstance(value, float) if dtype is None else bool(jnp.issubdtype(dtype, jnp.floating))


def full_like(a: Any, fill_value: Any, dtype: Any = None, shape: Any = None) -> Any:
    """`jnp.full_like` whose fill keeps its value."""
    if dtype is None and hasattr(a, "dtype"):
        fill_value = fitting(fill_value, a)
    return jnp.full_like(a, fill_value, dtype, shape)
