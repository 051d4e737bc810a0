"""Functions that ask for a truth: a number is none. NaN would count as true, and so would every number but zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from healing_runtime.language.execution.runtime import kind
from healing_runtime.language.messages.mistake import Mistake


def checked(value: Any, what: str) -> Any:
    """A Boolean, unchanged; what has no dtype of its own is left to JAX. `Mistake` for a number."""
    dtype = getattr(value, "dtype", np.dtype(type(value)) if isinstance(value, bool | int | float) else None)
    if dtype is not None and dtype != np.bool_:
        zero = "0" if np.issubdtype(dtype, np.integer) else "0.0"
        raise Mistake(f"{what} is {kind(value)}, not a comparison; write for example x > {zero}")
    return value


def _where(condition: Any, *branches: Any, **keywords: Any) -> Any:
    return jnp.where(checked(condition, "the condition of jnp.where"), *branches, **keywords)


def _logical(name: str) -> Callable[..., Any]:
    function = getattr(jnp, name)

    def call(*values: Any) -> Any:
        return function(*(checked(value, f"what jnp.{name} combines") for value in values))

    return call


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "jnp.where": _where,
    **{f"jnp.{name}": _logical(name) for name in ("logical_and", "logical_not", "logical_or", "logical_xor")},
}
"""Functions of the vocabulary that take a truth -> the same with numbers refused."""
