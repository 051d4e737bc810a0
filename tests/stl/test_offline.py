"""Offline evaluation: windows, vectors, NaN, batches and gradients; `test_oracles` holds the judges."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime import stl
from healing_runtime.core.status import Status

LENGTH = 12


def test_long_windows_against_a_sliding_minimum():
    rng = np.random.default_rng(4)
    x = rng.normal(size=3000).astype(np.float32)
    for width in (1, 3, 1000, 5000):
        rho = stl.robustness(stl.parse(f"historically[0 ticks, {width - 1} ticks] (x > 0)"), {"x": x}, 0.01)
        expected = [x[max(0, t - width + 1) : t + 1].min() for t in range(0, 3000, 97)]
        np.testing.assert_array_equal(np.asarray(rho)[::97], np.array(expected))


def test_vectors_components_and_functions():
    position = np.array([[0.0, 3.0, 4.0], [1.0, 2.0, 2.0]], np.float32)
    from healing_runtime.core.signals import Signal

    signals = {"position": Signal("position", "m", (3,), ("x", "y", "z")), "height": "m"}
    data = {"position": position, "height": np.array([1.0, 9.0], np.float32)}

    def rho(text):
        return np.asarray(stl.robustness(stl.parse(text, signals=signals), data, 0.1)).tolist()

    assert rho("norm(position) < 10 m") == [5.0, 7.0]
    assert rho("position.z > 1 m") == [3.0, 1.0]
    assert rho("position[1] > 1 m") == [2.0, 1.0]
    assert rho("max(position) < 5 m") == [1.0, 3.0]
    assert rho("max(height, position.z) < 5 m") == [1.0, -4.0]
    assert rho("abs(height - 2 m) < 2 m") == [1.0, -5.0]
    assert rho("not (height <= 1 m)") == [0.0, 8.0]
    assert rho("clamp(height, 2 m, 4 m) < 5 m") == [3.0, 1.0]
    assert rho("norm(2 * position) / 2 < 500 cm") == [0.0, 2.0]


def test_nan_is_invalid_and_never_a_pass():
    data = {"x": np.array([0.0, np.nan, 0.0], np.float32), "y": np.ones(3, np.float32)}
    verdict = stl.verdicts(stl.parse("always ((x < 1) or (y > 0))"), data, 1.0)
    assert np.asarray(verdict.status).tolist() == [Status.INVALID] * 2 + [Status.TRUE]
    assert np.isnan(np.asarray(verdict.rho)).tolist() == [True, True, False]


def test_nan_spoils_what_a_monitor_calls_invalid(brute):
    """At the first sample offline and online agree, wherever the NaN is."""
    formulas = brute.Formulas(seed=5)
    x, y = ("pred", "x", ">", 0.0), ("pred", "y", ">", 0.0)
    tuples = [x, ("always", (0, 1), x), ("always", None, ("implies", x, y)), ("eventually", (0, 2), ("or", x, y))]
    tuples += [("always", (1, 4), ("since", (0, 1), x, y)), *(formulas.online() for _ in range(8))]
    for f in tuples:
        formula = stl.parse(brute.text(f))
        monitor = stl.online(formula, 1.0)
        update = jax.jit(monitor.update)
        for _ in range(4):
            data = {name: np.array(values, np.float32) for name, values in formulas.trace(LENGTH).items()}
            data[formulas.random.choice("xy")][formulas.random.randrange(LENGTH // 2)] = np.nan
            state = monitor.init()
            for sample in zip(data["x"], data["y"], strict=True):
                state, _ = update(state, dict(zip("xy", sample, strict=True)))
            offline = stl.verdicts(formula, data, 1.0).status[0]
            assert int(offline) == int(monitor.ended(state).status), (brute.text(f), data)


def test_nan_reaches_as_far_as_the_windows():
    data = {"x": np.array([1, 1, np.nan, 1, 1], np.float32), "y": np.ones(5, np.float32)}
    reached = {
        "x > 0": [2],
        "always[0 ticks, 1 ticks] (x > 0)": [1, 2],
        "once[0 ticks, 1 ticks] (x > 0)": [2, 3],
        "(x > 0) since[0 ticks, 1 ticks] (y > 0)": [2, 3],
        "always (x > 0 implies y > 0)": [0, 1, 2],
        "prev(x > 0)": [2, 3],
    }
    for text, expected in reached.items():
        verdict = stl.verdicts(stl.parse(text), data, 1.0, end="truncate")
        assert np.flatnonzero(np.asarray(verdict.status) == Status.INVALID).tolist() == expected, text
        rho = stl.robustness(stl.parse(text), data, 1.0)
        assert np.flatnonzero(np.isnan(np.asarray(rho))).tolist() == expected, text


def test_vmap_over_runs_and_gradient():
    formula = stl.parse("always (x < 3)")
    runs = jnp.array([[1.0, 2.0], [4.0, 0.0]])
    batch = jax.vmap(lambda x: stl.robustness(formula, {"x": x}, 1.0)[0])(runs)
    np.testing.assert_array_equal(batch, [1.0, -1.0])
    slope = jax.grad(lambda x: stl.robustness(formula, {"x": x}, 1.0)[0])(runs[1])
    np.testing.assert_array_equal(slope, [-1.0, 0.0])


def test_equality_has_a_tolerance():
    formula = stl.parse("x == 2", tolerance="0.5")
    data = {"x": np.array([2.0, 2.25, 2.5, 3.5], np.float32)}
    verdict = stl.verdicts(formula, data, 1.0)
    assert np.asarray(verdict.rho).tolist() == [0.5, 0.25, 0.0, -1.0]
    assert np.asarray(verdict.status).tolist() == [Status.TRUE, Status.TRUE, Status.TRUE, Status.FALSE]
