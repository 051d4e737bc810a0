"""A recorded run, read back as samples: the rows of its final branch under the names that formulas use."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from healing_runtime.core.codec import read
from healing_runtime.core.errors import RecordError
from healing_runtime.core.recording import Recording
from healing_runtime.core.records import AssertionFile, Scenario
from healing_runtime.core.signals import Layout, SignalTable
from healing_runtime.supervisor.flown import Flight, Row, whole
from healing_runtime.supervisor.manifest import MANIFEST_FORMAT
from healing_runtime.telemetry.mcap import LogContents, digest_of, read_log
from healing_runtime.telemetry.record import RunFolder
from healing_runtime.telemetry.sampling import too_long

_STATE, _SENSED, _ASSERT = "/sim/state", "/sim/sensed", "/assert/"


@dataclasses.dataclass(frozen=True)
class RecordedRun:
    """A run's samples and what judged it.

    Attributes:
        recording: the final branch.
        scenario: as it was flown.
        files: the assertion files that judged it.
        atoms: assertion id -> text of an atom -> its robustness at every sample, as the run computed it.
        result: the document of a run that ended.
    """

    recording: Recording
    scenario: Scenario
    files: tuple[AssertionFile, ...]
    atoms: Mapping[str, Mapping[str, np.ndarray]]
    result: Mapping[str, Any] | None


def robot_of(path: Path) -> str:
    """The robot that a run flew. RecordError if its manifest does not say."""
    return _scenario(RunFolder.open(path).read_manifest()).robot


def read_run(path: Path, table: SignalTable) -> RecordedRun:
    """The final branch of a run.

    Raises:
        RecordError: the record is damaged, foreign, was changed after the run, or holds no sample.
    """
    folder = RunFolder.open(path)
    manifest, result = folder.read_manifest(), folder.read_result(missing_ok=True)
    scenario, files = _manifest(manifest)
    log = read_log(folder.log_path)
    notes = _must_be_whole(folder, log, result)
    flight = Flight.of(log.messages)
    if result is not None and flight.branch != result.get("final_branch"):
        raise RecordError(f"{folder.path}: the log ends on another branch than result.json; the run cannot be judged.")
    rows = flight.rows if result is not None else whole(flight.rows)
    for tick, row in flight.rows.items():
        if row.t_ns != scenario.t_ns(tick):
            raise RecordError(
                f"{folder.path}: tick {tick} was logged at {row.t_ns} ns, which is not {scenario.control_hz} Hz as the "
                "manifest says; the run cannot be judged."
            )
    if not manifest.get("ground_truth", True):
        notes.append("this robot has no ground truth: what its sensors say is judged")
    recording = _recording(rows, folder.run_id, scenario.robot, table, Fraction(1, scenario.control_hz), notes)
    return RecordedRun(recording, scenario, files, _atoms(rows, len(recording)), result)


def is_own_log(path: Path) -> bool:
    """Whether an MCAP file was written by a run."""
    try:
        return any(m.topic == _STATE for m in read_log(path).messages)
    except RecordError:
        return False


def read_own_log(path: Path, robot: str, table: SignalTable) -> Recording:
    """The final branch of a run's log that lies alone, without its folder.

    Raises:
        RecordError: it holds no sample, or its rows have no rate.
    """
    log = read_log(path)
    if not log.complete and not log.truncated:
        raise RecordError(f"{path} is damaged ({log.broken_at}); it cannot be judged.")
    flown = Flight.of(log.messages).rows
    rows = whole(flown)
    ticks = sorted(rows)
    if len(ticks) < 2:
        raise RecordError(f"{path} holds fewer than two samples, so it has no rate; give the run's folder.")
    hz = _rate(path, flown, ticks)
    return _recording(rows, str(path), robot, table, Fraction(1, hz), _cut_off(log))


def _rate(path: Path, flown: Mapping[int, Row], ticks: Sequence[int]) -> int:
    """The whole rate at which every row was logged, as the first and the last of `ticks` tell it."""
    span_ns = flown[ticks[-1]].t_ns - flown[ticks[0]].t_ns
    hz = round((ticks[-1] - ticks[0]) * 10**9 / span_ns) if span_ns > 0 else 0
    if hz <= 0:
        raise RecordError(f"{path}: its ticks were logged at no whole rate; give the run's folder.")
    for tick, row in flown.items():
        if row.t_ns != tick * 10**9 // hz:
            raise RecordError(
                f"{path}: tick {tick} was logged at {row.t_ns} ns, which is not {hz} Hz; the log cannot be judged."
            )
    return hz


def _must_be_whole(folder: RunFolder, log: LogContents, result: Mapping[str, Any] | None) -> list[str]:
    """What a log that was cut off makes a reader know; a changed one is refused."""
    if result is not None and (not log.complete or digest_of(log.messages) != result.get("digest")):
        raise RecordError(f"{folder.log_path} is not as the run left it; it cannot be judged.")
    if not log.complete and not log.truncated:
        raise RecordError(f"{folder.log_path} is damaged ({log.broken_at}); it cannot be judged.")
    return ["the run did not end: judged up to its last whole sample"] if result is None else []


def _cut_off(log: LogContents) -> list[str]:
    return [] if log.complete else ["the log was cut off: judged up to its last whole sample"]


# ---------------------------------------------------------------- samples
def _recording(
    rows: Mapping[int, Row], name: str, robot: str, table: SignalTable, period_s: Fraction, notes: Sequence[str]
) -> Recording:
    if not rows:
        raise RecordError(f"{name} holds no sample; there is nothing to judge.")
    first, count = min(rows), max(rows) - min(rows) + 1
    _must_be_one(rows, name, count)
    signals = {}
    for topic, layout, form in ((_STATE, table.true, "{}"), (_SENSED, table.observed, "observed({})")):
        for signal, samples in _samples(rows, topic, layout, first, count).items():
            signals[form.format(signal)] = samples
    notes = list(notes)
    if missing := count - len(rows):
        notes.append(f"{missing} of {count} samples are missing: invalid")
    t_s = (first + np.arange(count)) * period_s.numerator / period_s.denominator
    return Recording(name, robot, period_s, t_s, signals, tuple(notes))


def _must_be_one(rows: Mapping[int, Row], name: str, count: int) -> None:
    """A recording with few rows for its length is none."""
    if too_long(count, len(rows)):
        ticks = sorted(rows)
        gap, before = max((after - before, before) for before, after in itertools.pairwise(ticks))
        raise RecordError(f"{name}: {gap} ticks pass after tick {before} without a sample; cut the recording there.")


def _samples(rows: Mapping[int, Row], topic: str, layout: Layout, first: int, count: int) -> dict[str, np.ndarray]:
    """The signals that the topic's rows hold; NaN where a row lacks one."""
    out: dict[str, np.ndarray] = {}
    for tick, row in rows.items():
        values = row.topics.get(topic, {}).get("values", {})
        for key, value in values.items():
            signal = layout.by_key.get(key)
            if signal is None:
                continue
            shape = (count,) if signal.shape == () else (count, signal.size)
            samples = out.setdefault(signal.name, np.full(shape, np.nan))
            try:
                samples[tick - first] = np.reshape(_numbers(value), shape[1:])
            except (ValueError, RecursionError):
                raise _no_sample(topic, tick, key, signal.size) from None
    return out


