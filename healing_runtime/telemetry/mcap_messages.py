"""The messages of any recorder's MCAP file, read from its first byte to its last; every checksum it states is checked.

An index is never trusted to say what there is: chunks that no index lists are read as well, and what the summary counts
or lists and the data does not hold makes the file not whole. Format: the MCAP specification, version 0.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, ChunkIndex, DataEnd, Footer, Message, Schema, Statistics

from healing_runtime.telemetry.mcap_format import MAGIC, RECORD

MOST_UNPACKED = 2**30
"""Bytes that the chunks of a file may unpack to, all together."""
_PRIVATE = 0x80
"""Types of records from here on are a recorder's own; anybody may pass over them."""
_KNOWN = {int(code) for code in Opcode}


class Found(NamedTuple):
    """One message and its channel."""

    topic: str
    encoding: str
    t_ns: int
    data: bytes


def messages_of(data: bytes) -> tuple[list[Found], bool]:
    """All messages of a file, in the order of time, and whether checksums vouch for all of them.

    Messages of one instant are in the order written.

    Raises:
        ValueError: what is damaged, missing or too large. On damaged bytes the format's library raises what its parts
            raise: any exception means that the file is not whole.
    """
    file = _File(data)
    return sorted(file.messages(), key=lambda found: found.t_ns), file.checked


class _File:
    """Reads one file, once."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._schemas: set[int] = set()
        self._channels: dict[int, Channel] = {}
        self._chunks: set[int] = set()
        self._count = self._unpacked = 0
        self.checked = True
        """Whether checksums vouch for all messages; known once they are read."""

    def messages(self) -> Iterator[Found]:
        """In the order written."""
        data = self._data
        if not data.startswith(MAGIC):
            raise ValueError("it does not begin as one")
        if not data.endswith(MAGIC) or len(data) < 2 * len(MAGIC):
            raise ValueError("its end is missing")
        records = _records(data, len(MAGIC), len(data) - len(MAGIC))
        unchecked = False
        for at, opcode, body in records:
            if opcode == Opcode.DATA_END:
                stated = DataEnd.read(_stream(body)).data_section_crc
                _must_match("data section", stated, memoryview(data)[:at])
                self.checked = bool(stated) or not unchecked
                break
            if opcode == Opcode.CHUNK:
                chunk = Chunk.read(_stream(body))
                unchecked |= not chunk.uncompressed_crc
                self._chunks.add(at)
                yield from self._taken(_records(self._unpack(chunk)))
            else:
                unchecked |= opcode == Opcode.MESSAGE
                yield from self._taken([(at, opcode, body)])
        else:
            raise ValueError("the end of its data section is missing")
        self._must_agree(records)

    def _taken(self, records: Iterator[tuple[int, int, bytes]] | list[tuple[int, int, bytes]]) -> Iterator[Found]:
        for _, opcode, body in records:
            if opcode == Opcode.SCHEMA:
                self._schemas.add(Schema.read(_stream(body)).id)
            elif opcode == Opcode.CHANNEL:
                channel = Channel.read(_stream(body))
                if channel.schema_id and channel.schema_id not in self._schemas:
                    raise ValueError(f"the schema of {channel.topic} is missing")
                self._channels[channel.id] = channel
            elif opcode == Opcode.CHUNK:
                raise ValueError("a chunk holds another chunk")
            elif opcode == Opcode.MESSAGE:
                message = Message.read(_stream(body), len(body))
                channel = self._channels.get(message.channel_id)
                if channel is None:
                    raise ValueError(f"channel {message.channel_id} is missing")
                self._count += 1
                yield Found(channel.topic, channel.message_encoding, message.log_time, message.data)

    def _unpack(self, chunk: Chunk) -> bytes:
        """What a chunk holds; it may lie about its size, so no more than that is ever unpacked."""
        size = chunk.uncompressed_size
        self._unpacked += size
        if self._unpacked > MOST_UNPACKED:
            raise ValueError(f"its chunks unpack to more than {MOST_UNPACKED // 2**20} MiB")
        if chunk.compression == "zstd":
            data = zstandard.ZstdDecompressor().stream_reader(chunk.data).read(size + 1)
        elif chunk.compression == "lz4":
            data = lz4.frame.LZ4FrameDecompressor().decompress(chunk.data, max_length=size + 1)
        elif chunk.compression == "":
            data = chunk.data
        else:
            raise ValueError(f"a chunk is packed with '{chunk.compression}', which is neither zstd nor lz4")
        if len(data) != size:
            raise ValueError(f"a chunk says that it holds {size} bytes and does not")
        _must_match("chunk", chunk.uncompressed_crc, data)
        return data

    def _must_agree(self, summary: Iterator[tuple[int, int, bytes]]) -> None:
        """What follows the data says what the data must hold."""
        for at, opcode, body in summary:
            if opcode == Opcode.STATISTICS:
                counted = Statistics.read(_stream(body))
                if (counted.message_count, counted.chunk_count) != (self._count, len(self._chunks)):
                    raise ValueError(
                        f"it counts {counted.message_count} messages in {counted.chunk_count} chunks and holds "
                        f"{self._count} in {len(self._chunks)}"
                    )
            elif opcode == Opcode.CHUNK_INDEX:
                start = ChunkIndex.read(_stream(body)).chunk_start_offset
                if start not in self._chunks:
                    raise ValueError(f"the chunk at byte {start} is missing")
            elif opcode == Opcode.FOOTER:
                footer = Footer.read(_stream(body))
                # The checksum covers the footer up to the checksum itself.
                checked = memoryview(self._data)[footer.summary_start or at : at + RECORD.size + len(body) - 4]
                _must_match("summary", footer.summary_crc, checked)
                return
        raise ValueError("its footer is missing")


def _records(data: bytes, at: int = 0, end: int | None = None) -> Iterator[tuple[int, int, bytes]]:
    """Where each record begins, its type and its body. ValueError if one is not whole."""
    end = len(data) if end is None else end
    while at < end:
        if at + RECORD.size > end:
            raise ValueError(f"byte {at}: a record is cut off")
        opcode, length = RECORD.unpack_from(data, at)
        start = at + RECORD.size
        if length > end - start:
            raise ValueError(f"byte {at}: a record is cut off")
        if opcode not in _KNOWN and opcode < _PRIVATE:
            raise ValueError(f"byte {at}: there are no records of type {opcode}")
        yield at, opcode, data[start : start + length]
        at = start + length


def _must_match(what: str, stated: int, data: bytes | memoryview) -> None:
    """Zero states nothing."""
    if stated and stated != zlib.crc32(data):
        raise ValueError(f"the checksum of its {what} differs")


def _stream(body: bytes) -> ReadDataStream:
    return ReadDataStream(io.BytesIO(body))
