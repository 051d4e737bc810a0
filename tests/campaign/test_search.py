"""Where the search looks, on functions whose valleys are known."""

import numpy as np
import pytest

from healing_runtime.campaign.search import Search


def lowest(function, size, seed, batches):
    search, best, asked = Search(size, seed), np.inf, []
    for _ in range(batches):
        points = search.ask()
        assert ((points >= 0.0) & (points <= 1.0)).all()
        values = np.array([function(p) for p in points])
        best = min(best, values.min())
        asked.append(points)
        search.tell(values)
    return best, asked


def corner(point):
    """Flat but near one corner of the cube: less than 0.1 % of five dimensions is below zero."""
    return max(0.0, float(np.abs(point - 1.0).sum()) - 0.3) - 0.01 if point.min() > 0.2 else 3.0


@pytest.mark.parametrize("seed", range(4))
def test_it_finds_a_corner(seed):
    best, asked = lowest(corner, 5, seed, 30)
    assert best < 0.0
    flown = sum(map(len, asked))
    blind = np.random.default_rng(seed).uniform(size=(flown, 5))
    assert min(map(corner, blind)) > 0.0, "the corner is too easy to say anything"


def test_it_asks_the_same_when_it_is_told_the_same():
    first, second = lowest(corner, 3, 5, 12)[1], lowest(corner, 3, 5, 12)[1]
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    other = lowest(corner, 3, 6, 1)[1]
    assert (other[0] != first[0]).any()


def test_it_asks_the_same_until_it_is_told():
    search = Search(4, 0)
    assert (search.ask() == search.ask()).all()


def test_a_single_axis_will_do():
    best, asked = lowest(lambda p: abs(p[0] - 0.123), 1, 0, 15)
    assert best < 0.01 and all(batch.shape[1] == 1 for batch in asked)


def test_it_begins_anew_where_it_stands_still_and_looks_elsewhere():
    _, asked = lowest(lambda _: 0.5, 2, 0, 40)
    even = [batch for batch in asked if len(batch) == 8]
    assert len(even) >= 3
    assert len({tuple(p) for batch in even for p in batch}) == 8 * len(even)


def test_flights_that_decide_nothing_and_invalid_ones_can_be_told():
    assert lowest(lambda p: np.inf if p[0] < 0.7 else -np.inf if p[1] > 0.99 else p[0], 2, 1, 20)[0] < 1.0
    search = Search(2, 0)
    for _ in range(20):
        search.tell(np.full(len(search.ask()), np.inf))
