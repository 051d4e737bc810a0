"""Recordings of any kind as named samples: a run of ours, a CSV file, an MCAP file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from healing_runtime.app.flights import run_path
from healing_runtime.core.errors import InputError, NotFoundInCatalogue
from healing_runtime.core.recording import Recording
from healing_runtime.core.signals import SignalTable
from healing_runtime.stl.monitor import STALE_PERIODS
from healing_runtime.supervisor import recordings as runs
from healing_runtime.telemetry.columns import recording_of
from healing_runtime.telemetry.csv_recording import read_csv
from healing_runtime.telemetry.headings import Names
from healing_runtime.telemetry.mcap_recording import read_mcap
from healing_runtime.telemetry.sampling import rate_text
from healing_runtime.workspace.opened import refuse_special

_SUFFIXES = (".csv", ".mcap")


def load_recording(
    source: str,
    robot: str,
    table: SignalTable,
    *,
    control_hz: int | Fraction | None = None,
    names: Mapping[str, str] | None = None,
) -> Recording:
    """A recording under the names that formulas use.

    Args:
        source: a run's folder or id, a `.csv` file, or a `.mcap` file.
        robot: the robot whose signals these are.
        table: its signals.
        control_hz: the rate, where the file does not tell it or tells it inexactly.
        names: heading in a file -> heading as it is to be read, as in `alt` -> `altitude [m]`.

    Raises:
        InputError: file:line, what is wrong, what to do.
        RecordError: a run that cannot be read.
    """
    period_s = None if control_hz is None else 1 / Fraction(control_hz)
    if not _is_file(source):
        recording = load_run(source, table, control_hz=control_hz, names=names).recording
        if robot and recording.robot != robot:
            raise InputError(f"{source} is a run of '{recording.robot}', the assertions are for '{robot}'.")
        return recording
    recording = _read(Path(source), robot, table, period_s, Names(names or {}))
    if period_s not in (None, recording.period_s):
        raise _other_rate(source, recording)
    return _standing_in(_without_stale(recording, table), table)


def own_robot(source: str) -> str | None:
    """The robot that a recording names by itself: a run's. None for a file.

    Raises:
        InputError: there is no such recording.
        RecordError: it is a run that cannot be read.
    """
    return None if _is_file(source) else runs.robot_of(run_path(Path(source)))


def load_run(
    source: str,
    table: SignalTable,
    *,
    control_hz: int | Fraction | None = None,
    names: Mapping[str, str] | None = None,
) -> runs.RecordedRun:
    """A run of ours, with what judged it; it knows its rate and its signals. Raises as `load_recording`."""
    run = runs.read_run(run_path(Path(source)), table)
    if names:
        raise InputError(f"{source} is a run, whose signals have names; leave --column out.")
    if control_hz not in (None, run.scenario.control_hz):
        raise _other_rate(source, run.recording)
    return dataclasses.replace(run, recording=_without_stale(run.recording, table))


def _other_rate(source: str, recording: Recording) -> InputError:
    return InputError(f"{source} was recorded at {rate_text(recording.period_s)}; leave --rate out.")


def _is_file(source: str) -> bool:
    path = Path(source)
    if path.is_dir():
        return False
    if path.suffix.lower() in _SUFFIXES:
        return True
    if path.is_file():
        raise InputError(f"{source} is neither .csv nor .mcap; give a run, a CSV file or an MCAP file.")
    return False


def _read(path: Path, robot: str, table: SignalTable, period_s: Fraction | None, names: Names) -> Recording:
    if not path.exists():
        raise NotFoundInCatalogue(f"there is no file {path}; check the path.")
    refuse_special(path)
    if path.suffix.lower() == ".csv":
        return recording_of([read_csv(path, period_s, names)], str(path), robot, table, period_s)
    if not names.given and runs.is_own_log(path):
        return runs.read_own_log(path, robot, table)
    return recording_of(read_mcap(path, names), str(path), robot, table, period_s)


def _without_stale(recording: Recording, table: SignalTable) -> Recording:
    """What a sensor said is NaN unless the recording says that it is no older than two periods, as in flight.

    Where the plain column stands for the sensor, what it says as the sensor goes stale as well.
    """
    limit_s = STALE_PERIODS * recording.dt_s * (1 + 1e-6)
    signals = dict(recording.signals)
    for signal in table.observed:
        age, sensed = recording.signals.get(f"{signal.name}_age"), f"observed({signal.name})"
        said = signals.get(sensed, signals.get(signal.name))
        if age is not None and said is not None:
            fresh = age <= limit_s  # an age that is missing is no proof
            signals[sensed] = np.where(fresh if signal.shape == () else fresh[:, None], said, np.nan)
    return dataclasses.replace(recording, signals=signals)


def _standing_in(recording: Recording, table: SignalTable) -> Recording:
    """Where a file holds what a sensor said and not what was true, the one stands for the other, and that is said."""
    signals, stood = dict(recording.signals), []
    for signal in table.true:
        sensed = f"observed({signal.name})"
        if signal.name not in signals and sensed in signals:
            signals[signal.name] = signals[sensed]
            stood.append(signal.name)
    note = f"no ground truth for {', '.join(stood)}: what the sensors said is judged"
    notes = (*recording.notes, note) if stood else recording.notes
    return dataclasses.replace(recording, signals=signals, notes=notes)
