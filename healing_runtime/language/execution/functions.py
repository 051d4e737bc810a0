"""What `tl` offers to sources beyond `jax.numpy`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from healing_runtime.language.execution.runtime import is_boolean, kind
from healing_runtime.language.messages.mistake import Mistake
from healing_runtime.language.primitive import reset

__all__ = ["cond", "copy", "implies", "reset", "scan", "while_loop"]


def cond(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any) -> Any:
    """`lax.cond` whose condition is a Boolean: of a number every value but 0 would count as true, in silence."""
    if not is_boolean(pred):
        raise Mistake(f"the condition of a branch is {kind(pred)}, not a comparison; write for example x > 0.0")
    return lax.cond(pred, true_fun, false_fun, *operands)


branch = cond  # `while_loop` has an argument of that name


def scan(f: Callable[[Any, Any], Any], init: Any, xs: Any = None, length: Any = None, reverse: Any = False) -> Any:
    """`lax.scan` without `unroll`: an unrolled loop costs what the passes `cost` and `loops` do not count."""
    if isinstance(length, int):  # what is data is JAX's to complain about
        _trips(length, "length")
    return lax.scan(f, init, xs, length, reverse)


def while_loop(cond: Callable[[Any], Any], body: Callable[[Any], Any], init: Any, *, max_trips: int) -> Any:
    """`lax.while_loop` that takes at most `max_trips` trips, whatever the data: a scan whose steps stop acting.

    Args:
        cond: value -> scalar Boolean; while true, `body` is applied.
        body: value -> value of the same structure.
        init: the first value.
        max_trips: a constant; the loop's cost is this many trips.
    """

    def step(value: Any, _: None) -> tuple[Any, None]:
        return branch(cond(value), body, lambda same: same, value), None

    return lax.scan(step, jax.tree.map(jnp.asarray, init), None, length=_trips(max_trips, "max_trips"))[0]


def _trips(count: Any, name: str) -> int:
    """A constant number of trips; JAX takes a negative one without a word."""
    trips = operator.index(count)
    if trips < 0:
        raise Mistake(f"{name} is {trips}, and a loop has no fewer than 0 trips; write how many it has")
    return trips


def copy(value: Any) -> jax.Array:
    """A value of its own, for a state that deliberately holds the same value twice."""
    return lax.copy_p.bind(jnp.asarray(value))


def implies(p: Any, q: Any) -> jax.Array:
    """`not p or q` on Booleans; inside an assert statement it combines margins instead."""
    return jnp.logical_or(jnp.logical_not(p), q)
