"""Fallbacks that were admitted in earlier runs, as the user's cache remembers them."""

from __future__ import annotations

from kept_kit import kept_in

from healing_runtime.compile.cache import Cache
from healing_runtime.gate.kept_programs import KeptPrograms


def test_an_admission_stands_on_the_users_cache_and_not_on_the_workspace(home):
    with kept_in(home) as kept:
        assert not kept.admitted("sha256:a")
        kept.admit("sha256:a")
        assert kept.admitted("sha256:a") and not kept.admitted("sha256:b")
    (home / "runs/ledger.sqlite3").unlink()
    with kept_in(home) as kept:
        assert kept.admitted("sha256:a")
    with KeptPrograms(home / "runs/ledger.sqlite3", Cache(home / "another")) as kept:
        assert not kept.admitted("sha256:a")


def test_an_edited_admission_is_none(home):
    with kept_in(home) as kept:
        kept.admit("sha256:a")
        (entry,) = (home / "cache").iterdir()
        entry.write_bytes(entry.read_bytes().replace(b"sha256:a", b"sha256:b"))
        assert not kept.admitted("sha256:a") and not kept.admitted("sha256:b")


def test_without_a_cache_nothing_is_admitted():
    kept = KeptPrograms.none()
    kept.admit("sha256:a")
    assert not kept.admitted("sha256:a")
