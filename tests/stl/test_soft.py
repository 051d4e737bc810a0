"""The soft option: near the exact value, and a gradient that can be followed."""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime import stl
from healing_runtime.stl.formula import Apply, children
from healing_runtime.stl.lattice import smooth
from healing_runtime.stl.ticks import looks_ahead

LENGTH = 7
EVERY_OPERATOR = (
    "always (x < 3)",
    "always[1 ticks, 3 ticks] (x < 3)",
    "eventually (x > 3)",
    "eventually[0 ticks, 2 ticks] (y > 3)",
    "(x < 4) until (y > 2)",
    "(x < 4) until[0 ticks, 3 ticks] (y > 2)",
    "(x < 4) until[2 ticks, 4 ticks] (y > 2)",
    "historically (x < 3)",
    "historically[1 ticks, 2 ticks] (x < 3)",
    "once (y > 3)",
    "once[3 ticks, 4 ticks] (y > 3)",
    "(x < 4) since (y > 2)",
    "(x < 4) since[0 ticks, 3 ticks] (y > 2)",
    "(x < 4) since[2 ticks, 4 ticks] (y > 2)",
    "prev (x < 3)",
    "rise (x < 3)",
    "fall (x < 3)",
    "held_for[2 ticks] (x < 3)",
    "(x < 3) and (y < 3)",
    "(x < 3) or (y < 3)",
    "(x < 3) implies (y < 3)",
    "(x < 3) iff (y < 3)",
    "(x < 3) xor (y < 3)",
    "not (x < 3)",
    "always (p implies ((x < 3) until[1 ticks, 2 ticks] (once[0 ticks, 20 ticks] (y > 3))))",
    "(once (p and (x < 2))) or (abs(y) < x)",
)


def depth(formula):
    below = max(map(depth, children(formula)), default=0)
    return below + isinstance(formula, Apply)


def data(seed, rows=None):
    rng = np.random.default_rng(seed)
    shape = (LENGTH,) if rows is None else (rows, LENGTH)
    made = {name: rng.integers(-2, 6, shape) + rng.choice([0.0, 0.5], shape) for name in "xy"}
    return {name: jnp.asarray(values, jnp.float32) for name, values in made.items()} | {
        "p": jnp.asarray(rng.integers(0, 2, shape), jnp.float32)
    }


def test_every_operator_is_here():
    used = {part.operator for text in EVERY_OPERATOR for part in _parts(stl.parse(text)) if isinstance(part, Apply)}
    assert used == set(stl.OPERATORS)


def _parts(formula):
    return [formula, *itertools.chain.from_iterable(map(_parts, children(formula)))]


TEMPERATURES = (1.0, 0.1, 1e-3, 1e-30)


@pytest.mark.parametrize("text", EVERY_OPERATOR)
def test_within_the_stated_bound_and_converging(text):
    formula, signals = stl.parse(text), data(0, rows=6)
    bound = depth(formula) * math.log(4 * LENGTH)

    def values(end):
        def rho(data, soft=None):
            return stl.robustness(formula, data, 1.0, end=end, soft=soft)

        soft = jax.vmap(lambda t: jax.vmap(lambda s: rho(s, t))(signals))(jnp.array(TEMPERATURES, jnp.float32))
        return jax.vmap(rho)(signals), soft

    ends = ("truncate", "running") if looks_ahead(formula) else ("truncate",)  # what looks back knows no end
    for exact, soft in jax.tree.map(np.asarray, jax.jit(lambda: [values(end) for end in ends])()):
        finite = np.isfinite(exact)
        for temperature, smooth_ in zip(TEMPERATURES, soft, strict=True):
            np.testing.assert_array_equal(smooth_[~finite], exact[~finite])
            away = np.max(np.abs(smooth_[finite] - exact[finite]), initial=0)
            assert away <= temperature * bound + 1e-5
        assert away <= 1e-29


@pytest.mark.parametrize(
    "text", [pytest.param(t, marks=[] if i % 3 == 0 else pytest.mark.slow) for i, t in enumerate(EVERY_OPERATOR)]
)
def test_gradients_are_finite_and_true(text):
    """Against central differences, in double precision, with flags, ties and empty windows among the values."""
    formula = stl.parse(text)
    with jax.enable_x64(True):
        signals = {name: values.astype(jnp.float64) for name, values in data(1).items()}
        weights = jnp.asarray(np.random.default_rng(2).normal(size=LENGTH))

        def total(x):
            rho = stl.robustness(formula, signals | {"x": x}, 1.0, soft=0.7)
            return jnp.sum(jnp.where(jnp.isfinite(rho), rho * weights, 0.0))

        @jax.jit
        def both(x):
            steps = 1e-5 * jnp.eye(LENGTH)
            near = jax.vmap(total)(jnp.concatenate([x + steps, x - steps]))
            return jax.grad(total)(x), (near[:LENGTH] - near[LENGTH:]) / 2e-5

        slope, expected = both(signals["x"])
    assert np.all(np.isfinite(slope))
    np.testing.assert_allclose(slope, expected, atol=1e-7)


