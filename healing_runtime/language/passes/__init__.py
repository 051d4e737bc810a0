"""Verification passes: small functions over the traced programs, in order, before anything is compiled.

Each file holds one pass, `check(traced, budget) -> findings`. A new pass is one file and a line in `PASSES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from healing_runtime.language.findings import Finding
from healing_runtime.language.passes import cost, effects, finite, linearity, loops, primitives, reached, signature
from healing_runtime.language.passes.program import Budget, Program

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced

Pass = Callable[["Traced", Budget], Iterator[Finding]]

PASSES: tuple[Pass, ...] = (
    signature.check,
    primitives.check,
    effects.check,
    loops.check,
    linearity.check,
    cost.check,
    finite.check,
    reached.check,
)


def run(traced: Traced, budget: Budget | None = None) -> tuple[Finding, ...]:
    """Every finding of every pass, errors and warnings, each said once, in the order of the passes.

    The budget left out is that of the control period for which the controller was traced.
    """
    budget = budget or Budget.inside(traced.dt_s)
    return tuple(dict.fromkeys(finding for check in PASSES for finding in check(traced, budget)))


def before_running(program: Program, budget: Budget | None = None) -> tuple[Finding, ...]:
    """The passes that a program must meet before it is evaluated even once (the initial state)."""
    budget = budget or Budget()
    checks = (primitives.of_program, effects.of_program, loops.of_program, cost.of_program)
    return tuple(dict.fromkeys(finding for check in checks for finding in check(program, budget)))


__all__ = ["PASSES", "Budget", "Finding", "Program", "before_running", "run"]
