"""The ledger of a workspace, read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from healing_runtime import workspace
from healing_runtime.core.errors import NotFoundInCatalogue
from healing_runtime.ledger import rows
from healing_runtime.ledger.approvals import Approvals
from healing_runtime.ledger.store import Ledger

Document = dict[str, Any]


_INCIDENT: rows.Kinds = {"scenario": str, "assertion": str, "t_s": (int, float)}
_PATCH: rows.Kinds = {"brain": str, "controller": str, "evidence": dict}
"""What a list shows of a patch; `supervisor.accepted` checks the rest of one that is looked at."""


class Listing(NamedTuple):
    """What can be read of a table, and a line for each row that cannot: where, what is wrong, what to do."""

    rows: list[Document]
    damaged: list[str]


def incidents(out: Path | None = None) -> Listing:
    """Every incident, newest first, without its attempts. `out` is the folder that a run was given with `--out`."""
    damaged: list[str] = []
    with _ledger(out) as ledger:
        found = ledger.incidents(damaged.append) if ledger else ()
        listed = rows.readable(found, _listed_incident, damaged.append)
    return Listing(list(listed), damaged)


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
        _listed_incident(found)
        return {**found, **_ended(store.run(found["run"])["result"], found["id"]), "same_id": runs}


def patches(out: Path | None = None) -> Listing:
    """Every patch, newest first, without sources, diff and evidence; of that, the policy by which it was accepted."""
    damaged: list[str] = []
    with _ledger(out) as ledger:
        found = ledger.patches(damaged.append) if ledger else ()
        listed = rows.readable(found, _listed_patch, damaged.append)
    return Listing(list(listed), damaged)


def _listed_incident(incident: Document) -> Document:
    rows.shaped(incident, _INCIDENT, f"incident {incident['run']}/{incident['id']} in the ledger")
    return incident


def _listed_patch(patch: Document) -> Document:
    long = ("before", "after", "diff", "evidence", "approval", "decision")
    rows.shaped(patch, _PATCH, f"patch {str(patch['sha256'])[:19]} of {patch['run']} in the ledger")
    said = {key: patch["evidence"].get(key, other) for key, other in (("brain", patch["brain"]), ("policy", ""))}
    return {**{key: value for key, value in patch.items() if key not in long}, **said}


def patch(prefix: str, out: Path | None = None) -> Document:
    """One patch with sources, diff, evidence, the `attempts` that led to it and the `decisions` of people.

    `prefix` is the start of its hash. The diff is computed from the sources, and what the evidence says counts.

    Raises:
        NotFoundInCatalogue: not one patch fits.
        RecordError: the ledger's row is damaged, or is not what the gate accepted.
    """
    from healing_runtime.supervisor.accepted import as_accepted

    with opened(out, "patch", prefix) as ledger:
        found = as_accepted(ledger.patch(prefix))
        decisions = Approvals(ledger).of_patch(found["run"], found["incident"], found["sha256"])
        return {**found, "attempts": _attempts(ledger, found), "decisions": list(decisions)}


def _attempts(ledger: Ledger, patch: Document) -> list[Document]:
    """The attempts of a patch's incident up to its own; none where the ledger does not hold them."""
    try:
        attempts = ledger.incident(f"{patch['run']}/{patch['incident']}")["attempts"]
    except NotFoundInCatalogue:
        return []
    own = [n for n, a in enumerate(attempts, 1) if a["proposal"].get("source") == patch["after"]]
    return attempts[: own[0]] if own else []


@contextlib.contextmanager
def opened(out: Path | None, noun: str, prefix: str) -> Iterator[Ledger]:
    """The ledger in which something is looked up. NotFoundInCatalogue where nothing was recorded yet."""
    with _ledger(out) as ledger:
        yield _found(ledger, noun, prefix)


def _ended(result: Document | None, incident: str) -> Document:
    """What became of an incident, as the run's result says it."""
    stories, fallback = ((result or {}).get(key) for key in ("incidents", "fallback"))
    told = [s for s in stories if isinstance(s, dict)] if isinstance(stories, list) else []
    story = next((story for story in told if story.get("id") == incident), {})
    took_over = fallback if isinstance(fallback, dict) and fallback.get("incident") == incident else {}
    return {"ending": story.get("ending"), "detail": story.get("detail"), "fallback": took_over.get("controller")}


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
