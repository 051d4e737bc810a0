"""`policy.approval: human`: what the gate accepted waits for a person before it flies.

A decision is for hashes (`Bound`): of the patch, its evidence, the scenario and the executable. It is durable in the
ledger before anything follows from it, and it is part of the run's record, from which a replay takes it.
"""

from __future__ import annotations

import dataclasses
import getpass
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from healing_runtime.compile import wire
from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core.codec import digest, plain, read
from healing_runtime.core.errors import InputError, RecordError, WorkerFailed
from healing_runtime.gate.evidence import seal_of
from healing_runtime.ledger.approvals import APPROVED, REJECTED, Approvals
from healing_runtime.ledger.store import Ledger
from healing_runtime.telemetry.record import RunFolder
from healing_runtime.telemetry.whole_files import write_whole

AWAITING = "awaiting_approval"
"""Ending of an incident whose patch waits for a decision; such an incident has no `ending.json` yet."""


@dataclasses.dataclass(frozen=True)
class Bound:
    """The sha256 of everything that a decision is for. `evidence` is that of the document as it was written down."""

    patch: str
    evidence: str
    scenario: str
    program: str


@dataclasses.dataclass(frozen=True)
class Review:
    """What a person is shown: who broke what, what the patch changes, and what it was accepted on."""

    run: str
    incident: str
    assertion: str
    english: str
    t_s: float
    number: int
    brain: str
    diagnosis: str
    diff: str
    evidence: Mapping[str, Any]
    bound: Bound


@dataclasses.dataclass(frozen=True)
class Approve:
    """The answer that lets a patch fly. `by` is the user of this process if left out."""

    by: str = ""
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Reject:
    """The answer that refuses a patch; the brain is told the reason."""

    reason: str
    by: str = ""


_PROGRAMS = "waiting-*.program"
"""Executables of patches that wait, in their run's folder until it ends: a build gives other bytes at times."""

Ask = Callable[[Review], Approve | Reject | None]
"""Asks a person. None is later: the run saves itself and ends as `awaiting_approval`."""


@dataclasses.dataclass(frozen=True)
class Approval:
    """A decision that is durable. `note` is the reason where it is a rejection."""

    decision: Literal["approved", "rejected"]
    by: str
    note: str
    recorded_utc: str
    bound: Bound


Decide = Callable[[Review], Approval | None]
"""The decision on a patch; None while there is none."""


def by_people(ledger: Ledger | None, ask: Ask | None) -> Decide:
    """Decisions of this workspace's ledger; where one is missing, `ask` is asked, and its answer is made durable."""

    def decide(review: Review) -> Approval | None:
        if ledger is None:
            return None
        _must_be_of_one_program(review)
        where = (review.run, review.incident, vars(review.bound))
        found = Approvals(ledger).decision(*where)
        answer = None if found or ask is None else ask(review)
        if answer is not None:
            try:
                return settle(ledger, review, answer)
            except InputError:
                found = Approvals(ledger).decision(*where)  # somebody else's, made meanwhile
                if found is None:
                    raise
        return None if found is None else read(Approval, found)

    return decide


def _must_be_of_one_program(review: Review) -> None:
    """A decision on evidence lets that executable fly which the evidence is of, and no other."""
    if review.evidence.get("program_sha256") != review.bound.program:
        short = review.bound.patch.removeprefix("sha256:")[:12]
        raise InputError(
            f"the evidence of patch {short} is of another executable than the one that waits: the ledger was changed "
            "after the gate accepted the patch; run the scenario anew."
        )


def settle(ledger: Ledger, review: Review, answer: Approve | Reject) -> Approval:
    """Make an answer durable.

    Raises:
        InputError: the patch does not wait for a decision on these hashes, or a rejection has no reason.
    """
    _must_be_of_one_program(review)
    if not isinstance(answer, Approve | Reject):
        raise InputError(f"{answer!r} is no answer to a review; give Approve(), Reject(reason) or None for later.")
    word, note = (APPROVED, answer.note) if isinstance(answer, Approve) else (REJECTED, answer.reason)
    note = " ".join(note.split())
    if word == REJECTED and not note:
        raise InputError("a rejection needs a reason: the brain is told it, and so is whoever reads the record.")
    by = " ".join(answer.by.split()) or _user()
    document = Approvals(ledger).decide(review.run, review.incident, vars(review.bound), word, by, note)
    return read(Approval, document)


