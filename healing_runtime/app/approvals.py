"""Decisions of people on patches that wait."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from healing_runtime.app import history
from healing_runtime.core.codec import digest
from healing_runtime.core.errors import InputError, NotFoundInCatalogue
from healing_runtime.ledger.approvals import PENDING, Approvals
from healing_runtime.ledger.store import Ledger

if TYPE_CHECKING:
    from healing_runtime.supervisor.approval import Approve, Reject, Review

Document = dict[str, Any]


def approve(
    prefix: str, *, by: str | None = None, note: str = "", run: str | None = None, out: Path | None = None
) -> Document:
    """Let a patch that waits fly, once its run goes on.

    Args:
        prefix: the patch's hash or its first characters.
        by: who decides, which is not empty; the user of this process if left out.
        note: kept with the decision.
        run: the run in which it waits, where it waits in several.
        out: the folder that the run was given with `--out`.

    Raises:
        NotFoundInCatalogue: not one patch fits.
        InputError: it does not wait, `by` is empty, or the patch or what it was accepted on has changed since.
        RecordError: the ledger's row is damaged, or is not what the gate accepted.
    """
    from healing_runtime.supervisor.approval import Approve

    return _decided(prefix, Approve(_named(by), note), run, out)


def reject(
    prefix: str, reason: str, *, by: str | None = None, run: str | None = None, out: Path | None = None
) -> Document:
    """Refuse a patch that waits; once its run goes on, the brain is told the reason. Arguments as for `approve`."""
    from healing_runtime.supervisor.approval import Reject

    return _decided(prefix, Reject(reason, _named(by)), run, out)


def _named(by: str | None) -> str:
    """Who decides, empty for the user of this process: nobody decides under that name who gave an empty one."""
    if by is not None and not by.strip():
        raise InputError("--by is empty; name who decides, or leave it out for your user name.")
    return by or ""


def _decided(prefix: str, answer: Approve | Reject, run: str | None, out: Path | None) -> Document:
    from healing_runtime.supervisor.accepted import as_accepted
    from healing_runtime.supervisor.approval import review_of, settle

    with history.opened(out, "patch", prefix) as ledger:
        review = review_of(as_accepted(_waiting(ledger, prefix, run)))
        folder = ledger.path.parent / review.run
        _must_be_reviewed(folder, review)
        approval = settle(ledger, review, answer)
    return {
        "sha256": review.bound.patch,
        "run": review.run,
        "incident": review.incident,
        "decision": approval.decision,
        "by": approval.by,
        "note": approval.note,
        "recorded_utc": approval.recorded_utc,
        "bound": dict(vars(approval.bound)),
        "folder": str(folder),
    }


def _waiting(ledger: Ledger, prefix: str, run: str | None) -> Document:
    """The one entry of a patch that waits: the same patch may have been found in several runs."""
    newest = ledger.patch(prefix)
    same = [p for p in ledger.patches() if p["sha256"] == newest["sha256"] and (run is None or p["run"] == run)]
    if not same:
        raise NotFoundInCatalogue(f"there is no patch {prefix} of a run {run}; see heal patches list.")
    waiting = [p for p in same if p["state"] == PENDING]
    short = str(newest["sha256"]).removeprefix("sha256:")[:12]
    if len(waiting) > 1:
        runs = ", ".join(str(p["run"]) for p in waiting)
        raise InputError(f"patch {short} waits in {len(waiting)} runs ({runs}); name one with --run.")
    if not waiting:
        raise InputError(f"patch {short} of {same[0]['run']} is '{same[0]['state']}'{_by(ledger, same[0])}; only one "
                         "that is 'pending' is decided on.")  # fmt: skip
    return waiting[0]


def _by(ledger: Ledger, patch: Document) -> str:
    decisions = Approvals(ledger).of_patch(patch["run"], patch["incident"], patch["sha256"])
    return f" ({decisions[-1]['decision']} by {decisions[-1]['by']})" if decisions else ""


def _must_be_reviewed(folder: Path, review: Review) -> None:
    """What lies in the run's folder, where a reviewer reads it, must be what the decision is for."""
    from healing_runtime.core.codec import read
    from healing_runtime.core.records import Scenario
    from healing_runtime.gate.evidence import seal_of
    from healing_runtime.telemetry.record import RunFolder

    record = RunFolder.open(folder)
    try:
        found = {
            "patch": digest(record.read_incident(review.incident, "patched.py")),
            "evidence": seal_of(record.read_incident(review.incident, "evidence.json")),
            "scenario": digest(read(Scenario, record.read_manifest()["scenario"])),
        }
    except (KeyError, ValueError) as error:
        raise InputError(f"{folder} is not the record that the patch was accepted in: {error}.") from None
    for what, sha256 in found.items():
        if sha256 != getattr(review.bound, what):
            raise InputError(
                f"the {what} in {folder} was changed after the gate accepted the patch; run the scenario anew."
            )
