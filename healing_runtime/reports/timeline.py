"""What a timeline shows, as plain records: an assertion, and a row for each of its sub-formulas."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from healing_runtime import stl
from healing_runtime.core.errors import InputError
from healing_runtime.core.recording import Recording
from healing_runtime.core.records import AssertionFile, AssertionText, Verdict
from healing_runtime.core.status import Status
from healing_runtime.reports.history import History, histories, samples_of
from healing_runtime.reports.rows import Row, mark_of, run_row, sub_formula_row
from healing_runtime.reports.wording import Unit, seconds, unit_of
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.formula import Apply, Atom, Formula, Predicate, children

MAX_ROWS = 12


@dataclasses.dataclass(frozen=True)
class Timeline:
    """One assertion over one recording.

    Attributes:
        id, severity, requirement, rationale: as in the file; severity is `mission` for a mission.
        formula, english: as written, and as read by people.
        verdict, robustness, unit: over the whole run; NaN where invalid. Robustness is the margin of one comparison at
            one sample, so the unit is that comparison's.
        scaled: robustness divided by the assertion's scale, for ranking.
        t_s: float64 [N], seconds.
        strip: int32 [N], the status for one line: of the body of an outermost `always` at every sample, else of the
            verdict while the run went on. Nothing is true in it where the whole verdict is vacuous.
        worst: sample from which the robustness no longer changed; None if there is no finite one.
        violation: first sample at which the verdict was false or invalid.
        cause: text of the sub-formula by which the violation was first known; else empty.
        reason: the sample that was worst, came closest or left the verdict open, in words; empty if there is nothing to
            name beyond the violation.
        rows: outside in, the verdict of the run first; at most `MAX_ROWS`.
        left_out: texts of the sub-formulas for which there was no room.
    """

    id: str
    severity: str
    requirement: str
    rationale: str
    formula: str
    english: str
    verdict: Status
    robustness: float
    unit: Unit
    scaled: float
    t_s: np.ndarray
    strip: np.ndarray
    worst: int | None
    violation: int | None
    cause: str
    reason: str
    rows: tuple[Row, ...]
    left_out: tuple[str, ...]


def timelines(
    requirements: Sequence[Requirement],
    files: Sequence[AssertionFile],
    recording: Recording,
    known: Mapping[Atom, np.ndarray] | None = None,
) -> tuple[Timeline, ...]:
    """A timeline for each requirement, in their order.

    Args:
        requirements: from `stl.bind`.
        files: the files they were bound from, for requirement ids, rationales and the bodies of definitions.
        recording: what to judge them over.
        known: robustness of atoms that the run itself has logged.

    Raises:
        InputError: the recording has no samples.
        UnknownSignalError: it lacks a signal.
    """
    if not len(recording):
        raise InputError(f"{recording.name} has no samples; there is nothing to draw.")
    if not requirements:
        return ()
    told = histories(requirements, recording, known)
    shown = [_shown(requirement.formula) for requirement in requirements]
    parts = dict.fromkeys(part for rows, _ in shown for part, _ in rows)
    judged = _judged(parts, recording)
    written = {(file.name, text.id): (file, text) for file in files for text in file.assertions}
    return tuple(
        _timeline(requirement, *written[requirement.file, requirement.id], history, rows, left_out, judged, recording)
        for requirement, history, (rows, left_out) in zip(requirements, told, shown, strict=True)
    )


def _shown(formula: Formula) -> tuple[list[tuple[Formula, int]], tuple[str, ...]]:
    """The sub-formulas that get a row, with their depth, in the order of the text; and the texts of the rest.

    The whole formula has the row of the run. Where there is no room, its body and what compares signals stay longest,
    the deepest go first.
    """
    depths: dict[Formula, int] = {}

    def descend(part: Formula, depth: int) -> None:
        for child in children(part):
            if child not in depths:
                depths[child] = depth
                descend(child, depth + 1)

    descend(formula, 1)
    if not depths:
        depths[formula] = 1
    inner = {part: depths[part] > 1 and isinstance(part, Apply) for part in depths}
    kept = set(sorted(depths, key=lambda part: (inner[part], depths[part]))[: MAX_ROWS - 1])
    left_out = tuple(_text(part) for part in depths if part not in kept)
    return [(part, depth) for part, depth in depths.items() if part in kept], left_out


def _judged(parts: Iterable[Formula], recording: Recording) -> Mapping[Formula, Verdict]:
    """The verdict of every sub-formula at every sample.

    Operation by operation: the formulas share what is compiled, one program for all takes many times longer to compile.
    """
    samples = samples_of(parts, recording)
    judged = ((part, stl.verdicts(part, samples, recording.dt_s)) for part in parts)
    return {part: Verdict(*map(np.asarray, verdict)) for part, verdict in judged}


def _timeline(
    requirement: Requirement,
    file: AssertionFile,
    text: AssertionText,
    history: History,
    shown: Sequence[tuple[Formula, int]],
    left_out: tuple[str, ...],
    judged: Mapping[Formula, Verdict],
    recording: Recording,
) -> Timeline:
    whole, decision = unit_of(requirement.formula), history.decision
    robustness = float(history.final.rho)
    unit = whole
    if decision and decision.value == robustness and isinstance(decision.part, Predicate):
        unit = unit_of(decision.part)
    binding = _binding(requirement.formula)
    below = [sub_formula_row(part, depth, part in binding, judged, file, recording) for part, depth in shown]
    verdict = Status(int(history.final.status))
    if binding:
        below[0] = dataclasses.replace(below[0], mark=_lowest(below[0]), why=mark_of(verdict))
    for at, (part, _) in enumerate(shown):
        if history.cause and part == history.cause.part:
            below[at] = dataclasses.replace(below[at], mark=history.cause.tick, why="breaks")
        if decision and part == decision.part:
            below[at] = dataclasses.replace(below[at], mark=decision.tick, why=mark_of(verdict))
    top = run_row(requirement, whole, history)
    return Timeline(
        id=requirement.id,
        severity="mission" if requirement.mission else str(requirement.severity),
        requirement=text.requirement,
        rationale=text.rationale,
        formula=" ".join(requirement.text.split()),
        english=stl.explain(requirement.formula),
        verdict=verdict,
        robustness=robustness / unit.factor,
        unit=unit,
        scaled=robustness / requirement.scale,
        t_s=recording.t_s,
        strip=_strip(below[0] if binding else top, verdict),
        worst=history.worst,
        violation=history.violation,
        cause=_text(history.cause.part) if history.cause else "",
        reason=_reason(history, recording),
        rows=(top, *below),
        left_out=left_out,
    )


def _text(part: Formula) -> str:
    return getattr(part, "text", "") or "a part of it"


def _reason(history: History, recording: Recording) -> str:
    decision = history.decision
    if decision is None or (decision == history.cause and decision.tick == history.violation):
        return ""  # the violation has been told already
    text = _text(decision.part)
    at = f"{seconds(float(recording.t_s[decision.tick]))} (tick {decision.tick})"
    return {
        "value": f"{mark_of(Status(int(history.final.status)))}: '{text}' at {at}",
        "nan": f"'{text}' has no value at {at}",
        "begin": f"'{text}' at {at} looks at nothing before the first sample",
        "end": f"'{text}' at {at} reaches past the last sample",
    }[decision.why]


def _strip(row: Row, verdict: Status) -> np.ndarray:
    if verdict is not Status.VACUOUS:
        return row.status
    return np.where(row.status == int(Status.TRUE), int(Status.VACUOUS), row.status).astype(np.int32)


def _binding(formula: Formula) -> set[Formula]:
    """Sub-formulas that must hold at every sample: the body of an outermost `always`, and the parts of its `and`."""
    found: set[Formula] = set()

    def take(part: Formula) -> None:
        found.add(part)
        if isinstance(part, Apply) and part.operator == "and":
            for child in part.arguments:
                take(child)

    match formula:
        case Apply("always", (body,), None):
            take(body)
    return found


def _lowest(row: Row) -> int | None:
    finite = np.flatnonzero(np.isfinite(row.rho))
    return int(finite[np.argmin(row.rho[finite])]) if len(finite) else None
