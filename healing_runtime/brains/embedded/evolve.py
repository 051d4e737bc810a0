"""The evolution strategy: CMA-ES, asked and told, counted in generations.

Source: Hansen 2016, "The CMA Evolution Strategy: A Tutorial"; the `cmaes` package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from cmaes import CMA

from healing_runtime.brains.embedded.budget import Budget
from healing_runtime.brains.embedded.score import Score


class Point(NamedTuple):
    """A place in the search space: the vector, and the sign of each leaf relative to the original."""

    z: np.ndarray
    signs: np.ndarray


class Member(NamedTuple):
    """A point that was flown, and how it did."""

    point: Point
    score: Score


Evaluate = Callable[[list[Point], int], list[Score]]


def search(evaluate: Evaluate, size: int, *, seed: int, budget: Budget, sigma: float = 0.7) -> tuple[list[Member], int]:
    """Maximise `evaluate` (points, generation -> scores) from the origin.

    The first generation is the controller as it stands, and each of its numbers with the sign turned; the strategy starts
    from the best of these. It stops `patience` generations after a candidate succeeded in all flights.

    Returns:
        The best members, best first, and the number of generations spent.
    """
    starts = _signs(size)
    members = [Member(p, s) for p, s in zip(starts, evaluate(starts, 0), strict=True)]
    spent = 1
    if size == 0:
        return members, spent
    signs = _best(members)[0].point.signs
    # The package wants two dimensions at least; a second one that means nothing costs little.
    width = max(size, 2)
    strategy = CMA(mean=np.zeros(width), sigma=sigma, seed=seed % 2**32, population_size=budget.population)
    patience = budget.patience
    while spent < budget.generations:
        asked = [strategy.ask() for _ in range(budget.population)]
        points = [Point(vector[:size], signs) for vector in asked]
        scores = evaluate(points, spent)
        strategy.tell([(vector, -score.value) for vector, score in zip(asked, scores, strict=True)])
        members += [Member(p, s) for p, s in zip(points, scores, strict=True)]
        spent += 1
        if any(member.score.pass_rate == 1.0 for member in members):
            patience -= 1
            if patience < 0:
                break
    # The mean of the strategy averages over the draws of all generations; it is often the most robust candidate of all.
    centre = Point(strategy.mean[:size].copy(), signs)
    members.append(Member(centre, evaluate([centre], spent)[0]))
    return _best(members), spent


def _signs(size: int) -> list[Point]:
    """The origin and every single sign turned."""
    points = [Point(np.zeros(size), np.ones(size))]
    for i in range(size):
        signs = np.ones(size)
        signs[i] = -1.0
        points.append(Point(np.zeros(size), signs))
    return points


def _best(members: list[Member]) -> list[Member]:
    return sorted(members, key=lambda m: (-m.score.pass_rate, -m.score.value))
