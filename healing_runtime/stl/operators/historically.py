"""`historically[a, b] p`: p at every sample from a to b ticks ago, as far as there are any (none: +inf)."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from healing_runtime.stl import windows
from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import End, Machine, Operator, Ticks


def reference(end: End, ticks: Ticks, p: Span, lattice: Lattice = EXACT) -> Span:
    """Least over the window, truncated at the first sample."""
    if ticks is None:
        return Span(*(lattice.so_far(bound) for bound in p))
    return Span(*(windows.least_before(bound, *ticks, lattice) for bound in p))


def stream(ticks: Ticks, horizon: int, *, ring_up_to: int) -> Machine:
    """A scalar without bounds, else a window of constant work."""
    if ticks is None:
        return Machine(0, lambda dtype: jnp.full((), jnp.inf, dtype), _least_so_far)
    window = windows.least_behind(*ticks, ring_up_to)

    def step(state: Any, tick: Array, p: Span) -> tuple[Any, Span]:
        state, value = window.step(state, tick, p.lo)
        return state, Span.exact(value)

    return Machine(0, window.init, step)


def _least_so_far(least: Array, tick: Array, p: Span) -> tuple[Array, Span]:
    least = jnp.minimum(least, p.lo)
    return least, Span.exact(least)


OPERATOR = Operator(
    "historically",
    "past",
    1,
    "at all times{window}, {0}",
    reference,
    short="H",
    window="optional",
    stream=stream,
)
