from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from healing_runtime.gate.neighbourhood import decide
from healing_runtime.gate.statistics import (
    EXAMINATIONS,
    examination_confidence,
    lower_bound,
    passes_needed,
    samples_needed,
)

RULES = [(96, 0.9, 0.95), (36, 0.9, 0.95), (59, 0.95, 0.9), (40, 0.9, 0.9), (12, 0.7, 0.9), (1, 0.02, 0.96)]
"""(samples, min_pass_rate, confidence); of some the fewest samples that can prove the rate."""


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


@pytest.mark.parametrize("samples", [1, 2, 36, 96, 1000, 100_000])
@pytest.mark.parametrize("confidence", [0.5, 0.975, 1 - 1e-9])
def test_the_bound_is_that_of_scipy_in_every_corner(samples, confidence):
    for passed in {0, 1, samples // 2, samples - 1, samples}:
        exact = binomtest(passed, samples, alternative="greater").proportion_ci(confidence, method="exact").low
        assert lower_bound(passed, samples, confidence) == pytest.approx(exact, abs=1e-9)
    assert lower_bound(0, samples, confidence) == 0.0
    assert lower_bound(1, samples, confidence) == pytest.approx(-math.expm1(math.log(confidence) / samples), rel=1e-6)
    assert lower_bound(samples, samples, confidence) == pytest.approx((1 - confidence) ** (1 / samples), rel=1e-7)


@pytest.mark.parametrize(("samples", "rate", "confidence"), RULES)
def test_as_many_passes_are_needed_as_the_binomial_test_needs(samples, rate, confidence):
    """The fewest with which a one-sided test rejects that the rate is the wanted one or less."""
    once = examination_confidence(confidence)
    needed = passes_needed(samples, rate, once)
    assert needed is not None
    assert binomtest(needed, samples, rate, alternative="greater").pvalue <= 1 - once
    assert needed == 0 or binomtest(needed - 1, samples, rate, alternative="greater").pvalue > 1 - once


@pytest.mark.parametrize("rate", [0.02, 0.5, 0.7, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.975])
def test_the_fewest_samples_prove_the_rate_and_one_less_does_not(rate, confidence):
    samples = samples_needed(rate, confidence)
    assert passes_needed(samples, rate, confidence) == samples
    assert binom.pmf(samples, samples, rate) <= 1 - confidence < binom.pmf(samples - 1, samples - 1, rate)
    assert passes_needed(samples - 1, rate, confidence) is None


def accepted_at(samples, needed, rate):
    """Chance that an incident's examinations accept a patch of this rate, summed over the outcomes of each."""
    once = math.fsum(float(binom.pmf(k, samples, rate)) for k in range(needed, samples + 1))
    return math.fsum((1 - once) ** refused * once for refused in range(EXAMINATIONS))


@pytest.mark.parametrize(("samples", "rate", "confidence"), RULES)
def test_all_examinations_of_an_incident_share_one_error(samples, rate, confidence):
    """Exactly at the wanted rate, and the less the further below; another patch an examination makes no difference."""
    needed = passes_needed(samples, rate, examination_confidence(confidence))
    assert needed is not None
    chances = [accepted_at(samples, needed, worse) for worse in (rate, 0.99 * rate, 0.9 * rate)]
    assert chances[0] <= 1 - confidence and chances == sorted(chances, reverse=True)
    assert EXAMINATIONS * (1 - examination_confidence(confidence)) == pytest.approx(1 - confidence)


@pytest.mark.parametrize(("samples", "needed"), [(6, 5), (6, 6), (6, 0), (1, 1), (6, 1)])
@pytest.mark.parametrize("rate", [0.3, 0.9])
def test_stopping_early_does_not_move_the_error(samples, needed, rate):
    """Over all outcomes, each with its chance: accepted as often as if all had been flown."""
    accepted = 0.0
    for outcome in range(2**samples):
        results = [bool(outcome >> i & 1) for i in range(samples)]
        flown, passed = decide(results, samples, needed)
        assert passed == sum(results[:flown]) and flown <= samples
        if passed >= needed:
            accepted += rate ** sum(results) * (1 - rate) ** (samples - sum(results))
    assert accepted == pytest.approx(float(binom.sf(needed - 1, samples, rate)))
