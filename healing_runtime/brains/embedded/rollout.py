"""A controller in closed loop with the twin, judged by the scenario's own monitors.

A program flies a fixed number of lanes, each with its own PARAMS, disturbance and initial state. Candidates of any
number are cut into blocks of lanes, and blocks go to as many threads as there are cores; a lane's result depends on
neither.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime.brains.embedded.compiling import LANES, compiled, like
from healing_runtime.brains.embedded.draws import Draws, row_of
from healing_runtime.brains.embedded.judge import Judge
from healing_runtime.brains.embedded.task import Task
from healing_runtime.brains.embedded.wires import are_slow
from healing_runtime.core.plant import Twin
from healing_runtime.language import harvest
from healing_runtime.language.controller import Controller, arrays

Read = TypeVar("Read")


class Flights(NamedTuple):
    """What is known of every flight; columns are the requirements, then the original's contract asserts.

    Attributes:
        rho: [flights, columns] scaled robustness. A contract that holds has +inf: a command clipped to its limit is as
            good as one inside.
        kept: [flights, columns] True where the verdict is true or vacuous.
        survived: [flights] share of the flight before the first violation that ends it; 1 when there is none.
    """

    rho: np.ndarray
    kept: np.ndarray
    survived: np.ndarray


class Rollout:
    """The compiled closed loop of one structure; with slow wires it is compiled when flights first have some."""

    def __init__(self, task: Task, draws: Draws, controller: Controller) -> None:
        """Trace and compile; this is the expensive part of a search."""
        self._task, self._draws, self._controller = task, draws, controller
        self._prompt = self._compiled(task.prompt)
        self._samples = task.ticks + 1
        self._cores = len(os.sched_getaffinity(0))

    def _compiled(self, twin: Twin) -> Callable[..., Any]:
        leaves, tree = jax.tree.flatten(self._controller.params)
        flight = _flight(self._task, twin, self._controller)

        def lane(columns: list[Any], *start: Any) -> Any:
            return flight(jax.tree.unflatten(tree, columns), *start)

        batched = jax.vmap(lane, out_axes=(1, 1, 0, 0))
        columns = [jax.ShapeDtypeStruct((LANES, *np.shape(leaf)), jnp.float32) for leaf in leaves]
        return compiled(batched, columns, *like(self._draws.nominal, LANES))

    @functools.cached_property
    def _late(self) -> Callable[..., Any]:
        return self._compiled(self._task.twin)

    def fly(self, judge: Judge, params: Sequence[Any], starts: Any) -> Flights:
        """Fly every PARAMS tree (as parsed) once from every start. The flights of a tree lie one after the other."""

        def read(observed: Any, true: Any, broken: Any, first_trip: Any) -> Flights:
            return self._judged(judge, observed, true, broken, first_trip)

        return _joined(self._blocks(read, params, starts), len(params) * _count(starts))

    def recall(self, judge: Judge, params: Any, starts: Any, ticks: np.ndarray) -> tuple[Flights, np.ndarray]:
        """The flights of one PARAMS tree, and what its sensors said at some ticks: [starts, ticks, columns]."""

        def read(observed: Any, true: Any, broken: Any, first_trip: Any) -> tuple[Flights, np.ndarray]:
            seen = np.asarray(observed)[ticks].swapaxes(0, 1)
            return self._judged(judge, observed, true, broken, first_trip), seen

        flights, seen = zip(*self._blocks(read, [params], starts), strict=True)
        return _joined(flights, _count(starts)), np.concatenate(seen)[: _count(starts)]

    def _judged(self, judge: Judge, observed: Any, true: Any, broken: Any, first_trip: Any) -> Flights:
        verdicts, broken = judge(observed, true), np.asarray(broken)
        return Flights(
            np.concatenate([verdicts.rho, np.where(broken, -1.0, np.inf)], axis=1),
            np.concatenate([verdicts.kept, ~broken], axis=1),
            np.minimum(verdicts.first_trip, np.asarray(first_trip)) / self._samples,
        )

    def _blocks(self, read: Callable[..., Read], params: Sequence[Any], starts: Any) -> list[Read]:
        """Fly in blocks of lanes, each read on the thread that flew it; the last one is filled up with repetitions."""
        each, count = _count(starts), len(params) * _count(starts)
        trees = [jax.tree.leaves(arrays(tree)) for tree in params]
        columns = [np.stack(leaf).astype(np.float32) for leaf in zip(*trees, strict=True)]
        program = self._late if are_slow(starts[0]) else self._prompt

        def run(first: int) -> Read:
            lanes = np.arange(first, first + LANES) % count
            return read(*program([c[lanes // each] for c in columns], *row_of(starts, lanes % each)))

        with ThreadPoolExecutor(self._cores) as pool:
            return list(pool.map(run, range(0, count, LANES)))


def _count(starts: Any) -> int:
    return len(jax.tree.leaves(starts)[0])


def _joined(blocks: Sequence[Flights], count: int) -> Flights:
    return Flights(*(np.concatenate(pieces)[:count] for pieces in zip(*blocks, strict=True)))


class _Carry(NamedTuple):
    plant: Any
    memory: Any
    action: Any
    broken: Any
    first_trip: Any


def _flight(task: Task, twin: Twin, controller: Controller) -> Callable[[Any, Any, Any], tuple[Any, Any, Any, Any]]:
    """(params, disturbance, initial state) -> (observed, true, contract broken, tick of the first such trip)."""
    table = task.table
    dtype = jnp.float32
    low, high = table.action.low.astype(np.float32), table.action.high.astype(np.float32)
    rate = np.concatenate([np.full(s.size, s.rate_per_s / task.control_hz, np.float32) for s in table.action])
    labels = task.contract_labels
    original_params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), task.original.params)
    control = harvest.harvest(controller.control)

    def flight(params: Any, disturbance: Any, plant: Any) -> tuple[Any, Any, Any, Any]:
        def tick(carry: _Carry, k: Any) -> tuple[_Carry, tuple[Any, Any]]:
            observed = twin.observe(carry.plant, disturbance).astype(dtype)
            obs = table.observed.unpack(observed) | {"dt_s": jnp.asarray(1.0 / task.control_hz, dtype)}
            (wanted, memory), _ = control(obs, carry.memory, params)
            margins = task.original.contract(obs, carry.memory, wanted, memory, original_params) if labels else {}
            broken = jnp.array([~margins[n].ok | jnp.isnan(margins[n].rho) for n in labels], bool)
            command = jnp.concatenate([jnp.ravel(wanted[s.key]).astype(dtype) for s in table.action])
            finite = jnp.all(jnp.isfinite(command))
            # As the loop does: held inside the actuators' rates (from the second tick on) and limits.
            action = jnp.where(jnp.isfinite(command), command, carry.action)
            if np.isfinite(rate).any():
                step = jnp.where(k > 0, rate, jnp.inf)
                action = jnp.clip(action, carry.action - step, carry.action + step)
            action = jnp.clip(action, low, high)
            tripped = jnp.any(broken) | ~finite
            after = _Carry(
                twin.step(carry.plant, action, disturbance),
                memory,
                action,
                carry.broken | broken,
                jnp.where(tripped, jnp.minimum(carry.first_trip, k), carry.first_trip),
            )
            return after, (observed, twin.truth(carry.plant).astype(dtype))

        start = _Carry(
            plant,
            controller.init(params),
            jnp.clip(jnp.zeros(table.action.size, dtype), low, high),
            jnp.zeros(len(labels), bool),
            jnp.asarray(task.ticks + 1, jnp.int32),
        )
        end, (observed, true) = jax.lax.scan(tick, start, jnp.arange(task.ticks + 1, dtype=jnp.int32))
        return observed, true, end.broken, end.first_trip

    return flight
