"""Promises, all together: `always` over formulas that have no future operator left, and `eventually` as its dual.

A promise is one number, the worst so far. All promises of a monitor are one vector, so that stepping and reading them
costs a handful of vector operations however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import Bounds, Ticks


class Promise(NamedTuple):
    """`always fold` at the first sample.

    Attributes:
        fold: node whose least value so far is the upper bound.
        pending: node whose value at the last sample is what undecided starts are sure of; None if none is undecided.
        ticks: bounds of the outermost operator; None is the whole run.
        dual: read as `eventually`, which is minus `always not`. `fold` and `pending` are of the negated body.
        gated: only samples within `ticks` count (else the fold itself sees to that).
    """

    fold: int
    pending: int | None
    ticks: Ticks
    dual: bool
    gated: bool


def step(promises: Sequence[Promise], kept: Array, tick: Array, spans: Sequence[Span]) -> Array:
    """[2, P]: the worst so far, and what is pending."""
    if not promises:
        return kept
    fold = jnp.stack([spans[p.fold].lo for p in promises])
    if any(p.gated for p in promises):
        low = np.array([p.ticks[0] if p.gated else 0 for p in promises], np.int32)
        high = np.array([p.ticks[1] if p.gated else np.iinfo(np.int32).max for p in promises], np.int32)
        fold = jnp.where((tick >= low) & (tick <= high), fold, jnp.inf)
    worst = jnp.fmin(kept[0], fold)
    if all(p.pending is None for p in promises):
        return jnp.stack([worst, kept[1]])
    always_sure = jnp.full((), jnp.inf, kept.dtype)
    return jnp.stack([worst, jnp.stack([always_sure if p.pending is None else spans[p.pending].lo for p in promises])])


def read(promises: Sequence[Promise], kept: Array, tick: Array) -> Bounds:
    """Bounds [2, P] of every promise: while running, and if the run ended with this tick."""
    worst, sure = kept[0], jnp.fmin(kept[0], kept[1])
    # A bounded promise is sure once every start asked for has been seen; an unbounded one when the run ends.
    never = np.iinfo(np.int32).max
    last = [p.ticks[1] if p.ticks else never for p in promises], [p.ticks[1] if p.ticks else -1 for p in promises]
    lo = jnp.where(tick >= np.array(last, np.int32), sure, -jnp.inf)
    hi = jnp.broadcast_to(worst, lo.shape)
    dual = np.array([p.dual for p in promises], bool)
    if not dual.any():
        return Bounds(lo, hi, hi)
    return Bounds(jnp.where(dual, -hi, lo), jnp.where(dual, -hi, hi), jnp.where(dual, -lo, hi))
