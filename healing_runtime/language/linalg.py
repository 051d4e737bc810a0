"""Small dense linear algebra in pure `lax`, where `jnp.linalg` would call LAPACK (n <= 8).

Every function is a fixed number of array operations inside `lax.fori_loop`, differentiable both ways and free of
custom calls on every device. Where rounding alone could have made the answer, the answer is NaN: a matrix with a pivot
below `8 n` units of rounding of its row and column counts as singular. In float32 that never happens up to a condition
number of 1e5. It is no proof: of random singular matrices about one in fifty escapes (one in fifteen in `cholesky`),
and what comes back then is as large and as wrong as NumPy's.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from healing_runtime.language.messages.mistake import Mistake

MAX_N = 8


def _told_apart(pivot: Array, scale: Array, n: int) -> Array:
    """The pivot, or NaN where it may be nothing but rounding errors of numbers as large as `scale`."""
    bound = 8 * n * jnp.finfo(pivot.dtype).eps * lax.stop_gradient(scale)
    return jnp.where(jnp.abs(pivot) > bound, pivot, jnp.nan)


def _square(a: ArrayLike, name: str) -> Array:
    a = jnp.asarray(a)
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not 1 <= a.shape[0] <= MAX_N:
        raise Mistake(
            f"tl.linalg.{name} takes a square matrix, n <= {MAX_N}, and is given shape {a.shape}; write shape (n, n)"
        )
    return a if jnp.issubdtype(a.dtype, jnp.floating) else a.astype(jnp.result_type(float))


def _other_right_side(name: str, a: Array, b: Array) -> Mistake:
    rows = a.shape[0]
    return Mistake(
        f"tl.linalg.{name} takes b of shape ({rows},) or ({rows}, k) for this matrix, and is given {b.shape}; write one"
        " row of b for each row of the matrix"
    )


def solve(a: ArrayLike, b: ArrayLike) -> Array:
    """X with a @ x = b, by Gauss-Jordan elimination with partial pivoting (Golub and Van Loan, 3.4).

    Args:
        a: (n, n), n <= 8.
        b: (n,) or (n, k).

    Returns:
        x with the shape of `b`. A matrix that is singular, or that rounding cannot tell from one, gives NaN.
    """
    a = _square(a, "solve")
    b = jnp.asarray(b, a.dtype)
    if b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise _other_right_side("solve", a, b)
    n = a.shape[0]
    rows = jnp.arange(n)
    largest = lax.stop_gradient(jnp.max(jnp.abs(a), axis=1, keepdims=True))
    largest = jnp.where(largest > 0.0, largest, 1.0)
    columns = jnp.max(jnp.abs(a / largest), axis=0)

    def eliminate(k: Array, m: Array) -> Array:
        column = m[:, k]
        pivot = jnp.argmax(jnp.where(rows >= k, jnp.abs(column), -1.0))
        order = jnp.where(rows == k, pivot, jnp.where(rows == pivot, k, rows))
        m = m[order]
        row = m[k] / _told_apart(m[k, k], columns[k], n)
        return jnp.where((rows == k)[:, None], row, m - m[:, k][:, None] * row)

    augmented = jnp.concatenate([a, b.reshape(n, -1)], axis=1) / largest  # every equation counts alike
    return lax.fori_loop(0, n, eliminate, augmented)[:, n:].reshape(b.shape)


def inv(a: ArrayLike) -> Array:
    """The inverse of a square matrix, n <= 8; see `solve`."""
    a = _square(a, "inv")
    return solve(a, jnp.eye(a.shape[0], dtype=a.dtype))


def cholesky(a: ArrayLike) -> Array:
    """Lower triangular l with l @ l.T = a, for symmetric positive definite a, n <= 8 (Golub and Van Loan, 4.2).

    Only the lower triangle of `a` is read. A matrix that is not positive definite, as far as rounding can tell, gives
    NaN.
    """
    a = _square(a, "cholesky")
    rows = jnp.arange(a.shape[0])

    def column(k: Array, low: Array) -> Array:
        residual = a[:, k] - low @ low[k]
        pivot = _told_apart(residual[k], jnp.abs(a[k, k]), a.shape[0])
        value = jnp.where(rows >= k, residual / jnp.sqrt(pivot), 0.0)
        return low.at[:, k].set(value)

    return lax.fori_loop(0, a.shape[0], column, jnp.zeros_like(a))


def lstsq(a: ArrayLike, b: ArrayLike) -> Array:
    """X that minimises |a @ x - b|, by modified Gram-Schmidt (Golub and Van Loan, 5.2.8 and 5.3.5).

    Args:
        a: (m, n) with m >= n, n <= 8, of full column rank.
        b: (m,) or (m, k).

    Returns:
        x of shape (n,) or (n, k). A matrix of lesser rank, as far as rounding can tell, gives NaN.
    """
    a = jnp.asarray(a)
    a = a if jnp.issubdtype(a.dtype, jnp.floating) else a.astype(jnp.result_type(float))
    if a.ndim != 2 or not 1 <= a.shape[1] <= MAX_N or a.shape[0] < a.shape[1]:
        raise Mistake(
            f"tl.linalg.lstsq takes shape (m, n), m >= n and n <= {MAX_N}, and is given {a.shape}; write at least as"
            " many equations as unknowns"
        )
    b = jnp.asarray(b, a.dtype)
    if b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise _other_right_side("lstsq", a, b)
    n = a.shape[1]
    columns = jnp.arange(n)
    lengths = jnp.sqrt(jnp.sum(a * a, axis=0))

    def orthogonalise(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        work, r = carry
        norm = _told_apart(jnp.sqrt(work[:, k] @ work[:, k]), lengths[k], a.shape[0])
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
