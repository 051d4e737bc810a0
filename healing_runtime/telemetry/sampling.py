"""Time stamps -> ticks: a recording has one sample a period, exactly, or says where it has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from healing_runtime.core.errors import FileFormatError, Location

JITTER = 0.01
"""How far, in periods, a sample may lie from its tick. What the last written digit is worth is allowed beside it."""
_ROUNDING = 1e-15
"""What a float64 loses of an absolute time, as a share of it."""
_EPOCH_S = 1e6
"""Times beyond it are dates: people count from the first sample instead."""
_LONGEST = 20
"""A recording spans at most so many times the ticks that it has samples for; more is no gap but another recording."""


class Stamps(NamedTuple):
    """When samples were taken together.

    Attributes:
        t_s: float64 [N].
        resolution_s: what the last written digit is worth.
        place: index of a sample -> where it stands.
    """

    t_s: np.ndarray
    resolution_s: float
    place: Callable[[int], Location]


class Grid(NamedTuple):
    """The ticks of a recording.

    Attributes:
        period_s: exact.
        t_s: float64 [ticks].
        ticks: of each `Stamps`, the tick of each sample; -1 for a sample that lies too far from any.
        notes: what is missing, for people.
    """

    period_s: Fraction
    t_s: np.ndarray
    ticks: tuple[np.ndarray, ...]
    notes: tuple[str, ...]


def grid(stamps: Sequence[Stamps], period_s: Fraction | None) -> Grid:
    """The ticks on which the samples lie; the period is measured where it is not stated.

    Raises:
        FileFormatError: time stands still or goes back, there is no rate, or the samples do not lie on ticks.
    """
    for each in stamps:
        _must_increase(each)
    longest = max(stamps, key=lambda s: len(s.t_s))
    if period_s is None:
        period_s = _measured(longest)
    period = float(period_s)
    start_s = _start(longest, period)
    ticks = [_ticks(each, start_s, period) for each in stamps]
    first = min((float(np.nanmin(t)) for t in ticks if np.isfinite(t).any()), default=0.0)
    ticks = [np.where(np.isnan(t), -1, t - first).astype(np.int64) for t in ticks]
    for each, own in zip(stamps, ticks, strict=True):
        _must_fit(each, own, period_s)
    count = max(int(t.max()) for t in ticks) + 1
    if too_long(count, len(longest.t_s)):
        gap = int(np.argmax(np.diff(longest.t_s)))
        raise FileFormatError(
            f"{np.diff(longest.t_s)[gap]:g} s pass without a sample; cut the recording there.",
            where=longest.place(gap + 1),
        )
    t_s = start_s + (first + np.arange(count)) * period_s.numerator / period_s.denominator
    notes = []
    if t_s[0] > _EPOCH_S:
        notes.append(f"times count from the first sample, at {t_s[0]:.3f} s")
        t_s = np.arange(count) * period_s.numerator / period_s.denominator
    return Grid(period_s, t_s, tuple(ticks), (*notes, *_notes(ticks, t_s, period_s)))


def too_long(ticks: int, samples: int) -> bool:
    """Whether a recording has so few samples for its ticks that it is not one recording."""
    return ticks > _LONGEST * samples + 1000


def rate_text(period_s: Fraction) -> str:
    """`48 Hz`."""
    return f"{float(1 / period_s):.6g} Hz"


def _must_increase(stamps: Stamps) -> None:
    t_s = stamps.t_s
    if bad := np.flatnonzero(~np.isfinite(t_s)).tolist():
        raise FileFormatError("the sample has no time; write one, or leave the line out.", where=stamps.place(bad[0]))
    for at in np.flatnonzero(np.diff(t_s) <= 0)[:1]:
        before, after = t_s[at], t_s[at + 1]
        what = f"time stands still at {after:.9g} s" if before == after else f"time goes back to {after:.9g} s"
        raise FileFormatError(
            f"{what} (the sample before is at {before:.9g} s); sort the samples and keep one an instant.",
            where=stamps.place(int(at) + 1),
        )


def _measured(stamps: Stamps) -> Fraction:
    """The mean period over whole steps, snapped to a whole rate, or to whole microseconds."""
    t_s = stamps.t_s
    if len(t_s) < 2:
        raise FileFormatError("one sample has no rate; state it, as in --rate '48 Hz'.", where=stamps.place(0))
    gaps = np.diff(t_s)
    steps = np.maximum(np.rint(gaps / np.median(gaps)), 1.0)
    # Gaps are counted in whole steps, so that missing samples do not lengthen the period.
    span = float(t_s[-1] - t_s[0])
    period = span / float(steps.sum())
    slack = max(1e-4, stamps.resolution_s / span)
    rate = round(1.0 / period)
    if rate and abs(rate * period - 1.0) <= slack:
        return Fraction(1, rate)
    micros = round(period * 1e6)
    if micros and abs(micros / (period * 1e6) - 1.0) <= slack:
        return Fraction(micros, 10**6)
    return Fraction(period).limit_denominator(10**9)


def _start(stamps: Stamps, period: float) -> float:
    """Where tick 0 is: at the first sample, less what the samples as a whole lie beside their ticks."""
    since = stamps.t_s - stamps.t_s[0]
    beside = float(np.median(since - np.rint(since / period) * period))
    return float(stamps.t_s[0]) + (beside if abs(beside) > 1e-6 * period else 0.0)


def _ticks(stamps: Stamps, start_s: float, period: float) -> np.ndarray:
    """The tick of each sample as a float; NaN for one that lies too far from any."""
    since = stamps.t_s - start_s
    ticks = np.rint(since / period)
    allowed = JITTER * period + stamps.resolution_s + _ROUNDING * np.abs(stamps.t_s[-1])
    return np.where(np.abs(since - ticks * period) <= allowed, ticks, np.nan)


def _must_fit(stamps: Stamps, ticks: np.ndarray, period_s: Fraction) -> None:
    rate, apart = rate_text(period_s), np.median(np.diff(stamps.t_s)) if len(stamps.t_s) > 1 else 0.0
    if np.count_nonzero(ticks < 0) * 2 > len(ticks):
        raise FileFormatError(
            f"the samples do not lie on ticks of {rate} (they are {apart:.6g} s apart); state the rate with --rate.",
            where=stamps.place(0),
        )
    good = np.flatnonzero(ticks >= 0)
    for at in np.flatnonzero(np.diff(ticks[good]) <= 0)[:1]:
        raise FileFormatError(
            f"two samples fall on one tick of {rate} (they are {apart:.6g} s apart); state the rate with --rate.",
            where=stamps.place(int(good[at + 1])),
        )


def _notes(ticks: Sequence[np.ndarray], t_s: np.ndarray, period_s: Fraction) -> list[str]:
    notes = []
    off = sum(int(np.count_nonzero(t < 0)) for t in ticks)
    if off:
        notes.append(f"{off} of {sum(map(len, ticks))} samples lie more than {JITTER:.0%} of a period off: invalid")
    present = np.zeros(len(t_s), bool)
    for each in ticks:
        present[each[each >= 0]] = True
    missing = np.flatnonzero(~present)
    if missing.size:
        at = f"first at {t_s[missing[0]]:.6g} s"
        notes.append(f"{missing.size} of {len(t_s)} samples are missing at {rate_text(period_s)}: invalid ({at})")
    return notes
