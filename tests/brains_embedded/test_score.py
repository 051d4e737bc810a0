"""What counts as better."""

import numpy as np

from healing_runtime.brains.embedded.rollout import Flights
from healing_runtime.brains.embedded.score import merit, score

TRIPS = np.array([True, True, False])


def flights(rows):
    """Rows of (rho of two promises and a warning, survived)."""
    rho = np.array([r[:3] for r in rows], float)
    return Flights(rho, rho > 0, np.array([r[3] for r in rows], float))


def test_the_order_of_flights():
    order = flights([
        (0.5, 0.6, 0.1, 1.0),       # keeps all, wide
        (0.1, 0.6, 0.1, 1.0),       # keeps all, narrow
        (0.1, 0.6, -0.1, 1.0),      # breaks a warning
        (-0.1, 0.6, 0.1, 0.9),      # breaks one promise, late
        (-0.1, 0.6, 0.1, 0.3),      # the same, early
        (-0.9, 0.6, 0.1, 0.3),      # by more
        (-0.9, -0.9, 0.1, 0.3),     # and another
        (np.nan, -np.inf, 0.1, 0.0),
    ])  # fmt: skip
    merits = merit(order, TRIPS, 0.02)
    assert np.all(np.diff(merits) < 0.0)
    assert np.all(merits[:2] > 0.0) and np.all(merits[3:] < 0.0)


def test_a_narrow_success_is_not_a_pass():
    low, high = score(flights([(0.01, 1, 1, 1.0), (0.2, 1, 1, 1.0), (0.1, 1, 1, 1.0), (0.2, 1, 1, 1.0)]), TRIPS, 0.1, 2)
    assert (low.pass_rate, high.pass_rate) == (0.5, 1.0)


def test_infinite_margins_are_worth_a_nominal_range():
    (only,) = score(flights([(np.inf, np.inf, np.inf, 1.0)]), TRIPS, 0.0, 1)
    assert only.value == 1.05


def test_the_hard_flights_weigh_more_than_their_share():
    steady = score(flights([(0.3, 1, 1, 1.0)] * 8), TRIPS, 0.0, 1)[0]
    uneven = score(flights([(0.6, 1, 1, 1.0)] * 4 + [(0.01, 1, 1, 1.0)] * 4), TRIPS, 0.0, 1)[0]
    assert steady.value > uneven.value
