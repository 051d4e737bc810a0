"""Robustness margins: a number and a Boolean, combined by one algebra for `assert` and for formulas.

`rho > 0` is satisfied, `rho < 0` is violated, and at zero the Boolean track decides (`<` and `<=` have the same
rho and different truth). NaN in `rho` survives every operation and means *invalid*. Arrays keep their shape; an
assertion takes the worst element with `worst`. Source: Fainekos and Pappas 2009 (robust satisfaction), with the
Boolean track of assertions.md.
"""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike


class Margin(NamedTuple):
    """Robustness in the unit of its signals, and the Boolean that decides where it is zero."""

    rho: Array
    ok: Array


def less(a: ArrayLike, b: ArrayLike, xp: ModuleType = jnp) -> Margin:
    """`a < b`, margin b - a; computed by `xp`, which may be NumPy."""
    return Margin(xp.subtract(b, a), xp.less(a, b))


def less_equal(a: ArrayLike, b: ArrayLike, xp: ModuleType = jnp) -> Margin:
    """`a <= b`, margin b - a; computed by `xp`, which may be NumPy."""
    return Margin(xp.subtract(b, a), xp.less_equal(a, b))


def equal_within(a: ArrayLike, b: ArrayLike, tolerance: ArrayLike) -> Margin:
    """`a == b` within a tolerance, margin tolerance - |a - b|."""
    rho = jnp.subtract(tolerance, jnp.abs(jnp.subtract(a, b)))
    return Margin(rho, rho >= 0)


def boolean(ok: ArrayLike, dtype: jnp.dtype | None = None) -> Margin:
    """A plain Boolean: plus or minus infinity."""
    ok = jnp.asarray(ok, bool)
    dtype = dtype or jnp.result_type(float)
    return Margin(jnp.where(ok, jnp.array(jnp.inf, dtype), jnp.array(-jnp.inf, dtype)), ok)


def both(a: Margin, b: Margin) -> Margin:
    """`a and b`: the smaller margin."""
    return Margin(jnp.minimum(a.rho, b.rho), jnp.logical_and(a.ok, b.ok))


def either(a: Margin, b: Margin) -> Margin:
    """`a or b`: the larger margin."""
    return Margin(jnp.maximum(a.rho, b.rho), jnp.logical_or(a.ok, b.ok))


def negation(a: Margin) -> Margin:
    """`not a`."""
    return Margin(-a.rho, jnp.logical_not(a.ok))


def implies(a: Margin, b: Margin) -> Margin:
    """`a implies b` = `not a or b`."""
    return either(negation(a), b)


def worst(a: Margin) -> Margin:
    """The worst element of an array margin, as scalars. Empty arrays are vacuously satisfied (+inf)."""
    return Margin(jnp.min(a.rho, initial=jnp.inf), jnp.all(a.ok))


def invalid(a: Margin) -> Array:
    """True where the margin is NaN: a violation, never a pass."""
    return jnp.isnan(a.rho)
