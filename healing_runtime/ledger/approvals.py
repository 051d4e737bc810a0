"""Decisions of people on patches: asked, approved, rejected; each durable when a method returns, and never changed.

A decision belongs to the hashes that were decided on (`bound`): the same patch with other evidence is asked for anew.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from healing_runtime.core import codec
from healing_runtime.core.errors import InputError
from healing_runtime.ledger import rows as ledger_rows
from healing_runtime.ledger.store import Document, Ledger

PENDING, APPROVED, REJECTED = "pending", "approved", "rejected"


class Approvals:
    """The approvals of one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def ask(self, sha256: str, document: Mapping[str, Any]) -> None:
        """A patch that waits for a decision: what `Ledger.record_patch` takes, with `approval: {bound, …}`.

        What waits already for the same hashes, or was decided on, is left as it is.
        """
        plain = codec.plain(document)
        run, incident = plain["run_id"], plain["incident"]
        if self.decision(run, incident, plain["approval"]["bound"]) is None:
            self._ledger.record_patch(sha256, {**plain, "state": PENDING})

    def decide(self, run: str, incident: str, bound: Mapping[str, str], decision: str, by: str, note: str) -> Document:
        """Record a decision on a patch that waits, and give it as `decision` does.

        Raises:
            InputError: it does not wait, or not with these hashes.
        """
        with self._ledger.transaction() as db:
            row = db.execute(
                "SELECT position, state, document FROM patches WHERE sha256 = ? AND run = ? AND incident = ?",
                (bound["patch"], run, incident),
            ).fetchone()
            short = bound["patch"].removeprefix("sha256:")[:12]
            patch = f"patch {short} of {run}"
            if row is None:
                raise InputError(f"{patch} is not in the ledger {self._ledger.path}.")
            if row["state"] != PENDING:
                raise InputError(f"{patch} is '{row['state']}'; only one that is 'pending' is decided on.")
            asked = ledger_rows.document(row["document"], f"the ledger {self._ledger.path}: {patch}").get("approval")
            if not isinstance(asked, dict) or asked.get("bound") != dict(bound):
                raise InputError(f"{patch} changed while it was looked at; see heal patches show {short}.")
            db.execute(
                "INSERT INTO approvals (run, incident, patch, bound, decision, decided_by, note, recorded_utc)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (run, incident, bound["patch"], _text(bound), decision, by, note, _utc()),
            )
            db.execute("UPDATE patches SET state = ? WHERE position = ?", (decision, row["position"]))
        found = self.decision(run, incident, bound)
        assert found is not None
        return found

    def decision(self, run: str, incident: str, bound: Mapping[str, str]) -> Document | None:
        """`{decision, by, note, recorded_utc, bound}` for exactly these hashes; None while there is none."""
        found = self._found("run = ? AND incident = ? AND bound = ?", run, incident, _text(bound))
        return found[-1] if found else None

    def of_patch(self, run: str, incident: str, sha256: str) -> tuple[Document, ...]:
        """Every decision on a patch of an incident, in order."""
        return self._found("run = ? AND incident = ? AND patch = ?", run, incident, sha256)

    def _found(self, where: str, *values: str) -> tuple[Document, ...]:
        with self._ledger.transaction() as db:
            rows = db.execute(f"SELECT * FROM approvals WHERE {where} ORDER BY position", values).fetchall()
        return tuple(
            {
                "decision": row["decision"],
                "by": row["decided_by"],
                "note": row["note"],
                "recorded_utc": row["recorded_utc"],
                "bound": ledger_rows.document(row["bound"], f"the ledger {self._ledger.path}: a decision"),
            }
            for row in rows
        )


def _text(bound: Mapping[str, str]) -> str:
    return codec.canonical(dict(bound)).decode()


def _utc() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
