"""The strategy on functions whose answer is known."""

from pathlib import Path

import cmaes
import numpy as np
import pytest

from healing_runtime.brains.embedded import evolve, strategy
from healing_runtime.brains.embedded.budget import Budget
from healing_runtime.brains.embedded.score import Score
from healing_runtime.brains.embedded.space import Leaf, Space


def score(value, pass_rate):
    return Score(value=value, pass_rate=pass_rate, likely=1.0, likely_worst=1.0, nominal=value)


def space(size):
    return Space(tuple(Leaf((f"p{i}",), 1.0) for i in range(size)))


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
    members, spent = evolve.search(bowl(target), space(size), seed=1, budget=Budget(generations=30))
    assert spent == 30
    np.testing.assert_allclose(members[0].point.z, target, atol=0.25)


def test_a_single_wrong_sign_is_found():
    signs = np.array([1.0, -1.0, 1.0])
    members, _ = evolve.search(bowl(np.zeros(3), signs), space(3), seed=1, budget=Budget(generations=5))
    np.testing.assert_array_equal(members[0].point.signs, signs)


def test_two_wrong_signs_are_found():
    signs = np.array([1.0, -1.0, 1.0, -1.0])
    members, _ = evolve.search(bowl(np.zeros(4), signs), space(4), seed=1, budget=Budget(generations=5))
    np.testing.assert_array_equal(members[0].point.signs, signs)


def test_where_nothing_ever_succeeds_it_gives_up():
    _, spent = evolve.search(
        lambda points, *_: [score(-1.0, 0.0)] * len(points), space(3), seed=1, budget=Budget(hope=3)
    )
    assert spent == 3


def test_a_single_wrong_factor_is_found_alone():
    target = np.array([0.0, -2.0 * np.log(4.0), 0.0, 0.0])
    members, _ = evolve.search(bowl(target), space(4), seed=1, budget=Budget(generations=2))
    np.testing.assert_allclose(members[0].point.z, target)


def test_same_seed_same_points_and_another_seed_others():
    runs = [
        evolve.search(bowl(np.ones(3)), space(3), seed=s, budget=Budget(generations=8))[0][0].point.z for s in (5, 5, 6)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_it_stops_a_little_after_success():
    def evaluate(points, generation, flights):
        return [score(1.0, 1.0 if generation >= 3 else 0.5) for _ in points]

    _, spent = evolve.search(evaluate, space(2), seed=0, budget=Budget(generations=30, patience=2))
    assert spent == 6  # generations 0 ... 3, and two more


def test_nothing_to_move_is_one_evaluation():
    members, spent = evolve.search(bowl(np.zeros(0)), space(0), seed=0, budget=Budget())
    assert (len(members), spent) == (1, 1)


def test_the_strategy_is_the_packages_own_alone_and_as_a_whole(monkeypatch):
    assert strategy.CMA.tell.__code__.co_filename == cmaes.CMA.tell.__code__.co_filename
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    assert strategy._strategy() is cmaes.CMA


def test_what_only_turns_is_never_moved_and_what_stays_alone_keeps_its_own_move():
    sign = Leaf(("sign",), 1.0, factors=(), together=False)
    constant = Leaf(("constant",), 2.0, factors=(4.0,), together=False)
    opened = Space((Leaf(("gain",), 1.0), sign, constant))
    target = np.array([0.7, 0.0, 2.0 * np.log(4.0)])
    members, _ = evolve.search(bowl(target, np.array([1.0, -1.0, 1.0])), opened, seed=1, budget=Budget(generations=20))
    np.testing.assert_array_equal(members[0].point.signs, [1.0, -1.0, 1.0])
    np.testing.assert_allclose(members[0].point.z, target, atol=0.1)
    assert {member.point.z[1] for member in members} == {0.0}
    assert {member.point.z[2] for member in members} <= {0.0, target[2]}


def test_of_many_moves_the_hopeful_ones_alone_are_flown_often():
    many, flown = space(40), []
    target = np.where(np.arange(40) == 17, 2.0 * np.log(4.0), 0.0)

    def evaluate(points, generation, flights):
        flown.append((len(points), flights))
        return bowl(target)(points, generation, flights)

    members, _ = evolve.search(evaluate, many, seed=1, budget=Budget(generations=2, screened=16))
    np.testing.assert_allclose(members[0].point.z, target)
    assert flown[:2] == [(1 + 5 * 40, 2), (1 + 16, 8)]
