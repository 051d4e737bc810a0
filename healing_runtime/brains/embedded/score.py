"""How good a candidate is: the scenario's own promises, the worst of them, over many perturbed flights."""

from __future__ import annotations

import dataclasses

import numpy as np

from healing_runtime.brains.embedded.rollout import Flights

# Beyond one nominal range a margin is as good as any other; infinite margins (Booleans) end here too.
CLIP = 1.0
# The share of the flights that speaks for the hard ones. The single worst flight may be one that nobody can save.
TAIL = 0.25


@dataclasses.dataclass(frozen=True)
class Score:
    """One candidate over its flights.

    Attributes:
        value: what the search maximises; above 0 the typical hard flight keeps every promise with room.
        pass_rate: share of the flights that kept every promise with at least the margin asked for.
        likely: the same share among the suspects alone, the flights that resemble the incident; 1 if there are none.
        likely_worst: the worst merit among them.
        nominal: merit of the first flight (the undisturbed robot).
    """

    value: float
    pass_rate: float
    likely: float
    likely_worst: float
    nominal: float


def passed(flights: Flights, trips: np.ndarray) -> np.ndarray:
    """[lanes] True where nothing tripped and every promise was kept."""
    return np.all(flights.kept | ~trips, axis=1) & (flights.survived >= 1.0)


def merit(flights: Flights, trips: np.ndarray, min_robustness: float) -> np.ndarray:
    """[lanes] merit of single flights.

    A flight that keeps everything is worth its worst scaled margin, less the margin asked for. One that does not lies
    below zero, and the lower the earlier it fails and the more promises it breaks by more, so that there is a way
    up when everything fails.
    """
    rho = np.clip(np.nan_to_num(flights.rho, nan=-np.inf, posinf=CLIP, neginf=-CLIP), -CLIP, CLIP)
    ok = passed(flights, trips)
    hard = np.where(trips, rho, CLIP)
    worst = np.min(hard, axis=1, initial=CLIP)
    broken = np.mean(np.minimum(hard, 0.0) * ~flights.kept, axis=1) if rho.shape[1] else np.zeros(len(rho))
    below = 0.5 * np.minimum(worst, 0.0) + broken - (1.0 - flights.survived) - 0.25
    above = worst - min_robustness + 0.05 * np.mean(rho, axis=1)
    # A warning never trips, but a patch that keeps it is the better one.
    warnings = np.any(~flights.kept & ~trips, axis=1)
    return np.where(ok, above - 0.5 * warnings, below)


def score(
    flights: Flights, trips: np.ndarray, min_robustness: float, candidates: int, suspects: int = 0
) -> list[Score]:
    """Scores of candidates whose flights lie one after the other, the same number for each, the suspects last."""
    merits = merit(flights, trips, min_robustness)
    ok = (passed(flights, trips) & (merits > 0.0)).reshape(candidates, -1)
    merits = merits.reshape(candidates, -1)
    tail = max(1, round(TAIL * merits.shape[1]))
    values = 0.5 * np.sort(merits, axis=1)[:, :tail].mean(axis=1) + 0.5 * merits.mean(axis=1)
    first = merits.shape[1] - suspects
    likely = ok[:, first:].mean(axis=1) if suspects else np.ones(candidates)
    worst = np.min(merits[:, first:], axis=1, initial=CLIP)
    columns = zip(values, ok.mean(axis=1), likely, worst, merits[:, 0], strict=True)
    return [Score(*map(float, column)) for column in columns]
