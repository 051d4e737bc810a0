"""What may have happened: disturbances of the prior under which the failed controller flies as the log says it flew.

Approximate Bayesian computation (Beaumont 2010) with the twin as the simulator: draw from the prior, fly the original,
keep the draws whose sensed signals lie nearest to the incident's log. Nothing but the log is looked at.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from healing_runtime.brains.embedded.judge import Judge
from healing_runtime.brains.embedded.rollout import Rollout
from healing_runtime.brains.embedded.task import Task
from healing_runtime.core.records import RepairRequest

# A column that is off by more than this many of its spreads is simply wrong.
FAR = 3.0
# What happened last says most: the log of a fault is mostly of the time before it.
MEMORY_S = 0.5


class Suspects(NamedTuple):
    """Seeds and strengths of draws, the likeliest first."""

    seeds: np.ndarray
    strengths: np.ndarray

    def every(self, offset: int, stride: int) -> Suspects:
        """A share of them, so that what is validated on was not searched on."""
        return Suspects(self.seeds[offset::stride], self.strengths[offset::stride])

    def window(self, start: int, count: int) -> Suspects:
        """At most `count` of them, others with every `start`."""
        rows = (start * count + np.arange(min(count, len(self.seeds)))) % max(1, len(self.seeds))
        return Suspects(self.seeds[rows], self.strengths[rows])


def suspects(request: RepairRequest, task: Task, original: Rollout, judge: Judge, *, draws: int, keep: int) -> Suspects:
    """The `keep` likeliest of `draws` draws; none if the log is empty.

    A draw under which the failed controller keeps what it broke explains nothing, however near the log it flies; it
    counts only where no draw breaks it.
    """
    logged = _logged(request, task)
    ticks = np.array(request.log_ticks, int)
    inside = (ticks >= 0) & (ticks <= task.ticks)
    if not np.any(np.isfinite(logged[inside])):
        return Suspects(np.zeros(0), np.zeros(0))
    seeds = np.random.default_rng([request.seed, len(request.attempts)]).integers(2**32, size=draws)
    strengths = np.linspace(0.0, 1.0, draws)
    flights, flown = original.recall(judge, task.parsed.params, seeds, strengths, ticks[inside])
    weights = np.exp((ticks[inside] - request.trip_tick) / (MEMORY_S * task.control_hz))
    distances = _distances(flown, logged[inside], weights)
    explains = flights.survived < 1.0
    if request.assertion in task.labels:
        explains &= ~flights.kept[:, task.labels.index(request.assertion)]
    order = np.argsort(distances, kind="stable")
    explaining = order[explains[order]]
    chosen = (explaining if len(explaining) else order)[:keep]
    return Suspects(seeds[chosen], strengths[chosen])


def _logged(request: RepairRequest, task: Task) -> np.ndarray:
    """[ticks, observed columns]; NaN where the log has no value."""
    columns = [request.log.get(name, ()) for name in task.table.observed.columns]
    rows = len(request.log_ticks)
    return np.stack([np.array(c if len(c) == rows else [None] * rows, float) for c in columns], axis=1)


def _distances(flown: np.ndarray, logged: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[draws] mean distance, each column measured by how far the draws themselves spread at that tick."""
    bounded = np.where(np.isfinite(flown), flown, np.float32(1e6))
    middle = np.median(bounded, axis=0)
    spread = np.median(np.abs(bounded - middle), axis=0)
    far = np.minimum(np.abs(bounded - logged) / (spread + 1e-6 + 1e-4 * np.abs(middle)), FAR)
    # A column without a log says nothing.
    return np.einsum("dtc,t->d", np.nan_to_num(far, nan=0.0), weights) / (weights.sum() * far.shape[2])
