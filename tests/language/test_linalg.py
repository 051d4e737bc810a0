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


@pytest.mark.parametrize("n", [1, 3, 8])
def test_against_numpy(n):
    solve, inv, cholesky, lstsq = map(jax.jit, (linalg.solve, linalg.inv, linalg.cholesky, linalg.lstsq))
    for seed in range(5):
        a = matrix(n, seed) + 2 * np.eye(n, dtype=np.float32)
        b, many = matrix(1, seed + 50, n)[:, 0], matrix(2, seed + 99, n)
        tolerance = 1e-5 * np.linalg.cond(a)
        np.testing.assert_allclose(solve(a, b), np.linalg.solve(a, b), rtol=0, atol=tolerance)
        np.testing.assert_allclose(solve(a, many), np.linalg.solve(a, many), rtol=0, atol=tolerance)
        np.testing.assert_allclose(inv(a), np.linalg.inv(a), rtol=0, atol=tolerance)
        spd = a @ a.T + np.eye(n, dtype=np.float32)
        np.testing.assert_allclose(cholesky(spd), np.linalg.cholesky(spd), rtol=1e-4, atol=1e-4)
        tall = matrix(n, seed, n + 3)
        c = matrix(1, seed + 7, n + 3)[:, 0]
        expected = np.linalg.lstsq(tall, c, rcond=None)[0]
        np.testing.assert_allclose(lstsq(tall, c), expected, rtol=1e-3, atol=1e-4 * np.linalg.cond(tall))


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


@pytest.mark.parametrize("platform", ["cpu", "cuda"])
def test_no_custom_calls(platform):
    def everything(a, b):
        spd = a @ a.T + jnp.eye(8)
        return linalg.solve(a, b), linalg.inv(a), linalg.cholesky(spd), linalg.lstsq(a, b)

    exported = jax.export.export(jax.jit(everything), platforms=[platform])(jnp.zeros((8, 8)), jnp.zeros(8))
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
