"""Programs of earlier runs: their executables in the private cache, their hashes in this workspace's ledger.

Only bytes that the ledger names for a build are ever used, and their hash is checked before anything in them is read.
Whatever goes wrong here, the program is built as if nothing had been kept; so it is where a kept one does not load
(`build.ask_build` tries that in a worker before it gives one out).

That a fallback was admitted is remembered in the cache alone: more people write in a workspace than in a user's cache.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from healing_runtime.compile import wire
from healing_runtime.compile.cache import Cache, place
from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core import codec
from healing_runtime.core.errors import RecordError, WorkerFailed
from healing_runtime.ledger.store import Ledger


class KeptPrograms:
    """What a run may use instead of building it again, and where it leaves what it built.

    Args:
        ledger: path of the ledger with the hashes. It is never made here; until it is there, what is to be kept waits.
        cache: where the bytes lie; None keeps nothing and finds nothing.
        narrate: told once if the cache cannot be used.
    """

    def __init__(self, ledger: Path, cache: Cache | None, narrate: Callable[[str], None] = lambda _: None) -> None:
        self._path, self._cache, self._narrate = ledger, cache, narrate
        self._lock = threading.RLock()
        self._ledger: Ledger | None = None
        self._waiting: list[tuple[str, ProgramBlob]] = []
        self._told = False

    @classmethod
    def beside(cls, ledger: Path, narrate: Callable[[str], None] = lambda _: None) -> Self:
        """Those that a ledger names, in the user's cache."""
        folder = place()
        return cls(ledger, None if folder is None else Cache(folder), narrate)

    @classmethod
    def none(cls) -> Self:
        """Nothing is found and nothing kept."""
        return cls(Path(), None)

    def find(self, key: str) -> ProgramBlob | None:
        """The program that was built for this key, if its bytes are still what the ledger says."""
        with self._lock, contextlib.suppress(RecordError, OSError):
            sha256 = self._named(key)
            if sha256 is None or self._cache is None:
                return None
            data = self._cache.fetch(sha256)
            self._tell()
            if data is None:
                return None
            try:
                return wire.read_blob_file(data, key)
            except WorkerFailed:
                self._cache.discard(sha256)
        return None

    def discard(self, key: str, why: str) -> None:
        """Remove what was kept for this key, because it is of no use, and say why."""
        with self._lock, contextlib.suppress(RecordError, OSError):
            self._narrate(f"a program of an earlier run is compiled again: {why}")
            sha256 = self._named(key)
            if sha256 is not None and self._cache is not None:
                self._cache.discard(sha256)

    def keep(self, key: str, program: ProgramBlob) -> None:
        """Remember what was built for this key."""
        if self._cache is not None:
            with self._lock:
                self._waiting.append((key, program))
                self.settle()

    def admitted(self, key: str) -> bool:
        """Whether an earlier run admitted a fallback under this key (`gate.fallback`)."""
        with self._lock:
            return self._cache is not None and self._cache.fetch(codec.digest(_admission(key))) is not None

    def admit(self, key: str) -> None:
        """Remember that a fallback was admitted under this key."""
        if self._cache is not None:
            with self._lock:
                self._cache.store(_admission(key))
                self._tell()

    def settle(self) -> None:
        """Put away what waits for the ledger, if that is there by now."""
        with self._lock, contextlib.suppress(RecordError, OSError):
            ledger = self._opened()
            while ledger is not None and self._cache is not None and self._waiting:
                key, program = self._waiting.pop()
                sha256 = self._cache.store(wire.blob_file(program, key))
                self._tell()
                if sha256 is not None:
                    ledger.record_executable(sha256, key)

    def close(self) -> None:
        """Put away what can be, and let go of the ledger; idempotent."""
        with self._lock:
            self.settle()
            if self._ledger is not None:
                self._ledger.close()
                self._ledger = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _named(self, key: str) -> str | None:
        """The hash that the ledger names for a key."""
        ledger = self._opened()
        return None if ledger is None else ledger.executable(key)

    def _opened(self) -> Ledger | None:
        if self._ledger is None and self._path.is_file():
            self._ledger = Ledger(self._path)
        return self._ledger

    def _tell(self) -> None:
        if self._cache is not None and self._cache.trouble and not self._told:
            self._told = True
            self._narrate(self._cache.trouble)


def _admission(key: str) -> bytes:
    """What the cache holds, under its own hash, where a fallback was admitted under a key."""
    return codec.canonical({"admission": key})
