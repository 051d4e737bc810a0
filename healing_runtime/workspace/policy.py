"""`policy:` and `acceptance:` of a scenario -> what happens on a violation, and what is asked of a patch."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from healing_runtime.core.errors import FileFormatError, InputError
from healing_runtime.core.records import Acceptance, Policy
from healing_runtime.workspace.document import Document, suggestion
from healing_runtime.workspace.gathering import Gathering, located
from healing_runtime.workspace.models import ScenarioFile
from healing_runtime.workspace.timing import whole_ticks

_POLICIES = ("freeze", "rewind")


def read_policy(
    document: Document,
    file: ScenarioFile,
    override: str | None,
    control_hz: int | None,
    controller: str | None,
    look_up: Callable[[str], str],
) -> Policy | None:
    """The policy; None without a rate. `look_up` gives the reference of a controller, `controller` is the flown one."""
    section, gathering = file.policy, Gathering()
    choice = section.on_violation if override is None else override
    if choice not in ("freeze", "rewind"):
        where = document.where(("policy", "on_violation")) if override is None else None
        if override is None and choice != "failsafe":
            what = f'policy.on_violation cannot be "{choice}".{suggestion(choice, _POLICIES, what="Write one of")}'
            gathering.add(FileFormatError(what, where=where))
        else:
            gathering.add(InputError(f"the policy '{choice}' is not available; use rewind or freeze.", where=where))
    fallback = gathering.attempt(lambda: _fallback(document, section.fallback, controller, look_up))
    ticks, at = 0, ("policy", "probation")
    if control_hz is not None:
        ticks = gathering.attempt(lambda: whole_ticks(document, at, section.probation, control_hz))
    gathering.raise_all()
    if control_hz is None or ticks is None or choice not in ("freeze", "rewind"):
        return None
    return Policy(
        on_violation=choice,
        fallback=fallback,
        probation_ticks=ticks,
        max_attempts=section.max_attempts,
        wall_budget_s=section.wall_budget_s,
        confinement=section.confinement,
        approval=section.approval,
    )


def _fallback(
    document: Document, name: str | None, controller: str | None, look_up: Callable[[str], str]
) -> str | None:
    """The reference of the fallback controller, which is another one than the scenario's."""
    if name is None:
        return None
    at = ("policy", "fallback")
    reference = located(document, at, functools.partial(look_up, name))
    if reference == controller:
        what = f"policy.fallback: '{name}' is the controller itself: it fails where that fails; name another."
        raise InputError(what, where=document.where(at))
    return reference


def read_acceptance(file: ScenarioFile) -> Acceptance:
    """What is asked of a patch."""
    section, neighbourhood = file.acceptance, file.acceptance.neighbourhood
    return Acceptance(
        min_robustness=section.min_robustness,
        samples=neighbourhood.samples,
        min_pass_rate=neighbourhood.min_pass_rate,
        confidence=neighbourhood.confidence,
        regressions=section.regressions,
    )


def acceptance_notes(acceptance: Acceptance) -> tuple[str, ...]:
    """Too few samples certify nothing even if all pass: the exact bound after n of n is alpha ** (1 / n)."""
    alpha = (1.0 - acceptance.confidence) / 2.0
    needed = math.ceil(math.log(alpha) / math.log(acceptance.min_pass_rate))
    if acceptance.samples >= needed:
        return ()
    best = alpha ** (1.0 / acceptance.samples)
    return (
        f"acceptance.neighbourhood: {acceptance.samples} samples certify a pass rate of {best:.2f} at most; "
        f"no patch can reach {acceptance.min_pass_rate:g}, which takes {needed} samples",
    )
