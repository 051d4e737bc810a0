"""What of a run and of its values a drawing spans."""

from __future__ import annotations

import numpy as np

from healing_runtime.core.status import Status
from healing_runtime.reports.rows import Row
from healing_runtime.reports.thinning import stretches


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
