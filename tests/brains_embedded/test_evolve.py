"""The strategy on functions whose answer is known."""

from pathlib import Path

import cmaes
import numpy as np
import pytest

from healing_runtime.brains.embedded import evolve, strategy
from healing_runtime.brains.embedded.budget import Budget
from healing_runtime.brains.embedded.score import Score


def score(value, pass_rate):
    return Score(value=value, pass_rate=pass_rate, likely=1.0, likely_worst=1.0, nominal=value)


def bowl(target, signs=None):
    """Highest at `target`; a wrong sign costs a lot."""

    def evaluate(points, generation, flights):
        wrong = [np.sum(p.signs != (1 if signs is None else signs)) for p in points]
        values = [-float(np.sum((p.z - target) ** 2) + 10.0 * w) for p, w in zip(points, wrong, strict=True)]
        return [score(value, 0.5) for value in values]

    return evaluate


@pytest.mark.parametrize("size", [1, 2, 6])
def test_it_climbs(size):
    target = np.linspace(-1.0, 1.5, size)
    members, spent = evolve.search(bowl(target), size, seed=1, budget=Budget(generations=30))
    assert spent == 30
    np.testing.assert_allclose(members[0].point.z, target, atol=0.25)


def test_a_single_wrong_sign_is_found():
    signs = np.array([1.0, -1.0, 1.0])
    members, _ = evolve.search(bowl(np.zeros(3), signs), 3, seed=1, budget=Budget(generations=5))
    np.testing.assert_array_equal(members[0].point.signs, signs)


def test_two_wrong_signs_are_found():
    signs = np.array([1.0, -1.0, 1.0, -1.0])
    members, _ = evolve.search(bowl(np.zeros(4), signs), 4, seed=1, budget=Budget(generations=5))
    np.testing.assert_array_equal(members[0].point.signs, signs)


def test_where_nothing_ever_succeeds_it_gives_up():
    _, spent = evolve.search(lambda points, *_: [score(-1.0, 0.0)] * len(points), 3, seed=1, budget=Budget(hope=3))
    assert spent == 3


def test_a_single_wrong_factor_is_found_alone():
    target = np.array([0.0, -2.0 * np.log(4.0), 0.0, 0.0])
    members, _ = evolve.search(bowl(target), 4, seed=1, budget=Budget(generations=2))
    np.testing.assert_allclose(members[0].point.z, target)


def test_same_seed_same_points_and_another_seed_others():
    runs = [evolve.search(bowl(np.ones(3)), 3, seed=s, budget=Budget(generations=8))[0][0].point.z for s in (5, 5, 6)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_it_stops_a_little_after_success():
    def evaluate(points, generation, flights):
        return [score(1.0, 1.0 if generation >= 3 else 0.5) for _ in points]

    _, spent = evolve.search(evaluate, 2, seed=0, budget=Budget(generations=30, patience=2))
    assert spent == 6  # generations 0 ... 3, and two more


def test_nothing_to_move_is_one_evaluation():
    members, spent = evolve.search(bowl(np.zeros(0)), 0, seed=0, budget=Budget())
    assert (len(members), spent) == (1, 1)


def test_the_strategy_is_the_packages_own_alone_and_as_a_whole(monkeypatch):
    assert strategy.CMA.tell.__code__.co_filename == cmaes.CMA.tell.__code__.co_filename
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    assert strategy._strategy() is cmaes.CMA
