"""`held_for[d] p`: p at every sample of the last d, both ends included; false until d has been seen in full."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import Bounded, End, Machine, Operator
from healing_runtime.stl.operators import historically


def reference(end: End, ticks: Bounded, p: Span, lattice: Lattice = EXACT) -> Span:
    """`historically[0, d]`, and -inf where the window begins before the first sample."""
    _, high = ticks
    seen = jnp.arange(p.lo.shape[0]) >= high
    return Span(*(jnp.where(seen, bound, -jnp.inf) for bound in historically.reference(end, ticks, p, lattice)))


def stream(ticks: Bounded, horizon: int, *, ring_up_to: int) -> Machine:
    """A window and the clock."""
    machine = historically.stream(ticks, horizon, ring_up_to=ring_up_to)
    _, high = ticks

    def step(state: Any, tick: Array, p: Span) -> tuple[Any, Span]:
        state, span = machine.step(state, tick, p)
        return state, Span.exact(jnp.where(tick >= high, span.lo, -jnp.inf))

    return Machine(0, machine.init, step)


OPERATOR = Operator(
    "held_for", "past", 1, "{0} has held for {window}", reference, window="duration", call_like=True, stream=stream
)
