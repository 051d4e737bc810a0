"""What a worker's end means: its answer, its error, its exit status. All of it may come from a hostile process."""

from __future__ import annotations

import os
import signal
from typing import IO, Any

from healing_runtime.core import errors
from healing_runtime.core.errors import InputError, Location, WorkerFailed
from healing_runtime.sandbox.messages import Message

TAIL_BYTES = 1000


def opened(reply: Message) -> Message:
    """The envelope of a reply, opened: the answer, or the exception it stands for, raised."""
    match reply.header:
        case {"answer": dict(header), **rest} if not rest:
            return Message(header, reply.blobs)
        case {"error": {"kind": str(kind), "message": str(message), "where": where}}:
            raise _input_error(kind)(_printable(message), where=_location(where))
        case {"failure": {"reason": str(reason), "detail": str(detail)}}:
            raise WorkerFailed(_printable(reason), _printable(detail))
    raise WorkerFailed("answered outside the schema", "neither an answer nor an error")


def _input_error(kind: str) -> type[InputError]:
    found = getattr(errors, kind, None)
    return found if isinstance(found, type) and issubclass(found, InputError) else InputError


def _location(where: Any) -> Location | None:
    match where:
        case {"path": str(path), "line": int(line), "column": int(column)}:
            return Location(_printable(path), line, column)
    return None


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text[:8000])


def status_in_words(status: int) -> str:
    """An exit status as `waitstatus_to_exitcode` gives it, in words."""
    if status >= 0:
        return f"exited with status {status} without an answer"
    if -status == signal.SIGXCPU:
        return "spent its CPU time"
    names = {number.value: number.name for number in signal.Signals}  # real-time signals have none
    return f"killed by {names.get(-status, f'signal {-status}')}"


def tail(log: IO[bytes] | int) -> str:
    """The last bytes that a process wrote to its output, printable."""
    number = log if isinstance(log, int) else log.fileno()
    size = os.fstat(number).st_size
    data = os.pread(number, TAIL_BYTES, max(0, size - TAIL_BYTES))
    return _printable(data.decode(errors="replace")).strip()
