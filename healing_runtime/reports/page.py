"""Timelines as one HTML file that needs nothing else: Plotly's program is inside, and nothing is fetched."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from importlib import resources

from healing_runtime.core.errors import InputError
from healing_runtime.core.recording import Recording
from healing_runtime.reports import palette
from healing_runtime.reports.figures import figure
from healing_runtime.reports.scales import outline, spans, time_limits
from healing_runtime.reports.sentences import INSTALL, MADE_BY, heading, in_short, verdict_line
from healing_runtime.reports.thinning import SEVERITY
from healing_runtime.reports.timeline import Timeline

_STRIP_STRETCHES = 200


def page(timelines: Sequence[Timeline], recording: Recording) -> str:
    """The text of an HTML file; the same for the same input.

    Raises:
        InputError: plotly is not installed, or there is nothing to draw.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise InputError(f"pages need plotly; {INSTALL}.") from None
    if not timelines:
        raise InputError("there is no assertion to draw.")
    title, subtitle = heading(recording, len(timelines))
    figures = json.dumps([[f"figure-{i}", figure(t)] for i, t in enumerate(timelines)], allow_nan=False)
    holes = {
        "GENERATOR": MADE_BY,
        "TITLE": html.escape(title),
        "SUBTITLE": html.escape(subtitle),
        "PATTERNS": "".join(_pattern(name, look) for name, look in _looks()),
        "NOTES": "".join(f'<p class="faint">Note: {html.escape(note)}.</p>' for note in recording.notes),
        "CONTENTS": _contents(timelines) if len(timelines) > 1 else "",
        "LEGEND": "".join(
            f'<li><svg><rect width="100%" height="100%" fill="url(#{name})"/></svg>{look.symbol} {look.meaning}</li>'
            for name, look in _looks()
        ),
        "SECTIONS": "".join(_section(i, timeline) for i, timeline in enumerate(timelines)),
        # '</script>' inside a text would end the program.
        "FIGURES": figures.replace("</", "<\\/"),
        "PLOTLY": get_plotlyjs(),
    }
    template = resources.files("healing_runtime.reports").joinpath("page.html").read_text("utf-8")
    return re.sub(r"%([A-Z]+)%", lambda hole: holes[hole[1]], template)


def _looks() -> list[tuple[str, palette.Look]]:
    return [*((status.word, look) for status, look in palette.LOOKS.items()), ("mild", palette.MILD)]


def _pattern(name: str, look: palette.Look) -> str:
    """A fill for SVG, hatched as in the figures."""
    strokes = {
        "/": "M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2",
        "\\": "M-1,5 l2,2 M0,0 l6,6 M5,-1 l2,2",
        "x": "M0,6 l6,-6 M0,0 l6,6",
        ".": "M2.5,3 h1",
    }
    drawn = f'<path d="{strokes[look.hatch[0]]}" stroke="{look.ink}" stroke-width="1"/>' if look.hatch else ""
    return (
        f'<pattern id="{name}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<rect width="6" height="6" fill="{look.fill}"/>{drawn}</pattern>'
    )


def _contents(timelines: Sequence[Timeline]) -> str:
    rows = []
    for i, timeline in enumerate(timelines):
        verdict = html.escape(in_short(timeline))
        rows.append(
            f'<tr><td><a href="#assertion-{i}">{html.escape(timeline.id)}</a></td>'
            f"<td>{html.escape(timeline.severity)}</td><td>{html.escape(timeline.requirement)}</td>"
            f'<td class="strip">{_strip(timeline)}</td>'
            f'<td{_class(timeline)}>{verdict}</td></tr>'
        )
    head = "".join(f"<th>{word}</th>" for word in ("assertion", "severity", "requirement", "over the run", "verdict"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _strip(timeline: Timeline) -> str:
    left, right = time_limits(timeline.t_s)
    per_s = 100 / (right - left)
    found = spans(timeline.strip, timeline.t_s, _STRIP_STRETCHES)
    boxes = "".join(
        f'<rect x="{(start - left) * per_s:.4f}%" width="{(end - start) * per_s:.4f}%" height="100%" '
        f'fill="url(#{status.word})" stroke="{palette.LOOKS[status].ink}" stroke-width="{outline(status)}"/>'
        for start, end, status in sorted(found, key=lambda span: SEVERITY.index(span[2]))
    )
    return f'<svg class="strip" role="img" aria-label="{html.escape(in_short(timeline))}">{boxes}</svg>'


def _section(place: int, timeline: Timeline) -> str:
    named = " · ".join(part for part in (timeline.severity, timeline.requirement) if part)
    lines = [
        f"<h2>{html.escape(timeline.id)} <small>{html.escape(named)}</small></h2>",
        f"<p>{html.escape(timeline.english)}</p>",
        f"<p><code>{html.escape(timeline.formula)}</code></p>",
        f"<p{_class(timeline)}>{html.escape(verdict_line(timeline))}</p>",
    ]
    if timeline.rationale:
        lines.insert(3, f'<p class="faint">Why: {html.escape(" ".join(timeline.rationale.split()))}</p>')
    if timeline.left_out:
        names = html.escape("; ".join(timeline.left_out))
        lines.append(f'<p class="faint">Not drawn, for want of room: {names}</p>')
    return f'<section id="assertion-{place}">{"".join(lines)}<div class="figure" id="figure-{place}"></div></section>'


def _class(timeline: Timeline) -> str:
    return ' class="bad"' if timeline.verdict.violated else ""
