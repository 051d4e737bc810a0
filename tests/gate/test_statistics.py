from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_runtime.gate.statistics import examination_confidence, lower_bound, passes_needed, samples_needed


def at_least(passed, samples, rate):
    """Probability of `passed` or more successes, summed term by term."""
    return math.fsum(math.comb(samples, k) * rate**k * (1 - rate) ** (samples - k) for k in range(passed, samples + 1))


@given(st.integers(1, 120), st.data(), st.sampled_from([0.8, 0.9, 0.95, 0.975]))
def test_the_bound_solves_its_defining_equation(samples, data, confidence):
    passed = data.draw(st.integers(1, samples))
    bound = lower_bound(passed, samples, confidence)
    assert at_least(passed, samples, bound) == pytest.approx(1 - confidence, rel=1e-6)


def test_known_figures():
    assert examination_confidence(0.95) == pytest.approx(0.975)
    assert passes_needed(96, 0.9, 0.975) == 93
    assert lower_bound(31, 32, 0.95) == pytest.approx(0.86, abs=0.005)
    assert passes_needed(32, 0.9, 0.975) is None
    assert samples_needed(0.9, 0.975) == 36
    assert passes_needed(36, 0.9, 0.975) == 36 and passes_needed(35, 0.9, 0.975) is None
    assert lower_bound(0, 10, 0.95) == 0.0
    assert sum(math.comb(96, k) * 0.98**k * 0.02 ** (96 - k) for k in range(93, 97)) == pytest.approx(0.87, abs=0.005)
    with pytest.raises(ValueError):
        lower_bound(3, 2, 0.95)


def test_two_examinations_keep_the_error_they_promise():
    """A patch just below the rate passes one of two independent examinations in at most 1 - confidence of the cases."""
    confidence, rate, samples = 0.95, 0.9, 96
    needed = passes_needed(samples, rate, examination_confidence(confidence))
    once = at_least(needed, samples, rate)
    assert 1 - (1 - once) ** 2 <= 1 - confidence
