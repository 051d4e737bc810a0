"""`p since[a, b] q`: q at some t' from a to b ticks ago, and p on (t', now]; -inf where no such t' exists."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from healing_runtime.stl import windows
from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import End, Machine, Operator, Ticks
from healing_runtime.stl.operators import once

# p since[a, b] q  =  once[a, b] q  and  p since[a, inf) q, because an older q with p ever since vouches for the younger
# one; and p since[a, inf) q  =  (p since q) a ticks ago, and p on the a samples after it. Both are lattice identities,
# so they hold for robustness exactly. Neither grows with b.


def reference(end: End, ticks: Ticks, p: Span, q: Span, lattice: Lattice = EXACT) -> Span:
    """By the identity above, bound by bound."""
    plain = Span(*(windows.since(hold, goal, lattice) for hold, goal in zip(p, q, strict=True)))
    if ticks is None:
        return plain
    low, _ = ticks
    recent = once.reference(end, ticks, q, lattice)
    out = []
    for value, hold, near in zip(plain, p, recent, strict=True):
        held = windows.shifted(value, low, -jnp.inf)
        if low:
            held = lattice.lesser(held, windows.least_before(hold, 0, low - 1, lattice))
        out.append(lattice.lesser(held, near))
    return Span(*out)


def stream(ticks: Ticks, p_horizon: int, q_horizon: int, *, ring_up_to: int) -> Machine:
    """One scalar recursion; with bounds also two windows and a delay."""
    if ticks is None:
        return Machine(0, lambda dtype: jnp.full((), -jnp.inf, dtype), _recursion)
    low, _ = ticks
    recent = once.stream(ticks, 0, ring_up_to=ring_up_to)
    late = windows.delay(low, before=-jnp.inf)
    held = windows.least(low, ring_up_to) if low else None

    def init(dtype: Any) -> tuple[Any, ...]:
        return (
            jnp.full((), -jnp.inf, dtype),
            recent.init(dtype),
            late.init(dtype),
            held.init(dtype) if held else (),
        )

    def step(state: tuple[Any, ...], tick: Array, p: Span, q: Span) -> tuple[tuple[Any, ...], Span]:
        plain, near, delayed, kept = state
        plain, span = _recursion(plain, tick, p, q)
        near, in_window = recent.step(near, tick, q)
        delayed, value = late.step(delayed, tick, span.lo)
        if held:
            kept, hold = held.step(kept, tick, p.lo)
            value = jnp.minimum(value, hold)
        return (plain, near, delayed, kept), Span.exact(jnp.minimum(value, in_window.lo))

    return Machine(0, init, step)


def _recursion(last: Array, tick: Array, p: Span, q: Span) -> tuple[Array, Span]:
    now = jnp.maximum(q.lo, jnp.minimum(p.lo, last))
    return now, Span.exact(now)


OPERATOR = Operator(
    "since",
    "past",
    2,
    "at some time{window}, {1}, and ever since then, {0}",
    reference,
    short="S",
    window="optional",
    stream=stream,
)
