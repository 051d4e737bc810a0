"""The SQLite ledger: runs, incidents, attempts, patches, executables; durable when a method returns.

Entries go in as records or JSON documents and come out as JSON documents. Several processes may write at once (WAL);
one object may be used from several threads.
"""

from __future__ import annotations

import datetime
import json
import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from healing_runtime.core import codec
from healing_runtime.ledger import rows as ledger_rows
from healing_runtime.ledger.database import Database
from healing_runtime.ledger.rows import Tell

Document = dict[str, Any]

BOUND_TO = ("original", "controller", "assertions", "scenario", "runtime", "assertion")
"""What an entry of the patch memory is bound to: hashes, and the id of the violated assertion."""
GONE = ("rolled_back", "rejected")
"""States of patches that the memory does not offer."""

_ATTEMPT: ledger_rows.Kinds = {"brain": str, "proposal": dict}


class Ledger:
    """One ledger file, made if it is missing.

    Raises:
        RecordError: the file is no ledger, is damaged, cannot be written, or was made by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = Database(path)

    # ------------------------------------------------------------ writing
    def record_run(self, run: str, document: Any) -> None:
        """A run that begins."""
        self._db.put("INSERT INTO runs (run, recorded_utc, document) VALUES (?, ?, ?)", run, _now(), _text(document))

    def finish_run(self, run: str, result: Any) -> None:
        """How a run ended; None where it has not, for it goes on."""
        self._db.put("UPDATE runs SET result = ? WHERE run = ?", None if result is None else _text(result), run)

    def record_incident(self, incident: str, run: str, document: Any, *, again: bool = False) -> None:
        """An incident of a run; its id is unique within the run. `again`: one that is there already may stay."""
        self._db.put(
            f"INSERT {'OR IGNORE ' if again else ''}INTO incidents (id, run, recorded_utc, document)"
            " VALUES (?, ?, ?, ?)",
            incident,
            run,
            _now(),
            _text(document),
        )

    def record_attempt(self, incident: str, run: str, number: int, document: Any) -> None:
        """A proposal and what every stage said: `{brain, proposal, accepted, stages}`; the last word counts."""
        row = (run, incident, number, _now(), _text(document))
        self._db.put("INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?)", *row)

    def record_patch(self, sha256: str, document: Any) -> None:
        """An accepted patch: `{run_id, incident, state, …}` with sources and evidence; `sha256` of the new source."""
        plain = codec.plain(document)
        self._db.put(
            "INSERT OR REPLACE INTO patches (sha256, run, incident, state, recorded_utc, document)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            sha256,
            plain["run_id"],
            plain["incident"],
            plain["state"],
            _now(),
            _text({k: v for k, v in plain.items() if k not in ("run_id", "incident", "state")}),
        )

    def set_patch_state(self, sha256: str, state: str, run: str | None = None) -> None:
        """What became of a patch: `probation`, `active`, `rolled_back`, `rejected`.

        The newest with that hash, of a run where one is named; `ledger.approvals` sets what people decide.
        """
        newest = "SELECT max(position) FROM patches WHERE sha256 = ? AND run = ifnull(?, run)"
        self._db.put(f"UPDATE patches SET state = ? WHERE position = ({newest})", state, sha256, run)

    def take_back(self, sha256: str) -> None:
        """A person took a patch that is `active` out again: it is `rolled_back` in every run."""
        self._db.put("UPDATE patches SET state = 'rolled_back' WHERE sha256 = ? AND state = 'active'", sha256)

    def record_executable(self, sha256: str, key: str) -> None:
        """The hash of the bytes that may be loaded for a key; recording it again changes nothing."""
        self._db.put("INSERT OR REPLACE INTO executables VALUES (?, ?, ?)", sha256, key, _now())

    def remember(self, bound_to: Mapping[str, str], patch: str, evidence: str, document: Any) -> None:
        """A patch that stayed, under what it is bound to (`BOUND_TO`); the last word on a patch counts."""
        columns = (*BOUND_TO, "patch", "evidence", "recorded_utc", "document")
        values = (*(bound_to[name] for name in BOUND_TO), patch, evidence, _now(), _text(document))
        marks = ", ".join("?" * len(columns))
        self._db.put(f"INSERT OR REPLACE INTO remembered ({', '.join(columns)}) VALUES ({marks})", *values)

    def forget(self, patch: str) -> tuple[str, ...]:
        """Take a patch out of the memory, wherever it is in it; returns the hashes of the evidence it was kept on."""
        evidence = self._db.rows("SELECT DISTINCT evidence FROM remembered WHERE patch = ? ORDER BY evidence", patch)
        self._db.put("DELETE FROM remembered WHERE patch = ?", patch)
        return tuple(row["evidence"] for row in evidence)

    # ------------------------------------------------------------ reading
    def remembered(self, bound_to: Mapping[str, str], *, most: int, most_bytes: int) -> tuple[Document, ...]:
        """Patches that are bound to just this, newest first: `{patch, evidence, recorded_utc, …}`.

        Left out are those that were rolled back or rejected in any run, rows larger than `most_bytes`, and rows that
        nobody here wrote so.
        """
        where = " AND ".join(f"{name} = ?" for name in BOUND_TO)
        rows = self._db.rows(
            f"SELECT patch, evidence, recorded_utc, document FROM remembered AS r WHERE {where}"
            " AND typeof(document) = 'text' AND length(CAST(document AS BLOB)) <= ?"
            f" AND NOT EXISTS (SELECT 1 FROM patches WHERE sha256 = r.patch AND state IN {GONE})"
            " ORDER BY position DESC LIMIT ?",
            *(bound_to[name] for name in BOUND_TO),
            most_bytes,
            most,
        )
        return tuple(found for row in rows if (found := _remembered(row)) is not None)

    def runs(self) -> tuple[Document, ...]:
        """Every run, newest first: `{run, recorded_utc, …, result}`; `result` is None for a run that did not end."""
        return tuple(self._run(row) for row in self._db.rows("SELECT * FROM runs ORDER BY rowid DESC"))

    def run(self, prefix: str) -> Document:
        """One run by its id or the first characters of it. NotFoundInCatalogue unless exactly one fits."""
        return self._run(self._db.one("run", "runs", "run", "rowid", prefix))

    def incidents(self, tell: Tell | None = None) -> tuple[Document, ...]:
        """Every incident, newest first: `{id, run, recorded_utc, …, healed, patch}`, without attempts.

        Rows that are damaged are passed over; `tell` hears of them.
        """
        rows = self._db.rows("SELECT * FROM incidents ORDER BY position DESC")
        return ledger_rows.readable(rows, self._incident, tell)

    def incident(self, prefix: str) -> Document:
        """One incident with its `attempts`, by `ID`, `RUN/ID` or their first characters; the newest run's.

        Raises:
            NotFoundInCatalogue: none fits, or different incidents do.
            RecordError: its row, or one of an attempt, is damaged.
        """
        name = "run || '/' || id" if "/" in prefix else "id"
        row = self._db.one("incident", "incidents", name, "position", prefix)
        attempts = self._db.rows(
            "SELECT * FROM attempts WHERE run = ? AND incident = ? ORDER BY number", row["run"], row["id"]
        )
        return {**self._incident(row), "attempts": [self._attempt(a) for a in attempts]}

    def patches(self, tell: Tell | None = None) -> tuple[Document, ...]:
        """Every patch, newest first: `{sha256, run, incident, state, recorded_utc, …}`.

        Rows that are damaged are passed over; `tell` hears of them.
        """
        rows = self._db.rows("SELECT * FROM patches ORDER BY position DESC")
        return ledger_rows.readable(rows, self._patch, tell)

    def patch(self, prefix: str) -> Document:
        """One patch by its hash or the first characters of it, with or without `sha256:`; the newest of its hash.

        Raises:
            NotFoundInCatalogue: none fits, or different patches do.
            RecordError: its row is damaged.
        """
        whole = "sha256:" + prefix.removeprefix("sha256:")
        return self._patch(self._db.one("patch", "patches", "sha256", "position", whole))

    def executable(self, key: str) -> str | None:
        """The hash last recorded for a key, or None."""
        rows = self._db.rows("SELECT sha256 FROM executables WHERE key = ? ORDER BY rowid DESC LIMIT 1", key)
        return rows[0]["sha256"] if rows else None

    def executables(self) -> tuple[tuple[str, str], ...]:
        """The hash and the key of everything that may be loaded, in the order recorded."""
        rows = self._db.rows("SELECT sha256, key FROM executables ORDER BY rowid")
        return tuple((row["sha256"], row["key"]) for row in rows)

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """One transaction, for what depends on what is there. Raises RecordError as every other method."""
        return self._db.transaction()

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # ------------------------------------------------------------ rows as documents
    def _incident(self, row: sqlite3.Row) -> Document:
        patches = self._db.rows(
            "SELECT sha256, state FROM patches WHERE run = ? AND incident = ? ORDER BY position DESC",
            row["run"],
            row["id"],
        )
        patch = patches[0] if patches else None
        return {
            "id": row["id"],
            "run": row["run"],
            "recorded_utc": row["recorded_utc"],
            **ledger_rows.document(row["document"], self._named("incident", f"{row['run']}/{row['id']}")),
            "healed": patch is not None and patch["state"] == "active",
            "patch": None if patch is None else patch["sha256"],
        }

    def _run(self, row: sqlite3.Row) -> Document:
        name = self._named("run", row["run"])
        result = None if row["result"] is None else ledger_rows.document(row["result"], f"{name}, its result,")
        head = {"run": row["run"], "recorded_utc": row["recorded_utc"]}
        return {**head, **ledger_rows.document(row["document"], name), "result": result}

    def _attempt(self, row: sqlite3.Row) -> Document:
        """With `verdict`, `stage`, `reason` and `diagnosis` beside, as run results name them."""
        name = self._named("attempt", f"{row['number']} of {row['run']}/{row['incident']}")
        document = ledger_rows.document(row["document"], name)
        ledger_rows.shaped(document, _ATTEMPT, name)
        ledger_rows.staged(document, name)
        refusal = next((s for s in document["stages"] if not s["accepted"]), None)
        accepted = bool(document.get("accepted", refusal is None))
        return {
            "number": row["number"],
            "recorded_utc": row["recorded_utc"],
            **document,
            "verdict": "accepted" if accepted else "refused",
            "stage": None if refusal is None else refusal["stage"],
            "reason": "" if refusal is None else refusal["reason"],
            "diagnosis": document["proposal"].get("diagnosis", ""),
        }

    def _patch(self, row: sqlite3.Row) -> Document:
        head = {key: row[key] for key in ("sha256", "run", "incident", "state", "recorded_utc")}
        name = self._named("patch", f"{row['sha256'][:19]} of {row['run']}")
        return {**head, **ledger_rows.document(row["document"], name)}

    def _named(self, noun: str, name: str) -> str:
        return f"the ledger {self.path}: {noun} {name}"


def _remembered(row: sqlite3.Row) -> Document | None:
    try:
        document = json.loads(row["document"])
    except (ValueError, RecursionError):
        return None
    head = {key: row[key] for key in ("patch", "evidence", "recorded_utc")}
    return {**document, **head} if isinstance(document, dict) else None


def _text(document: Any) -> str:
    return codec.canonical(document).decode()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
