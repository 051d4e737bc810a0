"""What a search is after: which assertions, and how near a flight came to breaking one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from healing_runtime.compile.interface import FINITE_ACTION
from healing_runtime.core.errors import InputError, Location
from healing_runtime.core.records import FinalVerdict
from healing_runtime.core.status import Severity, Status
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.workspace.document import suggestion

DECIDED = (Status.TRUE, Status.FALSE, Status.INVALID)
"""Statuses with a margin to speak of; unknown and vacuous ones say nothing."""


class Score(NamedTuple):
    """How near a flight came: the least scaled robustness of what was decided.

    `value` is +inf where nothing was decided, -inf where a verdict is invalid. `verdict` is the one that had it: of
    violated ones the lowest, else the lowest of all.
    """

    value: float
    violated: bool
    verdict: FinalVerdict | None


def targets(prepared: Prepared, wanted: str | None) -> tuple[str, ...]:
    """The ids searched for: the one that is wanted, or every critical one and the mission.

    Raises:
        InputError: there is no such assertion, or nothing that a search could be after.
    """
    where = Location(str(prepared.loaded.path))
    requirements = prepared.requirements
    own = [*(f"controller/{statement.slug}" for statement in prepared.parsed.contract), FINITE_ACTION]
    if wanted is not None:
        known = [*(r.id for r in requirements), *own]
        if wanted in known:
            return (wanted,)
        hint = suggestion(wanted, known, what="It has")
        raise InputError(f"the scenario has no assertion '{wanted}'.{hint}", where=where)
    if not requirements:
        message = "the scenario names no assertions, so there is nothing to falsify; list some under 'assertions:'."
        raise InputError(message, where=where)
    promised = [r.id for r in requirements if r.mission or r.severity == Severity.CRITICAL]
    if not promised:
        ids = ", ".join(r.id for r in requirements)
        message = f"the scenario has no mission and no critical assertion; choose one with --assertion: {ids}."
        raise InputError(message, where=where)
    return (*promised, *own)


def score(verdicts: Sequence[FinalVerdict], wanted: Sequence[str]) -> Score:
    """Judge a flight.

    Where several assertions are searched at once, the controller's own count by their truth alone, as at the gate: a
    clip to a limit has margin 0 and is right.
    """
    counted = [v for v in verdicts if v.id in wanted]
    decided = [v for v in counted if v.status in DECIDED]
    if len(wanted) > 1:
        decided = [v for v in decided if v.status.violated or not v.id.startswith("controller/")]
    if not decided:
        return Score(math.inf, False, None)
    lowest = min(decided, key=lambda v: (not v.status.violated, margin(v)))
    return Score(margin(lowest), lowest.status.violated, lowest)


def margin(verdict: FinalVerdict) -> float:
    """The scaled robustness; -inf for an invalid verdict, which is worse than any number."""
    rho = verdict.robustness_scaled
    return -math.inf if verdict.status is Status.INVALID or math.isnan(rho) else float(rho)
