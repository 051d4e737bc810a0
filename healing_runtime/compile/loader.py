"""Loading off the loop's thread: the loop goes on, or writes something down, while a program is made ready."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from healing_runtime.compile import programs
from healing_runtime.compile.programs import Program, ProgramBlob


class Loader:
    """One thread that loads and warms executables, in the order asked."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="program-loader")

    def load(self, blob: ProgramBlob) -> Future[Program]:
        """Start loading. The future gives a program that has run, ready to be offered to the slot."""
        return self._thread.submit(programs.load, blob)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what is being loaded and end the thread; idempotent."""
        self._thread.shutdown(wait=True, cancel_futures=True)
