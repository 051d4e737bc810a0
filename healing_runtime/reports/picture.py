"""Timelines as a PNG, 1200 pixels wide: one-line strips of all assertions, then the rows of those that matter most."""

from __future__ import annotations

import dataclasses
import functools
import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from healing_runtime.core.errors import InputError
from healing_runtime.core.recording import Recording
from healing_runtime.reports import palette
from healing_runtime.reports.panels import STRETCHES, draw_row, draw_strip
from healing_runtime.reports.rows import Row
from healing_runtime.reports.sentences import CONDENSED, INSTALL, MADE_BY, heading, in_short, verdict_line
from healing_runtime.reports.thinning import condensed
from healing_runtime.reports.timeline import MAX_ROWS, Timeline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI, WIDTH_IN = 100, 12.0
_LEFT, _RIGHT = 0.95, 11.75
_NAMES_IN = 2.6
_STYLE: dict[Any, Any] = {"font.family": "DejaVu Sans", "hatch.linewidth": 0.8, "font.size": 9}


def picture(timelines: Sequence[Timeline], recording: Recording) -> bytes:
    """A PNG file; the same bytes for the same input.

    Raises:
        InputError: matplotlib is not installed, or there is nothing to draw.
    """
    try:
        import matplotlib
    except ImportError:
        raise InputError(f"pictures need matplotlib; {INSTALL}.") from None
    if not timelines:
        raise InputError("there is no assertion to draw.")
    with matplotlib.rc_context(_STYLE):
        figure = _Sheet(recording).drawn(timelines)
        target = io.BytesIO()
        figure.savefig(target, format="png", dpi=DPI, metadata={"Software": MADE_BY})
    return target.getvalue()


def in_detail(timelines: Sequence[Timeline]) -> tuple[list[Timeline], list[Timeline]]:
    """Which assertions get their rows drawn, the worst first, and for which there is no room."""

    def rank(timeline: Timeline) -> tuple[bool, float]:
        scaled = timeline.scaled if timeline.scaled == timeline.scaled else float("-inf")
        return not timeline.verdict.violated, scaled

    drawn, left_out, room = [], [], MAX_ROWS
    for timeline in sorted(timelines, key=rank):
        fits = len(timeline.rows) <= room and not left_out
        (drawn if fits else left_out).append(timeline)
        room -= len(timeline.rows) if fits else 0
    return drawn, left_out


@dataclasses.dataclass
class _Block:
    """Something `height` inches tall; `draw(figure, top)` puts it below `top`, both in inches."""

    height: float
    draw: Any


