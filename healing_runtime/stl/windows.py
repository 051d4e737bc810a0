"""Windows over streams of keys: rings for one sample at a time, doubling for whole arrays.

Everything here takes the least; the greatest is its dual (`operator.dual`). None of the indices depends on data, so
under `vmap` they stay scalars and a batch of monitors costs contiguous reads and writes. Only where the lanes keep a
count of ticks each does every lane have an index of its own; XLA's gather and scatter are slow then, and keep the whole
from being one kernel, so a small ring is compared with the index instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from healing_runtime.stl.lattice import EXACT, Lattice

RING_IN_BATCH = 12  # up to this width the least of a whole ring is cheaper than bookkeeping
RING_ALONE = 80  # for one lane outside a loop few operations count more than few comparisons
PICKED_UP_TO = 512  # up to this width looking at every place of a lane's ring is cheaper than going to one


class Filter(NamedTuple):
    """A fixed-size filter of one stream: `step(state, tick, value) -> (state, value)`."""

    init: Callable[[Any], Any]
    step: Callable[[Any, Array, Array], tuple[Any, Array]]


def _put(ring: Array, value: Array, at: Array) -> Array:
    return lax.dynamic_update_index_in_dim(ring, value, at, 0)


def _get(ring: Array, at: Array) -> Array:
    return lax.dynamic_index_in_dim(ring, at, 0, keepdims=False)


_put_for_lanes, _get_for_lanes = map(jax.custom_batching.custom_vmap, (_put, _get))


@_put_for_lanes.def_vmap
def _put_in_lanes(lanes: int, batched: Sequence[bool], ring: Array, value: Array, at: Array) -> tuple[Array, bool]:
    if not batched[2] or ring.shape[-1] > PICKED_UP_TO:
        return _as_usual(_put, batched, ring, value, at)
    value = value[:, None] if batched[1] else value
    return jnp.where(_here(ring, at), value, ring), True


@_get_for_lanes.def_vmap
def _get_in_lanes(lanes: int, batched: Sequence[bool], ring: Array, at: Array) -> tuple[Array, bool]:
    if not batched[1] or ring.shape[-1] > PICKED_UP_TO:
        return _as_usual(_get, batched, ring, at)
    return jnp.max(jnp.where(_here(ring, at), ring, -jnp.inf), axis=-1), True


def _here(ring: Array, at: Array) -> Array:
    return jnp.arange(ring.shape[-1]) == at[:, None]


def _as_usual(function: Callable[..., Array], batched: Sequence[bool], *arguments: Array) -> tuple[Array, bool]:
    return jax.vmap(function, in_axes=[0 if b else None for b in batched])(*arguments), True


# What has a batching rule of its own has no gradient of itself, so both are told it: both are linear.
@jax.custom_jvp
def put(ring: Array, value: Array, at: Array) -> Array:
    """The ring with a value at one place."""
    return _put_for_lanes(ring, value, at)


@put.defjvp
def _put_tangent(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    return put(*primals), _put(tangents[0], tangents[1], primals[2])


@jax.custom_jvp
def get(ring: Array, at: Array) -> Array:
    """What stands at one place of a ring."""
    return _get_for_lanes(ring, at)


@get.defjvp
def _get_tangent(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    return get(*primals), _get(tangents[0], primals[1])


def delay(ticks: int, before: float = jnp.inf) -> Filter:
    """The value `ticks` ago; `before` where that lies before the first sample. O(1) per sample, `ticks` + 1 floats."""
    if ticks == 0:
        return Filter(lambda dtype: (), lambda state, tick, value: (state, value))
    if ticks == 1:
        return Filter(lambda dtype: jnp.full((), before, dtype), lambda last, tick, value: (value, last))
    size = ticks + 1

    def step(ring: Array, tick: Array, value: Array) -> tuple[Array, Array]:
        at = tick % size
        ring = put(ring, value, at)  # write before read: XLA then updates the ring in place
        return ring, get(ring, jnp.where(at == ticks, 0, at + 1))

    return Filter(lambda dtype: jnp.full((size,), before, dtype), step)


def least(width: int, ring_up_to: int = RING_IN_BATCH) -> Filter:
    """The least of the last `width` samples, truncated at the first one.

    Constant work per sample whatever the width and the data (no amortisation, so no late tick), 2.5 `width` floats.
    Samples come in blocks of width // 2. The window is: the running least of the current block, the least of one or two
    whole blocks, and a suffix of the oldest one. The suffix minima of a block are found one per tick, from its end,
    while the next block fills; that is done before the window's edge enters it. This is the scheme of van Herk and of
    Gil and Werman with its backward pass spread out. Each ring is written once and then read, so XLA updates it in
    place.
    """
    if width == 1:
        return Filter(lambda dtype: (), lambda state, tick, value: (state, value))
    if width <= ring_up_to:
        return _least_of_ring(width)
    block, infinity = width // 2, jnp.inf

    def init(dtype: Any) -> tuple[Array, ...]:
        def full(*shape: int) -> Array:
            return jnp.full(shape, infinity, dtype)

        return full(2 * block), full(3 * block), full(), full(), full(), full()

    def step(state: tuple[Array, ...], tick: Array, value: Array) -> tuple[tuple[Array, ...], Array]:
        samples, suffixes, head, suffix, one, two = state
        offset, current = tick % block, tick // block
        first = offset == 0
        one, two = (
            jnp.where(first, head, one),
            jnp.where(first, one, two),
        )  # least of the last block, and the one before
        head = jnp.where(first, value, jnp.minimum(head, value))
        mirror = block - 1 - offset
        samples = put(samples, value, current % 2 * block + offset)
        edge = get(samples, (current + 1) % 2 * block + mirror)
        suffix = jnp.where(first, edge, jnp.minimum(suffix, edge))
        suffixes = put(suffixes, suffix, (current + 2) % 3 * block + mirror)
        left = width - 1 - offset
        whole, rest = left // block, left % block
        tail = get(suffixes, (current + 2 - whole) % 3 * block + (block - rest) % block)
        tail = jnp.where(rest == 0, infinity, tail)
        out = jnp.minimum(jnp.minimum(head, one), jnp.minimum(jnp.where(whole == 2, two, infinity), tail))
        return (samples, suffixes, head, suffix, one, two), out

    return Filter(init, step)


def _least_of_ring(width: int) -> Filter:
    def step(ring: Array, tick: Array, value: Array) -> tuple[Array, Array]:
        ring = put(ring, value, tick % width)
        return ring, jnp.min(ring)

    return Filter(lambda dtype: jnp.full((width,), jnp.inf, dtype), step)


def chain(first: Filter, second: Filter) -> Filter:
    """One filter after the other."""

    def step(state: tuple[Any, Any], tick: Array, value: Array) -> tuple[tuple[Any, Any], Array]:
        one, value = first.step(state[0], tick, value)
        two, value = second.step(state[1], tick, value)
        return (one, two), value

    return Filter(lambda dtype: (first.init(dtype), second.init(dtype)), step)


def least_behind(low: int, high: int, ring_up_to: int) -> Filter:
    """The least of the samples `low` … `high` ticks ago, +inf where there is none."""
    return chain(delay(low), least(high - low + 1, ring_up_to))


# ---------------------------------------------------------------- whole arrays
def least_ahead(values: Array, low: int, high: int, pad: float, lattice: Lattice = EXACT) -> Array:
    """out[t] = least of values[t + low … t + high]; `pad` stands for samples after the last. O(n log width)."""
    n = values.shape[0]
    low, high = min(low, n), max(min(low, n), min(high, n))  # further out there is only padding
    padded = jnp.concatenate([values, jnp.full((high,), pad, values.dtype)])
    return lattice.sliding(padded, high - low + 1)[low : low + n]


def least_before(values: Array, low: int, high: int, lattice: Lattice = EXACT) -> Array:
    """out[t] = least of values[t - high … t - low], +inf where there is none."""
    return least_ahead(values[::-1], low, high, jnp.inf, lattice)[::-1]


def shifted(values: Array, ticks: int, before: float) -> Array:
    """out[t] = values[t - ticks], `before` where there is none."""
    n = values.shape[0]
    ticks = min(ticks, n)
    return jnp.concatenate([jnp.full((ticks,), before, values.dtype), values[: n - ticks]])


def until(hold: Array, goal: Array, base: Array | float, lattice: Lattice = EXACT) -> Array:
    """out[t] = max(goal[t], min(hold[t], out[t + 1])), with `base` after the last sample."""
    return lattice.recursion(hold[::-1], goal[::-1], base)[::-1]


def since(hold: Array, goal: Array, lattice: Lattice = EXACT) -> Array:
    """out[t] = max(goal[t], min(hold[t], out[t - 1])), -inf before the first sample."""
    return lattice.recursion(hold, goal, -jnp.inf)