def by_record(folder: RunFolder) -> Decide:
    """The decisions that a recorded run holds; a patch without one waits, as it did then."""

    def decide(review: Review) -> Approval | None:
        name = file_of(review.number)
        if name not in folder.incident_files(review.incident):
            return None
        try:
            approval = read(Approval, folder.read_incident(review.incident, name))
        except ValueError:
            raise RecordError(f"{folder.path}: {name} of {review.incident} is damaged.") from None
        now, then = review.bound, approval.bound
        evidence = _evidence(folder, review.incident, review.number)
        if (then.patch, then.scenario, then.evidence) != (now.patch, now.scenario, seal_of(evidence)):
            what = f"{name} of {review.incident} is for another patch, evidence or scenario"
            raise RecordError(f"{folder.path}: {what}; nothing flies on it.")
        return approval

    return decide


def file_of(number: int) -> str:
    """The file of an incident that holds the decision on its n-th attempt."""
    return f"approval-{number:02d}.json"


def document_of(review: Review) -> dict[str, Any]:
    """What the ledger keeps of a review beside the patch, so that it can be shown again."""
    return plain({key: getattr(review, key) for key in ("assertion", "english", "t_s", "number", "bound")})


def review_of(patch: Mapping[str, Any]) -> Review:
    """A review from the patch's entry in the ledger.

    Raises:
        InputError: nobody was asked about this patch, or the entry is not what was reviewed.
    """
    asked, short = patch.get("approval"), str(patch["sha256"]).removeprefix("sha256:")[:12]
    if not isinstance(asked, Mapping):
        raise InputError(f"patch {short} flew without asking (policy.approval: auto); there is nothing to decide.")
    bound = read(Bound, asked["bound"])
    if (digest(patch["after"]), seal_of(patch["evidence"])) != (bound.patch, bound.evidence):
        raise InputError(f"patch {short} or its evidence was changed in the ledger after the gate accepted it.")
    review = Review(
        **{key: patch[key] for key in ("run", "incident", "brain", "diagnosis", "diff", "evidence")},
        **{key: asked[key] for key in ("assertion", "english", "t_s", "number")},
        bound=bound,
    )
    _must_be_of_one_program(review)
    return review


def keep_program(folder: RunFolder, program: ProgramBlob) -> None:
    """Keep the executable that a decision will be for."""
    write_whole(_program_path(folder, program.sha256), wire.blob_file(program, program.sha256))


def kept_program(folder: RunFolder, sha256: str) -> ProgramBlob | None:
    """The executable with this sha256, if it is what was kept; nothing in it is trusted but for its hash."""
    path = _program_path(folder, sha256)
    if path.is_symlink() or not path.is_file():
        return None
    try:
        program = wire.read_blob_file(path.read_bytes(), sha256)
    except (OSError, WorkerFailed):
        return None
    return program if program.sha256 == sha256 else None


def forget_program(folder: RunFolder) -> None:
    """No patch of this run waits any more."""
    for path in folder.path.glob(_PROGRAMS):
        path.unlink()


def _program_path(folder: RunFolder, sha256: str) -> Path:
    return folder.path / _PROGRAMS.replace("*", sha256.removeprefix("sha256:")[:16])


def _evidence(folder: RunFolder, incident: str, number: int) -> Any:
    """The evidence as the record holds it, also where it was set aside after a rejection or a rollback."""
    aside = tuple(f"attempt-{number:02d}-{word}-evidence.json" for word in ("rejected", "rolled-back"))
    there = folder.incident_files(incident)
    return next((folder.read_incident(incident, n) for n in (*aside, "evidence.json") if n in there), None)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a bare container
        return "unknown"
