"""A controller in closed loop with the twin, judged by the scenario's own monitors: one program per structure.

The program runs a fixed number of lanes, each with its own PARAMS, disturbance and randomness, so a lane's result does not
depend on how many cores there are. Candidates of any number are cut into blocks of lanes.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime.brains.embedded.task import Task
from healing_runtime.core.plant import Twin
from healing_runtime.core.signals import SignalTable
from healing_runtime.core.status import Status
from healing_runtime.language import harvest
from healing_runtime.language.controller import Controller, arrays

LANES = 192
# What runs only now and then is compiled in half the time and may run slower (measured on jaxlib 0.10: 0.7 for 1.7 s of CPU).
RARE: dict[str, Any] = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}


class Flights(NamedTuple):
    """What is known of every lane: scaled robustness and status per requirement, and when it first tripped.

    Attributes:
        rho: [lanes, requirements] scaled robustness at the end of the flight.
        kept: [lanes, requirements] True where the verdict is true or vacuous.
        survived: [lanes] share of the flight before the first violation that ends it; 1 when there is none.
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
        self._program = jax.jit(jax.vmap(draw)).lower(*shapes).compile(compiler_options=RARE)

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
        lanes = jax.tree.map(lambda x: jax.ShapeDtypeStruct((LANES, *np.shape(x)), np.asarray(x).dtype), draws.nominal)
        columns = [jax.ShapeDtypeStruct((LANES, *np.shape(leaf)), jnp.float32) for leaf in leaves]
        batched = jax.vmap(lambda leaves, *start: flight(jax.tree.unflatten(tree, leaves), *start))
        self._program = jax.jit(batched).lower(columns, *lanes).compile()
        self._draws = draws
        self._cores = len(os.sched_getaffinity(0))

    def fly(self, params: Sequence[Any], seeds: np.ndarray, strengths: np.ndarray) -> Flights:
        """Fly every PARAMS tree (as parsed) once with every seed and its disturbance strength.

        The flights of a tree lie one after the other.
        """
        each, count = len(seeds), len(params) * len(seeds)
        starts = self._draws.draw(seeds, strengths)
        trees = [jax.tree.leaves(arrays(tree)) for tree in params]
        columns = [np.stack(leaf).astype(np.float32) for leaf in zip(*trees, strict=True)]

        def run(first: int) -> list[np.ndarray]:
            lanes = np.arange(first, first + LANES) % count
            begin = jax.tree.map(lambda leaf: leaf[lanes % each], starts)
            return [np.asarray(out) for out in self._program([c[lanes // each] for c in columns], *begin)]

        with ThreadPoolExecutor(self._cores) as pool:
            parts = list(pool.map(run, range(0, count, LANES)))
        return Flights(*(np.concatenate(pieces)[:count] for pieces in zip(*parts, strict=True)))


class _Carry(NamedTuple):
    plant: Any
    memory: Any
    monitor: Any
    action: Any
    contract: Any
    first_trip: Any
    rho: Any
    status: Any


def _flight(task: Task, controller: Controller) -> Callable[[Any, Any, Any], tuple[Any, Any, Any]]:
    """(params, disturbance, initial state) -> (scaled rho, kept, survived) of one flight."""
    twin, table, monitor = task.twin, task.table, task.monitor
    dtype = jnp.float32
    low, high = table.action.low.astype(np.float32), table.action.high.astype(np.float32)
    step_limit = _rate_limits(table) / task.control_hz
    scales = np.array([r.scale for r in task.requirements] or np.zeros(0), np.float32)
    trips = task.trips
    count = len(task.requirements)
    labels = task.contract_labels
    original_params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), task.original.params)

    def flight(params: Any, disturbance: Any, plant: Any) -> tuple[Any, Any, Any]:
        def tick(carry: _Carry, k: Any) -> tuple[_Carry, None]:
            observed = twin.observe(carry.plant, disturbance).astype(dtype)
            true = twin.truth(carry.plant).astype(dtype)
            watched, out = monitor.update(carry.monitor, true, observed)
            obs = table.observed.unpack(observed) | {"dt_s": jnp.asarray(1.0 / task.control_hz, dtype)}
            (wanted, memory), _ = harvest.harvest(controller.control)(obs, carry.memory, params)
            margins = task.original.contract(obs, carry.memory, wanted, memory, original_params) if labels else {}
            kept = [margins[n].ok & ~jnp.isnan(margins[n].rho) for n in labels]
            # A contract that holds has no better or worse: a command clipped to its limit is as good as one inside.
            contract = jnp.array([jnp.where(k, jnp.inf, -1.0) for k in kept], dtype)
            flat = jnp.concatenate([jnp.ravel(wanted[s.key]).astype(dtype) for s in table.action])
            held = carry.action
            action = jnp.where(jnp.isfinite(flat), flat, held)
            if np.all(np.isfinite(step_limit)):
                action = jnp.clip(action, held - step_limit, held + step_limit)
            action = jnp.clip(action, low, high)
            violated = (out.now.status == int(Status.FALSE)) | (out.now.status == int(Status.INVALID))
            broken = jnp.concatenate([violated, contract < 0.0])
            tripped = jnp.any(broken & trips) | ~jnp.all(jnp.isfinite(flat))
            after = _Carry(
                twin.step(carry.plant, action, disturbance),
                memory,
                watched,
                action,
                jnp.minimum(carry.contract, contract),
                jnp.where(tripped, jnp.minimum(carry.first_trip, k), carry.first_trip),
                out.ended.rho.astype(dtype),
                out.ended.status,
            )
            return after, None

        start = _Carry(
            plant,
            controller.init(params),
            monitor.init(),
            jnp.clip(jnp.zeros(table.action.size, dtype), low, high),
            jnp.full(len(labels), jnp.inf, dtype),
            jnp.asarray(task.ticks, jnp.int32),
            jnp.zeros(count, dtype),
            jnp.zeros(count, jnp.int32),
        )
        end, _ = jax.lax.scan(tick, start, jnp.arange(task.ticks + 1, dtype=jnp.int32))
        rho = jnp.concatenate([end.rho / scales, end.contract])
        kept = (end.status == int(Status.TRUE)) | (end.status == int(Status.VACUOUS))
        kept = jnp.concatenate([kept, end.contract >= 0])
        return rho, kept, end.first_trip / task.ticks

    return flight


def _rate_limits(table: SignalTable) -> np.ndarray:
    return np.concatenate([np.full(s.size, s.rate_per_s, np.float32) for s in table.action])
