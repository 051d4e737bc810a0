"""A timeline as a Plotly figure in plain data: rows over one shared axis of seconds, so that they zoom together."""

from __future__ import annotations

import html
import textwrap
from typing import Any

import numpy as np

from healing_runtime.core.status import Status
from healing_runtime.reports import palette
from healing_runtime.reports.layout import BOTTOM_PX, LAYOUT, TIME_AXIS, number, numbers, short
from healing_runtime.reports.rows import Row
from healing_runtime.reports.scales import alone_among, free_corner, outline, spans, time_limits, value_limits
from healing_runtime.reports.sentences import CONDENSED, quantity, unit_words, violation_words, worst_words
from healing_runtime.reports.thinning import SEVERITY, condensed, kept
from healing_runtime.reports.timeline import Timeline
from healing_runtime.reports.wording import Unit

SAMPLES, STRETCHES, SHADES = 2400, 300, 120
_PATTERNS = {"": "", "////": "/", "//": "/", "..": ".", "\\\\\\": "\\", "xxxx": "x"}
_LINE_PX, _PANEL_PX, _STRIP_PX, _GAP_PX, _TOP_PX = 17, 96, 13, 12, 22
_HALO = "rgba(255,255,255,0.8)"


def figure(timeline: Timeline) -> dict[str, Any]:
    """`{"data": …, "layout": …}` for `Plotly.newPlot`; JSON as it is."""
    return _Figure(timeline).document()


