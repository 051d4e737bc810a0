"""`fall(p)`: p one sample ago and not now; weak, so `not p` alone at the first sample. It is `rise(not p)`."""

from __future__ import annotations

from jax import Array

from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import End, Machine, Operator, Ticks
from healing_runtime.stl.operators import rise


def reference(end: End, ticks: Ticks, p: Span, lattice: Lattice = EXACT) -> Span:
    """min(p one sample ago, -p)."""
    return rise.reference(end, ticks, -p, lattice)


def stream(ticks: Ticks, horizon: int, *, ring_up_to: int) -> Machine:
    """One remembered value."""
    machine = rise.stream(ticks, horizon, ring_up_to=ring_up_to)

    def step(last: Array, tick: Array, p: Span) -> tuple[Array, Span]:
        return machine.step(last, tick, -p)

    return Machine(0, machine.init, step)


OPERATOR = Operator("fall", "past", 1, "{0} ceases to hold", reference, call_like=True, stream=stream)
