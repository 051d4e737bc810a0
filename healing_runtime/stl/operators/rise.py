"""`rise(p)`: p now and not one sample ago; weak, so p alone at the first sample."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from healing_runtime.stl import windows
from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import End, Machine, Operator, Ticks


def reference(end: End, ticks: Ticks, p: Span, lattice: Lattice = EXACT) -> Span:
    """min(-p one sample ago, p)."""
    before = -p
    return Span(
        lattice.lesser(windows.shifted(before.lo, 1, jnp.inf), p.lo),
        lattice.lesser(windows.shifted(before.hi, 1, jnp.inf), p.hi),
    )


def stream(ticks: Ticks, horizon: int, *, ring_up_to: int) -> Machine:
    """One remembered value."""

    def step(last: Array, tick: Array, p: Span) -> tuple[Array, Span]:
        return -p.lo, Span.exact(jnp.minimum(last, p.lo))

    return Machine(0, lambda dtype: jnp.full((), jnp.inf, dtype), step)


OPERATOR = Operator("rise", "past", 1, "{0} begins to hold", reference, call_like=True, stream=stream)
