"""Long recordings for a drawing a thousand pixels wide: no spike and no violation gets lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from healing_runtime.core.status import Status

SEVERITY = (Status.TRUE, Status.VACUOUS, Status.UNKNOWN, Status.FALSE, Status.INVALID)
"""From harmless to serious: the last of these stands for a stretch that holds several, and is drawn on top."""


class Stretch(NamedTuple):
    """Samples `first` to `last`, both included, of one status."""

    first: int
    last: int
    status: Status


def kept(series: Sequence[np.ndarray], limit: int, always: Sequence[int] = ()) -> np.ndarray:
    """Indices of the samples to draw: all if they are few, else about `limit`, the envelope of every series.

    Of each bucket of neighbours the least and the greatest value of every series stay, and its first NaN; so do the
    samples in `always`, the first and the last.

    Args:
        series: arrays [N].
        limit: about how many samples may stay.
        always: indices that must stay.
    """
    n = len(series[0])
    if n <= limit:
        return np.arange(n)
    width = -(-n // max(1, limit // (2 * len(series))))
    found = [np.array([0, n - 1, *always])]
    for values in series:
        padded = np.append(values, np.full(-n % width, values[-1])).reshape(-1, width)
        hole = np.isnan(padded)
        starts = np.arange(len(padded)) * width
        low = np.where(hole, np.inf, padded).argmin(axis=1)
        high = np.where(hole, -np.inf, padded).argmax(axis=1)
        found += [starts + low, starts + high, (starts + hole.argmax(axis=1))[hole.any(axis=1)]]
    return np.unique(np.minimum(np.concatenate(found), n - 1))


def stretches(status: np.ndarray, limit: int) -> tuple[Stretch, ...]:
    """Runs of equal status, in order.

    If there are more than `limit`, neighbours are taken together first, and the most serious status among them stands
    for all: a violation of one sample is still seen.
    """
    if not condensed(status, limit):
        return _runs(status)
    rank = np.zeros(len(Status), int)
    rank[[int(one) for one in SEVERITY]] = np.arange(len(SEVERITY))
    width = -(-len(status) // limit)
    padded = np.append(rank[status], np.zeros(-len(status) % width, int)).reshape(-1, width)
    worst = np.array([int(one) for one in SEVERITY])[padded.max(axis=1)]
    return _runs(np.repeat(worst, width)[: len(status)])


def condensed(status: np.ndarray, limit: int) -> bool:
    """Whether there are more runs of equal status than `limit`."""
    return int(np.count_nonzero(np.diff(status))) >= limit


def _runs(status: np.ndarray) -> tuple[Stretch, ...]:
    edges = np.flatnonzero(np.diff(status)) + 1
    firsts, lasts = [0, *edges], [*(edges - 1), len(status) - 1]
    return tuple(Stretch(int(a), int(b), Status(int(status[a]))) for a, b in zip(firsts, lasts, strict=True))
