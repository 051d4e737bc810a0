"""Small dense linear algebra in pure `lax`, where `jnp.linalg` would call LAPACK (n <= 8).

Every function is a fixed number of array operations inside `lax.fori_loop`, differentiable both ways and free of
custom calls on every device.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

MAX_N = 8


def _square(a: ArrayLike, name: str) -> Array:
    a = jnp.asarray(a)
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not 1 <= a.shape[0] <= MAX_N:
        raise TypeError(f"tl.linalg.{name} takes a square matrix with n <= {MAX_N}, not shape {a.shape}")
    return a if jnp.issubdtype(a.dtype, jnp.floating) else a.astype(jnp.result_type(float))


def solve(a: ArrayLike, b: ArrayLike) -> Array:
    """X with a @ x = b, by Gauss-Jordan elimination with partial pivoting (Golub and Van Loan, 3.4).

    Args:
        a: (n, n), n <= 8.
        b: (n,) or (n, k).

    Returns:
        x with the shape of `b`. A singular matrix gives entries that are not finite.
    """
    a = _square(a, "solve")
    b = jnp.asarray(b, a.dtype)
    if b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise TypeError(f"tl.linalg.solve takes b of shape ({a.shape[0]},) or ({a.shape[0]}, k), not {b.shape}")
    n = a.shape[0]
    rows = jnp.arange(n)

    def eliminate(k: Array, m: Array) -> Array:
        column = m[:, k]
        pivot = jnp.argmax(jnp.where(rows >= k, jnp.abs(column), -1.0))
        order = jnp.where(rows == k, pivot, jnp.where(rows == pivot, k, rows))
        m = m[order]
        row = m[k] / m[k, k]
        return jnp.where((rows == k)[:, None], row, m - m[:, k][:, None] * row)

    augmented = jnp.concatenate([a, b.reshape(n, -1)], axis=1)
    return lax.fori_loop(0, n, eliminate, augmented)[:, n:].reshape(b.shape)


def inv(a: ArrayLike) -> Array:
    """The inverse of a square matrix, n <= 8; see `solve`."""
    a = _square(a, "inv")
    return solve(a, jnp.eye(a.shape[0], dtype=a.dtype))


def cholesky(a: ArrayLike) -> Array:
    """Lower triangular l with l @ l.T = a, for symmetric positive definite a, n <= 8 (Golub and Van Loan, 4.2).

    Only the lower triangle of `a` is read. A matrix that is not positive definite gives NaN.
    """
    a = _square(a, "cholesky")
    rows = jnp.arange(a.shape[0])

    def column(k: Array, low: Array) -> Array:
        residual = a[:, k] - low @ low[k]
        value = jnp.where(rows >= k, residual / jnp.sqrt(residual[k]), 0.0)
        return low.at[:, k].set(value)

    return lax.fori_loop(0, a.shape[0], column, jnp.zeros_like(a))


def lstsq(a: ArrayLike, b: ArrayLike) -> Array:
    """X that minimises |a @ x - b|, by modified Gram-Schmidt (Golub and Van Loan, 5.2.8 and 5.3.5).

    Args:
        a: (m, n) with m >= n, n <= 8, of full column rank.
        b: (m,) or (m, k).

    Returns:
        x of shape (n,) or (n, k). A rank-deficient matrix gives entries that are not finite.
    """
    a = jnp.asarray(a)
    a = a if jnp.issubdtype(a.dtype, jnp.floating) else a.astype(jnp.result_type(float))
    if a.ndim != 2 or not 1 <= a.shape[1] <= MAX_N or a.shape[0] < a.shape[1]:
        raise TypeError(f"tl.linalg.lstsq takes (m, n) with m >= n and n <= {MAX_N}, not shape {a.shape}")
    b = jnp.asarray(b, a.dtype)
    if b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise TypeError(f"tl.linalg.lstsq takes b of shape ({a.shape[0]},) or ({a.shape[0]}, k), not {b.shape}")
    n = a.shape[1]
    columns = jnp.arange(n)

    def orthogonalise(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        work, r = carry
        norm = jnp.sqrt(work[:, k] @ work[:, k])
        q = work[:, k] / norm
        projections = q @ work
        later = jnp.arange(work.shape[1]) > k
        reduced = jnp.where(later, work - jnp.outer(q, projections), work)
        line = jnp.where(later, projections, 0.0).at[k].set(norm)
        return reduced.at[:, k].set(q), r.at[k].set(line)

    work = jnp.concatenate([a, b.reshape(a.shape[0], -1)], axis=1)
    _, r = lax.fori_loop(0, n, orthogonalise, (work, jnp.zeros((n, work.shape[1]), a.dtype)))
    square, right = r[:, :n], r[:, n:]

    def substitute(i: Array, x: Array) -> Array:
        k = n - 1 - i
        known = jnp.where(columns > k, square[k], 0.0) @ x
        return x.at[k].set((right[k] - known) / square[k, k])

    x = lax.fori_loop(0, n, substitute, jnp.zeros_like(right))
    return x.reshape((n, *b.shape[1:]))
