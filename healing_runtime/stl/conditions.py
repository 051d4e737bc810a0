"""Conditions: formulas that are asked at every sample whether they are true now, and that judge nothing.

What a condition says must be known at its sample, so it looks back only; and it reads what is true of the robot, not
what a sensor says of it.
"""

from __future__ import annotations

from fractions import Fraction

from healing_runtime.core.errors import Location
from healing_runtime.core.signals import SignalTable
from healing_runtime.stl.bind import vocabulary_of
from healing_runtime.stl.budget import check_budget
from healing_runtime.stl.check import check
from healing_runtime.stl.formula import Apply, Formula, atoms, references, walk
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.parse import Text, parse_text
from healing_runtime.stl.ticks import in_ticks

_BACKWARDS = {"always": "historically", "eventually": "once", "until": "since"}


def condition(
    text: str, table: SignalTable, control_hz: int | Fraction | None, where: Location | None = None
) -> Formula:
    """A condition from its text, windows in ticks; without a rate they stay as written, enough to read the formula.

    There are the robot's true signals, units and operators; constants and definitions belong to assertion files.

    Raises:
        AssertionSyntaxError, UnitError, UnknownSignalError: where, what, a caret, and what to write instead.
    """
    source = Text(text, where)
    formula = check(source, parse_text(source), vocabulary_of(table))
    _refuse_future(formula, source)
    _refuse_sensors(formula, source)
    if control_hz is not None:
        formula = in_ticks(formula, 1 / Fraction(control_hz), source)
        check_budget([(formula, source)])
    return formula


def _refuse_future(formula: Formula, source: Text) -> None:
    for part in walk(formula):
        if isinstance(part, Apply) and OPERATORS[part.operator].kind == "future":
            back = _BACKWARDS[part.operator]
            source.fail(
                f"'{part.operator}' looks ahead, and whether this holds must be known at each sample; look back with "
                f"'{back}'.",
                part.place,
            )


def _refuse_sensors(formula: Formula, source: Text) -> None:
    for atom in atoms(formula):
        for reference in references(atom):
            if reference.observed:
                inner = reference.text.removeprefix("observed(").removesuffix(")")
                source.fail(
                    f"'{reference.text}' is what a sensor says, and this reads what is true; write '{inner}'.",
                    atom.place,
                )
