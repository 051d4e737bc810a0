"""Moving numbers: one at a time first, then all together with an evolution strategy; counted in generations.

A controller that fails mostly has one number that is wrong, by its sign or by a factor, and a reviewer prefers a patch that
changes one. What that cannot mend goes to CMA-ES. Source: Hansen 2016, "The CMA Evolution Strategy: A Tutorial"; the
`cmaes` package.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from cmaes import CMA

from healing_runtime.brains.embedded.budget import Budget
from healing_runtime.brains.embedded.score import Score
from healing_runtime.brains.embedded.space import LOG_STEP

# A single number is tried at these factors, and with its sign turned.
FACTORS = (0.25, 0.5, 2.0, 4.0)
SIGMA = 0.5


class Point(NamedTuple):
    """A place in the search space: the vector, and the sign of each leaf relative to the original."""

    z: np.ndarray
    signs: np.ndarray


class Member(NamedTuple):
    """A point that was flown, and how it did."""

    point: Point
    score: Score


Evaluate = Callable[[list[Point], int, int], list[Score]]
"""(points, generation, flights of each) -> scores."""


def search(evaluate: Evaluate, size: int, *, seed: int, budget: Budget) -> tuple[list[Member], int]:
    """Maximise `evaluate` from the origin.

    It stops `patience` generations after a candidate succeeded in all flights, and when after `hope` generations none
    has succeeded in any.

    Returns:
        The best members, best first, and the number of generations spent.
    """
    members, best, spent = _one_at_a_time(evaluate, size, budget)
    if size == 0:
        return members, spent
    # The package wants two dimensions at least; a second one that means nothing costs little.
    mean = np.zeros(max(size, 2))
    mean[:size] = best.z
    strategy = CMA(mean=mean, sigma=SIGMA, seed=seed % 2**32, population_size=budget.population)
    patience = budget.patience
    while spent < budget.generations:
        if any(member.score.pass_rate == 1.0 for member in members):
            patience -= 1
        elif spent >= budget.hope and not any(member.score.pass_rate for member in members):
            break
        if patience < 0:
            break
        asked = [strategy.ask() for _ in range(budget.population)]
        points = [Point(vector[:size], best.signs) for vector in asked]
        scores = evaluate(points, spent, budget.flights)
        strategy.tell([(vector, -score.value) for vector, score in zip(asked, scores, strict=True)])
        members += [Member(p, s) for p, s in zip(points, scores, strict=True)]
        spent += 1
    # The mean of the strategy averages over the draws of all generations; it is often the most robust candidate of all.
    centre = Point(strategy.mean[:size].copy(), best.signs)
    members.append(Member(centre, evaluate([centre], spent, budget.flights)[0]))
    return sorted(members, key=lambda m: (-m.score.pass_rate, -m.score.value)), spent


def _one_at_a_time(evaluate: Evaluate, size: int, budget: Budget) -> tuple[list[Member], Point, int]:
    """Greedy: of all single moves the best is kept, and the next one tried on top of it, while that helps."""
    best, spent = Point(np.zeros(size), np.ones(size)), 0
    members: list[Member] = []
    while spent < min(budget.single_moves, budget.generations):
        points = [best, *_single_moves(best)]
        found = [Member(p, s) for p, s in zip(points, evaluate(points, spent, budget.moved_flights), strict=True)]
        members += found
        spent += 1
        # Compared within one generation, where all meet the same flights.
        better = max(found, key=lambda member: member.score.value)
        if better is found[0]:
            break
        best = better.point
        if better.score.pass_rate == 1.0:
            break
    return members, best, spent


def _single_moves(origin: Point) -> list[Point]:
    """Every number with its sign turned, and at every factor."""
    moves = []
    for i in range(len(origin.z)):
        only = np.arange(len(origin.z)) == i
        moves.append(Point(origin.z, np.where(only, -origin.signs, origin.signs)))
        moves += [Point(origin.z + only * math.log(factor) / LOG_STEP, origin.signs) for factor in FACTORS]
    return moves
