"""Assertions over a recording: whether they would have caught it, and by what."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import jax
import numpy as np

from healing_runtime import stl, workspace
from healing_runtime.app.assertions.logged import logged_atoms
from healing_runtime.app.assertions.reasons import Reasons, text_of
from healing_runtime.app.recordings import load_recording, load_run, own_robot
from healing_runtime.core import units
from healing_runtime.core.errors import InputError, UnitError, UnknownSignalError
from healing_runtime.core.recording import Recording
from healing_runtime.core.records import AssertionFile
from healing_runtime.core.signals import SignalTable
from healing_runtime.stl.diagnosis import Decision
from healing_runtime.stl.formula import Atom, Outside, Reference, references
from healing_runtime.stl.judged import Judged, judge
from healing_runtime.stl.parse import Text
from healing_runtime.telemetry.headings import nearest


@dataclasses.dataclass(frozen=True)
class _Case:
    """A recording and what it is judged by."""

    recording: Recording
    table: SignalTable
    requirements: tuple[stl.Requirement, ...]
    dtype: str
    known: Mapping[Atom, np.ndarray]


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
    options = {"control_hz": None if rate is None else _rate(rate), "names": dict(map(_name, columns))}
    case = _case(source, files, ids, options)
    if not case.requirements:
        raise InputError(
            f"{source}: there is no assertion to judge it by; give a file that has some with --assertions."
        )
    with jax.enable_x64(case.dtype == "float64"):
        judged = judge(case.requirements, case.recording.signals, np.dtype(case.dtype), case.known)
        return _document(source, case, judged)


# ---------------------------------------------------------------- what is judged by what
def _case(source: str, names: Sequence[str], ids: Sequence[str], options: Mapping[str, Any]) -> _Case:
    home = workspace.open()
    files = [home.assertion_file(name) for name in names]
    robot = own_robot(source) or _robot_of(files, source)
    table = home.robot(robot).signals
    for file in files:
        if file.robot != robot:
            raise InputError(
                f"assertion file '{file.name}' is for robot '{file.robot}', the recording is of '{robot}'."
            )
    if own_robot(source) is None:
        recording = load_recording(source, robot, table, **options)
        wanted = stl.bind(_only(files, ids), table, 1 / recording.period_s, online=False)
        # A file's numbers are judged as they stand there.
        return _Case(_with_notes(recording, wanted), table, _readable(wanted, recording), "float64", {})
    run = load_run(source, table, **options)
    hz, mission = run.scenario.control_hz, run.scenario.mission
    flown = stl.judging(stl.bind(run.files, table, hz), mission)
    if files:
        wanted = stl.bind(_only(files, ids), table, hz, online=False)
    else:
        wanted = stl.judging(stl.bind(_only(run.files, ids), table, hz), mission)
    wanted = _readable(wanted, run.recording)
    return _Case(run.recording, table, wanted, run.scenario.dtype, logged_atoms(flown, run.atoms))


def _robot_of(files: Sequence[AssertionFile], source: str) -> str:
    if not files:
        raise InputError(f"{source} names no assertions by itself; give an assertion file with --assertions.")
    return files[0].robot


def _rate(text: str) -> Fraction:
    try:
        number, unit = units.split_quantity(text)
        right = units.dimension(unit) == units.dimension("Hz")
    except UnitError:
        right, number, unit = False, "", ""
    rate = Fraction(number) * Fraction(str(units.si_factor(unit))) if right else Fraction(0)
    if rate <= 0:
        raise UnitError(f"--rate {text} is no rate; write for example --rate '48 Hz'.")
    return rate


def _name(text: str) -> tuple[str, str]:
    heading, equals, signal = text.rpartition("=")
    if not (heading.strip() and equals and signal.strip()):
        raise InputError(f"--column '{text}' names no signal; write for example --column 'alt=altitude [m]'.")
    return heading.strip(), signal.strip()


def _only(files: Sequence[AssertionFile], ids: Sequence[str]) -> list[AssertionFile]:
    """The files with the assertions that are wanted; what is not wanted need not suit the recording's rate."""
    known = [a.id for file in files for a in file.assertions]
    for wanted in ids:
        if wanted not in known:
            near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.4) or known
            raise InputError(f"there is no assertion '{wanted}' here; there are: {', '.join(near) or 'none'}.")
    return [
        dataclasses.replace(file, assertions=tuple(a for a in file.assertions if not ids or a.id in ids))
        for file in files
    ]


# ---------------------------------------------------------------- signals that are there, and that are not
def _readable(requirements: tuple[stl.Requirement, ...], recording: Recording) -> tuple[stl.Requirement, ...]:
    """The requirements, if the recording has every signal that they read."""
    for requirement in requirements:
        for reference in references(requirement.formula):
            if not _has(recording, reference):
                columns = recording.columns or tuple(recording.signals)
                near = nearest(reference.signal, columns) or columns[:5]
                raise UnknownSignalError(
                    f"'{reference.text or reference.signal}' is read by '{requirement.id}' and has no column in "
                    f"{recording.name}; the nearest are {', '.join(near)}. Name its column with --column, or choose "
                    "other assertions with --id.",
                    where=requirement.where,
                )
    return requirements


def _has(recording: Recording, reference: Reference) -> bool:
    samples = recording.signals.get(f"observed({reference.signal})") if reference.observed else None
    samples = recording.signals.get(reference.signal) if samples is None else samples
    if samples is None:
        return False
    if samples.ndim == 1 or not recording.columns:
        return True
    # A component without a column is NaN throughout.
    entries = samples if reference.index is None else samples[:, [reference.index]]
    return bool((~np.isnan(entries)).any(axis=0).all())


def _with_notes(recording: Recording, requirements: Sequence[stl.Requirement]) -> Recording:
    read = {r.signal for requirement in requirements for r in references(requirement.formula) if r.observed}
    stood = sorted(name for name in read if f"observed({name})" not in recording.signals)
    if not stood:
        return recording
    note = f"no sensor's own column for {', '.join(stood)}: observed(…) reads the plain one"
    return dataclasses.replace(recording, notes=(*recording.notes, note))


# ---------------------------------------------------------------- the document
def _document(source: str, case: _Case, judged: Sequence[Judged]) -> dict[str, Any]:
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
        "robustness": _finite(judged.robustness),
        "robustness_scaled": _finite(judged.robustness / requirement.scale),
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
    where = Text(requirement.text, requirement.where).at(place)
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


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
