"""One process flies a run: a lock on its folder, which ends with the process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from healing_runtime.core.errors import RecordError


class Claim:
    """That this process is the only one that flies a run. One object a claim."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    @classmethod
    def on(cls, folder: Path) -> Self:
        """Claim the run in a folder.

        Raises:
            RecordError: another process has claimed it.
        """
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise RecordError(f"{folder} is being flown by another process; wait until that has ended.") from None
        return cls(handle)

    def close(self) -> None:
        """Give it back; a second call does nothing."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
