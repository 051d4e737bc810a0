"""One row of a timeline: a sub-formula's truth, robustness and bounds, and for a predicate the numbers it compares."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np

from healing_runtime.core.numerals import significant
from healing_runtime.core.recording import Recording
from healing_runtime.core.records import AssertionFile, Verdict
from healing_runtime.core.status import Status
from healing_runtime.reports.history import History, column
from healing_runtime.reports.wording import Unit, unit_of, written
from healing_runtime.stl import atoms
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.formula import Apply, Expression, Formula, Number, Predicate, references
from healing_runtime.stl.phrases import is_name


@dataclasses.dataclass(frozen=True)
class Curve:
    """What a predicate compares, over the run: values [N] in the row's unit."""

    name: str
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Threshold:
    """A constant side of a predicate: `v_max = 0.5 m/s`, with its value in the row's unit."""

    label: str
    value: float


@dataclasses.dataclass(frozen=True)
class Row:
    """One sub-formula over the run.

    Attributes:
        text: as written; a definition's name stands for its body.
        meaning: the body of that definition, else empty.
        kind: `run` is the verdict of the whole formula while the run went on, `predicate` a comparison of numbers,
            `formula` anything else.
        depth: how many operators it lies under.
        binding: whether the assertion is violated at a sample where this is false.
        unit: of everything below.
        status: int32 [N]; `vacuous` where it is an implication whose trigger is false.
        rho, rho_lo, rho_hi: float64 [N], robustness and its bounds; infinite for truth without a margin.
        curves, thresholds: what a predicate compares.
        mark: the sample to point at.
        why: the word for it: a violation was first known by what `breaks`, and its sample is `worst` on which the
            robustness of the whole run rests; where nothing is violated that sample came `closest`.
    """

    text: str
    meaning: str
    kind: Literal["run", "formula", "predicate"]
    depth: int
    binding: bool
    unit: Unit
    status: np.ndarray
    rho: np.ndarray
    rho_lo: np.ndarray
    rho_hi: np.ndarray
    curves: tuple[Curve, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    mark: int | None = None
    why: Literal["worst", "closest", "breaks"] = "worst"

    @property
    def has_numbers(self) -> bool:
        """Whether there is a line to draw; a flag is true or false without a margin."""
        return bool(self.curves) or bool(np.isfinite(self.rho).any())


def run_row(requirement: Requirement, unit: Unit, history: History) -> Row:
    """The verdict of the whole formula as it was known at each sample."""
    text, why = " ".join(requirement.text.split()), mark_of(Status(int(history.final.status)))
    return Row(text, "", "run", 0, True, unit, *_scaled(history.now, unit), mark=history.worst, why=why)


def mark_of(verdict: Status) -> Literal["worst", "closest"]:
    """What the sample is called on which the robustness of the whole run rests."""
    return "worst" if verdict.violated else "closest"


def sub_formula_row(
    formula: Formula,
    depth: int,
    binding: bool,
    judged: Mapping[Formula, Verdict],
    file: AssertionFile,
    recording: Recording,
) -> Row:
    """The verdict of a sub-formula at every sample, the samples after it known."""
    unit = unit_of(formula)
    status, rho, low, high = _scaled(judged[formula], unit)
    if isinstance(formula, Apply) and formula.operator == "implies" and formula.arguments[0] in judged:
        asked = judged[formula.arguments[0]].status != int(Status.FALSE)
        status = np.where((status == int(Status.TRUE)) & ~asked, int(Status.VACUOUS), status).astype(np.int32)
    text = getattr(formula, "text", "")
    row = Row(text, _meaning(text, file), "formula", depth, binding, unit, status, rho, low, high)
    if not isinstance(formula, Predicate):
        return row
    curves, thresholds = _compared(formula, unit, recording)
    return dataclasses.replace(row, kind="predicate", curves=curves, thresholds=thresholds)


def _scaled(verdict: Verdict, unit: Unit) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rho, low, high = (np.asarray(part, np.float64) / unit.factor for part in verdict[1:])
    return np.asarray(verdict.status, np.int32), rho, low, high


def _meaning(text: str, file: AssertionFile) -> str:
    """The body of the definition whose name or call the text is."""
    if not is_name(text):
        return ""
    bodies = {head.partition("(")[0].strip(): body for head, body in file.definitions.items()}
    return " ".join(bodies.get(text.partition("(")[0].strip(), "").split())


def _compared(
    predicate: Predicate, unit: Unit, recording: Recording
) -> tuple[tuple[Curve, ...], tuple[Threshold, ...]]:
    curves, thresholds = [], []
    for side in (predicate.left, predicate.right):
        value = np.asarray(atoms.value(side, lambda reference: column(recording, reference)), np.float64) / unit.factor
        if any(references(side)):
            curves.append(Curve(written(side), np.broadcast_to(value, (len(recording),))))
        else:
            thresholds += _lines(side, float(value), unit, predicate)
    return tuple(curves), tuple(thresholds)


def _lines(side: Expression, value: float, unit: Unit, predicate: Predicate) -> list[Threshold]:
    """A threshold line; two of them for `==`, which holds to within a tolerance."""
    label = written(side)
    if not isinstance(side, Number):
        label = f"{label} = {significant(value, 6)} {unit.text}".rstrip()
    elif side.name:
        label = f"{side.name} = {side.text}"
    if predicate.relation != "==":
        return [Threshold(label, value)]
    tolerance = predicate.tolerance / unit.factor
    shown = f"{significant(tolerance, 6)} {unit.text}".rstrip()
    return [Threshold(f"{label} {sign} {shown}", value + step) for sign, step in (("+", tolerance), ("−", -tolerance))]
