"""A controller in closed loop with the twin, judged by the scenario's own monitors: one program per structure.

The program runs a fixed number of lanes, each with its own PARAMS, disturbance and randomness, so a lane's result does not
depend on how many cores there are. Candidates of any number are cut into blocks of lanes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime.brains.embedded.task import Task
from healing_runtime.core.signals import SignalTable
from healing_runtime.core.status import Status
from healing_runtime.language import harvest
from healing_runtime.language.controller import Controller, arrays

LANES = 192


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


class Rollout:
    """The compiled closed loop of one structure."""

    def __init__(self, task: Task, controller: Controller) -> None:
        """Trace and compile; this is the expensive part of a search (about half a second)."""
        leaves, tree = jax.tree.flatten(controller.params)
        lane = _lane(task, controller)
        shapes = (
            [jax.ShapeDtypeStruct((LANES, *np.shape(leaf)), jnp.float32) for leaf in leaves],
            jax.ShapeDtypeStruct((LANES,), jnp.uint32),
            jax.ShapeDtypeStruct((LANES,), jnp.float32),
        )
        batched = jax.vmap(lambda leaves, seed, strength: lane(jax.tree.unflatten(tree, leaves), seed, strength))
        self._program = jax.jit(batched).lower(*shapes).compile()
        self._cores = max(1, len(os.sched_getaffinity(0)))

    def fly(self, params: Sequence[Any], seeds: np.ndarray, strengths: np.ndarray) -> Flights:
        """Fly every PARAMS tree (as parsed) once with every seed and its disturbance strength (0 is the nominal robot).

        The flights of a tree lie one after the other.
        """
        each, count = len(seeds), len(params) * len(seeds)
        trees = [jax.tree.leaves(arrays(tree)) for tree in params]
        columns = [np.repeat(np.stack(leaf), each, axis=0).astype(np.float32) for leaf in zip(*trees, strict=True)]
        seeds, strengths = np.tile(seeds, len(params)), np.tile(strengths, len(params))

        def run(start: int) -> list[np.ndarray]:
            rows = np.arange(start, start + LANES) % count
            lanes = [column[rows] for column in columns]
            out = self._program(lanes, seeds[rows].astype(np.uint32), strengths[rows].astype(np.float32))
            return [np.asarray(array) for array in out]

        starts = range(0, count, LANES)
        if len(starts) == 1 or self._cores == 1:
            parts = [run(start) for start in starts]
        else:
            with ThreadPoolExecutor(self._cores) as pool:
                parts = list(pool.map(run, starts))
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


def _lane(task: Task, controller: Controller) -> Any:
    """(params, seed, strength) -> (scaled rho, kept, survived) of one flight."""
    twin, table, monitor = task.twin, task.table, task.monitor
    dtype = jnp.float32
    low, high = table.action.low.astype(np.float32), table.action.high.astype(np.float32)
    step_limit = _rate_limits(table) / task.control_hz
    scales = np.array([r.scale for r in task.requirements] or np.zeros(0), np.float32)
    trips = task.trips
    count = len(task.requirements)
    labels = task.contract_labels
    original_params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), task.original.params)

    def flight(params: Any, seed: Any, strength: Any) -> tuple[Any, Any, Any]:
        draw_key, init_key = jax.random.split(jax.random.key(seed))
        disturbance = twin.draw(draw_key, strength)

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
            twin.init(init_key, disturbance),
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
