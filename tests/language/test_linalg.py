"""Small linear algebra against NumPy, free of custom calls, differentiable."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime.language import linalg


def matrix(n, seed, m=None):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m or n, n)).astype(np.float32)


DTYPES = (np.float32, np.float64)


def orthogonal(rng, n, count):
    return np.linalg.qr(rng.normal(size=(count, n, n)))[0]


def conditioned(rng, n, condition, count, dtype):
    """Random matrices of a condition number, and symmetric positive definite ones."""
    stretch = np.logspace(0, -np.log10(condition), n) if n > 1 else np.ones(1)
    u, v = orthogonal(rng, n, count), orthogonal(rng, n, count)
    spd = (u * stretch) @ u.swapaxes(1, 2)
    return ((u * stretch) @ v).astype(dtype), ((spd + spd.swapaxes(1, 2)) / 2).astype(dtype)


def off(got, wanted):
    axes = tuple(range(1, wanted.ndim))
    return np.sqrt(((got - wanted) ** 2).sum(axes) / (wanted**2).sum(axes)).max()


def compiled(function):
    return jax.jit(jax.vmap(function))


def everything(a, b, right, spd):
    """In one compilation."""
    return linalg.solve(a, b), linalg.solve(a, right), linalg.inv(a), linalg.cholesky(spd), linalg.lstsq(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 8, *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 8))])
def test_against_numpy_at_every_condition(n, dtype):
    """Errors grow with the condition number, as NumPy's own do, and no faster; in batches."""
    rng, unit = np.random.default_rng(n), np.finfo(dtype).eps
    with jax.enable_x64(dtype == np.float64):
        square, tall_lstsq = compiled(everything), compiled(linalg.lstsq)
        for condition in (1.0, 1e2, 1e5) if dtype == np.float32 else (1.0, 1e5, 1e12):
            a, spd = conditioned(rng, n, condition, 40, dtype)
            x, many = rng.normal(size=(40, n)).astype(dtype), rng.normal(size=(40, n, 2)).astype(dtype)
            exact = a.astype(np.longdouble)
            b, right = (exact @ x[..., None])[..., 0].astype(dtype), (exact @ many).astype(dtype)
            tolerance = 4 * n * unit * (condition if n > 1 else 1.0)
            one, both, inverse, low, fitted = map(np.asarray, square(a, b, right, spd))
            assert off(one, x) < tolerance
            assert off(both, many) < tolerance
            wanted = np.linalg.inv(a.astype(np.float64))
            assert off(inverse, wanted) < tolerance + 2 * np.finfo(np.float64).eps * condition
            np.testing.assert_allclose(low @ low.swapaxes(1, 2), spd, rtol=0, atol=8 * unit)
            assert (np.triu(low, 1) == 0).all() and low.dtype == dtype
            assert off(fitted, x) < tolerance
            if condition < 1e3:
                tall = np.concatenate([a, a[:, :1] * 0.5, a[:, -1:] * 2.0], axis=1)
                c = (tall @ x[..., None])[..., 0] + 0.1 * rng.normal(size=(40, n + 2)).astype(dtype)
                fitted = (np.linalg.pinv(tall.astype(np.float64)) @ c[..., None])[..., 0]
                assert off(np.asarray(tall_lstsq(tall, c)), fitted) < 8 * tolerance


@pytest.mark.parametrize("dtype", DTYPES)
def test_scales_of_rows_and_columns_do_not_matter(dtype):
    rng = np.random.default_rng(5)
    with jax.enable_x64(dtype == np.float64):
        for n in (2, 5, 8):
            m = np.eye(n) + 0.1 * rng.normal(size=(n, n))
            rows, columns = 10.0 ** rng.uniform(-6, 6, (n, 1)), 10.0 ** rng.uniform(-6, 6, (1, n))
            x = rng.normal(size=n)
            solve = jax.jit(linalg.solve)
            for scaled, wanted in ((rows * m, x), (m * columns, x / columns[0])):
                a, b = scaled.astype(dtype), (scaled @ wanted).astype(dtype)
                got = np.asarray(solve(a, b)) * (columns[0] if wanted is not x else 1.0)
                np.testing.assert_allclose(got, x, rtol=0, atol=200 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [2, 4, 8])
def test_singular_matrices_give_nan_and_hardly_one_escapes(n, dtype):
    rng = np.random.default_rng(n)
    with jax.enable_x64(dtype == np.float64):
        stretch = np.r_[np.ones(n - 1), 0.0]
        u, v = orthogonal(rng, n, 200), orthogonal(rng, n, 200)
        rank = ((u * stretch) @ v).astype(dtype)
        sums = rng.integers(-5, 6, size=(200, n, n)).astype(dtype)
        sums[:, -1] = sums[:, :-1].sum(axis=1)
        spd = ((u * stretch) @ u.swapaxes(1, 2)).astype(dtype)
        b = rng.normal(size=(200, n)).astype(dtype)
        solve = compiled(linalg.solve)
        for got in (solve(rank, b), solve(sums, b), compiled(linalg.lstsq)(rank, b)):
            assert np.isfinite(np.asarray(got)).all(axis=1).mean() <= 0.05
        assert np.isfinite(np.asarray(compiled(linalg.cholesky)(spd))).all(axis=(1, 2)).mean() <= 0.1


