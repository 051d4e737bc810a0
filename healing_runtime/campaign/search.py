"""Where to look next: points that fill the cube evenly, then CMA-ES around the best of them.

Whenever that stands still both begin anew, with the next points of the even sequence: where most of a cube is a
plateau, another look at all of it is worth more than another walk from nowhere.

What is asked depends on the seed and on the values told, and on nothing else: a search that is given the same answers
asks the same questions, which is how one is resumed.
"""

from __future__ import annotations

import numpy as np
from cmaes import CMA
from scipy.stats import qmc

STEP = 0.25
"""Standard deviation with which CMA-ES starts, in widths of the cube."""
PATIENCE = 4
"""Generations without progress after which it starts anew."""
PROGRESS = 1e-2
"""Part of the spread of all values so far that counts as progress."""
LARGEST = 1e6
"""What an infinite value is to the search."""


class Search:
    """Batches of points in [0, 1]^size, to be asked and told in turns; lower values are better."""

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._rng = np.random.default_rng(seed)
        self._even = qmc.Sobol(size, rng=self._rng)
        self._method: CMA | None = None
        self._known, self._worst = np.inf, -np.inf
        self._idle = 0
        self._asked = self._fill()

    def ask(self) -> np.ndarray:
        """The next batch, one point a row; the same until its values are told."""
        return self._asked[:, : self._size]

    def tell(self, values: np.ndarray) -> None:
        """The values of the batch that is asked, in its order. Infinite ones are taken, NaN is not a value."""
        values = np.clip(values, -LARGEST, LARGEST)
        self._worst = max(self._worst, float(values[values < LARGEST].max(initial=-np.inf)))
        if self._method is None:
            self._method = self._start(self._asked[np.argmin(values)])
            self._known, self._idle = float(values.min()), 0
        else:
            self._method.tell(list(zip(self._asked, values.tolist(), strict=True)))
            gained = self._known - float(values.min()) > PROGRESS * (self._worst - self._known)
            self._known, self._idle = min(self._known, float(values.min())), 0 if gained else self._idle + 1
            if self._idle >= PATIENCE or self._method.should_stop():
                self._method = None
        self._asked = self._fill() if self._method is None else self._generation(self._method)

    def _fill(self) -> np.ndarray:
        """The next points of an even sequence; a power of two keeps it balanced, four an axis show where it slopes."""
        return self._even.random(2 ** int(np.ceil(np.log2(4 * self._size))))

    def _generation(self, method: CMA) -> np.ndarray:
        return np.array([method.ask() for _ in range(method.population_size)])

    def _start(self, mean: np.ndarray) -> CMA:
        """CMA-ES around a point.

        It wants two axes at least: a single one gets a second beside it, on which nothing depends. Points beyond the
        cube are put on its faces at once and not drawn again, because violations like corners.
        """
        mean = np.pad(mean, (0, max(0, 2 - mean.size)), constant_values=0.5)
        bounds, seed = np.tile([0.0, 1.0], (mean.size, 1)), int(self._rng.integers(2**31))
        return CMA(mean, STEP, bounds, n_max_resampling=1, seed=seed)
