"""Moving numbers: one or two at a time first, then all together with an evolution strategy; counted in generations.

A controller that fails mostly has one or two numbers that are wrong, by their sign or by a factor, and a reviewer
prefers a patch that changes few. What that cannot mend goes to CMA-ES.

Source: Hansen 2016, "The CMA Evolution Strategy: A Tutorial"; the `cmaes` package.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from healing_runtime.brains.embedded.budget import Budget
from healing_runtime.brains.embedded.score import Score
from healing_runtime.brains.embedded.space import LOG_STEP
from healing_runtime.brains.embedded.strategy import CMA

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
    members, best, spent = _one_or_two(evaluate, size, budget)
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
    return sorted(members, key=lambda member: -member.score.value), spent


def _one_or_two(evaluate: Evaluate, size: int, budget: Budget) -> tuple[list[Member], Point, int]:
    """The origin and every single move; then the best with every other single move, and pairs of promising ones."""
    origin = Point(np.zeros(size), np.ones(size))
    singles = _single_moves(origin)
    members = _flown(evaluate, [origin, *singles], 0, budget)
    best = max(members, key=lambda member: member.score.value)
    if size < 2 or budget.generations < 2:
        return members, best.point, 1
    pairs = [_both(best.point, single) for single in singles]
    if best.score.pass_rate < 1.0:
        promising = sorted(members[1:], key=lambda member: -member.score.value)[: budget.promising]
        pairs += [_both(a.point, b.point) for a, b in itertools.combinations(promising, 2)]
    # The best flies again: scores compare within one generation, where all meet the same flights.
    again = _flown(evaluate, [best.point, *(pair for pair in pairs if pair is not None)], 1, budget)
    return members + again, max(again, key=lambda member: member.score.value).point, 2


def _flown(evaluate: Evaluate, points: list[Point], generation: int, budget: Budget) -> list[Member]:
    scores = evaluate(points, generation, budget.moved_flights)
    return [Member(point, score) for point, score in zip(points, scores, strict=True)]


def _both(a: Point, b: Point) -> Point | None:
    """Two single moves at once; None if they move the same number."""
    if np.any(((a.z != 0.0) | (a.signs < 0.0)) & ((b.z != 0.0) | (b.signs < 0.0))):
        return None
    return Point(a.z + b.z, a.signs * b.signs)


def _single_moves(origin: Point) -> list[Point]:
    """Every number with its sign turned, and at every factor."""
    moves = []
    for i in range(len(origin.z)):
        only = np.arange(len(origin.z)) == i
        moves.append(Point(origin.z, np.where(only, -origin.signs, origin.signs)))
        moves += [Point(origin.z + only * math.log(factor) / LOG_STEP, origin.signs) for factor in FACTORS]
    return moves