def test_infinities_and_kinks_have_finite_gradients():
    text = "always ((p implies (x < norm(y, z))) and ((once[3 ticks, 4 ticks] p) or (abs(y) < 2)))"
    formula, zero = stl.parse(text), jnp.zeros(4)

    @jax.jit
    def slopes(x):
        signals = {"x": x, "y": zero, "z": zero, "p": jnp.array([0.0, 1.0, 0.0, 1.0])}
        return jax.jacrev(lambda s: stl.robustness(formula, s, 1.0, soft=0.5))(signals)

    for value in (jnp.inf, -jnp.inf, 0.0):
        assert all(bool(jnp.all(jnp.isfinite(slope))) for slope in jax.tree.leaves(slopes(zero.at[1].set(value))))


def test_every_sample_of_a_window_shares_in_the_gradient():
    formula, x = stl.parse("always (x < 3)"), jnp.array([1.0, 2.0, 1.5])
    exact, soft = (jax.grad(lambda x, t=t: stl.robustness(formula, {"x": x}, 1.0, soft=t)[0])(x) for t in (None, 1.0))
    np.testing.assert_array_equal(exact, [0, -1, 0])
    assert bool(jnp.all(soft < -0.1))
    assert float(jnp.sum(soft)) == pytest.approx(-1)


def test_zero_does_not_stop_the_gradient():
    slope = jax.grad(lambda x: stl.robustness(stl.parse("x < 3"), {"x": x}, 1.0, soft=0.1)[0])(jnp.array([3.0]))
    assert float(slope[0]) == -1


def test_nan_is_invalid_here_too():
    signals = {"x": jnp.array([0.0, jnp.nan, 0.0])}
    soft = stl.robustness(stl.parse("once[0 ticks, 1 ticks] (x < 1)"), signals, 1.0, soft=0.1)
    assert np.isnan(np.asarray(soft)).tolist() == [False, True, True]


def test_the_lesser_of_many_is_log_sum_exp():
    values = np.random.default_rng(3).normal(size=13).astype(np.float32)
    for temperature in (0.1, 1.0, 5.0):
        expected = [-temperature * np.log(np.sum(np.exp(-values[i : i + 7] / temperature))) for i in range(7)]
        np.testing.assert_allclose(smooth(temperature).sliding(jnp.asarray(values), 7), expected, rtol=2e-5)


def test_descent_through_a_simulated_trajectory_raises_the_robustness():
    """A thrown ball shall be above 1 m at some time within a second, and stay below 3 m until it lands."""
    formula = stl.parse("(eventually[0 s, 1 s] (height > 1)) and ((height < 3) until (height < 0.05))")

    def flight(start):
        def step(state, _):
            height, speed = state
            return (height + 0.1 * speed, speed - 0.1 * 9.81), height

        return jax.lax.scan(step, (start[0], start[1]), None, length=20)[1]

    def rho(start, soft=None):
        return stl.robustness(formula, {"height": flight(start)}, 0.1, soft=soft)[0]

    climb = jax.jit(jax.vmap(lambda start: start + 0.05 * jax.grad(rho)(start, 0.1)))
    judge = jax.jit(jax.vmap(rho))
    starts = jnp.array([[0.1, 1.0], [0.1, 9.0], [2.0, 6.0]])
    assert bool(jnp.all(judge(starts) < 0)), judge(starts)
    for _ in range(150):
        starts = climb(starts)
    assert bool(jnp.all(judge(starts) > 0)), judge(starts)


def test_a_traced_temperature_can_be_lowered_without_compiling_again():
    formula, signals = stl.parse("always (x < 3)"), {"x": jnp.array([1.0, 2.0])}
    compiled = jax.jit(lambda t: stl.robustness(formula, signals, 1.0, soft=t)[0])
    values = [float(compiled(t)) for t in (1.0, 0.1, 0.01)]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(1.0)
    assert compiled._cache_size() == 1
