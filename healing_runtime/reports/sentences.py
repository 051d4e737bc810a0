"""What is said in words beside the drawings, the same on a picture and on a page."""

from __future__ import annotations

import math

from healing_runtime.core.recording import Recording
from healing_runtime.core.status import Status
from healing_runtime.reports import palette
from healing_runtime.reports.rows import Row
from healing_runtime.reports.timeline import Timeline
from healing_runtime.reports.wording import Unit, seconds

INSTALL = "pip install 'healing-runtime[plot]'"


def heading(recording: Recording, count: int) -> tuple[str, str]:
    """The name of the recording, and what it holds."""
    parts = [recording.robot] if recording.robot else []
    parts.append(f"{count} assertion{'s' if count != 1 else ''}")
    samples = f"{len(recording)} sample{'s' if len(recording) != 1 else ''}"
    parts.append(f"{samples} at {float(1 / recording.period_s):g} Hz, to {seconds(float(recording.t_s[-1]))}")
    return recording.name, " · ".join(parts)


def in_short(timeline: Timeline) -> str:
    """Verdict and robustness in a few words."""
    said = f"{palette.LOOKS[timeline.verdict].symbol} {timeline.verdict.word}"
    if not math.isfinite(timeline.robustness):
        return said
    return f"{said}  {quantity(timeline.robustness, timeline.unit)}"


def verdict_line(timeline: Timeline) -> str:
    """Verdict, margin and the instants that matter, in one line."""
    parts = [verdict_words(timeline.verdict)]
    if timeline.violation is not None:
        parts[0] += f" at {_instant(timeline, timeline.violation)}"
    if timeline.verdict is not Status.INVALID and abs(timeline.robustness) != float("inf"):
        parts.append(f"robustness {quantity(timeline.robustness, timeline.unit)}")
    if timeline.reason:
        parts.append(timeline.reason)
    return " · ".join(parts)


def _instant(timeline: Timeline, sample: int) -> str:
    return f"{seconds(float(timeline.t_s[sample]))} (tick {sample})"


def worst_words(row: Row, sample: int) -> str:
    """What stands beside the sample to look at: the value of a signal and by how much it keeps or breaks the limit."""
    word = "decides" if row.decides else "worst"
    margin = quantity(float(row.rho[sample]), row.unit)
    if not row.curves:
        return f"{word}: {margin}"
    return f"{word}: {quantity(float(row.curves[0].values[sample]), row.unit)}, margin {margin}"


def verdict_words(status: Status) -> str:
    """A verdict with its symbol, and what a reader must not overlook about it."""
    rider = {
        Status.VACUOUS: ": the trigger never came true, so nothing was verified",
        Status.INVALID: ": a sample it rests on is NaN or stale, which counts as a violation",
        Status.UNKNOWN: ": the recording ended before it was decided",
        Status.FALSE: ": violated",
    }.get(status, "")
    return f"{palette.LOOKS[status].symbol} {status.word}{rider}"


def unit_words(unit: Unit) -> str:
    """A unit in brackets, with raised powers; quantities of several dimensions are told to be in SI."""
    text = unit.text.translate(str.maketrans("23", "²³"))
    if unit.mixed:
        return f" [mixed, SI: {text}]"
    return f" [{text}]" if text else ""


def quantity(value: float, unit: Unit, digits: int = 3) -> str:
    """A number with its unit; infinities and NaN as words people read."""
    if math.isnan(value):
        return "invalid"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}g}".replace("-", "−")
    return f"{text} (SI, mixed units)" if unit.mixed else f"{text} {unit.text}".rstrip()
