"""The lesser and the greater of two values, and what is built from them over whole arrays: exactly, or smoothly.

The operators' offline references are written over a `Lattice`. `EXACT` takes min and max. `smooth` takes their
log-sum-exp forms, which have a gradient everywhere that every sample of a window shares in (Pant, Abbas and Mangharam
2017, "Smooth operator: control using the smooth robustness of temporal logic").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax


class Lattice(NamedTuple):
    """How values are combined.

    Attributes:
        lesser, greater: of two arrays, entry by entry.
        so_far: out[t] = least of values[0 … t].
        sliding: (values, width) -> out[i] = least of values[i … i + width - 1], shorter by width - 1.
        recursion: (hold, goal, base) -> out[t] = greater(goal[t], lesser(hold[t], out[t - 1])), `base` before the
            first sample.
    """

    lesser: Callable[[Array, Array], Array]
    greater: Callable[[Array, Array], Array]
    so_far: Callable[[Array], Array]
    sliding: Callable[[Array, int], Array]
    recursion: Callable[[Array, Array, Array | float], Array]


# ---------------------------------------------------------------- exact
def _sliding(values: Array, width: int) -> Array:
    """The window doubles until it fits; two that overlap make up the rest. O(n log width)."""
    span = 1
    while 2 * span <= width:
        values = jnp.minimum(values[:-span], values[span:])
        span *= 2
    rest = width - span
    return jnp.minimum(values[:-rest], values[rest:]) if rest else values


def _recursion(hold: Array, goal: Array, base: Array | float) -> Array:
    """One sample after the other: on a CPU that is 15 times faster than an associative scan, and compiles at once."""
    return lax.scan(_next, jnp.full(goal.shape[1:], base, goal.dtype), (hold, goal))[1]


def _next(last: Array, here: tuple[Array, Array]) -> tuple[Array, Array]:
    hold, goal = here
    now = jnp.maximum(goal, jnp.minimum(hold, last))
    return now, now


EXACT = Lattice(jnp.minimum, jnp.maximum, lax.cummin, _sliding, _recursion)


# ---------------------------------------------------------------- smooth
def smooth(temperature: Any) -> Lattice:
    """Min and max at a temperature, in the unit of the values.

    The lesser of k values is -T log(sum of exp(-value / T)): at most T log k below the least of them and never above
    it; the greater likewise above the greatest. Infinite values are handled, with a gradient of zero.
    """

    def lesser(one: Array, other: Array) -> Array:
        # Infinities of one sign have no difference; as equals they need none.
        apart = jnp.abs(jnp.where(one == other, 0.0, one - other))
        return jnp.minimum(one, other) - temperature * jnp.log1p(jnp.exp(-apart / temperature))

    def greater(one: Array, other: Array) -> Array:
        return -lesser(-one, -other)

    def so_far(values: Array) -> Array:
        return lax.associative_scan(lesser, values)

    def sliding(values: Array, width: int) -> Array:
        # No value may count twice: the window is put together from blocks side by side, one a bit of its width.
        size = values.shape[0] - width + 1
        out, start, span = None, 0, 1
        while span <= width:
            if width & span:
                part = values[start : start + size]
                out = part if out is None else lesser(out, part)
                start += span
            values = lesser(values[:-span], values[span:])
            span *= 2
        assert out is not None
        return out

    def recursion(hold: Array, goal: Array, base: Array | float) -> Array:
        def step(last: Array, here: tuple[Array, Array]) -> tuple[Array, Array]:
            now = greater(here[1], lesser(here[0], last))
            return now, now

        return lax.scan(step, jnp.full(goal.shape[1:], base, goal.dtype), (hold, goal))[1]

    return Lattice(lesser, greater, so_far, sliding, recursion)
