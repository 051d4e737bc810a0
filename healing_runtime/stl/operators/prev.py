"""`prev p`: p one sample ago; weak, so true (+inf) at the first sample."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from healing_runtime.stl import windows
from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import End, Machine, Operator, Ticks


def reference(end: End, ticks: Ticks, p: Span, lattice: Lattice = EXACT) -> Span:
    """One sample later."""
    return Span(*(windows.shifted(bound, 1, jnp.inf) for bound in p))


def stream(ticks: Ticks, horizon: int, *, ring_up_to: int) -> Machine:
    """One remembered value."""

    def step(last: Array, tick: Array, p: Span) -> tuple[Array, Span]:
        return p.lo, Span.exact(last)

    return Machine(0, lambda dtype: jnp.full((), jnp.inf, dtype), step)


OPERATOR = Operator("prev", "past", 1, "one tick earlier, {0}", reference, call_like=True, stream=stream)
