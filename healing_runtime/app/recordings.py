"""Recordings of any kind as named samples: a run of ours, a CSV file, an MCAP file."""

from __future__ import annotations

import dataclasses
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
from healing_runtime.telemetry.mcap_recording import read_mcap
from healing_runtime.telemetry.sampling import rate_text


def load_recording(
    source: str, robot: str, table: SignalTable, *, control_hz: int | Fraction | None = None
) -> Recording:
    """A recording under the names that formulas use.

    Args:
        source: a run's folder or id, a `.csv` file, or a `.mcap` file.
        robot: the robot whose signals these are.
        table: its signals.
        control_hz: the rate, where the file does not tell it or tells it inexactly.

    Raises:
        InputError: file:line, what is wrong, what to do.
        RecordError: a run that cannot be read.
    """
    period_s = None if control_hz is None else 1 / Fraction(control_hz)
    recording = _read(source, robot, table, period_s)
    if period_s not in (None, recording.period_s):
        raise InputError(f"{source} was recorded at {rate_text(recording.period_s)}; leave --rate out.")
    return _standing_in(_without_stale(recording, table), table)


def own_robot(source: str) -> str | None:
    """The robot that a recording names by itself: a run's. None for a file.

    Raises:
        InputError: there is no such recording.
    """
    return None if _is_file(source) else runs.robot_of(run_path(Path(source)))


def _is_file(source: str) -> bool:
    return Path(source).suffix.lower() in (".csv", ".mcap") and not Path(source).is_dir()


def _read(source: str, robot: str, table: SignalTable, period_s: Fraction | None) -> Recording:
    path = Path(source)
    if not _is_file(source):
        if path.is_file():
            raise InputError(f"{source} is neither .csv nor .mcap; give a run, a CSV file or an MCAP file.")
        run = runs.read_run(run_path(path), table)
        if robot and run.scenario.robot != robot:
            raise InputError(f"{source} is a run of '{run.scenario.robot}', the assertions are for '{robot}'.")
        return run.recording
    if not path.is_file():
        raise NotFoundInCatalogue(f"there is no file {source}; check the path.")
    if path.suffix.lower() == ".csv":
        return recording_of([read_csv(path, period_s)], source, robot, table, period_s)
    if runs.is_own_log(path):
        return runs.read_own_log(path, robot, table)
    return recording_of(read_mcap(path), source, robot, table, period_s)


def _without_stale(recording: Recording, table: SignalTable) -> Recording:
    """What a sensor said is NaN while the recording says that it is older than two periods, as in flight."""
    limit_s = STALE_PERIODS * recording.dt_s * (1 + 1e-6)
    signals = dict(recording.signals)
    for signal in table.observed:
        age, sensed = recording.signals.get(f"{signal.name}_age"), f"observed({signal.name})"
        if age is not None and sensed in signals:
            stale = age > limit_s
            signals[sensed] = np.where(stale if signal.shape == () else stale[:, None], np.nan, signals[sensed])
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
