"""The scenario's own monitors over recorded flights, compiled once for all structures of a search."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime.brains.embedded.compiling import LANES, compiled
from healing_runtime.brains.embedded.task import Task
from healing_runtime.core.status import Status


class Verdicts(NamedTuple):
    """The verdicts of a block of flights.

    Attributes:
        rho: [lanes, requirements] scaled robustness when the flight ends.
        kept: [lanes, requirements] True where the verdict is true or vacuous.
        first_trip: [lanes] tick of the first violation that ends a flight; the number of samples if there is none.
    """

    rho: Any
    kept: Any
    first_trip: Any


class Judge:
    """`stl.online_all` as the loop runs it, over [samples, lanes, columns]."""

    def __init__(self, task: Task) -> None:
        """Trace and compile."""
        monitor = task.monitor
        scales = np.array([r.scale for r in task.requirements], np.float32)
        trips = task.trips[: len(task.requirements)]
        samples = task.ticks + 1

        def judge(observed: jax.Array, true: jax.Array) -> Verdicts:
            def update(carry: Any, sample: tuple[Any, Any, Any]) -> tuple[Any, None]:
                memory, first, _, _ = carry
                k, seen, is_true = sample
                memory, out = monitor.update(memory, is_true, seen)
                violated = (out.now.status == int(Status.FALSE)) | (out.now.status == int(Status.INVALID))
                first = jnp.where(jnp.any(violated & trips), jnp.minimum(first, k), first)
                return (memory, first, out.ended.status, out.ended.rho.astype(jnp.float32)), None

            count = len(task.requirements)
            blank = (monitor.init(), jnp.int32(samples), jnp.zeros(count, jnp.int32), jnp.zeros(count, jnp.float32))
            ticks = jnp.arange(samples, dtype=jnp.int32)
            (_, first, status, rho), _ = jax.lax.scan(update, blank, (ticks, observed, true))
            return Verdicts(rho / scales, (status == int(Status.TRUE)) | (status == int(Status.VACUOUS)), first)

        sizes = (task.table.observed.size, task.table.true.size)
        shapes = (jax.ShapeDtypeStruct((samples, LANES, size), jnp.float32) for size in sizes)
        self._program = compiled(jax.vmap(judge, in_axes=1), *shapes)

    def __call__(self, observed: Any, true: Any) -> Verdicts:
        """Verdicts of `LANES` flights."""
        return Verdicts(*map(np.asarray, self._program(observed, true)))
