"""One float for robustness and truth together.

Robustness alone cannot say whether `x < 3` holds at x = 3; a Boolean track beside it can, at twice the
memory and twice the operations. Here zero is split in two instead: "zero and true" is written `+tiny`, "zero and false"
`-tiny`, with `tiny` the smallest normal number of the dtype. Then truth is the sign, `and` is min, `or` is max, `not`
is minus, and every temporal operator is exact on plain floats. `rho` turns a key back into robustness. Keys never
leave this package.
"""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from healing_runtime.core import margins


class Span(NamedTuple):
    """Keys of a formula's lower and upper bound: equal where all samples that matter have been seen.

    Scalars for a formula that is decided in its own tick, else arrays over pending starts (see `operator.Machine`) or,
    offline, over the samples of a trace.
    """

    lo: Array
    hi: Array

    @classmethod
    def exact(cls, key: Array) -> Span:
        """A value that is known."""
        return cls(key, key)

    def __neg__(self) -> Span:
        return Span(-self.hi, -self.lo)


def key(margin: margins.Margin, xp: ModuleType = jnp) -> Array:
    """Margin with its Boolean track -> key. NaN stays NaN."""
    tiny = xp.finfo(margin.rho.dtype).tiny
    at_zero = xp.where(margin.ok, tiny, -tiny).astype(margin.rho.dtype)
    return xp.where(margin.rho == 0, at_zero, margin.rho)


def flag_key(value: Array, xp: ModuleType = jnp) -> Array:
    """Boolean signal -> plus or minus infinity; NaN stays NaN."""
    infinity = xp.asarray(xp.inf, value.dtype)
    return xp.where(xp.isnan(value), value, xp.where(value > 0.5, infinity, -infinity))


def rho(key: Array) -> Array:
    """Key -> robustness: both zeros are 0 again."""
    return jnp.where(jnp.abs(key) == jnp.finfo(key.dtype).tiny, jnp.zeros_like(key), key)


def decided(lo: Array, between: Array, hi: Array) -> Array:
    """Key of a verdict: once its truth is decided, the bound that no continuation can undo."""
    return jnp.where(hi < 0, hi, jnp.where(lo > 0, lo, between))
