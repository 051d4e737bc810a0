"""Disturbances and initial states of the twin: drawn from its prior, from beyond it, and between those found so far.

A prior says what is common. What trips a sound controller is often a single thing far outside of it (a load of five
times as much), and a log that nothing in the prior resembles says nothing. So a strength above 1 is one quantity of the
disturbance at that many times its reach, and all others as on an ordinary day.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime.brains.embedded.compiling import LANES, RARELY, compiled, like
from healing_runtime.core.plant import Twin

BEYOND = 16.0
"""The largest strength that is drawn."""
ORDINARY = 0.25
"""The strength of all that is not the one thing, where a strength lies above 1."""
SAMPLES = 256
"""Draws of the prior in which is seen how far it reaches."""
STRIDE = 0.7
"""What a crossing adds to one disturbance is this share of the difference of two others."""

_LANES = (jax.ShapeDtypeStruct((LANES,), jnp.uint32), jax.ShapeDtypeStruct((LANES,), jnp.float32))


class Draws:
    """Starts, which are (disturbances, initial states) with one row each; compiled once for all structures.

    What lies beyond the prior is compiled when it is asked for: most searches never do.
    """

    def __init__(self, twin: Twin) -> None:
        """Trace and compile."""

        def draw(seed: Any, strength: Any) -> tuple[Any, Any]:
            draw_key, init_key = jax.random.split(jax.random.key(seed))
            disturbance = twin.draw(draw_key, strength)
            return disturbance, twin.init(init_key, disturbance)

        self._twin = twin
        self._prior = compiled(jax.vmap(draw), *_LANES, options=RARELY)

    def draw(self, seeds: np.ndarray, strengths: np.ndarray) -> tuple[Any, Any]:
        """(disturbances, states), NumPy leaves with one row a seed; 0 is the nominal robot, 1 all of the prior."""
        return _in_blocks(self._prior, len(seeds), seeds.astype(np.uint32), strengths.astype(np.float32))

    def beyond(self, seeds: np.ndarray, strengths: np.ndarray) -> tuple[Any, Any]:
        """The same for strengths above 1, up to `BEYOND`."""
        types = seeds.astype(np.uint32), strengths.astype(np.float32)
        return self._started(seeds, _in_blocks(self._beyond, len(seeds), *types))

    def cross(self, parents: Any, seeds: np.ndarray, random: np.random.Generator) -> tuple[Any, Any]:
        """Starts near and between those of `parents`: one parent and a share of the difference of two others.

        Differential evolution (Storn and Price 1997), which needs no scale but that of the parents themselves. Nothing
        leaves what can be drawn.
        """
        leaves, tree = jax.tree.flatten(parents)
        count, parent = len(seeds), len(leaves[0])
        a, b = random.integers(parent, size=(2, count))
        c = (b + random.integers(1, max(parent, 2), size=count)) % parent
        # Each moves with an even chance, and one of them always: what did not move would be flown twice.
        always, crossed = random.integers(len(leaves), size=count), []
        for i, (leaf, low, high) in enumerate(zip(leaves, self._reach.low, self._reach.high, strict=True)):
            moved = (always == i) | (random.random(count) < 0.5)
            step = np.where(moved, STRIDE * (leaf[b] - leaf[c]), 0.0)
            crossed.append(np.clip(leaf[a] + step, low, high).astype(leaf.dtype))
        return self._started(seeds, jax.tree.unflatten(tree, crossed))

    def _started(self, seeds: np.ndarray, disturbances: Any) -> tuple[Any, Any]:
        return disturbances, _in_blocks(self._begin, len(seeds), seeds.astype(np.uint32), disturbances)

    @functools.cached_property
    def _reach(self) -> _Reach:
        return _reach(self._twin)

    @functools.cached_property
    def _beyond(self) -> Callable[..., Any]:
        def draw(seed: Any, strength: Any) -> Any:
            return _drawn(self._twin, self._reach, jax.random.split(jax.random.key(seed))[0], strength)

        return compiled(jax.vmap(draw), *_LANES, options=RARELY)

    @functools.cached_property
    def _begin(self) -> Callable[..., Any]:
        def begin(seed: Any, disturbance: Any) -> Any:
            return self._twin.init(jax.random.split(jax.random.key(seed))[1], disturbance)

        return compiled(jax.vmap(begin), _LANES[0], like(self.nominal[0], LANES), options=RARELY)

    @functools.cached_property
    def nominal(self) -> tuple[Any, Any]:
        """Disturbance and initial state of the nominal robot, without a lane axis."""
        return row_of(self.draw(np.zeros(1), np.zeros(1)), 0)


def row_of(starts: Any, rows: Any) -> Any:
    """Some rows of a tree of NumPy arrays."""
    return jax.tree.map(lambda leaf: leaf[rows], starts)


def joined(*starts: Any) -> Any:
    """Trees of NumPy arrays, the rows of one behind those of the other."""
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *starts)


def _in_blocks(program: Any, count: int, *trees: Any) -> Any:
    """A program of `LANES` lanes over any number of rows; the last block is filled up with repetitions."""
    blocks = [program(*row_of(trees, np.arange(s, s + LANES) % count)) for s in range(0, count, LANES)]
    return row_of(joined(*(jax.tree.map(np.asarray, block) for block in blocks)), slice(count))


class _Reach(NamedTuple):
    """Of every leaf of a disturbance: the nominal value, and the least and the greatest that is ever drawn.

    Attributes:
        down, up: how far the prior goes from the nominal value, at most.
        movable: the leaves that are magnitudes. What differs between nominal robots (a time) is none, nor is what all
            draws of a strength have in common (the strength itself).
    """

    nominal: list[Any]
    down: list[Any]
    up: list[Any]
    low: list[Any]
    high: list[Any]
    movable: tuple[int, ...]


def _reach(twin: Twin) -> _Reach:
    def sample() -> tuple[Any, ...]:
        keys = jax.random.split(jax.random.key(0), SAMPLES)
        return tuple(jax.vmap(twin.draw, in_axes=(0, None))(keys, strength) for strength in (1.0, 0.0))

    common, calm = ([np.asarray(leaf) for leaf in jax.tree.leaves(tree)] for tree in compiled(sample, options=RARELY)())
    away = [c - n for c, n in zip(common, calm, strict=True)]
    movable = tuple(i for i, n in enumerate(calm) if not np.ptp(n) and np.ptp(common[i]))
    nominal, down, up = [n[0] for n in calm], [np.min(a) for a in away], [np.max(a) for a in away]
    times = BEYOND * np.isin(np.arange(len(calm)), movable)
    low = [np.where(t, n + t * d, min(n, np.min(c))) for n, t, d, c in zip(nominal, times, down, common, strict=True)]
    high = [np.where(t, n + t * u, max(n, np.max(c))) for n, t, u, c in zip(nominal, times, up, common, strict=True)]
    return _Reach(nominal, down, up, low, high, movable)


def _drawn(twin: Twin, reach: _Reach, key: Any, strength: Any) -> Any:
    """One disturbance beyond the prior."""
    leaves, tree = jax.tree.flatten(twin.draw(key, ORDINARY))
    if not reach.movable:
        return jax.tree.unflatten(tree, leaves)
    which, side = jax.random.split(jax.random.fold_in(key, 2))
    chosen = jnp.asarray(reach.movable)[jax.random.randint(which, (), 0, len(reach.movable))]
    upwards = jax.random.bernoulli(side)
    for i in reach.movable:
        # What can go one way only goes that way.
        far = jnp.where((upwards & (reach.up[i] > 0.0)) | (reach.down[i] >= 0.0), reach.up[i], reach.down[i])
        leaves[i] = jnp.where(chosen == i, reach.nominal[i] + strength * far, leaves[i]).astype(leaves[i].dtype)
    return jax.tree.unflatten(tree, leaves)
