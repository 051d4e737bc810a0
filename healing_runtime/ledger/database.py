"""The SQLite file under the ledger: opened and migrated, one statement or transaction at a time, failures told."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from healing_runtime.core.errors import NotFoundInCatalogue, RecordError, RecordNotWritten
from healing_runtime.ledger.migrations import MIGRATIONS

_BUSY_S = 10.0
_NOT_TAKEN = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
"""What the disk refuses: the ledger itself is as it was."""


class Database:
    """One file, made if it is missing; may be used from several threads. Every method raises RecordError.

    Raises:
        RecordError: the file is no ledger, is damaged, cannot be written, or was made by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise RecordError(f"the ledger {path} cannot be opened: {error}.") from error
        try:
            self._migrate()
        except BaseException:
            self._db.close()
            raise

    def put(self, statement: str, *values: Any) -> None:
        """Execute a statement that writes; durable when this returns."""
        with self._lock, self._failures(), self._transaction():
            self._db.execute(statement, values)

    def rows(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        """Every row of a statement that reads."""
        with self._lock, self._failures():
            return self._db.execute(statement, values).fetchall()

    def one(self, noun: str, table: str, name: str, order: str, prefix: str) -> sqlite3.Row:
        """The newest row of the only name that begins with `prefix` (a whole name wins over longer ones).

        Raises:
            NotFoundInCatalogue: none fits, or several do.
        """
        statement = f"SELECT *, {name} AS name FROM {table} WHERE substr({name}, 1, ?) = ? ORDER BY {order} DESC"
        rows = self.rows(statement, len(prefix), prefix)
        rows = [row for row in rows if row["name"] == prefix] or rows
        names = sorted({row["name"] for row in rows})
        if not names:
            raise NotFoundInCatalogue(f"there is no {noun} '{prefix}' in {self.path}; see heal {table} list.")
        if len(names) > 1:
            shown = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
            raise NotFoundInCatalogue(f"'{prefix}' fits {len(names)} {table} ({shown}); give more of it.")
        return rows[0]

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, for what depends on what is there."""
        with self._lock, self._failures(), self._transaction():
            yield self._db

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        with self._lock:
            self._db.close()

    def _migrate(self) -> None:
        with self._failures():
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            with self._transaction():
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                if version > len(MIGRATIONS):
                    raise RecordError(f"the ledger {self.path} was written by a newer version; update healing-runtime.")
                for step in MIGRATIONS[version:]:
                    for statement in step:
                        self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # SQLite rolls back by itself where the disk is full
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise RecordError(f"the ledger {self.path} holds this entry already: {error}.") from error
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in _NOT_TAKEN:
                what = f"the ledger {self.path} cannot be written: {error}; make room there."
                raise RecordNotWritten(what) from error
            raise self._unusable(error) from error
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: sqlite3.Error) -> RecordError:
        return RecordError(f"the ledger {self.path} cannot be used: {error}; move it away to begin anew.")
