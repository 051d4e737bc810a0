"""What is said in words beside the drawings, the same on a picture and on a page."""

from __future__ import annotations

import math

from healing_runtime.core.numerals import significant
from healing_runtime.core.recording import Recording
from healing_runtime.core.status import Status
from healing_runtime.reports import palette
from healing_runtime.reports.rows import Row
from healing_runtime.reports.timeline import Timeline
from healing_runtime.reports.wording import Unit, seconds

MADE_BY = "heal assertions plot"
CONDENSED = "the strip changes too often to be drawn sample by sample: each cell shows its most serious status"
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
    if not math.isfinite(timeline.robustness) or timeline.verdict not in (Status.TRUE, Status.FALSE):
        return said
    return f"{said}  {quantity(timeline.robustness, timeline.unit)}"


def verdict_line(timeline: Timeline) -> str:
    """Verdict, margin, and the sub-formulas and instants that matter, in one line."""
    status, said = timeline.verdict, f"{palette.LOOKS[timeline.verdict].symbol} {timeline.verdict.word}"
    at = f" at {_instant(timeline, timeline.violation)}" if timeline.violation is not None else ""
    if status is Status.INVALID:
        return f"{said}{at}: '{timeline.cause}' has no value there (NaN or stale), which counts as a violation"
    parts = [said]
    if status is Status.VACUOUS:
        parts[0] += ": the trigger never came true, so nothing was verified"
    elif status is Status.UNKNOWN:
        parts[0] += ": the recording ended before it was decided"
    elif status is Status.FALSE:
        parts[0] += f": violated{at}" + (f" by '{timeline.cause}'" if timeline.cause else "")
    if math.isfinite(timeline.robustness) and status in (Status.TRUE, Status.FALSE):
        parts.append(f"robustness {quantity(timeline.robustness, timeline.unit)}")
    return " · ".join([*parts, *([timeline.reason] if timeline.reason else [])])


def violation_words(timeline: Timeline, sample: int) -> str:
    """The label of the line at the first violation."""
    word = "invalid" if timeline.rows[0].status[sample] == Status.INVALID else "violated"
    return f"{word} at {_instant(timeline, sample)}"


def _instant(timeline: Timeline, sample: int) -> str:
    return f"{seconds(float(timeline.t_s[sample]))} (tick {sample})"


def worst_words(row: Row, sample: int) -> str:
    """What stands beside the sample to look at: the value of a signal and by how much it keeps or breaks the limit."""
    margin = quantity(float(row.rho[sample]), row.unit)
    if not row.curves:
        return f"{row.why}: {margin}"
    return f"{row.why}: {quantity(float(row.curves[0].values[sample]), row.unit)}, margin {margin}"


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
    text = significant(value, digits).replace("-", "−")
    return f"{text} (SI, mixed units)" if unit.mixed else f"{text} {unit.text}".rstrip()
