"""`p until[a, b] q`: q at some t' from a to b ticks ahead, and p on [now, t')."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from healing_runtime.stl import windows
from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import Bounded, Bounds, End, Machine, Operator, Root, Ticks
from healing_runtime.stl.operators import eventually

INFINITY = jnp.inf

# p until[a, b] q  =  eventually[a, b] q  and  always[0, a - 1] p  and  (p until q) a ticks ahead: the first q after a
# with p until then vouches for the one inside the window. A lattice identity, so exact for robustness.


def reference(end: End, ticks: Ticks, p: Span, q: Span, lattice: Lattice = EXACT) -> Span:
    """By the identity above; a sample after the last is left out, or unknown."""
    hopeful = end == "running" or (end == "ended" and ticks is not None)
    bases = (-INFINITY, INFINITY if hopeful else -INFINITY)
    plain = Span(*(windows.until(hold, goal, base, lattice) for hold, goal, base in zip(p, q, bases, strict=True)))
    if ticks is None:
        return plain
    low, _ = ticks
    inside = eventually.reference(end, ticks, q, lattice)
    pads = (INFINITY if end == "truncate" else -INFINITY, INFINITY)
    out = []
    for value, hold, near, base, pad in zip(plain, p, inside, bases, pads, strict=True):
        reached = windows.shifted(value[::-1], low, base)[::-1]
        if low:
            reached = lattice.lesser(reached, windows.least_ahead(hold, 0, low - 1, pad, lattice))
        out.append(lattice.lesser(reached, near))
    return Span(*out)


def stream(ticks: Bounded, p_horizon: int, q_horizon: int, *, ring_up_to: int) -> Machine:
    """Over formulas decided in their own tick the pending starts are folded forward."""
    horizon = max(p_horizon, q_horizon)
    if horizon:
        return _over_ages(ticks, horizon)
    return _fold_forward(*ticks) if ticks[1] else Machine(0, lambda dtype: (), lambda state, tick, p, q: (state, q))


def _fold_forward(low: int, high: int) -> Machine:
    """Per pending start: the best q reached so far, and the least p since the start."""

    def init(dtype: Any) -> tuple[Array, Array]:
        return jnp.full((high,), -INFINITY, dtype), jnp.full((high,), INFINITY, dtype)

    def step(state: tuple[Array, Array], tick: Array, p: Span, q: Span) -> tuple[tuple[Array, Array], Span]:
        best, kept = state
        best = jnp.concatenate([jnp.full((1,), -INFINITY, best.dtype), best])
        kept = jnp.concatenate([jnp.full((1,), INFINITY, kept.dtype), kept])
        age = jnp.arange(high + 1)
        best = jnp.where(age >= low, jnp.maximum(best, jnp.minimum(q.lo, kept)), best)
        kept = jnp.minimum(kept, p.lo)
        hi = jnp.where(age < high, jnp.maximum(best, kept), best)
        return (best[:-1], kept[:-1]), Span(best, hi)

    return Machine(high, init, step)


def _over_ages(ticks: Bounded, horizon: int) -> Machine:
    def step(state: tuple[()], tick: Array, p: Span, q: Span) -> tuple[tuple[()], Span]:
        hold, goal = (Span(s.lo[::-1], s.hi[::-1]) for s in (p, q))  # ages run with time
        out = reference("ended", ticks, hold, goal)
        return state, Span(out.lo[::-1], out.hi[::-1])

    return Machine(ticks[1] + horizon, lambda dtype: (), step)


def root(ticks: Ticks, p_horizon: int, q_horizon: int) -> Root:
    """The best q reached and the least p so far over decided samples, carried through the pending ones."""
    low, high = ticks or (0, None)
    horizon = max(p_horizon, q_horizon)

    def asked(start: Array, goal: Array) -> Array:
        inside = start >= low
        inside = inside if high is None else inside & (start <= high)
        return jnp.where(inside, goal, -INFINITY)

    def init(dtype: Any) -> tuple[Array, ...]:
        low_, high_ = jnp.full((), -INFINITY, dtype), jnp.full((), INFINITY, dtype)
        return (low_, high_) if horizon == 0 else (low_, high_, low_, low_, high_)

    def settle(best: Array, kept: Array, start: Array, p: Array, q: Array) -> tuple[Array, Array]:
        seen = start >= 0
        best = jnp.where(seen, jnp.fmax(best, jnp.minimum(asked(start, q), kept)), best)
        return best, jnp.where(seen, jnp.fmin(kept, p), kept)

    def step(state: tuple[Array, ...], tick: Array, p: Span, q: Span) -> tuple[Array, ...]:
        if horizon == 0:
            return settle(state[0], state[1], tick, p.lo, q.lo)
        best, kept = settle(state[0], state[1], tick - horizon, p.lo[-1], q.lo[-1])
        starts = tick - jnp.arange(horizon)
        ends = []
        for hold, goal in zip(p, q, strict=True):
            # Starts before the first sample neither offer a goal nor break the hold.
            goal = jnp.where(starts >= 0, asked(starts, goal[:-1]), -INFINITY)[::-1]
            hold = jnp.where(starts >= 0, hold[:-1], INFINITY)[::-1]
            ends.append((windows.until(hold, goal, -INFINITY)[0], jnp.min(hold)))
        (lo, _), (hi, kept_hi) = ends
        lo = jnp.fmax(best, jnp.minimum(kept, lo))
        hi = jnp.fmax(best, jnp.minimum(kept, hi))
        return best, kept, lo, hi, jnp.fmin(kept, kept_hi)

    def read(state: tuple[Array, ...], tick: Array) -> tuple[Bounds, Bounds]:
        lo, hi, kept = (state[0], state[0], state[1]) if horizon == 0 else state[2:]
        open_hi = jnp.fmax(hi, kept)  # a goal still to come can do no better than the hold so far
        if high is None:
            return Bounds(lo, lo, open_hi), Bounds(lo, lo, hi)
        bounds = Bounds(lo, lo, jnp.where(tick >= high, hi, open_hi))
        return bounds, bounds

    return Root(init, step, read)


OPERATOR = Operator(
    "until",
    "future",
    2,
    "{0} until {1}, and that happens{window}",
    reference,
    short="U",
    window="optional",
    stream=stream,
    root=root,
)