@pytest.mark.parametrize("a", [np.zeros((3, 3)), np.ones((3, 3)), [[0.1, 0.2], [0.3, 0.6]], [[1, 2], [2, 4]], [[0.0]]])
def test_plainly_singular_is_never_finite(a):
    a = np.array(a, np.float32)

    @jax.jit
    def results(a, spd):
        b = jnp.ones(len(a))
        twice = jnp.concatenate([a, a])
        return (
            linalg.solve(a, b),
            linalg.inv(a),
            linalg.lstsq(a, b),
            linalg.lstsq(twice, jnp.ones(len(twice))),
            (linalg.cholesky(spd)),
        )

    for got in results(a, a @ a.T):
        assert not np.isfinite(got).all()


def test_nan_comes_through():
    assert np.isnan(linalg.solve(jnp.array([[1.0, jnp.nan], [0.0, 1.0]]), jnp.ones(2))).any()
    assert np.isnan(linalg.cholesky(jnp.array([[jnp.nan]]))).all()


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("name", ["solve", "inv", "cholesky", "lstsq"])
def test_differentiable_both_ways(name, n):
    """Against finite differences in float64; forward, backward and in batches agree."""
    with jax.enable_x64(True):
        rng = np.random.default_rng(n)
        a, spd = (m[0] for m in conditioned(rng, n, 5.0, 1, np.float64))
        b = rng.normal(size=n)
        functions = {
            "solve": lambda m: linalg.solve(m, b),
            "inv": linalg.inv,
            "cholesky": linalg.cholesky,
            "lstsq": lambda m: linalg.lstsq(jnp.concatenate([m, m[:1]]), np.r_[b, 1.0]),
        }
        at, weights = (spd if name == "cholesky" else a), rng.normal(size=(n, n))
        direction = weights + weights.T

        def total(t):
            out = functions[name](at + t * direction)
            return jnp.sum(out * jnp.arange(1.0, out.size + 1).reshape(out.shape))

        @jax.jit
        @jax.vmap
        def both(t):
            return total(t), jax.jvp(total, (t,), (1.0,))[1]

        (_, above, below), (forward, *_) = both(jnp.array([0.0, 1e-6, -1e-6]))
        slope = (above - below) / 2e-6
        assert float(forward) == pytest.approx(float(slope), rel=1e-5, abs=1e-6)
        backward = jax.jit(jax.vmap(jax.grad(total)))(jnp.zeros(3))
        np.testing.assert_allclose(backward, forward, rtol=1e-9)


def test_pivoting():
    a = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    assert linalg.solve(a, jnp.array([2.0, 3.0])).tolist() == [3.0, 2.0]


def test_singular_and_indefinite_are_not_finite():
    assert not np.isfinite(linalg.solve(jnp.zeros((2, 2)), jnp.ones(2))).all()
    assert np.isnan(linalg.cholesky(-jnp.eye(2))).any()


def test_gradient_of_solve():
    a, b = jnp.asarray(matrix(3, 1)) + 3 * jnp.eye(3), jnp.arange(3.0)

    found = jax.jit(jax.grad(lambda a: jnp.sum(linalg.solve(a, b) ** 2)))(a)
    x = np.linalg.solve(a, b)
    # d(x.x) with a x = b: -2 a^-T x x^T
    np.testing.assert_allclose(found, -2 * np.outer(np.linalg.solve(a.T, x), x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_custom_calls(dtype):
    def everything(a, b):
        spd = a @ a.T + jnp.eye(8)
        return linalg.solve(a, b), linalg.inv(a), linalg.cholesky(spd), linalg.lstsq(a, b)

    with jax.enable_x64(dtype == np.float64):
        for function in (everything, lambda a, b: jax.jacrev(everything)(a, b)):
            args = np.eye(8, dtype=dtype), np.ones(8, dtype)
            exported = jax.export.export(jax.jit(function), platforms=["cpu", "cuda", "tpu"])(*args)
            assert "stablehlo.custom_call" not in exported.mlir_module()


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (linalg.solve, (np.zeros((9, 9)), np.zeros(9))),
        (linalg.solve, (np.zeros((2, 3)), np.zeros(2))),
        (linalg.solve, (np.eye(2), np.zeros(3))),
        (linalg.inv, (np.zeros(3),)),
        (linalg.lstsq, (np.zeros((2, 3)), np.zeros(2))),
        (linalg.lstsq, (np.zeros((3, 2)), np.zeros(2))),
    ],
)
def test_shapes_are_told(function, args):
    with pytest.raises(TypeError, match="takes"):
        function(*args)
