"""How many passes prove a pass rate."""

from __future__ import annotations

import functools
import math

EXAMINATIONS = 2
"""How often an incident may be examined on fresh neighbours, each time at its share of the error (Bonferroni)."""


def lower_bound(passed: int, samples: int, confidence: float) -> float:
    """One-sided Clopper-Pearson lower bound of a pass rate.

    The probability of `passed` or more passes in `samples`, were the rate at the bound, is 1 - confidence. (Clopper and
    Pearson, Biometrika 26, 1934; as a quantile of the Beta distribution.)
    """
    from scipy.special import betaincinv  # most of what imports this module never counts, and scipy takes its time

    if not 0 <= passed <= samples:
        raise ValueError(f"{passed} passes of {samples}")
    return 0.0 if passed == 0 else float(betaincinv(passed, samples - passed + 1, 1.0 - confidence))


def examination_confidence(confidence: float) -> float:
    """The confidence of one examination, so that all of them together keep `confidence`."""
    return 1.0 - (1.0 - confidence) / EXAMINATIONS


@functools.cache
def passes_needed(samples: int, min_pass_rate: float, confidence: float) -> int | None:
    """The fewest passes whose lower bound reaches the rate; None if even `samples` of `samples` do not."""
    return next((k for k in range(samples + 1) if lower_bound(k, samples, confidence) >= min_pass_rate), None)


def samples_needed(min_pass_rate: float, confidence: float) -> int:
    """The fewest samples with which the rate can be proved at all, all of them passing."""
    if min_pass_rate >= 1.0:
        raise ValueError("a pass rate of 1 cannot be proved by samples")
    return 0 if min_pass_rate <= 0 else math.ceil(math.log(1.0 - confidence) / math.log(min_pass_rate))
