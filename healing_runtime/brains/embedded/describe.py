"""What a reviewer reads: which numbers changed, what the twin says, and what is assumed."""

from __future__ import annotations

from healing_runtime.brains.embedded.tuning import Candidate
from healing_runtime.core.records import Proposal, RepairRequest


def proposal(request: RepairRequest, candidate: Candidate, flights: int) -> Proposal:
    """A candidate as the gate wants it."""
    structure = candidate.structure
    after, before = candidate.score, candidate.before
    what = _changes(candidate) if structure.edit_kind == "parameters" else structure.summary
    evidence = f"On the twin {after.pass_rate:.0%} of {flights} perturbed flights keep every promise"
    if structure.edit_kind == "parameters":
        evidence += f" (before: {before.pass_rate:.0%})"
    return Proposal(
        diagnosis=f"{structure.name}: {request.assertion} was violated ({request.english}). {what}. {evidence}.",
        edit_kind=structure.edit_kind,
        source=candidate.text,
        changed_assumptions=_assumptions(candidate),
    )


def line(candidates: list[Candidate], name: str) -> str:
    """One line of the story of a search."""
    if not candidates:
        return f"{name}: nothing found"
    best = candidates[0]
    return (
        f"{name}: {best.generations} generations; the best keeps every promise in {best.score.pass_rate:.0%} of the "
        f"flights, with a margin of {best.score.nominal:+.3f} on the nominal robot"
    )


def structure_name(diagnosis: str) -> str:
    """The structure that an earlier proposal of this brain came from."""
    return diagnosis.partition(":")[0]


def _changes(candidate: Candidate) -> str:
    pairs = zip(candidate.structure.space.tunable, candidate.values, strict=True)
    changed = [f"{leaf.name} {leaf.value:g} -> {value:g}" for leaf, value in pairs if value != leaf.value]
    return "PARAMS: " + ", ".join(changed) if changed else "PARAMS are as they were"


def _assumptions(candidate: Candidate) -> tuple[str, ...]:
    if candidate.structure.edit_kind == "parameters":
        return ()
    return ("hover trim and control effectiveness are those measured on the twin of the undamaged robot",)
