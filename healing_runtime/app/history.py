"""The ledger of a workspace, read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from healing_runtime import workspace
from healing_runtime.core.errors import NotFoundInCatalogue
from healing_runtime.ledger.approvals import Approvals
from healing_runtime.ledger.store import Ledger

Document = dict[str, Any]


def incidents(out: Path | None = None) -> list[Document]:
    """Every incident, newest first, without its attempts. `out` is the folder that a run was given with `--out`."""
    with _ledger(out) as ledger:
        return list(ledger.incidents()) if ledger else []


def incident(prefix: str, out: Path | None = None) -> Document:
    """One incident with its attempts, by `ID`, `RUN/ID` or first characters. NotFoundInCatalogue unless one fits.

    `ending` and `detail` say what ended its repair, `fallback` who flew on where it ended without a patch; they are
    None of a run that did not end. Several runs have incidents of the same ID: the newest is given, and `same_id` says
    how many there are.
    """
    with _ledger(out) as ledger:
        store = _found(ledger, "incident", prefix)
        found = store.incident(prefix)
        runs = 1 if "/" in prefix else sum(i["id"] == found["id"] for i in store.incidents())
        return {**found, **_ended(store.run(found["run"])["result"], found["id"]), "same_id": runs}


def patches(out: Path | None = None) -> list[Document]:
    """Every patch, newest first, without sources, diff and evidence; of that, the policy by which it was accepted."""
    long = ("before", "after", "diff", "evidence", "approval", "decision")
    with _ledger(out) as ledger:
        found = ledger.patches() if ledger else ()
        return [
            {**{k: v for k, v in p.items() if k not in long}, "policy": p["evidence"].get("policy", "")} for p in found
        ]


def patch(prefix: str, out: Path | None = None) -> Document:
    """One patch with sources, diff, evidence, the `attempts` that led to it and the `decisions` of people.

    `prefix` is the start of its hash. NotFoundInCatalogue unless one fits.
    """
    with opened(out, "patch", prefix) as ledger:
        found = ledger.patch(prefix)
        decisions = Approvals(ledger).of_patch(found["run"], found["incident"], found["sha256"])
        return {**found, "attempts": _attempts(ledger, found), "decisions": list(decisions)}


def _attempts(ledger: Ledger, patch: Document) -> list[Document]:
    """The attempts of a patch's incident up to its own; none where the ledger does not hold them."""
    try:
        attempts = ledger.incident(f"{patch['run']}/{patch['incident']}")["attempts"]
    except NotFoundInCatalogue:
        return []
    own = [n for n, a in enumerate(attempts, 1) if a.get("proposal", {}).get("source") == patch.get("after")]
    return attempts[: own[0]] if own else []


@contextlib.contextmanager
def opened(out: Path | None, noun: str, prefix: str) -> Iterator[Ledger]:
    """The ledger in which something is looked up. NotFoundInCatalogue where nothing was recorded yet."""
    with _ledger(out) as ledger:
        yield _found(ledger, noun, prefix)


def _ended(result: Document | None, incident: str) -> Document:
    """What became of an incident, as the run's result says it."""
    stories = (result or {}).get("incidents", ())
    story = next((story for story in stories if story["id"] == incident), {})
    fallback = (result or {}).get("fallback") or {}
    flew = fallback.get("controller") if fallback.get("incident") == incident else None
    return {"ending": story.get("ending"), "detail": story.get("detail"), "fallback": flew}


@contextlib.contextmanager
def _ledger(out: Path | None) -> Iterator[Ledger | None]:
    """The ledger, or None where nothing was recorded yet: looking makes no file."""
    path = (out or workspace.open().runs) / "ledger.sqlite3"
    if not path.is_file():
        yield None
        return
    with Ledger(path) as ledger:
        yield ledger


def _found(ledger: Ledger | None, noun: str, prefix: str) -> Ledger:
    if ledger is None:
        raise NotFoundInCatalogue(f"there is no {noun} '{prefix}': nothing is recorded here yet; use heal run first.")
    return ledger
