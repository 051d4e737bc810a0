"""Noise that remembers for a while, drawn in advance: a row a tick, so that a generator has no state to restore."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def remembering(key: Sequence[int], ticks: int, dt_s: float, memory_s: float, width: int) -> np.ndarray:
    """`ticks` rows of `width` independent Gauss-Markov (Ornstein-Uhlenbeck) processes of unit variance.

    Two values t apart correlate with exp(-t / memory_s), whatever the tick is; a memory of 0 is white noise. The first
    row is drawn from the stationary distribution. `key` is the seed.

    Source: Gillespie 1996, "Exact numerical simulation of the Ornstein-Uhlenbeck process", Phys. Rev. E 54.
    """
    rows = np.random.default_rng(list(key)).normal(size=(ticks, width))
    kept = math.exp(-dt_s / memory_s) if memory_s > 0.0 else 0.0
    fresh = math.sqrt(1.0 - kept * kept)
    for tick in range(1, ticks):
        rows[tick] = kept * rows[tick - 1] + fresh * rows[tick]
    return rows
