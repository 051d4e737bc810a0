"""Where to look next: first a batch that fills the cube evenly, then CMA-ES, started anew whenever it stands still.

What is asked depends on the seed and on the values told, and on nothing else: a search that is given the same answers
asks the same questions, which is how one is resumed.
"""

from __future__ import annotations

import numpy as np
from cmaes import CMA
from scipy.stats import qmc

STEP = 0.25
"""Standard deviation with which CMA-ES starts, in widths of the cube."""
PATIENCE = 8
"""Generations without progress after which it starts anew."""
PROGRESS = 1e-3
"""Part of the spread of all values so far that counts as progress."""
LARGEST = 1e6
"""What an infinite value is to the search."""


class Search:
    """Batches of points in [0, 1]^size, to be asked and told in turns; lower values are better."""

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._rng = np.random.default_rng(seed)
        self._method: CMA | None = None
        self._population = 0
        self._best, self._worst = np.inf, -np.inf
        self._idle = 0
        # A power of two keeps the points balanced; four an axis show where the value slopes.
        self._asked = qmc.Sobol(size, rng=self._rng).random_base2(int(np.ceil(np.log2(4 * size))))

    def ask(self) -> np.ndarray:
        """The next batch, one point a row; the same until its values are told."""
        return self._asked[:, : self._size]

    def tell(self, values: np.ndarray) -> None:
        """The values of the batch that is asked, in its order. Infinite ones are taken, NaN is not a value."""
        values = np.clip(values, -LARGEST, LARGEST)
        decided = values[values < LARGEST]
        self._worst = max(self._worst, float(decided.max(initial=-np.inf)))
        known, self._best = self._best, min(self._best, float(values.min()))
        if self._method is None:
            self._method = self._start(self._asked[np.argmin(values)])
        else:
            self._method.tell(list(zip(self._asked, values.tolist(), strict=True)))
            gained = known - self._best > PROGRESS * (self._worst - self._best)
            self._idle = 0 if gained else self._idle + 1
            if self._idle >= PATIENCE or self._method.should_stop():
                self._method = self._start(self._rng.uniform(size=self._size))
        self._asked = np.array([self._method.ask() for _ in range(self._population)])

    def _start(self, mean: np.ndarray) -> CMA:
        """CMA-ES around a point; each start has twice the population of the one before.

        It wants two axes at least: a single one gets a second beside it, on which nothing depends. Points beyond the
        cube are put on its faces at once and not drawn again, because violations like corners.
        """
        mean = np.pad(mean, (0, max(0, 2 - mean.size)), constant_values=0.5)
        self._population = 2 * self._population or 4 + int(3 * np.log(mean.size))
        self._idle = 0
        bounds, seed = np.tile([0.0, 1.0], (mean.size, 1)), int(self._rng.integers(2**31))
        return CMA(mean, STEP, bounds, n_max_resampling=1, seed=seed, population_size=self._population)