def _atoms(rows: Mapping[int, Row], count: int) -> dict[str, dict[str, np.ndarray]]:
    """Robustness of every logged atom."""
    first = min(rows)
    out: dict[str, dict[str, np.ndarray]] = {}
    for tick, row in rows.items():
        for topic, content in row.topics.items():
            if topic.startswith(_ASSERT):
                values = out.setdefault(topic.removeprefix(_ASSERT), {})
                for text, value in content.get("atoms", {}).items():
                    samples = values.setdefault(text, np.full(count, np.nan))
                    try:
                        samples[tick - first] = _number(value)
                    except ValueError:
                        raise _no_sample(topic, tick, text, 1) from None
    return out


def _numbers(value: Any) -> Any:
    return [_numbers(v) for v in value] if isinstance(value, list) else _number(value)


def _number(value: Any) -> float:
    """NaN for null, and for what no float holds. ValueError for what is no number."""
    if isinstance(value, list | dict):
        raise ValueError("not one number")
    try:
        return math.nan if value is None else float(value)
    except OverflowError:
        return math.nan


def _no_sample(topic: str, tick: int, key: str, size: int) -> RecordError:
    wanted = "a number" if size == 1 else f"{size} numbers"
    return RecordError(f"{topic} at tick {tick}: '{key}' is not {wanted}; the log cannot be judged.")


def _scenario(manifest: Mapping[str, Any]) -> Scenario:
    return _manifest(manifest)[0]


def _manifest(manifest: Mapping[str, Any]) -> tuple[Scenario, tuple[AssertionFile, ...]]:
    """What was flown, and the assertion files that judged it."""
    try:
        if manifest["format"] != MANIFEST_FORMAT:
            raise ValueError(f"format {manifest['format']}, expected {MANIFEST_FORMAT}")
        scenario = read(Scenario, manifest["scenario"])
        if not isinstance(scenario.control_hz, int) or scenario.control_hz <= 0:
            raise ValueError(f"control_hz is {scenario.control_hz}")
        files = tuple(read(AssertionFile, f) for f in manifest["assertion_files"])
    except (KeyError, TypeError, ValueError) as error:
        run = manifest.get("run_id", "this run")
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RecordError(f"the manifest of {run} is not one of this version: {what}.") from None
    missions = {written.id for file in files for written in file.assertions if written.mission}
    if scenario.mission is not None and scenario.mission not in missions:
        raise RecordError(f"the manifest names the mission '{scenario.mission}', which none of its files has.")
    return scenario, files
