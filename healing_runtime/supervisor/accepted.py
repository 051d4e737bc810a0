"""A patch of the ledger as the gate accepted it: what is shown of it, exported and applied, is what was judged.

The ledger lies in the workspace, so a row is a claim. Its sources must have the hashes that its evidence names, and the
evidence its own; the diff is computed from the sources, and who wrote the patch and why is what the evidence says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healing_runtime.core.codec import digest
from healing_runtime.core.errors import RecordError
from healing_runtime.core.records import Source
from healing_runtime.gate.evidence import SEAL, seal_of
from healing_runtime.ledger import rows
from healing_runtime.supervisor.sources import patch_diff

PATCH: rows.Kinds = {
    "brain": str, "controller": str, "scenario": str, "diagnosis": str, "before": str, "after": str, "evidence": dict,
}  # fmt: skip
"""What a row holds at least."""
_EVIDENCE: rows.Kinds = {
    SEAL: str, "controller": str, "controller_before": str, "controller_after": str, "brain": str, "diagnosis": str,
}  # fmt: skip
_ASKED: rows.Kinds = {"assertion": str, "english": str, "t_s": (int, float), "number": int, "bound": dict}
_BOUND: rows.Kinds = {"patch": str, "evidence": str, "scenario": str, "program": str}


def as_accepted(patch: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its diff computed, and with `brain` and `diagnosis` of its evidence.

    Raises:
        RecordError: something of it is missing, or it is not what the gate accepted.
    """
    name = f"patch {short(patch)} of {patch['run']} in the ledger"
    rows.shaped(patch, PATCH, name)
    evidence = patch["evidence"]
    rows.shaped(evidence, _EVIDENCE, f"{name}, its evidence,")
    rows.staged(evidence, f"{name}, its evidence,")
    if patch.get("approval") is not None:
        rows.shaped(patch, {"approval": dict}, name)
        rows.shaped(patch["approval"], _ASKED, f"{name}, what was asked of people,")
        rows.shaped(patch["approval"]["bound"], _BOUND, f"{name}, what a decision is for,")
    try:
        seal, *texts = seal_of(evidence), *(digest(patch[key]) for key in ("before", "after"))
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise rows.damaged(name, "its texts or its evidence have no hash") from None
    hashes = (
        ("its evidence", seal, evidence[SEAL]),
        ("the controller before", texts[0], evidence["controller_before"]),
        ("the controller after", texts[1], patch["sha256"]),
        ("the evidence that it was accepted on", evidence["controller_after"], patch["sha256"]),
        ("the name of its controller", patch["controller"], evidence["controller"]),
    )
    for what, found, wanted in hashes:
        if found != wanted:
            raise RecordError(
                f"{name} is not what the gate accepted: {what} was changed since; run {patch['scenario']} anew."
            )
    before, after = (
        Source(patch["controller"], "", patch[key], sha256)
        for key, sha256 in zip(("before", "after"), texts, strict=True)
    )
    judged = {key: evidence[key] for key in ("brain", "diagnosis")}
    return {**patch, **judged, "diff": patch_diff(before, after)}


def short(patch: Mapping[str, Any]) -> str:
    """The hash of a patch as messages name it."""
    return str(patch["sha256"]).removeprefix("sha256:")[:12]
