"""The private cache: what was stored comes back whole or not at all, and nothing that goes wrong is an error."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from healing_runtime.compile import cache as caches
from healing_runtime.compile.cache import VARIABLE, Cache, Usage, place
from healing_runtime.core.codec import digest

DATA = bytes(range(256)) * 40


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "private/executables")


@pytest.fixture
def kept(cache):
    """A cache with one entry, the entry's hash and its file."""
    sha256 = cache.store(DATA)
    return cache, sha256, cache.folder / sha256.removeprefix("sha256:")


# ---------------------------------------------------------------- the place
def test_the_place_is_the_users_cache_folder_unless_another_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert place() == tmp_path / "healing-runtime/executables"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    assert place() == tmp_path / "mine"


@pytest.mark.parametrize("word", ["off", "OFF", " off "])
def test_it_can_be_turned_off(monkeypatch, word):
    monkeypatch.setenv(VARIABLE, word)
    assert place() is None


@pytest.mark.parametrize("named", ["relative/folder", ""])
def test_a_relative_folder_is_not_used_and_that_is_said(monkeypatch, tmp_path, named):
    """Named so, or because there is no home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, named)
    monkeypatch.setattr(caches, "user_cache_path", lambda name: Path("~/.cache") / name)
    cache = Cache(place())
    for ask in (lambda: cache.store(DATA), lambda: cache.fetch(digest(DATA)), lambda: cache.usage().entries):
        assert not ask()
        assert f"the cache {place()} is not used: it is no absolute path; name one in {VARIABLE}" in cache.trouble
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_when_something_is_to_be_kept():
    cache = Cache(Path("/proc/healing-runtime/executables"))
    assert cache.fetch(digest(DATA)) is None and cache.trouble == "", "nothing is there, and nothing was lost"
    assert cache.store(DATA) is None and "No such file or directory" in cache.trouble


# ---------------------------------------------------------------- storing and fetching
def test_what_was_stored_comes_back(kept):
    cache, sha256, file = kept
    assert sha256 == digest(DATA) and cache.fetch(sha256) == DATA
    assert (cache.folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    assert cache.usage() == Usage(1, len(DATA)) and cache.trouble == ""
    cache.discard(sha256)
    assert cache.fetch(sha256) is None and cache.usage() == Usage(0, 0)


def test_looking_makes_no_folder(cache):
    assert cache.fetch(digest(b"x")) is None and cache.usage() == Usage(0, 0)
    assert not cache.folder.parent.exists() and cache.trouble == ""


def test_a_name_that_is_no_hash_leads_nowhere(kept):
    cache, _, file = kept
    (cache.folder.parent / "outside").write_bytes(DATA)
    for name in ("../outside", "sha256:../outside", "", str(file)):
        assert cache.fetch(name) is None


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def become_a_link(file: Path) -> None:
    elsewhere = file.parent.parent / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


def become_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


DAMAGE = {
    "flipped": flip,
    "truncated": lambda file: os.truncate(file, 100),
    "emptied": lambda file: os.truncate(file, 0),
    "another's": lambda file: file.write_bytes(b"another program"),
    "link": become_a_link,
    "readable by all": lambda file: file.chmod(0o644),
    "pipe": become_a_pipe,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_entry_is_not_given_out_and_is_removed(kept, damage):
    cache, sha256, file = kept
    damage(file)
    assert cache.fetch(sha256) is None
    assert not os.path.lexists(file)
    assert cache.store(DATA) == sha256 and cache.fetch(sha256) == DATA


# ---------------------------------------------------------------- folders that are not private
def open_to_others(folder: Path) -> None:
    folder.chmod(0o755)


def unreadable(folder: Path) -> None:
    folder.chmod(0o000)


def linked(folder: Path) -> None:
    real = folder.rename(folder.parent / "real")
    folder.symlink_to(real)


def a_file(folder: Path) -> None:
    folder.rename(folder.parent / "real")
    folder.write_text("a file")


FOLDERS = {"open to others": open_to_others, "unreadable": unreadable, "linked": linked, "a file": a_file}


@pytest.mark.parametrize("change", FOLDERS.values(), ids=FOLDERS)
def test_a_folder_that_is_not_private_is_not_used_and_that_is_said(kept, change):
    cache, sha256, _ = kept
    change(cache.folder)
    assert cache.fetch(sha256) is None
    assert str(cache.folder) in cache.trouble and "is not used" in cache.trouble
    assert cache.store(b"more") is None and cache.usage() == Usage(0, 0)


def test_a_folder_of_somebody_else_is_not_used(kept, monkeypatch):
    cache, sha256, _ = kept
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert cache.fetch(sha256) is None and "belongs to user" in cache.trouble


def test_a_place_where_nothing_can_be_made_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file/executables")
    assert cache.store(DATA) is None and cache.trouble


# ---------------------------------------------------------------- a full disk
def test_a_file_that_the_system_does_not_let_grow_leaves_nothing(cache):
    """The kernel itself refuses the write, half-way."""
    cache.store(b"small")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        assert cache.store(DATA) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "File too large" in cache.trouble
    assert len(list(cache.folder.iterdir())) == 1
    assert cache.store(DATA) and cache.trouble == ""


def test_a_full_disk_leaves_nothing(cache, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    cache.store(b"small")
    monkeypatch.setattr(os, "rename", full)
    assert cache.store(DATA) is None and "No space left" in cache.trouble
    assert len(list(cache.folder.iterdir())) == 1


# ---------------------------------------------------------------- bounds
def test_what_was_not_used_for_longest_goes_first(tmp_path):
    cache = Cache(tmp_path / "c", limit_bytes=3_000)
    names = [cache.store(bytes([i]) * 1_000) for i in range(3)]
    for age, name in zip((300, 200, 100), names, strict=True):
        file = cache.folder / name.removeprefix("sha256:")
        os.utime(file, (file.stat().st_mtime - age,) * 2)
    assert cache.fetch(names[0]), "its use makes it the youngest"
    new = cache.store(b"x" * 1_500)
    assert [cache.fetch(n) is not None for n in (*names, new)] == [True, False, False, True]
    assert cache.usage().bytes <= 3_000


def test_a_clock_that_jumped_keeps_nothing_for_ever(tmp_path):
    cache = Cache(tmp_path / "c", limit_bytes=3_000)
    ahead = [cache.store(bytes([i]) * 1_000) for i in range(3)]
    for name in ahead:
        file = cache.folder / name.removeprefix("sha256:")
        os.utime(file, (file.stat().st_mtime + 1e6,) * 2)
    new = [cache.store(bytes([i]) * 1_000) for i in range(3, 6)]
    assert all(cache.fetch(name) is not None for name in new), "what was written last is kept"
    assert not any(cache.fetch(name) is not None for name in ahead)


def test_what_was_never_finished_goes_when_its_writer_is_gone(kept):
    cache, _, _ = kept
    left, fresh = cache.folder / ".left", cache.folder / ".fresh"
    for file in (left, fresh):
        file.write_bytes(b"half")
    os.utime(left, (left.stat().st_mtime - 2 * caches.ABANDONED_S,) * 2)
    cache.store(b"something else")
    assert not left.exists() and fresh.exists()


def test_no_more_entries_are_kept_than_can_be_looked_at(cache, monkeypatch):
    monkeypatch.setattr(caches, "LIMIT_ENTRIES", 5)
    names = [cache.store(bytes([i])) for i in range(9)]
    for age, name in enumerate(reversed(names[4:])):
        file = cache.folder / name.removeprefix("sha256:")
        os.utime(file, (file.stat().st_mtime - 100 * age,) * 2)
    new = cache.store(b"new")
    assert [cache.fetch(name) is not None for name in (*names[4:], new)] == [False, True, True, True, True, True]
    assert cache.usage().entries == 5


def test_many_entries_are_not_looked_at_at_each_store(tmp_path, monkeypatch):
    looked, listed = [], caches._listed
    monkeypatch.setattr(caches, "_listed", lambda folder: looked.append(1) or listed(folder))
    cache = Cache(tmp_path / "c", limit_bytes=40_000)
    for i in range(320):
        cache.store(b"%100d" % i)
    looked.clear()
    for i in range(320, 400):
        assert Cache(cache.folder, 40_000).store(b"%100d" % i), "another object of the process knows it, too"
    assert 3 <= len(looked) <= 5
    for i in range(400, 900):
        cache.store(b"%100d" % i)
        assert len(list(cache.folder.iterdir())) <= 400 * (1 + 1 / caches.SHARE)
    looked.clear()
    for i in range(10):
        cache.store(b"%2600d" % i)
    assert len(looked) == 10, "each is more than a sixteenth of what may lie here"


def test_what_is_too_large_is_not_kept(cache, monkeypatch):
    monkeypatch.setattr(caches, "MAX_ENTRY_BYTES", 1_000)
    assert cache.store(DATA) is None
    assert f"{len(DATA)} bytes, and at most 1000 are kept" in cache.trouble
    assert cache.store(b"small") and cache.trouble == ""


# ---------------------------------------------------------------- several processes
WRITER = """
import sys
from pathlib import Path
from healing_runtime.compile.cache import Cache
cache = Cache(Path(sys.argv[1]), limit_bytes=400_000)
for i in range(150):
    data = bytes([i % 5]) * 100_000
    name = cache.store(data)
    assert name, cache.trouble
    assert cache.fetch(name) in (data, None)
"""


def test_processes_that_write_and_prune_at_once_never_see_half_a_file(cache):
    command = [sys.executable, "-c", WRITER, str(cache.folder)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    writers = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    seen = 0
    while any(w.poll() is None for w in writers):
        for i in range(5):
            data = bytes([i]) * 100_000
            found = cache.fetch(digest(data))
            assert found is None or found == data
            seen += found is not None
    assert [(w.wait(), w.stderr.read()) for w in writers] == [(0, ""), (0, "")]
    assert seen and not [f for f in cache.folder.iterdir() if f.name.startswith(".")]
    for w in writers:
        w.stderr.close()
