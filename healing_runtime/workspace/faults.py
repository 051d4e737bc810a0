"""`faults:` of a scenario -> core.FaultSpec: kinds of the robot, its parameters, times in physics steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from healing_runtime.core.errors import FileFormatError, Location, NotFoundInCatalogue
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import FaultSpec
from healing_runtime.workspace.document import Document, KeyPath, suggestion
from healing_runtime.workspace.gathering import Gathering
from healing_runtime.workspace.models import FaultEntry, Rates
from healing_runtime.workspace.sections import resolve_section
from healing_runtime.workspace.timing import nearest_step, seconds
from healing_runtime.workspace.validation import dotted

_LIKENESS = 0.75
"""Kinds are long words that share their endings: what is less alike is another robot's fault, not a slip."""
_FAULT_KEYS = {"kind", "when", *FaultEntry.times, *(f"{name}_s" for name in FaultEntry.times)}


class Written(NamedTuple):
    """What a scenario says of time, for its faults."""

    rates: Rates
    duration: str
    ticks: int

    @property
    def substeps(self) -> int:
        """Physics steps in a control period."""
        return self.rates.physics_hz // self.rates.control_hz

    @property
    def end_step(self) -> int:
        """The physics step at which the flight ends."""
        return self.ticks * self.rates.physics_hz // self.rates.control_hz


class Trigger(NamedTuple):
    """The formula that a fault waits for, as it stands in the file, and where its first character stands."""

    text: str
    where: Location


def triggers(document: Document, entries: Sequence[FaultEntry | None]) -> tuple[Trigger, ...]:
    """The formulas in the entries that can be read, in their order."""
    waiting = [i for i, entry in enumerate(entries) if entry is not None and entry.when is not None]
    places: list[KeyPath] = [("faults", i, "when") for i in waiting]
    return tuple(Trigger(_text(document, at), document.where(at)) for at in places)


def _text(document: Document, at: KeyPath) -> str:
    """A formula with its line breaks, so that a place in it is a place in the file."""
    return document.layouts.get(at, document.value["faults"][at[1]]["when"])


def read_faults(
    document: Document,
    entries: Sequence[FaultEntry | None],
    robot: Robot,
    time: Written | None,
    notes: list[str],
    gathering: Gathering,
) -> tuple[FaultSpec, ...] | None:
    """The faults, or None if something is wrong with one; without a time that is not looked at."""
    found = [
        entry and gathering.attempt(lambda at=("faults", i), e=entry: _fault(document, at, e, robot, time, notes))
        for i, entry in enumerate(entries)
    ]
    if time is not None:
        specs = [(i, spec) for i, spec in enumerate(found) if spec is not None]
        for at, one in enumerate(specs):
            for other in specs[:at]:
                gathering.attempt(lambda pair=(other, one): refuse_overlap(document, pair, robot, time.end_step))
    return tuple(spec for spec in found if spec is not None) if all(found) else None


def _fault(
    document: Document, at: KeyPath, entry: FaultEntry, robot: Robot, time: Written | None, notes: list[str]
) -> FaultSpec:
    if entry.kind not in robot.faults:
        hint = suggestion(entry.kind, robot.faults, what=f"Faults of {robot.name}", likeness=_LIKENESS)
        message = f"the robot {robot.name} cannot take a fault '{entry.kind}'.{hint}"
        raise NotFoundInCatalogue(message, where=document.where((*at, "kind")))
    kind: Any = robot.faults[entry.kind]
    gathering = Gathering()
    for name in FaultEntry.times:
        if {name, f"{name}_s"} <= document.value["faults"][at[1]].keys():
            where = document.where_key((*at, f"{name}_s"))
            what = f"{dotted((*at, f'{name}_s'))} and {name} are the same time; keep one."
            gathering.add(FileFormatError(what, where=where))
    written = {k: v for k, v in document.value["faults"][at[1]].items() if k not in _FAULT_KEYS}
    parameters = gathering.attempt(
        lambda: resolve_section(kind.Parameters, document, written, at, FaultEntry.model_fields)
    )
    if entry.ramp is not None and getattr(kind, "holds", False):
        message = f"{dotted((*at, 'ramp'))}: {entry.kind} is on or off, it does not grow; leave out 'ramp'."
        gathering.add(FileFormatError(message, where=document.where((*at, "ramp"))))
    steps = {} if time is None else _steps(document, at, entry, kind, time, notes, gathering)
    gathering.raise_all()
    assert parameters is not None
    if time is not None:
        rounded: Mapping[str, str] = kind.rounded(parameters, time.rates.control_hz, time.rates.physics_hz)
        for name, told in rounded.items():
            notes.append(f"{dotted((*at, name))}: {written.get(name, parameters[name])} is rounded to {told}")
        lasting: Mapping[str, int] = kind.lasting(parameters, time.rates.physics_hz)
        start, end = steps.get("start", 0), min(steps.get("until", time.end_step), time.end_step)
        for name, length in lasting.items():
            if length > end - start:
                told = f"{written.get(name, parameters[name])} is longer than the fault"
                share = 100 * (end - start) / length
                notes.append(f"{dotted((*at, name))}: {told}; {share:.3g} % of it is given at most")
    when = None if entry.when is None else _text(document, (*at, "when"))
    return FaultSpec(entry.kind, parameters, steps.get("start", 0), steps.get("until"), steps.get("ramp", 0), when)