class _Figure:
    """Grows from top to bottom in pixels; turned into fractions of the height at the end."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.t_s = timeline.t_s
        self.data: list[dict[str, Any]] = []
        self.shapes: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.domains: list[tuple[float, float]] = []
        self.axes: list[dict[str, Any]] = []
        self.at_px = float(_TOP_PX)

    def document(self) -> dict[str, Any]:
        for row in self.timeline.rows:
            self.row(row)
        total = self.at_px
        for note in self.annotations:
            if "top_px" in note:
                note["y"] = 1 - note.pop("top_px") / total
        if self.timeline.violation is not None:
            self.violation(self.timeline.violation)
        layout: dict[str, Any] = {
            f"yaxis{i + 1 if i else ''}": {**axis, "domain": [1 - low / total, 1 - high / total], "anchor": "x"}
            for i, (axis, (high, low)) in enumerate(zip(self.axes, self.domains, strict=True))
        }
        layout |= {
            **LAYOUT,
            "xaxis": {
                **TIME_AXIS,
                "range": [number(limit) for limit in time_limits(self.t_s)],
                "anchor": f"y{len(self.axes)}",
            },
            "height": round(total) + BOTTOM_PX,
            "shapes": self.shapes,
            "annotations": self.annotations,
        }
        return {"data": self.data, "layout": layout}

    # ------------------------------------------------ rows
    def row(self, row: Row) -> None:
        self.title(row)
        if row.has_numbers:
            axis = self.axis(_PANEL_PX, range=[number(limit) for limit in value_limits(row)], title=_axis_title(row))
            self.shade(row, axis)
            (self.compared if row.curves else self.robustness)(row, axis)
            self.point_at(row, axis)
        self.strip(row)
        self.at_px += _GAP_PX

    def title(self, row: Row) -> None:
        arrow = "↳ " * (row.depth > 1)
        text = "As known while the run went on" if row.kind == "run" else arrow + (row.text or "(a part of it)")
        lines = [f"<b>{html.escape(line)}</b>" for line in textwrap.wrap(text, 120)]
        faint = f"<span style='color:{palette.FAINT}'>%s</span>"
        if row.meaning:
            lines += [faint % html.escape(line) for line in textwrap.wrap(f"means: {row.meaning}", 130)]
        if condensed(row.status, STRETCHES):
            lines.append(faint % CONDENSED)
        if len(row.curves) > 1:
            for curve, color in zip(row.curves, palette.CURVES, strict=False):
                lines.append(f"<span style='color:{color}'>━ {html.escape(short(curve.name, 120))}</span>")
        self.annotations.append(
            {
                "text": "<br>".join(lines), "xref": "paper", "x": 0, "xanchor": "left",
                "xshift": 16 * (row.depth - 1) - 4, "yref": "paper", "yanchor": "top", "top_px": self.at_px,
                "align": "left", "showarrow": False,
                "font": {"size": 12},
            }
        )  # fmt: skip
        self.at_px += _LINE_PX * len(lines) + 5

    def axis(self, height_px: float, **options: Any) -> str:
        self.domains.append((self.at_px, self.at_px + height_px))
        self.at_px += height_px
        self.axes.append(
            {
                "gridcolor": palette.GRID, "zeroline": False, "nticks": 4, "ticks": "outside", "ticklen": 3,
                "tickfont": {"size": 10.5}, "fixedrange": False, **options,
            }
        )  # fmt: skip
        return f"y{len(self.axes)}" if len(self.axes) > 1 else "y"

    def strip(self, row: Row) -> None:
        axis = self.axis(_STRIP_PX, range=[0, 1], visible=False, fixedrange=True)
        for status in SEVERITY:
            look = palette.look_of(status, row.binding)
            found = [(a, b) for a, b, one in spans(row.status, self.t_s, STRETCHES) if one is status]
            if found:
                self.data.append(
                    {
                        "type": "bar", "orientation": "h", "yaxis": axis, "y": [0.5] * len(found), "width": 1,
                        "base": [number(a) for a, _ in found], "x": [number(b - a) for a, b in found],
                        "hoverinfo": "skip",
                        "marker": {
                            "color": look.fill, "line": {"color": look.ink, "width": outline(status)},
                            "pattern": {
                                "shape": _PATTERNS[look.hatch], "fgcolor": look.ink, "bgcolor": look.fill, "size": 6,
                                "solidity": 0.25,
                            },
                        },
                    }
                )  # fmt: skip
        if not row.has_numbers:
            at = kept([row.status.astype(float)], SAMPLES, self.instants(row))
            middle = np.full(len(row.status), 0.5)
            self.line(row, middle, at, axis, "%{customdata[1]}", color="rgba(0,0,0,0)")

    def shade(self, row: Row, axis: str) -> None:
        for start, end, status in spans(row.status, self.t_s, SHADES):
            if status.violated:
                strong = row.binding or status is Status.INVALID
                self.shapes.append(
                    {
                        "type": "rect", "xref": "x", "yref": f"{axis} domain", "x0": number(start), "x1": number(end),
                        "y0": 0, "y1": 1, "fillcolor": palette.LOOKS[Status.FALSE].fill, "line": {"width": 0},
                        "opacity": 0.14 if strong else 0.06, "layer": "below",
                    }
                )  # fmt: skip

    # ------------------------------------------------ numbers
    def compared(self, row: Row, axis: str) -> None:
        at = kept([row.rho, *(curve.values for curve in row.curves)], SAMPLES, self.instants(row))
        unit = html.escape(row.unit.text)
        for i, (curve, color) in enumerate(zip(row.curves, palette.CURVES, strict=False)):
            said = f"{html.escape(short(curve.name, 40))} %{{y:.5~r}} {unit}"
            if i == 0:
                said += f" · %{{customdata[1]}} by %{{customdata[2]}} {unit}"
            self.line(row, curve.values, at, axis, said, color=color)
        for threshold in row.thresholds:
            self.shapes.append(
                {
                    "type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": threshold.value,
                    "y1": threshold.value, "line": {"color": palette.LIMIT, "width": 1.2, "dash": "dash"},
                }
            )  # fmt: skip
            self.note(threshold.label, axis, threshold.value, xref="paper", x=1, xanchor="right", yanchor="bottom")

    def robustness(self, row: Row, axis: str) -> None:
        low, high = (np.clip(bound, *value_limits(row)) for bound in (row.rho_lo, row.rho_hi))
        rho = np.where(np.isfinite(row.rho), row.rho, np.nan)
        at = kept([rho, low, high], SAMPLES, self.instants(row))
        edge = {
            "type": "scatter", "mode": "lines", "yaxis": axis, "x": numbers(self.t_s[at]), "hoverinfo": "skip",
            "line": {"width": 0, "shape": "hv"},
        }  # fmt: skip
        self.data.append({**edge, "y": numbers(low[at])})
        self.data.append({**edge, "y": numbers(high[at]), "fill": "tonexty", "fillcolor": "rgba(11,92,138,0.14)"})
        self.shapes.append(
            {
                "type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": 0, "y1": 0,
                "line": {"color": palette.LIMIT, "width": 1}, "layer": "below",
            }
        )  # fmt: skip
        said = (
            f"robustness %{{customdata[2]}} {'' if row.unit.mixed else html.escape(row.unit.text)} "
            "(%{customdata[3]} … %{customdata[4]}) · %{customdata[1]}"
        )
        self.line(row, rho, at, axis, said, color=palette.LINE, shape="hv")

    def line(
        self, row: Row, values: np.ndarray, at: np.ndarray, axis: str, said: str, *, color: str, shape: str = "linear"
    ) -> None:
        """A line over the samples `at`; its hover says `said`, with values of `told` in it."""
        name = "verdict" if row.kind == "run" else short(row.text, 46)
        first = "tick %{customdata[0]} · " if row.kind == "run" else ""
        drawn = values[at]
        alone = alone_among(drawn)
        if alone.any():
            self.data.append(
                {
                    "type": "scatter", "mode": "markers", "yaxis": axis, "x": numbers(self.t_s[at][alone]),
                    "y": numbers(drawn[alone]), "marker": {"size": 5, "color": color}, "hoverinfo": "skip",
                }
            )  # fmt: skip
        self.data.append(
            {
                "type": "scatter", "mode": "lines", "yaxis": axis, "x": numbers(self.t_s[at]),
                "y": numbers(drawn), "line": {"color": color, "width": 1.7, "shape": shape},
                "customdata": self.told(row, at),
                "hovertemplate": f"{first}<b>{html.escape(name)}</b>: {said}<extra></extra>",
            }
        )  # fmt: skip

    def told(self, row: Row, at: np.ndarray) -> list[Any]:
        """What the hover says of each sample: tick, status, robustness and its bounds."""
        words = {status: f"{look.symbol} {status.word}" for status, look in palette.LOOKS.items()}
        numbers = [[_value(float(value)) for value in part[at]] for part in (row.rho, row.rho_lo, row.rho_hi)]
        status = [words[Status(int(code))] for code in row.status[at]]
        return [list(told) for told in zip(at.tolist(), status, *numbers, strict=True)]

    # ------------------------------------------------ instants
    def instants(self, row: Row) -> list[int]:
        return [i for i in (row.mark, self.timeline.worst, self.timeline.violation) if i is not None]

    def point_at(self, row: Row, axis: str) -> None:
        if row.mark is None:
            return
        value, t_s = float((row.curves[0].values if row.curves else row.rho)[row.mark]), float(self.t_s[row.mark])
        if not np.isfinite(value):
            return
        words = worst_words(row, row.mark)
        right, above = free_corner(row, self.t_s, row.mark, len(words))
        self.data.append(
            {
                "type": "scatter", "mode": "markers", "yaxis": axis, "x": [number(t_s)], "y": [number(value)],
                "hoverinfo": "skip",
                "marker": {"symbol": "diamond", "size": 9, "color": palette.INK, "line": {"color": "white"}},
            }
        )  # fmt: skip
        self.note(
            words, axis, value, xref="x", x=number(t_s), xanchor="left" if right else "right",
            yanchor="bottom" if above else "top", xshift=6 if right else -6,
        )  # fmt: skip

    def violation(self, sample: int) -> None:
        t_s = number(float(self.t_s[sample]))
        self.shapes.append(
            {
                "type": "line", "xref": "x", "x0": t_s, "x1": t_s, "yref": "paper", "y0": 0, "y1": 1,
                "line": {"color": palette.VIOLATION, "width": 1.6},
            }
        )  # fmt: skip
        left, right = time_limits(self.t_s)
        late = self.t_s[sample] > (left + right) / 2
        self.annotations.append(
            {
                "text": f"<b>{violation_words(self.timeline, sample)}</b>", "xref": "x",
                "x": t_s, "xanchor": "right" if late else "left", "xshift": -3 if late else 3, "yref": "paper", "y": 1,
                "yanchor": "top", "showarrow": False, "font": {"color": palette.VIOLATION, "size": 12},
            }
        )  # fmt: skip

    def note(self, text: str, axis: str, value: float, **place: Any) -> None:
        self.annotations.append(
            {
                "text": html.escape(short(text, 90)), "yref": axis, "y": number(value), "showarrow": False,
                "bgcolor": _HALO, "borderpad": 1, "font": {"size": 10.5}, **place,
            }
        )  # fmt: skip


def _axis_title(row: Row) -> dict[str, Any]:
    unit = " [mixed, SI]" if row.unit.mixed else unit_words(row.unit)
    lines = [part for part in ("" if row.curves else "robustness", unit.strip()) if part]
    return {"text": "<br>".join(lines), "font": {"size": 10.5}, "standoff": 4}


def _value(value: float) -> str:
    return quantity(value, Unit(""), digits=4)
