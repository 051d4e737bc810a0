"""The ledger's tables, as the steps that made them. A step is never changed once released; a change is a new step."""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE runs (
            run TEXT PRIMARY KEY,
            recorded_utc TEXT NOT NULL,
            document TEXT NOT NULL,
            result TEXT
        )""",
        # An incident's id depends on the scenario alone, so that a replay draws the same: runs share ids.
        """CREATE TABLE incidents (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL,
            run TEXT NOT NULL,
            recorded_utc TEXT NOT NULL,
            document TEXT NOT NULL,
            UNIQUE (run, id)
        )""",
        """CREATE TABLE attempts (
            run TEXT NOT NULL,
            incident TEXT NOT NULL,
            number INTEGER NOT NULL,
            recorded_utc TEXT NOT NULL,
            document TEXT NOT NULL,
            PRIMARY KEY (run, incident, number)
        )""",
        """CREATE TABLE patches (
            position INTEGER PRIMARY KEY,
            sha256 TEXT NOT NULL,
            run TEXT NOT NULL,
            incident TEXT NOT NULL,
            state TEXT NOT NULL,
            recorded_utc TEXT NOT NULL,
            document TEXT NOT NULL,
            UNIQUE (sha256, run, incident)
        )""",
        """CREATE TABLE executables (
            sha256 TEXT PRIMARY KEY,
            key TEXT NOT NULL,
            recorded_utc TEXT NOT NULL
        )""",
        "CREATE INDEX executables_by_key ON executables (key)",
    ),
    (
        # The patch memory: what a look-up is bound to, what is offered, and the evidence that it claims.
        """CREATE TABLE remembered (
            position INTEGER PRIMARY KEY,
            original TEXT NOT NULL,
            controller TEXT NOT NULL,
            assertions TEXT NOT NULL,
            scenario TEXT NOT NULL,
            runtime TEXT NOT NULL,
            assertion TEXT NOT NULL,
            patch TEXT NOT NULL,
            evidence TEXT NOT NULL,
            recorded_utc TEXT NOT NULL,
            document TEXT NOT NULL,
            UNIQUE (original, controller, assertions, scenario, runtime, assertion, patch)
        )""",
        "CREATE INDEX remembered_by_patch ON remembered (patch)",
    ),
    (
        # What people decided; `bound` are the hashes that a decision is for.
        """CREATE TABLE approvals (
            position INTEGER PRIMARY KEY,
            run TEXT NOT NULL,
            incident TEXT NOT NULL,
            patch TEXT NOT NULL,
            bound TEXT NOT NULL,
            decision TEXT NOT NULL,
            decided_by TEXT NOT NULL,
            note TEXT NOT NULL,
            recorded_utc TEXT NOT NULL,
            UNIQUE (run, incident, bound)
        )""",
    ),
)
