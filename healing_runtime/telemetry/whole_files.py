"""Files that are there whole or not at all, whatever ends the process, and survive a loss of power."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from healing_runtime.core.errors import RecordError, RecordNotWritten


def write_whole(path: Path, data: bytes) -> None:
    """Whole or not at all: a temporary file that nobody could have put there, made durable, renamed over the old one.

    Raises:
        RecordError: the folder cannot be written to; what was there before is as it was.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        make_rename_durable(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise not_written(path, error) from error


def rename(path: Path, new: Path) -> None:
    """Durably, over a file that is there. RecordError where the folder cannot be written to."""
    try:
        path.replace(new)
        make_rename_durable(new.parent)
    except OSError as error:
        raise not_written(path, error, "renamed") from error


def remove(path: Path) -> None:
    """Durably; nothing to do where it is not there. RecordError where the folder cannot be written to."""
    try:
        path.unlink(missing_ok=True)
        make_rename_durable(path.parent)
    except OSError as error:
        raise not_written(path, error, "removed") from error


def not_written(path: Path, error: BaseException, done: str = "written") -> RecordError:
    """Why a file of a record cannot be written, and what to do: nothing of it is the input's fault."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    advice = "make room there" if full else "see that its folder can be written to"
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return RecordNotWritten(f"{path} cannot be {done}: {reason.lower()}; {advice}.")


def make_rename_durable(folder: Path) -> None:
    """Let what was renamed or removed in a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
