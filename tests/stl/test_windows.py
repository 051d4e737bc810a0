"""Windows in lanes that each keep a count of ticks of their own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime.stl import windows

LANES, TICKS = 3, 60
KINDS = {
    "a delay": lambda width: windows.delay(width),
    "the least": lambda width: windows.least(width),
    "the least of a whole ring": lambda width: windows.least(width, width),
}


def stream():
    values = np.random.default_rng(4).normal(size=(LANES, TICKS)).astype(np.float32)
    values[1, 7], values[1, 20], values[2, 30] = np.inf, -np.inf, -0.0
    return values


def fly(step, state, ticks, values):
    out = []
    for at in range(TICKS):
        state, value = step(state, ticks + at, values[..., at])
        out.append(np.asarray(value))
    return np.stack(out)


@pytest.mark.parametrize("picked_up_to", [windows.PICKED_UP_TO, 0], ids=["looks at every place", "goes to one"])
@pytest.mark.parametrize("width", [2, 5, 23])
@pytest.mark.parametrize("kind", KINDS)
def test_a_lane_with_ticks_of_its_own_is_the_stream_alone(kind, width, picked_up_to, monkeypatch):
    monkeypatch.setattr(windows, "PICKED_UP_TO", picked_up_to)
    made, values = KINDS[kind](width), stream()
    start, ticks = made.init(jnp.float32), jnp.array([0, 1000, 7])
    lanes = jax.tree.map(lambda leaf: jnp.stack([leaf] * LANES), start)
    together = fly(jax.jit(jax.vmap(made.step)), lanes, ticks, values)
    for lane in range(LANES):
        alone = fly(jax.jit(made.step), start, ticks[lane], values[lane])
        np.testing.assert_array_equal(together[:, lane], alone)


@pytest.mark.parametrize("width", [5, 23])
@pytest.mark.parametrize("kind", KINDS)
def test_a_window_has_the_gradient_of_what_it_takes(kind, width):
    """What comes out is one of the samples: the gradient is 1 there and 0 elsewhere, alone and in lanes."""
    made, values = KINDS[kind](width), jnp.asarray(np.random.default_rng(1).normal(size=(LANES, TICKS)), jnp.float32)

    def last(stream):
        def step(carry, value):
            state, tick = carry
            state, out = made.step(state, tick, value)
            return (state, tick + 1), out

        return jax.lax.scan(step, (made.init(jnp.float32), 0), stream)[1][-1]

    taken = np.asarray(values) == np.asarray([[last(stream)] for stream in values])
    assert (taken.sum(axis=1) == 1).all()
    np.testing.assert_array_equal(jax.grad(last)(values[0]), taken[0])
    np.testing.assert_array_equal(jax.vmap(jax.grad(last))(values), taken)
