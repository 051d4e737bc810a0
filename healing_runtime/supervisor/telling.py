"""What is said of an incident when it happens: which promise, that it is broken and by how much, and what it asks."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from healing_runtime.compile.interface import FINITE_ACTION
from healing_runtime.core import units
from healing_runtime.core.numerals import significant
from healing_runtime.core.records import Incident
from healing_runtime.core.signals import Layout, SignalTable
from healing_runtime.core.status import Status
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.formula import Predicate, Reference, references, walk
from healing_runtime.stl.monitor import STALE_PERIODS

_OPEN = {
    Status.VACUOUS: "ended vacuous: it was never asked for",
    Status.UNKNOWN: "ended unknown: the run was over before it was decided",
}
"""What a mission may end with besides `true` and a violation; no promise is an incident for it."""


def told(incident: Incident, requirement: Requirement | None, lost: Mapping[str, str]) -> str:
    """One incident in a line: id, what became of it, and the English reading.

    Args:
        incident: what went wrong.
        requirement: the assertion as bound; None for what the controller's own code asks.
        lost: from `lost_signals`.
    """
    reading = incident.english.removesuffix(".")
    return f"{what_became(incident, requirement, lost)}; it asks: {reading[0].lower()}{reading[1:]}"


def what_became(incident: Incident, requirement: Requirement | None, lost: Mapping[str, str]) -> str:
    """`x is violated (robustness -0.4 m/s)`, or how else a promise was broken."""
    if incident.status in _OPEN:
        return f"mission {incident.assertion} {_OPEN[incident.status]}"
    if incident.status is Status.INVALID:
        why = ", ".join(f"{name} is {state}" for name, state in lost.items()) or "it cannot be calculated"
        return f"{incident.assertion} is invalid, which counts as violated ({why})"
    if not math.isfinite(incident.robustness):
        return f"{incident.assertion} is violated"
    return f"{incident.assertion} is violated (robustness {significant(incident.robustness, 3)}{_unit(requirement)})"


def lost_signals(
    incident: Incident,
    requirement: Requirement | None,
    table: SignalTable,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    control_hz: float,
) -> dict[str, str]:
    """Of an invalid assertion the signals it reads that had no value: name -> `NaN`, or how old a stale one is.

    Args:
        incident: empty unless it is for an invalid assertion.
        requirement: the assertion as bound; None for what the controller's own code asks.
        table: the robot's signals.
        rows: what was true, sensed and commanded at the incident's tick, in the table's layouts.
        control_hz: as the monitor was built for.
    """
    true, observed, action = rows
    if incident.status is not Status.INVALID:
        return {}
    if requirement is None:
        bad = ~np.isfinite(action) if incident.assertion == FINITE_ACTION else np.zeros(0, bool)
        return {table.action.columns[i]: "not finite" for i in np.flatnonzero(bad)}
    out: dict[str, str] = {}
    for reference in references(requirement.formula):
        layout, row = (table.observed, observed) if reference.observed else (table.true, true)
        if not np.isfinite(row[_columns(layout, reference)]).all():
            out[_name(reference)] = "NaN"
        elif reference.observed and (age := f"{reference.signal}_age") in table.true:
            age_s = float(true[table.true.slices[age].start])
            if age_s > STALE_PERIODS / control_hz * (1 + 1e-6):
                out[_name(reference)] = f"stale ({significant(age_s, 3)} s old)"
    return out


def _columns(layout: Layout, reference: Reference) -> slice:
    columns = layout.slices[reference.signal]
    if reference.index is None:
        return columns
    return slice(columns.start + reference.index, columns.start + reference.index + 1)


def _name(reference: Reference) -> str:
    name = reference.signal if reference.index is None else f"{reference.signal}[{reference.index}]"
    return f"observed({name})" if reference.observed else name


def _unit(requirement: Requirement | None) -> str:
    """The unit of a margin, in SI, with a space before it; empty where several dimensions meet."""
    parts = walk(requirement.formula) if requirement else ()
    dimensions = {part.left.dimension for part in parts if isinstance(part, Predicate)}
    found = units.symbols(dimensions.pop()) if len(dimensions) == 1 else ""
    return f" {found}" if found else ""
