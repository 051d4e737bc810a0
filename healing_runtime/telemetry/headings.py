"""Headings of columns -> a robot's signals: names, components and units, as people write them in files.

`altitude [m]`, `altitude_m`, `tilt_deg`, `position.x [m]`, `velocity_mps.z`, `rotor_speed[2] [rpm]`,
`observed(altitude) [m]`. A signal with a unit needs one in its heading.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from healing_runtime.core import units
from healing_runtime.core.errors import FileFormatError, Location, UnitError
from healing_runtime.core.signals import SUFFIX_OF_UNIT, Layout, Signal, SignalTable

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
class Names:
    """What a reader says that columns are: heading in the file -> heading as it is to be read."""

    given: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def of(self, *headings: str) -> tuple[str, bool]:
        """The heading to read, and whether the reader gave it; a column may go by several headings."""
        found = next((self.given[h] for h in headings if h in self.given), None)
        return (headings[0], False) if found is None else (found, True)

    def must_be_in(self, headings: Iterable[str], where: Location) -> None:
        """Raise FileFormatError for a column that the file does not have."""
        known = list(dict.fromkeys(headings))
        for heading in self.given:
            if heading not in known:
                near = difflib.get_close_matches(heading, known, n=3, cutoff=0.4) or known[:5]
                raise FileFormatError(f"there is no column '{heading}'; there are {', '.join(near)}.", where=where)


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
    _, unit = split_unit(heading)
    sensed, found = _recognised(heading, table)
    if found is None:
        return None
    signal, part, suffix = found
    if suffix and unit is not None:
        raise UnitError(f"column '{heading}' has two units; write one of them.", where=where)
    factor = _factor(heading, signal, UNIT_OF_SUFFIX[suffix] if suffix else unit, where)
    return Meaning(signal, sensed, _index(heading, signal, part, where), factor)


def _recognised(heading: str, table: SignalTable) -> tuple[bool, tuple[Signal, str, str] | None]:
    """Whether a heading tells what a sensor said, and of what."""
    text, _ = split_unit(heading)
    sensed = _OBSERVED.match(text)
    text = sensed[1] + sensed[2] if sensed else text
    return bool(sensed), _entry(text, table.observed if sensed else table.true)


def signal_name(heading: str, table: SignalTable) -> str | None:
    """The signal that a heading names, whatever its unit; None if there is none."""
    sensed, found = _recognised(heading, table)
    if found is None:
        return None
    return f"observed({found[0].name})" if sensed else found[0].name


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


def nearest(name: str, headings: Sequence[str]) -> list[str]:
    """The headings most like a signal's name, for error messages."""
    names = {split_unit(h)[0]: h for h in headings}
    return [names[n] for n in difflib.get_close_matches(name, list(names), n=3, cutoff=0.4)]
