"""A patch shown to a person on a terminal, the question, and what to do where nobody can be asked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from healing_runtime.cli import output

if TYPE_CHECKING:
    from healing_runtime.supervisor.approval import Approve, Reject, Review
    from healing_runtime.telemetry.progress import Progress

_QUESTION = "approve, reject, or decide later? [a/r/L] "


def asker(progress: Progress) -> Callable[[Review], Approve | Reject | None]:
    """Asks on this terminal, with the progress out of the way. Ctrl-C and the end of input are later."""

    def ask(review: Review) -> Approve | Reject | None:
        with progress.aside():
            try:
                for line in shown(review):
                    typer.echo(line)
                return _answer()
            except KeyboardInterrupt:
                typer.echo("")
                return None

    return ask


def shown(review: Review) -> Iterator[str]:
    """The computed diff, the diagnosis, and the evidence in short."""
    yield ""
    yield f"{review.incident} at t = {review.t_s:.2f} s: {output.printable(review.english)}"
    yield f"patch {_short(review.bound.patch)} by {output.printable(review.brain)}, attempt {review.number}"
    yield f"diagnosis: {output.printable(' '.join(review.diagnosis.split()))}"
    yield ""
    yield from output.printable(review.diff).splitlines()
    yield ""
    yield from in_short(review.evidence)


def in_short(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Stages passed, flights counted, the bound that they certify."""
    stages = evidence.get("stages", ())
    names = ", ".join(str(stage["stage"]) for stage in stages if stage["accepted"])
    yield f"passed {names} (policy {evidence.get('policy', '?')}, confinement {evidence.get('confinement', '?')})"
    facts = next((s["facts"] for s in reversed(stages) if s.get("facts", {}).get("scenario")), {})
    if facts:
        flown = facts.get("regressions", ())
        regressions = "; regressions: those of the evidence"
        if flown is not None:
            regressions = f", {output.count(len(flown), 'regression')}"
        yield f"flown: the incident, the whole scenario twice{regressions}"
    if held := facts.get("neighbourhood"):
        yield (
            f"held-out neighbours: {held['passed']} of {held['flown']} flown kept every promise, {held['needed']} of "
            f"{held['samples']} were needed; with {held['confidence']:.1%} confidence at least "
            f"{held['lower_bound']:.3f} of all do"
        )


def how_to_go_on(document: Mapping[str, Any], folder: Path) -> list[str]:
    """The commands that a run which waits needs next."""
    from healing_runtime import workspace
    from healing_runtime.compile import cache

    waiting = next(i["patch"] for i in document["incidents"] if i["ending"] == "awaiting_approval")
    if cache.place() is None:
        return [
            f"patch {_short(waiting)} waits for approval, but no run goes on without the private cache, which is off "
            f"({cache.VARIABLE}): run the scenario anew with a cache, or on a terminal."
        ]
    patch = _short(waiting)
    if folder.parent.resolve() != workspace.open().runs.resolve():
        patch += f" --out {folder.parent}"
    return [
        f"patch {_short(waiting)} waits for approval. To go on:",
        f"  heal patches show {patch}",
        f"  heal patches approve {patch}",
        f"  heal patches reject {patch} --reason TEXT   (instead)",
        f"  heal run --resume {folder}",
    ]


def decided(document: Mapping[str, Any]) -> list[str]:
    """A decision, and what makes it count."""
    words = f"patch {_short(document['sha256'])} of {document['run']}: {output.word(document['decision'])}"
    return [f"{words} by {who(document)}", f"go on with: heal run --resume {document['folder']}"]


def who(decision: Mapping[str, Any]) -> str:
    """Who decided, when, and what they said."""
    note = f": {output.printable(decision['note'])}" if decision["note"] else ""
    return f"{output.printable(decision['by'])} at {decision['recorded_utc'][:19]} UTC{note}"


def _answer() -> Approve | Reject | None:
    from healing_runtime.supervisor.approval import Approve, Reject

    while True:
        word = _line(_QUESTION)
        if word is None or word.lower() in ("", "l", "later"):
            return None
        if word.lower() in ("a", "approve"):
            return Approve(note=_line("a note, if you like: ") or "")
        if word.lower() in ("r", "reject"):
            reason = _reason()
            return None if reason is None else Reject(reason)


def _reason() -> str | None:
    """Why a patch is rejected, asked until there is one; None at the end of input."""
    while (reason := _line("why? The brain is told: ")) == "":
        pass
    return reason


def _line(question: str) -> str | None:
    """A line typed in; None at the end of input."""
    typer.echo(question, nl=False)
    sys.stdout.flush()
    line = sys.stdin.readline()
    return line.strip() if line else None


def _short(sha256: str) -> str:
    return sha256.removeprefix("sha256:")[:12]
