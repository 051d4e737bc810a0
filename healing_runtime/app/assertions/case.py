"""What a recording is judged by: its samples, the robot's table, and the requirements that were asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from healing_runtime import stl, workspace
from healing_runtime.app.assertions.logged import logged_atoms
from healing_runtime.app.recordings import load_recording, load_run, own_robot
from healing_runtime.core import units
from healing_runtime.core.errors import InputError, RecordError, UnitError, UnknownSignalError
from healing_runtime.core.recording import Recording
from healing_runtime.core.records import AssertionFile
from healing_runtime.core.signals import SignalTable
from healing_runtime.stl.formula import Atom, Reference, references
from healing_runtime.supervisor.recordings import RecordedRun
from healing_runtime.telemetry.headings import nearest, signal_name
from healing_runtime.workspace.document import suggestion


@dataclasses.dataclass(frozen=True)
class Case:
    """A recording and what it is judged by.

    Attributes:
        recording: the samples.
        table: the robot's signals.
        requirements: what is asked, in the order of the files.
        files: the assertion files they are from.
        dtype: number format in which they are judged: a run's own, `float64` for a file's numbers.
        known: values of atoms that the run itself has logged.
        told: id -> what the run's own result says of it, where its own requirements are judged.
    """

    recording: Recording
    table: SignalTable
    requirements: tuple[stl.Requirement, ...]
    files: tuple[AssertionFile, ...]
    dtype: str
    known: Mapping[Atom, np.ndarray]
    told: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def must_be_as_told(self, statuses: Mapping[str, str]) -> None:
        """Raise RecordError for a verdict that is not the one in the run's result: one of the two was changed."""
        for wanted, status in statuses.items() if self.told else ():
            # Of a mission the result tells only whether it was met.
            found = {status, "true" if status == "true" else NOT_TRUE}
            if (told := self.told.get(wanted)) not in found:
                raise RecordError(
                    f"{self.recording.name}: '{wanted}' is {status} by the manifest and the log, and "
                    f"{told or 'missing'} in result.json; one of them was changed after the run; it cannot be judged."
                )


NOT_TRUE = "not true"


def case_of(
    source: str, names: Sequence[str], ids: Sequence[str], *, rate: str | None = None, columns: Sequence[str] = ()
) -> Case:
    """Read a recording and bind the assertions that are to judge it.

    Args:
        source: a run's folder or id, a CSV file or an MCAP file.
        names: assertion files, by path or catalogue name; those of the run if left out.
        ids: of these the ones that are wanted; all if left out.
        rate: how often the file was sampled, as in `48 Hz`.
        columns: what columns of a file are, as in `alt=altitude [m]`.

    Raises:
        InputError, RecordError: where, what is wrong, what to do.
    """
    options = {"control_hz": None if rate is None else _rate(rate), "names": dict(map(_name, columns))}
    case = _case(source, names, ids, options)
    if not case.requirements:
        raise InputError(
            f"{source}: there is no assertion to judge it by; give a file that has some with --assertions."
        )
    return case


def _case(source: str, names: Sequence[str], ids: Sequence[str], options: Mapping[str, Any]) -> Case:
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
        noted = _with_notes(recording, wanted, table)
        return Case(noted, table, _readable(wanted, recording), tuple(files), "float64", {})
    run = load_run(source, table, **options)
    hz, mission = run.scenario.control_hz, run.scenario.mission
    flown = stl.judging(stl.bind(run.files, table, hz), mission)
    if files:
        wanted = stl.bind(_only(files, ids), table, hz, online=False)
    else:
        wanted = stl.judging(stl.bind(_only(run.files, ids), table, hz), mission)
    wanted = _readable(wanted, run.recording)
    known = logged_atoms(flown, run.atoms)
    told = _told(run) if run.result is not None and not files else {}
    return Case(run.recording, table, wanted, tuple(files) or run.files, run.scenario.dtype, known, told)


def _told(run: RecordedRun) -> dict[str, str]:
    """What a run's result says of its assertions and of its mission. RecordError where it says nothing."""
    result = run.result or {}
    try:
        told = {str(entry["id"]): str(entry["status"]) for entry in result["assertions"]}
        if (mission := result.get("mission")) is not None:
            told[str(mission["id"])] = "true" if mission["satisfied"] else NOT_TRUE
    except (KeyError, TypeError):
        raise RecordError(
            f"the result of {run.recording.name} does not tell its verdicts; it cannot be judged."
        ) from None
    return told


def _robot_of(files: Sequence[AssertionFile], source: str) -> str:
    if not files:
        raise InputError(f"{source} names no assertions by itself; give an assertion file with --assertions.")
    return files[0].robot


_SLOWEST_HZ, _FASTEST_HZ = 1e-6, 1e6


def _rate(text: str) -> Fraction:
    try:
        value, dimension = units.quantity(text)
        number, unit = units.split_quantity(text)
    except UnitError:
        value, dimension, number, unit = 0.0, (), "0", ""
    if dimension != units.dimension("Hz") or value <= 0:
        raise UnitError(f"--rate {text} is no rate; write for example --rate '48 Hz'.")
    if not _SLOWEST_HZ <= value <= _FASTEST_HZ:
        raise UnitError(f"--rate {text} is not between {_SLOWEST_HZ:g} and {_FASTEST_HZ:g} Hz; write the file's rate.")
    return Fraction(number) * Fraction(str(units.si_factor(unit)))


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
            raise InputError(f"there is no assertion '{wanted}' here.{suggestion(wanted, known, what='There are')}")
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


def _with_notes(recording: Recording, requirements: Sequence[stl.Requirement], table: SignalTable) -> Recording:
    read = {r.signal for requirement in requirements for r in references(requirement.formula) if r.observed}
    own = {signal_name(heading, table) for heading in recording.columns} or set(recording.signals)
    stood = sorted(name for name in read if f"observed({name})" not in own)
    if not stood:
        return recording
    note = f"no sensor's own column for {', '.join(stood)}: observed(…) reads the plain one"
    return dataclasses.replace(recording, notes=(*recording.notes, note))
