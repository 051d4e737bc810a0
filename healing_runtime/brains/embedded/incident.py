"""What may have happened: disturbances of the prior under which the failed controller flies as the log says it flew.

Approximate Bayesian computation (Beaumont 2010) with the twin as the simulator: draw from the prior, fly the original,
keep the draws whose sensed signals lie nearest to the incident's log. Nothing but the log is looked at. Where the prior
holds nothing that breaks what broke, the search goes on beyond it, by crossing what lies nearest (`draws.cross`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from healing_runtime.brains.embedded.budget import Budget
from healing_runtime.brains.embedded.draws import BEYOND, Draws, joined, row_of
from healing_runtime.brains.embedded.judge import Judge
from healing_runtime.brains.embedded.rollout import Rollout
from healing_runtime.brains.embedded.task import Task
from healing_runtime.core.records import RepairRequest

# A column that is off by more than this many of its spreads is simply wrong.
FAR = 3.0
# What happened last says most: the log of a fault is mostly of the time before it.
MEMORY_S = 0.5

# A log further than this from every draw, in their own spreads, is none that the prior knows.
STRANGE = 1.0


class Suspects(NamedTuple):
    """Starts of the twin, the likeliest first; None where there are none."""

    starts: Any
    size: int

    def rows(self, rows: np.ndarray) -> Suspects:
        """Some of them."""
        return Suspects(row_of(self.starts, rows) if len(rows) else None, len(rows))

    def every(self, offset: int, stride: int) -> Suspects:
        """A share of them, so that what is validated on was not searched on."""
        return self.rows(np.arange(offset, self.size, stride))

    def window(self, start: int, count: int) -> Suspects:
        """At most `count` of them, others with every `start`."""
        return self.rows((start * count + np.arange(min(count, self.size))) % max(1, self.size))

    def behind(self, starts: Any) -> Any:
        """Other starts, and then these."""
        return joined(starts, self.starts) if self.size else starts


NOBODY = Suspects(None, 0)


class _Flown(NamedTuple):
    """Starts with which the failed controller was flown.

    Attributes:
        starts: of the twin.
        seen: [starts, ticks, columns] what the sensors said.
        explains: [starts] whether it broke what broke in the incident.
    """

    starts: Any
    seen: np.ndarray
    explains: np.ndarray


class _Near(NamedTuple):
    """Of what was flown, the starts with their distances from the log."""

    starts: Any
    distances: np.ndarray
    explains: np.ndarray

    def nearest(self) -> np.ndarray:
        """Rows, the nearest first."""
        return np.argsort(self.distances, kind="stable")


def suspects(
    request: RepairRequest, task: Task, original: Rollout, judge: Judge, draws: Draws, budget: Budget
) -> Suspects:
    """The likeliest disturbances; none if the log is empty.

    A draw under which the failed controller keeps what it broke explains nothing, however near the log it flies; it
    counts only where no draw breaks it. Where the prior explains too little, or nothing like the log, what lies beyond
    is drawn as well, and the nearest are crossed with one another.
    """
    logged = _logged(request, task)
    ticks = np.array(request.log_ticks, int)
    inside = (ticks >= 0) & (ticks <= task.ticks)
    if not np.any(np.isfinite(logged[inside])):
        return NOBODY
    random = np.random.default_rng([request.seed, len(request.attempts)])
    weights = np.exp((ticks[inside] - request.trip_tick) / (MEMORY_S * task.control_hz))

    def fly(starts: Any) -> _Flown:
        flights, seen = original.recall(judge, task.opened.parsed.params, starts, ticks[inside])
        explains = flights.survived < 1.0
        if request.assertion in task.labels:
            explains &= ~flights.kept[:, task.labels.index(request.assertion)]
        return _Flown(starts, seen, explains)

    def seeds(count: int) -> np.ndarray:
        return random.integers(2**32, size=count)

    def near(flown: _Flown, spread: _Spread) -> _Near:
        return _Near(flown.starts, spread.distances(flown.seen, logged[inside], weights), flown.explains)

    flown = fly(draws.draw(seeds(budget.draws), np.linspace(0.0, 1.0, budget.draws)))
    found = near(flown, _spread(flown.seen))
    if np.count_nonzero(found.explains) < budget.suspects or np.min(found.distances) > STRANGE:
        flown = joined(flown, fly(draws.beyond(seeds(budget.draws), np.linspace(1.0, BEYOND, budget.draws))))
        spread = _spread(flown.seen)
        found = near(flown, spread)
        for _ in range(budget.crossings):
            parents = row_of(found.starts[0], found.nearest()[: budget.suspects])
            children = draws.cross(parents, seeds(budget.children), random)
            found = joined(found, near(fly(children), spread))
    order = found.nearest()
    explaining = order[found.explains[order]]
    chosen = (explaining if len(explaining) else order)[: budget.suspects]
    return Suspects(row_of(found.starts, chosen), len(chosen))


def _logged(request: RepairRequest, task: Task) -> np.ndarray:
    """[ticks, observed columns]; NaN where the log has no value."""
    columns = [request.log.get(name, ()) for name in task.table.observed.columns]
    rows = len(request.log_ticks)
    return np.stack([np.array(c if len(c) == rows else [None] * rows, float) for c in columns], axis=1)


class _Spread(NamedTuple):
    """How far draws spread at every tick, column by column: what a distance is measured in."""

    middle: np.ndarray
    spread: np.ndarray

    def distances(self, flown: np.ndarray, logged: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """[draws] mean distance from the log. A column without a log says nothing."""
        far = np.minimum(np.abs(_bounded(flown) - logged) / (self.spread + 1e-6 + 1e-4 * np.abs(self.middle)), FAR)
        return np.einsum("dtc,t->d", np.nan_to_num(far, nan=0.0), weights) / (weights.sum() * far.shape[2])


def _spread(flown: np.ndarray) -> _Spread:
    bounded = _bounded(flown)
    middle = np.median(bounded, axis=0)
    return _Spread(middle, np.median(np.abs(bounded - middle), axis=0))


def _bounded(flown: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(flown), flown, np.float32(1e6))
