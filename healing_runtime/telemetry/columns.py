"""Headings of columns -> a robot's signals: names, components and units, as people write them in files.

`altitude [m]`, `altitude_m`, `tilt_deg`, `position.x [m]`, `velocity_mps.z`, `rotor_speed[2] [rpm]`,
`observed(altitude) [m]`. A signal with a unit needs one in its heading.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from healing_runtime.core import units
from healing_runtime.core.errors import FileFormatError, InputError, Location, UnitError
from healing_runtime.core.recording import Recording
from healing_runtime.core.signals import SUFFIX_OF_UNIT, Layout, Signal, SignalTable
from healing_runtime.telemetry.sampling import Stamps, grid

UNIT_OF_SUFFIX: Mapping[str, str] = {
    **{suffix: unit for unit, suffix in SUFFIX_OF_UNIT.items() if suffix},
    "_km": "km", "_cm": "cm", "_mm": "mm", "_kmps": "km/s", "_deg": "deg", "_degps": "deg/s", "_rpm": "rpm",
    "_kn": "kN", "_g": "g", "_ms": "ms", "_us": "µs", "_percent": "%",
}  # fmt: skip
"""Suffix of a heading -> unit: those of signal keys, and what logs use beside them."""

_UNIT = re.compile(r"^(.*?)\s*\[([^\]]*)\]$")
_INDEX = re.compile(r"^(.*)\[\s*(\d+)\s*\]$")
_OBSERVED = re.compile(r"^observed\(\s*(.*?)\s*\)(.*)$")
_NO_UNIT = ("", "-")


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a file.

    Attributes:
        heading: as it stands in the file.
        where: the place of the heading.
        values: float64 [N] as written, NaN where there is none.
        words: whether some values were written `true` or `false`.
        fault: what is wrong with the first value that is no number; nobody minds while the column is not used.
    """

    heading: str
    where: Location
    values: np.ndarray
    words: bool = False
    fault: InputError | None = None


class Together(NamedTuple):
    """Columns that were sampled together."""

    columns: tuple[Column, ...]
    stamps: Stamps


class Meaning(NamedTuple):
    """What a heading stands for: an entry of a signal, and what its numbers are multiplied with."""

    signal: Signal
    observed: bool
    entry: int | None
    factor: float

    @property
    def name(self) -> str:
        """The signal as formulas call it."""
        return f"observed({self.signal.name})" if self.observed else self.signal.name


def split_unit(heading: str) -> tuple[str, str | None]:
    """`altitude [m]` -> (`altitude`, `m`); None without brackets, or where they hold an index."""
    found = _UNIT.match(heading.strip())
    if found is None or found[2].strip().isdigit():
        return heading.strip(), None
    return found[1], "" if found[2].strip() in _NO_UNIT else found[2].strip()


def meaning(heading: str, where: Location, table: SignalTable) -> Meaning | None:
    """What a heading stands for; None if the robot has no such signal.

    Raises:
        UnitError: the unit is missing, unknown, written twice, or of another dimension than the signal.
        FileFormatError: the signal has no such component, or the component is missing.
    """
    text, unit = split_unit(heading)
    sensed = _OBSERVED.match(text)
    if sensed:
        text = sensed[1] + sensed[2]
    layout = table.observed if sensed else table.true
    found = _entry(text, layout)
    if found is None:
        return None
    signal, part, suffix = found
    if suffix and unit is not None:
        raise UnitError(f"column '{heading}' has two units; write one of them.", where=where)
    factor = _factor(heading, signal, UNIT_OF_SUFFIX[suffix] if suffix else unit, where)
    return Meaning(signal, bool(sensed), _index(heading, signal, part, where), factor)


def _entry(text: str, layout: Layout) -> tuple[Signal, str, str] | None:
    """The signal, the component as written, and the suffix that names a unit."""
    index = _INDEX.match(text)
    base, part = (index[1].strip(), index[2]) if index else (text, "")
    if not index and "." in text:
        base, _, part = text.partition(".")
    for name, component, suffix in _readings(base, part):
        if name in layout:
            return layout.by_name[name], component, suffix
    return None


def _readings(base: str, part: str) -> Iterable[tuple[str, str, str]]:
    yield base, part, ""
    for suffix in sorted(UNIT_OF_SUFFIX, key=len, reverse=True):
        if base.endswith(suffix):
            yield base.removesuffix(suffix), part, suffix


def _factor(heading: str, signal: Signal, unit: str | None, where: Location) -> float:
    if unit is None:
        if not signal.unit:
            return 1.0
        raise UnitError(f"column '{heading}' has no unit; write '{heading} [{signal.unit}]'.", where=where)
    wanted = signal.unit or "no unit"
    try:
        right = units.dimension(unit) == units.dimension(signal.unit)
    except UnitError as error:
        raise UnitError(f"column '{heading}': {error.message}", where=where) from None
    if not right:
        raise UnitError(f"column '{heading}': {signal.name} is measured in {wanted}; write that.", where=where)
    return units.si_factor(unit)


def _index(heading: str, signal: Signal, part: str, where: Location) -> int | None:
    if signal.shape == ():
        if part:
            raise FileFormatError(f"column '{heading}': {signal.name} is one number; leave '{part}' out.", where=where)
        return None
    names = signal.components or tuple(map(str, range(signal.size)))
    if part in names:
        return names.index(part)
    if part.isdigit() and int(part) < signal.size:
        return int(part)
    what = f"has no component '{part}'" if part else f"has {signal.size} components"
    raise FileFormatError(f"column '{heading}': {signal.name} {what}; write one of {', '.join(names)}.", where=where)


# ---------------------------------------------------------------- a recording
def recording_of(
    groups: Sequence[Together], name: str, robot: str, table: SignalTable, period_s: Fraction | None
) -> Recording:
    """The columns that mean something to the robot, on one grid of ticks.

    Raises:
        FileFormatError, UnitError: a heading is wrong, none means anything, or the samples lie on no grid.
    """
    found = [[(column, meaning(column.heading, column.where, table)) for column in g.columns] for g in groups]
    headings = tuple(column.heading for group in groups for column in group.columns)
    used = [i for i, group in enumerate(found) if any(m for _, m in group)]
    if not used:
        known = ", ".join([*table.true.columns][:8])
        raise FileFormatError(
            f"no column names a signal of {robot or 'the robot'}; write for example {known}.",
            where=Location(groups[0].columns[0].where.path) if groups and groups[0].columns else Location(name),
        )
    ticks = grid([groups[i].stamps for i in used], period_s)
    signals: dict[str, np.ndarray] = {}
    first: dict[tuple[str, int | None], Column] = {}
    for rows, i in zip(ticks.ticks, used, strict=True):
        for column, means in found[i]:
            if means is not None:
                _must_be_first(first, column, means)
                _place(signals, column, means, rows, len(ticks.t_s))
    notes = [*ticks.notes, *_ignored(column.heading for group in found for column, m in group if m is None)]
    return Recording(name, robot, ticks.period_s, ticks.t_s, signals, tuple(notes), headings)


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


def nearest(name: str, headings: Sequence[str]) -> list[str]:
    """The headings most like a signal's name, for error messages."""
    names = {split_unit(h)[0]: h for h in headings}
    return [names[n] for n in difflib.get_close_matches(name, list(names), n=3, cutoff=0.4)]
