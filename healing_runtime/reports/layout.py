"""What every Plotly figure has in common, and numbers and texts as they go into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from healing_runtime.reports import palette

BOTTOM_PX = 46

TIME_AXIS: Mapping[str, Any] = {
    "title": {"text": "time [s]", "standoff": 6},
    "ticks": "outside",
    "gridcolor": palette.GRID,
    "zeroline": False,
    "showspikes": True,
    "spikemode": "across",
    "spikesnap": "hovered data",
    "spikethickness": 1,
    "spikedash": "dot",
    "spikecolor": palette.FAINT,
    "hoverformat": ".4f",
    "unifiedhovertitle": {"text": "<b>%{x:.4f} s</b>"},
}
LAYOUT: Mapping[str, Any] = {
    "margin": {"l": 78, "r": 16, "t": 0, "b": BOTTOM_PX},
    "showlegend": False,
    "legend": {"traceorder": "reversed"},  # the order of the hover's lines: as the rows
    "hovermode": "x unified",
    "hoversubplots": "axis",
    "hoverlabel": {"bgcolor": "rgba(255,255,255,0.96)", "font": {"size": 11.5, "color": palette.INK}},
    "barmode": "overlay",
    "bargap": 0,
    "dragmode": "zoom",
    "plot_bgcolor": "white",
    "paper_bgcolor": "white",
    "font": {"family": "system-ui, 'DejaVu Sans', sans-serif", "size": 12, "color": palette.INK},
}


def short(text: str, length: int) -> str:
    """A text that is cut off where it is too long."""
    return text if len(text) <= length else text[: length - 1] + "…"


def number(value: float) -> float:
    """Nine digits: enough for any sample of a long run, and short in a file."""
    return float(f"{value:.9g}")


def numbers(values: Sequence[float] | np.ndarray) -> list[float | None]:
    """JSON has no NaN: a hole is null."""
    return [number(float(value)) if np.isfinite(value) else None for value in values]
