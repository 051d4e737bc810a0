"""Assertions over a recording: whether they would have caught it, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from healing_runtime import stl
from healing_runtime.app.assertions.case import Case, case_of
from healing_runtime.app.assertions.reasons import Reasons, text_of
from healing_runtime.core.codec import plain
from healing_runtime.core.recording import Recording
from healing_runtime.stl.diagnosis import Decision
from healing_runtime.stl.formula import Outside
from healing_runtime.stl.judged import Judged, judge


def test(
    source: str,
    files: Sequence[str] = (),
    ids: Sequence[str] = (),
    *,
    rate: str | None = None,
    columns: Sequence[str] = (),
) -> dict[str, Any]:
    """Judge a recording by assertion files, as a run would have been judged.

    Args:
        source: a run's folder or id, a CSV file or an MCAP file.
        files: assertion files, by path or catalogue name; those of the run if left out.
        ids: of these the ones that are wanted; all if left out.
        rate: how often the file was sampled, as in `48 Hz`.
        columns: what columns of a file are, as in `alt=altitude [m]`.

    Raises:
        InputError, RecordError: where, what is wrong, what to do.
    """
    case = case_of(source, files, ids, rate=rate, columns=columns)
    with jax.enable_x64(case.dtype == "float64"):
        judged = judge(case.requirements, case.recording.signals, np.dtype(case.dtype), case.known)
        case.must_be_as_told({j.requirement.id: j.status.word for j in judged})
        return _document(source, case, judged)


# ---------------------------------------------------------------- the document
def _document(source: str, case: Case, judged: Sequence[Judged]) -> dict[str, Any]:
    recording = case.recording
    reasons = Reasons(recording, case.table)
    return {
        "recording": source,
        "robot": recording.robot,
        "rate_hz": float(1 / recording.period_s),
        "samples": len(recording),
        "from_s": float(recording.t_s[0]),
        "to_s": float(recording.t_s[-1]),
        "notes": list(recording.notes),
        "violated": any(j.status.violated for j in judged),
        "assertions": [_entry(j, recording, reasons) for j in judged],
    }


def _entry(judged: Judged, recording: Recording, reasons: Reasons) -> dict[str, Any]:
    requirement = judged.requirement
    first = None
    if judged.violated_at is not None:
        first = {
            **_instant(judged.violated_at, recording),
            "decided_by": _decision(judged.violated_by, requirement, recording, reasons),
        }
    return {
        "id": requirement.id,
        "file": requirement.file,
        "severity": "mission" if requirement.mission else requirement.severity.value,
        "formula": requirement.text,
        "english": stl.explain(requirement.formula),
        "status": judged.status.word,
        "robustness": plain(float(judged.robustness)),
        "robustness_scaled": plain(float(judged.robustness / requirement.scale)),
        "worst": None if judged.worst_at is None else _instant(judged.worst_at, recording),
        "first_violation": first,
        "decided_by": _decision(judged.decided_by, requirement, recording, reasons),
        "reason": reasons.sentence(judged),
    }


def _decision(
    found: Decision | None, requirement: stl.Requirement, recording: Recording, reasons: Reasons
) -> dict[str, Any] | None:
    if found is None:
        return None
    place = 0 if isinstance(found.part, Outside) else found.part.place
    where = requirement.source.at(place)
    return {
        "clause": text_of(found.part),
        "line": (where.line or None) if where else None,
        "column": (where.column or None) if where else None,
        "why": found.why,
        "signals": reasons.signals(found.part, found.tick) if found.why in ("value", "nan") else {},
        **_instant(found.tick, recording),
        "beside": [_decision(other, requirement, recording, reasons) for other in found.beside],
    }


def _instant(tick: int, recording: Recording) -> dict[str, Any]:
    return {"tick": tick, "t_s": float(recording.t_s[tick])}
