"""`always[a, b] p`: p at every sample from a to b ticks ahead; without bounds, to the end of the run."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from healing_runtime.stl import windows
from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import Bounded, Bounds, End, Machine, Operator, Root, Ticks

INFINITY = jnp.inf


def reference(end: End, ticks: Ticks, p: Span, lattice: Lattice = EXACT) -> Span:
    """Least over the window; a sample after the last is left out, or unknown."""
    if ticks is None:
        lo, hi = (lattice.so_far(bound[::-1])[::-1] for bound in p)
        return Span(jnp.full_like(lo, -INFINITY) if end == "running" else lo, hi)
    pad = INFINITY if end == "truncate" else -INFINITY
    return Span(
        windows.least_ahead(p.lo, *ticks, pad, lattice),
        windows.least_ahead(p.hi, *ticks, INFINITY, lattice),
    )


def stream(ticks: Bounded, horizon: int, *, ring_up_to: int) -> Machine:
    """Pending starts folded forward if p is decided in its own tick; else O(horizon log width) a tick."""
    if horizon:
        return _over_ages(*ticks, horizon)
    return _fold_forward(*ticks) if ticks[1] else Machine(0, lambda dtype: (), lambda state, tick, p: (state, p))


def _fold_forward(low: int, high: int) -> Machine:
    ages = range(high + 1)
    judged = [low <= age for age in ages]

    def step(pending: Array, tick: Array, p: Span) -> tuple[Array, Span]:
        before = jnp.concatenate([jnp.full((1,), INFINITY, pending.dtype), pending])
        worst = jnp.where(jnp.array(judged), jnp.minimum(before, p.lo), before)
        return worst[:-1], Span(jnp.where(jnp.arange(high + 1) < high, -INFINITY, worst), worst)

    return Machine(high, lambda dtype: jnp.full((high,), INFINITY, dtype), step)


def _over_ages(low: int, high: int, horizon: int) -> Machine:
    """The start of age k needs p at ages k - high … k - low; a negative age is a sample not yet seen."""
    total = high + horizon

    def step(state: tuple[()], tick: Array, p: Span) -> tuple[tuple[()], Span]:
        # Reversed, ages run with time, and the window lies ahead.
        lo = windows.least_ahead(p.lo[::-1], low, high, -INFINITY)[::-1]
        hi = windows.least_ahead(p.hi[::-1], low, high, INFINITY)[::-1]
        return state, Span(lo, hi)

    return Machine(total, lambda dtype: (), step)


def root(ticks: Ticks, horizon: int) -> Root:
    """A running least over the decided starts, and beside it the bounds with the pending ones included."""
    low, high = ticks or (0, None)

    def within(start: Array) -> Array:
        inside = start >= low
        return inside if high is None else inside & (start <= high)

    def init(dtype: Any) -> tuple[Array, ...]:
        return tuple(jnp.full((), INFINITY, dtype) for _ in range(1 if horizon == 0 else 3))

    def step(state: tuple[Array, ...], tick: Array, p: Span) -> tuple[Array, ...]:
        if horizon == 0:
            return (jnp.where(within(tick), jnp.fmin(state[0], p.lo), state[0]),)
        starts = tick - jnp.arange(horizon + 1)
        asked = within(starts)
        settled = jnp.where(asked[-1], jnp.fmin(state[0], p.lo[-1]), state[0])
        lo = jnp.min(jnp.where(asked[:-1], p.lo[:-1], INFINITY))
        hi = jnp.min(jnp.where(asked[:-1], p.hi[:-1], INFINITY))
        return settled, jnp.fmin(settled, lo), jnp.fmin(state[2], jnp.fmin(settled, hi))

    def read(state: tuple[Array, ...], tick: Array) -> tuple[Bounds, Bounds]:
        lo, hi = (state[0], state[0]) if horizon == 0 else state[1:]
        unseen = jnp.full_like(lo, -INFINITY)
        if high is None:
            return Bounds(unseen, hi, hi), Bounds(lo, hi, hi)
        bounds = Bounds(jnp.where(tick >= high, lo, unseen), hi, hi)
        return bounds, bounds

    return Root(init, step, read)


OPERATOR = Operator(
    "always",
    "future",
    1,
    "at all times{window}, {0}",
    reference,
    short="G",
    window="optional",
    stream=stream,
    root=root,
)
