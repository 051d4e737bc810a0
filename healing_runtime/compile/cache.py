"""The private cache: bytes in files named by their own hash, in a folder that nobody else can write or read.

Whoever wants bytes back must know their hash (the ledger does), and gets nothing that does not have it. A cache that
cannot be used is never an error: it holds nothing, and `trouble` says why.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_cache_path

VARIABLE = "HEALING_RUNTIME_CACHE"
"""Environment variable: a folder for the cache, or `off`."""

LIMIT_BYTES = 256 << 20
LIMIT_ENTRIES = 20_000
"""To tidy up, all of them are looked at: a tenth of a second. A healed run leaves three small ones."""
SHARE = 16
"""A process tidies up when it has added a sixteenth of what may lie here, or of the entries that it found last."""
MAX_ENTRY_BYTES = 32 << 20
ABANDONED_S = 3600.0
"""Age at which a file that was never finished is taken for one whose writer is gone."""

_NAME = re.compile(r"[0-9a-f]{64}\Z")
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Usage(NamedTuple):
    """What lies in a cache."""

    entries: int
    bytes: int


_ROOM: dict[tuple[int, int], Usage] = {}
"""What this process may yet add to a folder, by device and inode, before it tidies up there; it uses one or two."""


def place() -> Path | None:
    """The cache's folder: `HEALING_RUNTIME_CACHE`, else in the user's cache folder; None if it is off."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen.strip().lower() == "off":
        return None
    return Path(chosen) if chosen else user_cache_path("healing-runtime") / "executables"


class Cache:
    """Bytes by their hash, in one folder.

    The folder is made when something is stored; it must have an absolute path, be this user's and have mode 0700.
    Several processes may use it at once. What was not used for longest goes when `limit_bytes` or `LIMIT_ENTRIES` are
    reached; each process sees that when it next tidies up, so for a while there may be a `SHARE` more from each.
    """

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self.folder, self._limit = folder, limit_bytes
        self.trouble = ""
        """Why the cache could not be used when it was last asked; empty if it could."""

    def store(self, data: bytes) -> str | None:
        """Keep bytes; returns their hash, or None if they could not be kept."""
        name = hashlib.sha256(data).hexdigest()
        with self._troubles(storing=True):
            if len(data) > MAX_ENTRY_BYTES:
                raise OSError(f"a program has {len(data)} bytes, and at most {MAX_ENTRY_BYTES} are kept of one")
            with self._opened(make=True) as folder:
                _write(folder, name, data)
                self._make_room(folder, len(data))
            return "sha256:" + name
        return None

    def fetch(self, sha256: str) -> bytes | None:
        """The bytes with this hash, or None. What lies under the hash and does not have it is removed."""
        name = sha256.removeprefix("sha256:")
        with self._troubles():
            if not _NAME.match(name):
                return None
            with self._opened(make=False) as folder:
                data = _read(folder, name)
                if data is None or hashlib.sha256(data).hexdigest() != name:
                    _remove(folder, name)
                    return None
                os.utime(name, dir_fd=folder, follow_symlinks=False)
                return data
        return None

    def discard(self, sha256: str) -> None:
        """Remove an entry that is of no use."""
        name = sha256.removeprefix("sha256:")
        with self._troubles():
            if _NAME.match(name):
                with self._opened(make=False) as folder:
                    _remove(folder, name)

    def usage(self) -> Usage:
        """How much lies here. Looking makes no folder."""
        with self._troubles(), self._opened(make=False) as folder:
            sizes = [size for _, size, name in _listed(folder) if _NAME.match(name)]
            return Usage(len(sizes), sum(sizes))
        return Usage(0, 0)

    # ------------------------------------------------------------ the folder
    @contextlib.contextmanager
    def _troubles(self, *, storing: bool = False) -> Iterator[None]:
        """Turn what the file system refuses into `trouble`.

        A folder or file that is not there is none, unless something was to be stored in it.
        """
        self.trouble = ""
        try:
            yield
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not storing:
                return
            self.trouble = f"the cache {self.folder} is not used: {error.strerror or error}"

    @contextlib.contextmanager
    def _opened(self, *, make: bool) -> Iterator[int]:
        """The folder as a descriptor, so that what was checked is what is used."""
        if not self.folder.is_absolute():
            raise OSError(f"it is no absolute path; name one in {VARIABLE}, or 'off'")
        if make:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.folder, 0o700)
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if found.st_uid != os.geteuid():
                raise PermissionError(f"it belongs to user {found.st_uid}; remove it, or name another in {VARIABLE}")
            if (mode := found.st_mode & 0o777) != 0o700:
                raise PermissionError(f"its mode is {mode:04o}; make it private with chmod 700")
            yield descriptor
        finally:
            os.close(descriptor)

    def _make_room(self, folder: int, added: int) -> None:
        """Count what was added, and tidy up when it is time: not at each store, which looks at every entry."""
        status = os.fstat(folder)
        here = status.st_dev, status.st_ino
        entries, size = _ROOM.get(here, (0, 0))
        if entries < 1 or size < added:
            left = self._prune(folder)
            entries, size = left.entries // SHARE, self._limit // SHARE
        _ROOM[here] = Usage(entries - 1, size - added)

    def _prune(self, folder: int) -> Usage:
        """Remove what nobody finished, then the longest unused until the rest fits; what is left."""
        now = time.time()
        files = []
        for used_s, size, name in _listed(folder):
            if used_s > now:  # the clock jumped; left as it is, this would be the youngest for ever
                used_s = now - 1.0
                with contextlib.suppress(OSError):
                    os.utime(name, (used_s, used_s), dir_fd=folder, follow_symlinks=False)
            files.append((used_s, size, name))
        entries = sum(1 for *_, name in files if _NAME.match(name))
        total = sum(size for _, size, name in files if _NAME.match(name))
        for used_s, size, name in sorted(files):
            if not _NAME.match(name):
                if used_s < now - ABANDONED_S:
                    _remove(folder, name)
            elif total > self._limit or entries > LIMIT_ENTRIES:
                _remove(folder, name)
                total -= size
                entries -= 1
        return Usage(entries, total)


def _write(folder: int, name: str, data: bytes) -> None:
    """A whole file or none: other processes see it when it is complete. Its hash tells if a crash cut it short."""
    unfinished = f".{name}.{secrets.token_hex(8)}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(unfinished, flags, 0o600, dir_fd=folder), "wb") as file:
            file.write(data)
        os.rename(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        _remove(folder, unfinished)
        raise


def _read(folder: int, name: str) -> bytes | None:
    """A file's bytes; None if it is no plain file of ours that only we can read."""
    try:
        file = open(os.open(name, _READ, dir_fd=folder), "rb")  # noqa: SIM115 (the next line closes it)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    with file:
        found = os.fstat(file.fileno())
        private = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
        return file.read() if private and found.st_size <= MAX_ENTRY_BYTES else None


def _listed(folder: int) -> list[tuple[float, int, str]]:
    """(last use, size, name) of every file that is still there."""
    found = []
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            found.append((status.st_mtime, status.st_size, name))
    return found


def _remove(folder: int, name: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)
