"""The ledger of a workspace, read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from healing_runtime import workspace
from healing_runtime.core.errors import NotFoundInCatalogue
from healing_runtime.ledger.store import Ledger

Document = dict[str, Any]


def incidents(out: Path | None = None) -> list[Document]:
    """Every incident, newest first, without its attempts. `out` is the folder that a run was given with `--out`."""
    with _ledger(out) as ledger:
        return list(ledger.incidents()) if ledger else []


def incident(prefix: str, out: Path | None = None) -> Document:
    """One incident with its attempts, by `ID`, `RUN/ID` or first characters. NotFoundInCatalogue unless one fits.

    Several runs have incidents of the same ID: the newest is given, and `same_id` says how many there are.
    """
    with _ledger(out) as ledger:
        store = _found(ledger, "incident", prefix)
        found = store.incident(prefix)
        runs = 1 if "/" in prefix else sum(i["id"] == found["id"] for i in store.incidents())
        return {**found, "same_id": runs}


def patches(out: Path | None = None) -> list[Document]:
    """Every patch, newest first, without sources, diff and evidence; of that, the policy by which it was accepted."""
    long = ("before", "after", "diff", "evidence")
    with _ledger(out) as ledger:
        found = ledger.patches() if ledger else ()
        return [
            {**{k: v for k, v in p.items() if k not in long}, "policy": p["evidence"].get("policy", "")} for p in found
        ]


def patch(prefix: str, out: Path | None = None) -> Document:
    """One patch with sources, diff and evidence, by the start of its hash. NotFoundInCatalogue unless one fits."""
    with _ledger(out) as ledger:
        return _found(ledger, "patch", prefix).patch(prefix)


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
