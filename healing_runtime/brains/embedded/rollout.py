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

from healing_runtime.brains.embedded.compiling import LANES, RARELY, compiled, like
from healing_runtime.brains.embedded.judge import Judge
from healing_runtime.brains.embedded.task import Task
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


class Draws:
    """Disturbances and initial states of the twin for seeds and strengths; compiled once for all structures."""

    def __init__(self, twin: Twin) -> None:
        """Trace and compile."""

        def draw(seed: Any, strength: Any) -> tuple[Any, Any]:
            draw_key, init_key = jax.random.split(jax.random.key(seed))
            disturbance = twin.draw(draw_key, strength)
            return disturbance, twin.init(init_key, disturbance)

        shapes = (jax.ShapeDtypeStruct((LANES,), jnp.uint32), jax.ShapeDtypeStruct((LANES,), jnp.float32))
        self._program = compiled(jax.vmap(draw), *shapes, options=RARELY)

    def draw(self, seeds: np.ndarray, strengths: np.ndarray) -> tuple[Any, Any]:
        """(disturbances, states), NumPy leaves with one row a seed. Strength 0 is the nominal robot."""
        parts = []
        for start in range(0, len(seeds), LANES):
            rows = np.arange(start, start + LANES) % len(seeds)
            parts.append(self._program(seeds[rows].astype(np.uint32), strengths[rows].astype(np.float32)))
        return jax.tree.map(lambda *leaves: np.concatenate([np.asarray(x) for x in leaves])[: len(seeds)], *parts)

    @functools.cached_property
    def nominal(self) -> tuple[Any, Any]:
        """Disturbance and initial state of the nominal robot, without a lane axis."""
        return jax.tree.map(lambda leaf: leaf[0], self.draw(np.zeros(1), np.zeros(1)))


class Rollout:
    """The compiled closed loop of one structure."""

    def __init__(self, task: Task, draws: Draws, controller: Controller) -> None:
        """Trace and compile; this is the expensive part of a search."""
        leaves, tree = jax.tree.flatten(controller.params)
        flight = _flight(task, controller)

        def lane(columns: list[Any], *start: Any) -> Any:
            return flight(jax.tree.unflatten(tree, columns), *start)

        batched = jax.vmap(lane, out_axes=(1, 1, 0, 0))
        columns = [jax.ShapeDtypeStruct((LANES, *np.shape(leaf)), jnp.float32) for leaf in leaves]
        self._program = compiled(batched, columns, *like(draws.nominal, LANES))
        self._draws = draws
        self._samples = task.ticks + 1
        self._cores = len(os.sched_getaffinity(0))

    def fly(self, judge: Judge, params: Sequence[Any], seeds: np.ndarray, strengths: np.ndarray) -> Flights:
        """Fly every PARAMS tree (as parsed) once with every seed and its disturbance strength.

        The flights of a tree lie one after the other.
        """

        def read(observed: Any, true: Any, broken: Any, first_trip: Any) -> Flights:
            return self._judged(judge, observed, true, broken, first_trip)

        return _joined(self._blocks(read, params, seeds, strengths), len(params) * len(seeds))

    def recall(
        self, judge: Judge, params: Any, seeds: np.ndarray, strengths: np.ndarray, ticks: np.ndarray
    ) -> tuple[Flights, np.ndarray]:
        """The flights of one PARAMS tree, and what its sensors said at some ticks: [seeds, ticks, columns]."""

        def read(observed: Any, true: Any, broken: Any, first_trip: Any) -> tuple[Flights, np.ndarray]:
            seen = np.asarray(observed)[ticks].swapaxes(0, 1)
            return self._judged(judge, observed, true, broken, first_trip), seen

        flights, seen = zip(*self._blocks(read, [params], seeds, strengths), strict=True)
        return _joined(flights, len(seeds)), np.concatenate(seen)[: len(seeds)]

    def _judged(self, judge: Judge, observed: Any, true: Any, broken: Any, first_trip: Any) -> Flights:
        verdicts, broken = judge(observed, true), np.asarray(broken)
        return Flights(
            np.concatenate([verdicts.rho, np.where(broken, -1.0, np.inf)], axis=1),
            np.concatenate([verdicts.kept, ~broken], axis=1),
            np.minimum(verdicts.first_trip, np.asarray(first_trip)) / self._samples,
        )

    def _blocks(
        self, read: Callable[..., Read], params: Sequence[Any], seeds: np.ndarray, strengths: np.ndarray
    ) -> list[Read]:
        """Fly in blocks of lanes, each read on the thread that flew it; the last one is filled up with repetitions."""
        each, count = len(seeds), len(params) * len(seeds)
        starts = self._draws.draw(seeds, strengths)
        trees = [jax.tree.leaves(arrays(tree)) for tree in params]
        columns = [np.stack(leaf).astype(np.float32) for leaf in zip(*trees, strict=True)]

        def run(first: int) -> Read:
            lanes = np.arange(first, first + LANES) % count
            begin = jax.tree.map(lambda leaf: leaf[lanes % each], starts)
            return read(*self._program([c[lanes // each] for c in columns], *begin))

        with ThreadPoolExecutor(self._cores) as pool:
            return list(pool.map(run, range(0, count, LANES)))


def _joined(blocks: Sequence[Flights], count: int) -> Flights:
    return Flights(*(np.concatenate(pieces)[:count] for pieces in zip(*blocks, strict=True)))


class _Carry(NamedTuple):
    plant: Any
    memory: Any
    action: Any
    broken: Any
    first_trip: Any


def _flight(task: Task, controller: Controller) -> Callable[[Any, Any, Any], tuple[Any, Any, Any, Any]]:
    """(params, disturbance, initial state) -> (observed, true, contract broken, tick of the first such trip)."""
    twin, table = task.twin, task.table
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
