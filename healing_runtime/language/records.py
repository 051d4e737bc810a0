"""What harvest keeps of an assert: its worst margin, and where it was first violated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from healing_runtime.core import margins
from healing_runtime.core.margins import Margin
from healing_runtime.core.status import Status

NEVER = 2**31 - 1
"""`order` of an assert that was not violated."""


class Harvested(NamedTuple):
    """One assert, over everything one call of the function did; all scalars.

    Attributes:
        rho: the worst margin; +inf where it was not reached.
        ok: the Boolean that decides at zero.
        at_index: iteration of the outermost loop at which the worst margin was first reached; -1 outside of loops.
        status: int32 code of `core.status.Status`: true, false, vacuous or invalid.
        violated_at: iteration of the outermost loop at which it was first violated or invalid; -1 outside of loops,
            and where it never was, which `status` tells.
        order: how many asserts the call had judged before that violation, in the order in which plain Python would
            meet them (2**31 at most); `NEVER` where there is none. The smallest is the first violation of the call.
    """

    rho: Array
    ok: Array
    at_index: Array
    status: Array
    violated_at: Array
    order: Array


def first_violation(asserts: Mapping[str, Harvested]) -> tuple[str, int] | None:
    """Label and outermost iteration of the assert at which plain Python would have stopped; None if at none.

    Takes the concrete asserts of one call (of one lane of a batch). A batch inside of the function (`jax.vmap`, or
    `lax.map` with a `batch_size`) is judged assert by assert, each for all lanes at once, not lane by lane.
    """
    label = min(asserts, key=lambda name: int(asserts[name].order), default=None)
    if label is None or int(asserts[label].order) == NEVER:
        return None
    return label, int(asserts[label].violated_at)


class Record(NamedTuple):
    """A `Harvested` in the making; `reached` in place of a status."""

    rho: Array
    ok: Array
    at_index: Array
    reached: Array
    violated_at: Array
    order: Array

    def at(self, iteration: ArrayLike) -> Record:
        """The same, seen from outside of a loop."""
        index = jnp.asarray(iteration, jnp.int32)
        return self._replace(at_index=index, violated_at=index)


Records = dict[str, Record]


def unreached() -> Record:
    """Of an assert that nothing has reached."""
    rho = jnp.array(jnp.inf, jnp.result_type(float))
    return Record(rho, jnp.array(True), jnp.int32(-1), jnp.array(False), jnp.int32(-1), jnp.int32(NEVER))


def observed(rho: ArrayLike, ok: ArrayLike, order: ArrayLike) -> Record:
    """Of an assert that is judged now, after `order` others."""
    worst = margins.worst(
        Margin(jnp.asarray(rho, jnp.result_type(float)), jnp.asarray(ok))
    )  # an integer has no infinity
    fine = worst.ok & ~margins.invalid(worst)
    first = jnp.where(fine, jnp.int32(NEVER), jnp.asarray(order, jnp.int32))
    return Record(worst.rho, worst.ok, jnp.int32(-1), jnp.array(True), jnp.int32(-1), first)


def merge(a: Record, b: Record) -> Record:
    """Both happened, `a` first. The worse margin counts, NaN is worse than any, in a tie the violated one."""
    tie = (a.rho == b.rho) & a.ok & ~b.ok
    later = b.reached & ~jnp.isnan(a.rho) & (~a.reached | (b.rho < a.rho) | jnp.isnan(b.rho) | tie)
    return Record(
        jnp.minimum(a.rho, b.rho),
        a.ok & b.ok,
        jnp.where(later, b.at_index, a.at_index),
        a.reached | b.reached,
        jnp.where(b.order < a.order, b.violated_at, a.violated_at),
        jnp.minimum(a.order, b.order),
    )


def add(records: Records, label: str, record: Record) -> None:
    """Merge one more into what a call has seen so far."""
    records[label] = merge(records[label], record) if label in records else record


def published(record: Record) -> Harvested:
    """With its status."""
    decided = jnp.where(record.ok, jnp.int32(Status.TRUE), jnp.int32(Status.FALSE))
    decided = jnp.where(jnp.isnan(record.rho), jnp.int32(Status.INVALID), decided)
    status = jnp.where(record.reached, decided, jnp.int32(Status.VACUOUS))
    violated_at = jnp.where(record.order < np.int32(NEVER), record.violated_at, jnp.int32(-1))
    return Harvested(record.rho, record.ok, record.at_index, status, violated_at, record.order)
