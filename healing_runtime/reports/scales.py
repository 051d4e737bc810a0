"""What of a run and of its values a drawing spans."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from healing_runtime.core.status import Status
from healing_runtime.reports.rows import Row
from healing_runtime.reports.thinning import stretches

_LETTER, _LABEL = 0.0052, 0.22
"""Size of a letter of a label as a share of a panel's width, and of the label as a share of its height."""


def time_limits(t_s: np.ndarray) -> tuple[float, float]:
    """The whole run, each sample with the period that follows it; never empty."""
    last = float(t_s[-1] - t_s[0]) / max(1, len(t_s) - 1) if len(t_s) > 1 else 1.0
    return float(t_s[0]), float(t_s[-1]) + last


def spans(status: np.ndarray, t_s: np.ndarray, limit: int) -> list[tuple[float, float, Status]]:
    """Stretches of one status as seconds from and to; a sample stands for the period that follows it."""
    ends = np.append(t_s[1:], time_limits(t_s)[1])
    return [(float(t_s[s.first]), float(ends[s.last]), s.status) for s in stretches(status, limit)]


def outline(status: Status) -> float:
    """Width of a stretch's outline in points or pixels: a violation of one sample in a long run is still seen."""
    return 1.2 if status.violated else 0.3


def alone_among(values: np.ndarray) -> np.ndarray:
    """Which finite values have no finite neighbour, so that no line leads to them."""
    beside = np.concatenate([[False], np.isfinite(values), [False]])
    return beside[1:-1] & ~beside[:-2] & ~beside[2:]


class Corner(NamedTuple):
    """On which side of a sample its label stands."""

    right: bool
    above: bool


def free_corner(row: Row, t_s: np.ndarray, sample: int, letters: int) -> Corner:
    """Where a label beside a sample covers least: inside the panel, away from the lines."""
    values = row.curves[0].values if row.curves else row.rho
    (left, right), (low, high) = time_limits(t_s), value_limits(row)
    wide, tall = _LETTER * letters * (right - left), _LABEL * (high - low)
    levels = np.array([threshold.value for threshold in row.thresholds])

    def covered(corner: Corner) -> tuple[bool, int]:
        x, y = float(t_s[sample]), float(values[sample])
        x0, x1 = (x, x + wide) if corner.right else (x - wide, x)
        y0, y1 = (y, y + tall) if corner.above else (y - tall, y)
        outside = x0 < left or x1 > right or y0 < low or y1 > high
        under = (t_s >= x0) & (t_s <= x1) & (values >= y0) & (values <= y1)
        crossed = (levels > y0) & (levels < y1)
        return outside, int(under.sum() + crossed.sum() * len(t_s) * wide / (right - left))

    return min((Corner(right, above) for above in (True, False) for right in (True, False)), key=covered)


def value_limits(row: Row) -> tuple[float, float]:
    """What of the values fits a panel: everything finite, and zero or the thresholds; a tenth more on both sides."""
    if row.curves:
        series = [curve.values for curve in row.curves] + [np.array([t.value for t in row.thresholds])]
    else:
        series = [row.rho, row.rho_lo, row.rho_hi, np.zeros(1)]
    values = np.concatenate(series)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (-1.0, 1.0)
    room = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room