class _Sheet:
    """Blocks laid out from top to bottom. Heights are added up first, since the sheet is as tall as they are."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.blocks: list[_Block] = []

    def drawn(self, timelines: Sequence[Timeline]) -> Figure:
        from matplotlib.figure import Figure

        detailed, left_out = in_detail(timelines)
        self.heading(len(timelines))
        if len(timelines) > 1:
            for timeline in timelines:
                self.summary(timeline, last=timeline is timelines[-1])
            self.gap(0.45)
        for timeline in detailed:
            self.assertion(timeline)
        self.remarks(left_out)
        self.legend()
        height = sum(block.height for block in self.blocks)
        figure = Figure(figsize=(WIDTH_IN, height), facecolor="white")
        top = height
        for block in self.blocks:
            block.draw(figure, top)
            top -= block.height
        return figure

    def add(self, height: float, draw: Any) -> None:
        self.blocks.append(_Block(height, draw))

    def gap(self, height: float) -> None:
        self.add(height, lambda figure, top: None)

    def words(self, text: str, x: float, height: float, **style: Any) -> None:
        self.add(height, lambda figure, top: _words(figure, text, x, top, **style))

    # ------------------------------------------------ blocks
    def heading(self, count: int) -> None:
        title, subtitle = heading(self.recording, count)
        self.gap(0.18)
        self.words(title, 0.35, 0.3, size=15, weight="bold")
        self.words(subtitle, 0.35, 0.4, size=9.5, color=palette.FAINT)

    def summary(self, timeline: Timeline, last: bool) -> None:
        def draw(figure: Figure, top: float) -> None:
            _words(figure, textwrap.shorten(timeline.id, 34, placeholder="…"), 0.35, top - 0.03, size=9.5)
            axis = _axes(figure, 0.35 + _NAMES_IN, 8.9, top - 0.03, 0.2)
            draw_strip(axis, timeline.strip, timeline.t_s, timeline.violation)
            axis.tick_params(labelbottom=last, labelsize=8, colors=palette.FAINT, length=3 if last else 0)
            if last:
                axis.set_xlabel("s", fontsize=8, color=palette.FAINT, labelpad=1)
            _words(
                figure,
                in_short(timeline),
                9.05,
                top - 0.03,
                size=9.5,
                weight="bold" if timeline.verdict.violated else "normal",
                color=palette.VIOLATION if timeline.verdict.violated else palette.INK,
            )

        self.add(0.28, draw)

    def assertion(self, timeline: Timeline) -> None:
        requirement = f" · {timeline.requirement}" if timeline.requirement else ""
        self.add(0.08, lambda figure, top: _rule(figure, top))
        self.words(f"{timeline.id} · {timeline.severity}{requirement}", 0.35, 0.27, size=13, weight="bold")
        for line in textwrap.wrap(timeline.english, 150):
            self.words(line, 0.35, 0.19, size=9.5)
        color = palette.VIOLATION if timeline.verdict.violated else palette.INK
        self.gap(0.05)
        for line in textwrap.wrap(verdict_line(timeline), 140):
            self.words(line, 0.35, 0.21, size=10, weight="bold", color=color)
        self.gap(0.09)
        for row in timeline.rows:
            self.row(row, timeline, last=row is timeline.rows[-1])
        if timeline.left_out:
            names = textwrap.shorten("; ".join(timeline.left_out), 230, placeholder=" …")
            for line in textwrap.wrap(f"Not drawn, for want of room: {names}", 150):
                self.words(line, 0.35, 0.19, size=8.5, color=palette.FAINT)
        self.gap(0.2)

    def row(self, row: Row, timeline: Timeline, last: bool) -> None:
        indent = 0.22 * min(row.depth, 6)
        for line, style in row_title(row):
            self.words(line, _LEFT + indent - (0.6 if row.kind == "run" else 0.4), 0.185, **style)
        height = (0.95 if row.curves or row.kind == "run" else 0.8) if row.has_numbers else 0.0

        def draw(figure: Figure, top: float) -> None:
            strip = _axes(figure, _LEFT, _RIGHT, top - height - 0.02, 0.13)
            draw_strip(strip, row.status, timeline.t_s, timeline.violation, binding=row.binding)
            strip.tick_params(labelbottom=last, labelsize=8.5, colors=palette.INK, length=3)
            if last:
                strip.set_xlabel("time [s]", fontsize=9, color=palette.INK, labelpad=1)
            if row.has_numbers:
                draw_row(_axes(figure, _LEFT, _RIGHT, top - 0.02, height), row, timeline)

        self.add(height + (0.62 if last else 0.27), draw)

    def remarks(self, left_out: Sequence[Timeline]) -> None:
        lines = [f"Note: {note}" for note in self.recording.notes]
        if left_out:
            names = ", ".join(timeline.id for timeline in left_out)
            lines.append(f"Without rows, for want of room: {names}. The page (HTML) has them all; --id draws one.")
        for line in (part for text in lines for part in textwrap.wrap(text, 150)):
            self.words(line, 0.35, 0.19, size=9, color=palette.FAINT)

    def legend(self) -> None:
        def draw(figure: Figure, top: float) -> None:
            from matplotlib.patches import Rectangle

            for at, look in enumerate((*palette.LOOKS.values(), palette.MILD)):
                x, y = 0.35 + 3.85 * (at % 3), top - 0.1 - 0.24 * (at // 3)
                axis = _axes(figure, x, x + 0.4, y, 0.14)
                axis.set_axis_off()
                axis.add_patch(
                    Rectangle(
                        (0, 0), 1, 1, facecolor=look.fill, edgecolor=look.ink, hatch=look.hatch, lw=0.8,
                        transform=axis.transAxes,
                    )
                )  # fmt: skip
                _words(figure, f"{look.symbol}  {look.meaning}", x + 0.48, y + 0.005, size=8.5)
            text = (
                "Line: robustness, above 0 satisfied and below 0 violated. Light band: what is still possible. "
                "No line: infinite. Shaded: false."
            )
            _words(figure, text, 0.35, top - 0.62, size=8.5, color=palette.FAINT)

        self.add(0.08, lambda figure, top: _rule(figure, top))
        self.add(0.95, draw)


def row_title(row: Row) -> list[tuple[str, dict[str, Any]]]:
    """Wrapped lines over a row, with their style."""
    if row.kind == "run":
        return [("As known while the run went on", {"size": 9, "weight": "bold"})]
    lines = textwrap.wrap("↳ " * (row.depth > 1) + row.text, 140) or [""]
    out: list[tuple[str, dict[str, Any]]] = [(line, {"size": 9, "weight": "bold"}) for line in lines]
    if row.meaning:
        out += [(line, {"size": 8.5, "color": palette.FAINT}) for line in textwrap.wrap(f"means: {row.meaning}", 150)]
    if condensed(row.status, STRETCHES):
        out.append((CONDENSED, {"size": 8.5, "color": palette.FAINT}))
    if len(row.curves) > 1:
        named = zip(row.curves, palette.CURVES, strict=False)
        shorten = functools.partial(textwrap.shorten, width=140, placeholder=" …")
        out += [(f"━ {shorten(curve.name)}", {"size": 8.5, "color": color}) for curve, color in named]
    return out


# ---------------------------------------------------------------- inches from the top left
def _axes(figure: Figure, left: float, right: float, top: float, height: float) -> Any:
    total = figure.get_figheight()
    return figure.add_axes((left / WIDTH_IN, (top - height) / total, (right - left) / WIDTH_IN, height / total))


def _words(figure: Figure, text: str, x: float, y: float, *, color: str = palette.INK, **style: Any) -> None:
    figure.text(
        x / WIDTH_IN, y / figure.get_figheight(), text, va="top", ha="left", color=color, parse_math=False, **style
    )


def _rule(figure: Figure, top: float) -> None:
    from matplotlib.lines import Line2D

    y = top / figure.get_figheight()
    figure.add_artist(Line2D([0.35 / WIDTH_IN, 11.75 / WIDTH_IN], [y, y], color=palette.GRID, lw=1))
