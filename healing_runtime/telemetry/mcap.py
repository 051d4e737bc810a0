"""The log of a run as MCAP: JSON messages, unchunked and uncompressed, readable after a kill at any byte.

Records are appended whole and never touched again, so a log that was cut off is its whole records and nothing else.
Closing (or repairing) adds what public tools want: the end of the data section with its checksum, the schemas and
channels again, statistics and a footer.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import queue
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mcap.opcode import Opcode

from healing_runtime.core import codec
from healing_runtime.core.errors import RecordError
from healing_runtime.telemetry.mcap_format import BROKEN, MAGIC, RECORD, Contents, LogMessage, beginning
from healing_runtime.telemetry.whole_files import not_written, write_whole

JsonSchema = Mapping[str, Any]

FLUSH_EVERY_S = 0.25
_QUEUE_LIMIT = 100_000
MAX_BYTES = 2 << 30
"""Largest log that is read: it is read whole. The longest runs write less."""


@dataclasses.dataclass(frozen=True)
class LogContents:
    """What could be read.

    `broken_at` says where and why reading stopped, or that the checksum differs; `truncated` that the file was cut off
    and not damaged, so that nothing is wrong with the messages; `broken_record` that what reading stopped at is all
    there and no record. `run` is the run that the log names as its own.
    """

    messages: tuple[LogMessage, ...]
    complete: bool
    broken_at: str | None = None
    truncated: bool = False
    broken_record: bool = False
    run: str | None = None


class LogWriter:
    """Appends to a new log. One thread at a time; `LogDrain` moves it off the loop's thread.

    Args:
        path: a file that does not exist yet.
        channels: topic -> JSON Schema of its messages. A mapping declares its topics at once and no others; a function
            is asked when a topic is first written to.
        run: the run whose log it is; the file then says so.
    """

    def __init__(
        self,
        path: Path,
        channels: Mapping[str, JsonSchema] | Callable[[str], JsonSchema],
        run: str | None = None,
    ) -> None:
        self.path = path
        self._contents = Contents()
        self._ids: dict[str, int] = {}
        self._schema_of = channels.__getitem__ if isinstance(channels, Mapping) else channels
        self._position = self._crc = 0
        try:
            self._file = path.open("xb")
        except OSError as error:
            raise not_written(path, error, "created") from error
        self._append(beginning())
        if run is not None:
            self._append(self._contents.name_run(run, self._position))
        for topic in channels if isinstance(channels, Mapping) else ():
            self._declare(topic)
        self.flush()

    def _declare(self, topic: str) -> int:
        schema = self._schema_of(topic)
        name = str(schema.get("title", topic.strip("/").replace("/", ".")))
        number, records = self._contents.channel(topic, name, codec.canonical(schema))
        self._ids[topic] = number
        self._append(records)
        return number

    def write(self, topic: str, t_ns: int, message: Mapping[str, Any]) -> None:
        """Append one message. KeyError for a topic that has no schema."""
        channel = self._ids.get(topic) or self._declare(topic)
        self._append(self._contents.message(channel, t_ns, _json_bytes(message)))

    def flush(self) -> None:
        """Hand everything to the operating system: it survives a kill of this process."""
        self._file.flush()

    def close(self) -> None:
        """Finish the file and make it durable; a second call does nothing."""
        if self._file.closed:
            return
        with self._file:
            self._file.write(self._contents.ending(self._position, self._crc))
            self._file.flush()
            os.fsync(self._file.fileno())

    def abandon(self) -> None:
        """Let go of the file without an ending; it is a truncated log."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _append(self, data: bytes) -> None:
        self._file.write(data)
        self._position += len(data)
        self._crc = zlib.crc32(data, self._crc)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class LogDrain:
    """A queue and a thread in front of a writer: order kept, flushed each 0.25 s of wall time.

    An error of the thread is raised by `close`; until then further messages are dropped.
    """

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer
        self._queue: queue.SimpleQueue[tuple[str, int, Mapping[str, Any]] | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, topic: str, t_ns: int, message: Mapping[str, Any]) -> None:
        """Queue one message; the caller must not change it afterwards. Waits while the queue is overfull."""
        while self._queue.qsize() > _QUEUE_LIMIT:
            time.sleep(0.001)
        self._queue.put((topic, t_ns, message))

    def close(self) -> None:
        """Write what is queued, finish the file, and raise what went wrong; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        if self._error is not None:
            raise not_written(self._writer.path, self._error) from self._error

    def _run(self) -> None:
        try:
            self._drain()
            self._writer.close()
        except Exception as error:
            self._error = error
            self._writer.abandon()
            while self._queue.get() is not None:
                pass

    def _drain(self) -> None:
        due, dirty = time.monotonic() + FLUSH_EVERY_S, False
        while True:
            try:
                item = self._queue.get(timeout=max(0.0, due - time.monotonic()) if dirty else None)
                if item is None:
                    return
                if not dirty:
                    due, dirty = max(due, time.monotonic()), True
                self._writer.write(*item)
            except queue.Empty:
                pass
            if dirty and time.monotonic() >= due:
                self._writer.flush()
                due, dirty = time.monotonic() + FLUSH_EVERY_S, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def read_log(path: Path) -> LogContents:
    """All whole messages, in the order written; reading stops at the first broken record.

    Raises:
        RecordError: there is no such file, or it is not an MCAP log.
    """
    return _read(path)[0]


def repair_log(path: Path) -> LogContents:
    """Give a truncated log its ending, in place and atomically, so that public tools open it.

    A complete log is left as it is.

    Raises:
        RecordError: there is no such log, it is damaged inside rather than cut off, or it cannot be written.
    """
    found, contents, good = _read(path)
    if found.complete:
        return found
    if not found.truncated:
        raise RecordError(f"{path} is damaged, not cut off ({found.broken_at}); it is left as it is.")
    kept = path.read_bytes()[:good]
    if len(kept) <= len(MAGIC):
        kept = beginning()
    write_whole(path, kept + contents.ending(len(kept), zlib.crc32(kept)))
    return read_log(path)


def digest_of(messages: Iterable[LogMessage]) -> str:
    """`sha256:` over topic, time and data of every message, in order; independent of anything else in a file."""
    total = hashlib.sha256()
    for topic, t_ns, data in messages:
        name = topic.encode()
        total.update(struct.pack("<IQI", len(name), t_ns, len(data)) + name + data)
    return "sha256:" + total.hexdigest()


def _read(path: Path) -> tuple[LogContents, Contents, int]:
    """What is there, what the ending must say about it, and the length of the good part."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise RecordError(f"the log {path} is larger than {MAX_BYTES >> 30} GiB; no run writes such a file.")
            data = file.read(MAX_BYTES)
    except OSError as error:
        raise RecordError(f"the log {path} cannot be read: {(error.strerror or 'unknown').lower()}.") from error
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise RecordError(f"{path} is not an MCAP log.")
    contents, messages = Contents(), list[LogMessage]()
    sealed = len(data) > len(MAGIC) and data.endswith(MAGIC)
    at = min(len(MAGIC), len(data))
    def found(
        complete: bool, broken_at: str | None = None, truncated: bool = False, broken_record: bool = False
    ) -> tuple[LogContents, Contents, int]:
        return LogContents(tuple(messages), complete, broken_at, truncated, broken_record, contents.run), contents, at

    while True:
        end = at + RECORD.size
        opcode, length = RECORD.unpack_from(data, at) if end <= len(data) else (0, 0)
        body, end = data[end : end + length], end + length
        if end > len(data):
            return found(False, f"byte {at}: the file ends inside a record", not sealed)
        try:
            if opcode == Opcode.DATA_END:
                break
            if (message := contents.take(opcode, body, at)) is not None:
                messages.append(message)
        except BROKEN as error:
            return found(False, f"byte {at}: a broken record ({error})", not sealed, broken_record=True)
        at = end
    if body != struct.pack("<I", zlib.crc32(data[:at])):
        return found(False, f"byte {at}: the checksum of the data differs")
    if not sealed:
        return found(False, f"byte {end}: the file ends inside its summary", truncated=True)
    if data[at:] != contents.ending(at, zlib.crc32(data[:at])):
        return found(False, f"byte {end}: the summary is not that of the data")
    return found(True)


def _json_bytes(message: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(message, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError):  # arrays, records, or a number that is not finite
        return codec.canonical(message)
