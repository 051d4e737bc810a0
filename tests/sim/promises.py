"""What an assertion file promises, as numbers: a proof that nobody keeps a promise reads its figures here.

A promise whose figure is another one changes the proof; one that is gone, or says something else, ends it.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from healing_runtime import stl
from healing_runtime.core.status import Severity
from healing_runtime.stl.formula import Apply, Formula, Number, Predicate, references
from healing_runtime.workspace import Workspace


def sim_module(home: Workspace, robot: str, name: str) -> ModuleType:
    """`sim/<name>.py` as the robot itself imports it: there is no package `sim` by name."""
    package, _, _ = home.robot(robot).make.__module__.rpartition(".robots.")
    return importlib.import_module(f"{package}.{name}")


class Promises:
    """The critical promises of one assertion file; figures are in SI units."""

    def __init__(self, home: Workspace, file: str) -> None:
        read = home.assertion_file(file)
        bound = stl.bind((read,), home.robot(read.robot).signals, None)
        self._formulas = {r.id: r.formula for r in bound if r.severity is Severity.CRITICAL and not r.mission}
        self._file = file

    def below(self, promise: str, *signals: str) -> float:
        """`always (… < figure)`, or `always (where implies … < figure)`, where the left side is of these signals."""
        return _figure(self._conclusion(promise)[-1], signals, f"{self._file}: {promise}")

    def near(self, promise: str, *signals: str) -> float:
        """The figure of the condition in `always (… < figure implies …)`, where its left side is of these signals."""
        condition, _ = self._conclusion(promise)
        return _figure(condition, signals, f"{self._file}: {promise}")

    def _conclusion(self, promise: str) -> tuple[Formula, ...]:
        formula = self._formulas[promise]
        assert isinstance(formula, Apply) and formula.operator == "always" and formula.window is None, promise
        (kept,) = formula.arguments
        return kept.arguments if isinstance(kept, Apply) and kept.operator == "implies" else (kept,)


def _figure(formula: Formula, signals: tuple[str, ...], promise: str) -> float:
    assert isinstance(formula, Predicate) and formula.relation == "<", promise
    assert isinstance(formula.right, Number), promise
    assert {r.signal for r in references(formula.left)} == set(signals), promise
    return formula.right.value
