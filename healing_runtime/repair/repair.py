"""The repair loop: ask, judge, feed back, until a patch is accepted or a budget is spent."""

from __future__ import annotations

import dataclasses
import enum
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from healing_runtime.core.codec import digest
from healing_runtime.core.errors import BudgetSpent, OutsideError, RunAborted
from healing_runtime.core.records import Attempt, Decision, Proposal, RepairRequest, StageResult
from healing_runtime.core.status import Stage

MEMORY = "memory"
"""Stands where a brain's name stands for what the patch memory offers."""
_NO_EXAMINATION = "the incident's examinations on held-out neighbours are spent, so that no other patch can be accepted"


class Proposer(Protocol):
    """What repair needs of a brain."""

    name: str

    def propose(self, request: RepairRequest) -> tuple[Proposal, ...]:
        """Proposals, best first."""
        ...


class Reason(enum.StrEnum):
    """Why a repair ended without a patch."""

    ATTEMPTS_SPENT = "attempts_spent"
    EXAMINATIONS_SPENT = "examinations_spent"
    WALL_BUDGET_SPENT = "wall_budget_spent"
    NOTHING_OFFERED = "nothing_offered"
    BRAIN_UNAVAILABLE = "brain_unavailable"


class RecordedRefusal(OutsideError):
    """A replay's brain says how the recorded repair ended; the reason is taken over as it was."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


@dataclasses.dataclass(frozen=True)
class Judged:
    """One attempt with its decision and the seconds the brain took for it."""

    attempt: Attempt
    decision: Decision
    propose_s: float


@dataclasses.dataclass(frozen=True)
class Repaired:
    """A patch that the gate accepted."""

    proposal: Proposal
    decision: Decision
    brain: str


@dataclasses.dataclass(frozen=True)
class Refused:
    """No patch; `detail` says what happened outside, where something did."""

    reason: Reason
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a run may spend on repairs. The wall clock only aborts; it never selects."""

    attempts: int
    deadline_s: float

    def wall_spent(self) -> bool:
        """True once the monotonic clock is past the deadline."""
        return time.monotonic() > self.deadline_s


def from_memory(
    request: RepairRequest,
    remembered: Sequence[Proposal],
    judge: Callable[[Proposal], Decision],
    budget: Budget,
    told: Callable[[Judged], None],
    look_up_s: float = 0.0,
) -> Repaired | RepairRequest:
    """Before any brain is asked: what healed this before, each an attempt. Else the request, with what was refused."""
    for proposal in remembered[: budget.attempts]:
        if budget.wall_spent():
            break
        try:
            decision = judge(proposal)
        except BudgetSpent:  # no attempt, and `repair` finds the budget spent
            break
        attempt = Attempt(MEMORY, proposal, decision.stages)
        told(Judged(attempt, decision, look_up_s))
        look_up_s = 0.0
        if decision.accepted:
            return Repaired(proposal, decision, MEMORY)
        request = dataclasses.replace(request, attempts=(*request.attempts, attempt))
    return request


def repair(
    request: RepairRequest,
    brain: Proposer,
    judge: Callable[[Proposal], Decision],
    budget: Budget,
    told: Callable[[Judged], None],
) -> Repaired | Refused:
    """Ask `brain` until `judge` accepts; every judged attempt is told and goes back into the request.

    A judgement that the wall budget cuts off (`BudgetSpent`) is none: it is no attempt, and ends the repair. So does
    the end of the incident's held-out examinations, without which nothing more is accepted.
    """
    left = budget.attempts
    while left > 0:
        if _examined_to_the_end(request):
            return Refused(Reason.EXAMINATIONS_SPENT, _NO_EXAMINATION)
        if budget.wall_spent():
            return Refused(Reason.WALL_BUDGET_SPENT)
        asked = time.perf_counter()
        try:
            proposals = brain.propose(request)
        except RunAborted:
            raise
        except RecordedRefusal as recorded:
            return Refused(recorded.reason, recorded.message)
        except OutsideError as error:
            return Refused(Reason.BRAIN_UNAVAILABLE, str(error))
        propose_s = time.perf_counter() - asked
        if not proposals:
            return Refused(Reason.NOTHING_OFFERED)
        for proposal in proposals[:left]:
            try:
                decision = _refused_before(proposal, request) or judge(proposal)
            except BudgetSpent as spent:
                return Refused(Reason.WALL_BUDGET_SPENT, _unfinished(proposal, spent))
            attempt = Attempt(brain.name, proposal, decision.stages)
            told(Judged(attempt, decision, propose_s))
            propose_s = 0.0
            if decision.accepted:
                return Repaired(proposal, decision, brain.name)
            request = dataclasses.replace(request, attempts=(*request.attempts, attempt))
            left -= 1
            if _examined_to_the_end(request):
                return Refused(Reason.EXAMINATIONS_SPENT, _NO_EXAMINATION)
            if budget.wall_spent():
                return Refused(Reason.WALL_BUDGET_SPENT)
    return Refused(Reason.ATTEMPTS_SPENT)


def _examined_to_the_end(request: RepairRequest) -> bool:
    """Whether an attempt took the last examination on held-out neighbours and does not fly: refused, or by a person."""
    stages = (stage for attempt in request.attempts for stage in attempt.stages)
    return any(stage.facts.get("examinations_left") == 0 for stage in stages)


def _unfinished(proposal: Proposal, spent: BudgetSpent) -> str:
    return (
        f"the patch {digest(proposal.source)} was still being judged when the wall budget ended ({spent.message}): "
        "it is neither accepted nor refused"
    )


def _refused_before(proposal: Proposal, request: RepairRequest) -> Decision | None:
    """The decision on a source that this incident has refused already: the same again."""
    if all(attempt.proposal.source != proposal.source for attempt in request.attempts):
        return None
    again = StageResult(Stage.CONTRACT, False, "this source was refused before in this incident.")
    return Decision(policy="", accepted=False, stages=(again,))
