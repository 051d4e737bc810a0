"""The two things a picture is made of: a strip of truth, and a panel with lines; both over seconds."""

from __future__ import annotations

from typing import Any

import numpy as np

from healing_runtime.core.status import Status
from healing_runtime.reports import palette
from healing_runtime.reports.rows import Row
from healing_runtime.reports.scales import alone_among, free_corner, outline, spans, time_limits, value_limits
from healing_runtime.reports.sentences import unit_words, violation_words, worst_words
from healing_runtime.reports.thinning import SEVERITY, kept
from healing_runtime.reports.timeline import Timeline

SAMPLES, STRETCHES = 4000, 500
_HALO = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}


def draw_strip(axis: Any, status: np.ndarray, t_s: np.ndarray, violation: int | None, *, binding: bool = True) -> None:
    """Truth over time, coloured and hatched."""
    for one in SEVERITY:  # the serious ones last, with an outline that is seen however short they are
        look = palette.look_of(one, binding)
        bars = [(start, end - start) for start, end, found in spans(status, t_s, STRETCHES) if found is one]
        if bars:
            axis.broken_barh(bars, (0, 1), facecolor=look.fill, edgecolor=look.ink, hatch=look.hatch, lw=outline(one))
    axis.set_xlim(*time_limits(t_s))
    axis.set_ylim(0, 1)
    axis.set_yticks([])
    axis.spines[:].set_color(palette.FAINT)
    axis.spines[:].set_linewidth(0.6)
    if violation is not None:
        axis.axvline(t_s[violation], color=palette.VIOLATION, lw=1.4)


def draw_row(axis: Any, row: Row, timeline: Timeline) -> None:
    """The numbers of a row: a predicate's sides, or robustness with its band; and what happened when."""
    t_s, (low, high) = timeline.t_s, value_limits(row)
    axis.set_xlim(*time_limits(t_s))
    axis.set_ylim(low, high)
    for start, end, status in spans(row.status, t_s, STRETCHES):
        if status.violated:
            strong = row.binding or status is Status.INVALID
            axis.axvspan(start, end, color=palette.LOOKS[Status.FALSE].fill, alpha=0.14 if strong else 0.06, lw=0)
    if row.curves:
        _draw_compared(axis, row, t_s)
    else:
        _draw_robustness(axis, row, t_s, (low, high))
    _draw_instants(axis, row, timeline)
    _dress(axis, row)


def _draw_compared(axis: Any, row: Row, t_s: np.ndarray) -> None:
    for curve, color in zip(row.curves, palette.CURVES, strict=False):
        at = kept([curve.values], SAMPLES)
        axis.plot(t_s[at], curve.values[at], color=color, lw=1.5)
    for threshold in row.thresholds:
        axis.axhline(threshold.value, color=palette.LIMIT, lw=1.1, ls=(0, (5, 3)), zorder=3)
        axis.annotate(
            _short(threshold.label), (1, threshold.value), (-4, 2), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="right", va="bottom", fontsize=8, color=palette.LIMIT, parse_math=False,
            bbox=_HALO, zorder=3,
        )  # fmt: skip


def _draw_robustness(axis: Any, row: Row, t_s: np.ndarray, limits: tuple[float, float]) -> None:
    low, high = (np.clip(bound, *limits) for bound in (row.rho_lo, row.rho_hi))
    at = kept([np.where(np.isfinite(row.rho), row.rho, np.nan), low, high], SAMPLES)
    axis.axhline(0, color=palette.LIMIT, lw=0.9)
    axis.fill_between(t_s[at], low[at], high[at], color=palette.LINE, alpha=0.14, lw=0, step="post")
    rho = np.where(np.isfinite(row.rho), row.rho, np.nan)[at]
    axis.plot(t_s[at], rho, color=palette.LINE, lw=1.5, drawstyle="steps-post")
    alone = alone_among(rho)
    axis.plot(t_s[at][alone], rho[alone], "o", color=palette.LINE, ms=3)


def _draw_instants(axis: Any, row: Row, timeline: Timeline) -> None:
    if timeline.violation is not None:
        axis.axvline(timeline.t_s[timeline.violation], color=palette.VIOLATION, lw=1.4)
        if row.kind == "run":
            _label_instant(axis, timeline, timeline.violation, violation_words(timeline, timeline.violation))
    if row.mark is not None:
        _point_at(axis, row, timeline, row.mark)


def _point_at(axis: Any, row: Row, timeline: Timeline, sample: int) -> None:
    value, t_s = (row.curves[0].values if row.curves else row.rho)[sample], timeline.t_s[sample]
    if not np.isfinite(value):
        return
    words = worst_words(row, sample)
    right, above = free_corner(row, timeline.t_s, sample, len(words))
    axis.plot([t_s], [value], "D", color=palette.INK, ms=5.5, mec="white", mew=0.9, zorder=5)
    axis.annotate(
        words, (t_s, value), textcoords="offset points", xytext=(6 if right else -6, 6 if above else -6),
        ha="left" if right else "right", va="bottom" if above else "top", fontsize=8, color=palette.INK, bbox=_HALO,
        parse_math=False, zorder=4,
    )  # fmt: skip


def _label_instant(axis: Any, timeline: Timeline, sample: int, text: str) -> None:
    left, right = time_limits(timeline.t_s)
    late = timeline.t_s[sample] > (left + right) / 2
    axis.annotate(
        text, (timeline.t_s[sample], 1), (-4 if late else 4, -3), xycoords=("data", "axes fraction"),
        textcoords="offset points", ha="right" if late else "left", va="top", fontsize=8.5, weight="bold",
        color=palette.VIOLATION, bbox=_HALO,
    )  # fmt: skip


def _dress(axis: Any, row: Row) -> None:
    what = "" if row.curves else "robustness\n"
    axis.set_ylabel(f"{what}{_unit(row)}".strip(), fontsize=8.5, color=palette.INK, labelpad=4)
    axis.tick_params(labelbottom=False, length=3, labelsize=8, colors=palette.INK)
    axis.locator_params(axis="y", nbins=4)
    axis.grid(color=palette.GRID, lw=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(palette.FAINT)


def _unit(row: Row) -> str:
    return "[mixed, SI]" if row.unit.mixed else unit_words(row.unit)


def _short(name: str) -> str:
    return name if len(name) <= 90 else name[:89] + "…"