def _steps(
    document: Document,
    at: KeyPath,
    entry: FaultEntry,
    kind: Any,
    time: Written,
    notes: list[str],
    gathering: Gathering,
) -> dict[str, int]:
    """Start, end and ramp as far as they are given, in physics steps, in an order that makes sense."""
    steps: dict[str, int] = {}
    for key, text in (("start", entry.start), ("until", entry.until), ("ramp", entry.ramp)):
        if text is not None:
            step = gathering.attempt(
                lambda key=key, text=text: nearest_step(document, (*at, key), text, time.rates.physics_hz, notes)
            )
            if step is not None:
                steps[key] = step
    start, until, ramp = steps.get("start"), steps.get("until"), steps.get("ramp", 0)
    if start is not None and start >= time.end_step:
        name, what = dotted((*at, "start")), f"is not before the end of the flight, {time.duration}"
        if seconds(document, (*at, "start"), entry.start) * time.rates.physics_hz < time.end_step:
            what = f"is rounded to physics step {start}, at which the flight ends"
        message = f"{name}: {entry.start} {what}; start the fault earlier, or lengthen 'duration'."
        gathering.add(FileFormatError(message, where=document.where((*at, "start"))))
    elif start is not None and until is not None and until <= start:
        message = f"{dotted(at)}: 'until' is not after 'start'; give the time at which the fault ends."
        assert entry.until is not None
        if seconds(document, (*at, "start"), entry.start) < seconds(document, (*at, "until"), entry.until):
            both = f"'start' and 'until' are both rounded to physics step {start}, {start / time.rates.physics_hz:g} s"
            message = f"{dotted(at)}: {both}; let the fault end a step later at least."
        gathering.add(FileFormatError(message, where=document.where((*at, "until"))))
    elif start is not None and not _meets_a_tick(kind, start, until, time):
        first, hz = start // time.substeps, time.rates.control_hz
        both = f"{first / hz:g} s and {(first + 1) / hz:g} s"
        what = f"{kind.kind} acts at ticks alone, and its time lies between those at {both}; let it last over one."
        where = document.where((*at, "start" if until is None else "until"))
        gathering.add(FileFormatError(f"{dotted(at)}: {what}", where=where))
    elif start is not None:
        notes += _short(at, entry, start, min(until or time.end_step, time.end_step), ramp, time)
    return steps


def _meets_a_tick(kind: Any, start: int, until: int | None, time: Written) -> bool:
    """Whether a fault that acts at ticks alone has one; the last sample is sensed, and nothing is commanded there."""
    if not getattr(kind, "at_ticks", False):
        return True
    end = time.end_step + (kind.touches == "sensing")
    return -(-start // time.substeps) * time.substeps < min(end if until is None else until, end)


def _short(at: KeyPath, entry: FaultEntry, start: int, end: int, ramp: int, time: Written) -> list[str]:
    """What is given and comes to nothing: an end after the flight's, a ramp that is cut off."""
    told = []
    if entry.until is not None and end == time.end_step:
        told.append(f"{dotted((*at, 'until'))}: {entry.until} is not before the end of the flight, {time.duration}")
    if ramp > end - start:
        share = 100 * (end - start) / ramp
        name = dotted((*at, "ramp"))
        told.append(f"{name}: {entry.ramp} is longer than the fault; it grows to {share:.3g} % at most")
    return told


def refuse_overlap(
    document: Document, pair: tuple[tuple[int, FaultSpec], tuple[int, FaultSpec]], robot: Robot, end_step: int
) -> None:
    """Two faults that want the same thing for themselves must follow one another.

    One that waits for a formula may begin at any time from its start on.
    """
    (i, first), (j, second) = pair
    common = sorted(claims(first, robot) & claims(second, robot))
    begins = max(first.start_step, second.start_step)
    ends = min(first.until_step or end_step, second.until_step or end_step)
    if common and begins < ends:
        place = document.where(("faults", i))
        line = f", line {place.line}" if place.line else ""
        message = (
            f"faults[{j}] ({second.kind}) and faults[{i}] ({first.kind}{line}) both take "
            f"{' and '.join(common)}, and their times overlap; end one before the other starts, or keep one."
        )
        raise FileFormatError(message, where=document.where(("faults", j)))


def claims(fault: FaultSpec, robot: Robot) -> frozenset[str]:
    """What a fault takes for itself alone."""
    kind: Any = robot.faults[fault.kind]
    return kind.claims(fault.parameters)
