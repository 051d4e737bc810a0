"""What a run vouches for: the documents that `ledger/vouchers.py` keeps, written and looked for in the same words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from healing_runtime.core.codec import digest, plain
from healing_runtime.core.records import Decision, Proposal
from healing_runtime.core.status import AFTER_THE_GATE

Document = dict[str, Any]


def begun(run: str, inputs_sha256: str) -> Document:
    """A run was begun with the manifest of this hash."""
    return {"run": run, "begun": inputs_sha256}


def happened(run: str, incident: str, document: Mapping[str, Any]) -> Document:
    """An incident of a run, with the actions that led to it: what `incident.json` holds."""
    return {"run": run, "incident": incident, "happened": digest(document)}


def qualified(run: str, courses: Sequence[Any]) -> Document:
    """The gate of a run found these regressions, as plain JSON."""
    return {"run": run, "qualified": digest(list(courses))}


def judged(
    run: str, incident: str, number: int, proposal: Proposal, decision: Decision, evidence_sha256: str | None
) -> Document:
    """The gate of a run said this of the n-th proposal of an incident, on this evidence where it accepted."""
    stages = [stage for stage in decision.stages if stage.stage not in AFTER_THE_GATE]
    return {
        "run": run,
        "incident": incident,
        "number": number,
        "proposal": digest(plain(proposal)),
        "policy": decision.policy,
        "accepted": decision.accepted,
        "stages": digest(stages),
        "resume_tick": decision.resume_tick,
        "bracket": plain(decision.bracket),
        "program": decision.program_sha256,
        "evidence": evidence_sha256,
    }
