"""What crosses the border of a worker: jobs, limits, and messages in a fixed frame.

A frame is `magic | header length | number of blobs | blob lengths | header | blobs` in network byte order; the header
is canonical JSON, blobs are bytes. Nothing is ever unpickled, and every length is checked before anything is allocated,
because the other side may be hostile.
"""

from __future__ import annotations

import dataclasses
import json
import math
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from healing_runtime.core import codec

MAGIC = b"HRM1"
MAX_HEADER_BYTES = 64 << 20
MAX_BLOBS = 4096
MAX_FRAME_BYTES = 1 << 30
MAX_ANSWER_HEADER_BYTES = 8 << 20
MAX_ANSWER_BYTES = 128 << 20
"""An answer is smaller than a job may be: a header takes up to thirty times its length once it is read."""
_PREFIX = struct.Struct("!4sQI")


@dataclasses.dataclass(frozen=True)
class Message:
    """A JSON mapping and some bytes. The header may hold records; the receiver sees plain values (`codec.read`)."""

    header: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    blobs: tuple[bytes, ...] = ()


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one job may use.

    Attributes:
        wall_s: seconds from being given the job to the whole answer; then the process group is killed from outside.
        cpu_s: seconds of CPU time over all threads (rounded up to whole seconds by the kernel).
        memory_bytes: address space; below 2.25 GB compiling crashes.
        file_bytes: largest file the worker can write.
        open_files: largest number of open descriptors.
        readable: files and folders that may be read beside Python's, the package's and the sandbox's own `path`.
        scratch: the one folder that may be written in; empty for none.
    """

    wall_s: float = 20.0
    cpu_s: float = 40.0
    memory_bytes: int = 6 << 30
    file_bytes: int = 16 << 20
    open_files: int = 256
    readable: tuple[str, ...] = ()
    scratch: str = ""

    def reading(self, *paths: str | Path) -> Limits:
        """The same, with these files and folders in reach of reading."""
        return dataclasses.replace(self, readable=(*self.readable, *(str(Path(path).resolve()) for path in paths)))

    def __post_init__(self) -> None:
        """ValueError for a limit that nothing could stay within, or that never ends."""
        for name in ("wall_s", "cpu_s", "memory_bytes", "open_files"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name} of a job is {value}; give a number above 0 that is not infinite.")


@dataclasses.dataclass(frozen=True)
class Job:
    """One call `package.module:function` of a function `Message -> Message` in a fresh worker.

    `nproc` is the number of cores XLA sees; None leaves all of them (search), everything that carries a verdict uses 1,
    because results change with it.
    """

    function: str
    message: Message = dataclasses.field(default_factory=Message)
    limits: Limits = dataclasses.field(default_factory=Limits)
    nproc: int | None = 1


class FrameError(ValueError):
    """Bytes that are not a frame."""


def pack(message: Message) -> bytes:
    """A message as one frame. FrameError if it is larger than a receiver takes."""
    header = codec.canonical(message.header)
    lengths = struct.pack(f"!{len(message.blobs)}Q", *map(len, message.blobs))
    size = len(header) + sum(map(len, message.blobs))
    if len(header) > MAX_HEADER_BYTES or len(message.blobs) > MAX_BLOBS or size > MAX_FRAME_BYTES:
        raise FrameError(f"a message of {size} bytes in {len(message.blobs)} blobs is too large")
    return b"".join((_PREFIX.pack(MAGIC, len(header), len(message.blobs)), lengths, header, *message.blobs))


def unpack_answer(read_exactly: Callable[[int], bytes]) -> Message:
    """`unpack` with the caps for what a worker may answer."""
    return unpack(read_exactly, MAX_ANSWER_HEADER_BYTES, MAX_ANSWER_BYTES)


def unpack(
    read_exactly: Callable[[int], bytes], header_bytes: int = MAX_HEADER_BYTES, frame_bytes: int = MAX_FRAME_BYTES
) -> Message:
    """One frame, taken from `read_exactly(n) -> n bytes` (which raises EOFError at an early end).

    FrameError for a wrong magic, a length above the caps, a header that is not a JSON object.
    """
    magic, header_length, blob_count = _PREFIX.unpack(read_exactly(_PREFIX.size))
    if magic != MAGIC:
        raise FrameError("the first bytes are not a frame's")
    if header_length > header_bytes or blob_count > MAX_BLOBS:
        raise FrameError("the frame announces more than is allowed")
    lengths = struct.unpack(f"!{blob_count}Q", read_exactly(8 * blob_count))
    if sum(lengths) + header_length > frame_bytes:
        raise FrameError("the frame announces more than is allowed")
    try:
        header = json.loads(read_exactly(header_length), parse_constant=_no_constant)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FrameError("the header is not JSON") from error
    if not isinstance(header, dict):
        raise FrameError("the header is not a JSON object")
    return Message(header, tuple(read_exactly(n) for n in lengths))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
