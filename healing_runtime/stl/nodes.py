"""Nodes and readings that belong to no operator: atoms, remembered spans, and connectives of roots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array

from healing_runtime.stl.formula import Outside
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import Bounds, Machine, Root

Readings = Sequence[tuple[Bounds, Bounds]]
ReadRoot = Callable[[Readings], tuple[Bounds, Bounds]]


def negated(read: ReadRoot) -> ReadRoot:
    """`not` of a root."""

    def turned(readings: Readings) -> tuple[Bounds, Bounds]:
        running, ended = read(readings)
        return -running, -ended

    return turned


def connected_roots(connect: Callable[..., Span], reads: Sequence[ReadRoot]) -> ReadRoot:
    """A Boolean operator over roots; rho is connected by the same rule as the bounds."""

    def join(parts: Sequence[Bounds]) -> Bounds:
        outer = connect(*(Span(part.lo, part.hi) for part in parts))
        return Bounds(outer.lo, connect(*(Span.exact(part.rho) for part in parts)).lo, outer.hi)

    def read(readings: Readings) -> tuple[Bounds, Bounds]:
        running, ended = zip(*(one(readings) for one in reads), strict=True)
        return join(running), join(ended)

    return read


def stateless(dtype: Any) -> tuple[()]:
    """Nothing to remember."""
    return ()


def read_atom(atom: int) -> Machine:
    """An atom's key; such nodes step over the list of all keys."""
    return Machine(0, stateless, lambda state, tick, keys: (state, Span.exact(keys[atom])))


def outside(span: Outside) -> Machine:
    """True before and after some ticks."""

    def step(state: Any, tick: Array, keys: Sequence[Array]) -> tuple[Any, Span]:
        inside = tick >= span.low
        inside = inside if span.high is None else inside & (tick <= span.high)
        infinity = jnp.asarray(jnp.inf, keys[0].dtype)
        return state, Span.exact(jnp.where(inside, -infinity, infinity))

    return Machine(0, stateless, step)


def connected(connect: Callable[..., Span]) -> Callable[..., tuple[Any, Span]]:
    """A Boolean operator as the step of a machine."""
    return lambda state, tick, *spans: (state, connect(*spans))


def remember(own: int, horizon: int) -> Machine:
    """Decided values of the last starts, newest first, behind a span of horizon `own`."""

    def init(dtype: Any) -> Array:
        return jnp.zeros((horizon - own,), dtype)

    def step(past: Array, tick: Array, span: Span) -> tuple[Array, Span]:
        lo, hi = (jnp.atleast_1d(bound) for bound in span)
        out = Span(jnp.concatenate([lo, past]), jnp.concatenate([hi, past]))
        return jnp.concatenate([lo[-1:], past])[:-1], out

    return Machine(horizon, init, step)


def first_sample() -> Root:
    """A formula without a future operator, judged at the first sample."""

    def step(state: Array, tick: Array, span: Span) -> Array:
        return jnp.where(tick == 0, span.lo, state)

    def read(state: Array, tick: Array) -> tuple[Bounds, Bounds]:
        bounds = Bounds(state, state, state)
        return bounds, bounds

    return Root(lambda dtype: jnp.zeros((), dtype), step, read)
