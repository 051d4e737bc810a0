"""Columns of a file -> a recording: those that mean something to the robot, on one grid of ticks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from healing_runtime.core.errors import FileFormatError, InputError, Location
from healing_runtime.core.recording import Recording
from healing_runtime.core.signals import SignalTable
from healing_runtime.telemetry.headings import Meaning, meaning, signal_name, split_unit
from healing_runtime.telemetry.sampling import Stamps, grid

MOST_COLUMNS = 10_000
"""Columns of a file, or fields of a topic; more of them are no table of signals."""


def must_be_few(count: int, what: str, where: Location) -> None:
    """Raise FileFormatError for a file that is too wide."""
    if count > MOST_COLUMNS:
        raise FileFormatError(f"{what}, and {MOST_COLUMNS} at most are read; record fewer.", where=where)


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a file.

    Attributes:
        heading: as it stands in the file.
        where: the place of the heading.
        values: float64 [N] as written, NaN where there is none.
        words: whether some values were written `true` or `false`.
        fault: what is wrong with the first value that is no number; nobody minds while the column is not used.
        named: whether the reader said what it is (`Names`); then no other column is taken for that signal.
    """

    heading: str
    where: Location
    values: np.ndarray
    words: bool = False
    fault: InputError | None = None
    named: bool = False


class Together(NamedTuple):
    """Columns that were sampled together, and what a reader must know of the file."""

    columns: tuple[Column, ...]
    stamps: Stamps
    notes: tuple[str, ...] = ()


def recording_of(
    groups: Sequence[Together], name: str, robot: str, table: SignalTable, period_s: Fraction | None
) -> Recording:
    """The columns that mean something to the robot, on one grid of ticks.

    Raises:
        FileFormatError, UnitError: a heading is wrong, none means anything, or the samples lie on no grid.
    """
    taken = {_named_signal(column, table) for group in groups for column in group.columns if column.named}
    found = [[(column, _unless_taken(column, taken, table)) for column in g.columns] for g in groups]
    headings = tuple(column.heading for group in groups for column in group.columns)
    used = [i for i, group in enumerate(found) if any(m for _, m in group)]
    if not used:
        known = ", ".join(table.true.columns[:8])
        where = next((column.where for group in groups for column in group.columns), Location(name))
        raise FileFormatError(f"no column names a signal of {robot}; write for example {known}.", where=where)
    ticks = grid([groups[i].stamps for i in used], period_s)
    signals: dict[str, np.ndarray] = {}
    first: dict[tuple[str, int | None], Column] = {}
    for rows, i in zip(ticks.ticks, used, strict=True):
        for column, means in found[i]:
            if means is not None:
                _must_be_first(first, column, means)
                _place(signals, column, means, rows, len(ticks.t_s))
    said = dict.fromkeys(note for group in groups for note in group.notes)
    notes = [*said, *ticks.notes, *_ignored(column.heading for group in found for column, m in group if m is None)]
    return Recording(name, robot, ticks.period_s, ticks.t_s, signals, tuple(notes), headings)


def _named_signal(column: Column, table: SignalTable) -> str:
    found = meaning(column.heading, column.where, table)
    if found is None:
        near = ", ".join(table.true.nearest(split_unit(column.heading)[0]) or [*table.true.slices][:5])
        raise FileFormatError(f"'{column.heading}' is no signal; there are {near}.", where=column.where)
    return found.name


def _unless_taken(column: Column, taken: set[str], table: SignalTable) -> Meaning | None:
    """What a column means, if the reader did not say that another one is that signal."""
    if not column.named and signal_name(column.heading, table) in taken:
        return None
    return meaning(column.heading, column.where, table)


def _must_be_first(first: dict[tuple[str, int | None], Column], column: Column, means: Meaning) -> None:
    other = first.setdefault((means.name, means.entry), column)
    if other is not column:
        raise FileFormatError(
            f"columns '{other.heading}' and '{column.heading}' are the same signal; keep one.", where=column.where
        )


def _place(signals: dict[str, np.ndarray], column: Column, means: Meaning, rows: np.ndarray, count: int) -> None:
    signal = means.signal
    if column.fault is not None:
        raise column.fault
    if column.words and signal.unit:
        raise FileFormatError(
            f"column '{column.heading}' holds true or false; {signal.name} is a number.", where=column.where
        )
    shape = (count,) if signal.shape == () else (count, signal.size)
    samples = signals.setdefault(means.name, np.full(shape, np.nan))
    target = samples if means.entry is None else samples[:, means.entry]
    kept = rows >= 0
    values = np.where(np.isfinite(column.values), column.values * means.factor, np.nan)
    target[rows[kept]] = values[kept]


def _ignored(headings: Iterable[str]) -> list[str]:
    names = list(headings)
    return [f"left out, no such signals: {', '.join(names)}"] if names else []
