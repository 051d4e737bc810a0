"""The bytes of an MCAP file: what a log's data section may hold, and the ending that closes it.

Only what our own logs use is known here: a header, the run's name, schemas, channels and messages, none of them in
chunks. Format: the MCAP specification, version 0. `mcap.records` writes the rare records; messages, thousands a second,
are packed here.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import NamedTuple

from mcap.data_stream import ReadDataStream, RecordBuilder
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)

MAGIC = b"\x89MCAP0\r\n"
BROKEN = (KeyError, ValueError, struct.error, McapError)
"""What `Contents.take` raises for a record that is not whole."""

_LIBRARY = "healing-runtime"
_RUN, _RUN_ID = "run", "run_id"
RECORD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<BQHIQQ")
_MESSAGE_BODY = struct.Struct("<HIQQ")
_FOOTER_START = struct.Struct("<BQQQ")


class LogMessage(NamedTuple):
    """One row of a log; `data` is its JSON as written."""

    topic: str
    t_ns: int
    data: bytes


def beginning() -> bytes:
    """The first bytes of a log."""
    return MAGIC + _record_bytes(Header(profile="", library=_LIBRARY))


class Contents:
    """What the end of a file must say about its data section."""

    def __init__(self) -> None:
        self.schemas: dict[int, Schema] = {}
        self.channels: dict[int, Channel] = {}
        self.counts: dict[int, int] = {}
        self.start_ns = self.end_ns = 0
        self.run: str | None = None
        self._named: MetadataIndex | None = None

    def name_run(self, run: str, position: int) -> bytes:
        """The record, at a position of the file, that says whose log this is."""
        record = _record_bytes(Metadata(name=_RUN, metadata={_RUN_ID: run}))
        self._take_run(record[RECORD.size :], position)
        return record

    def channel(self, topic: str, name: str, schema: bytes) -> tuple[int, bytes]:
        """A new channel with its JSON Schema: its number, and the records to append."""
        number = len(self.channels) + 1
        self.schemas[number] = Schema(id=number, data=schema, encoding="jsonschema", name=name)
        self.channels[number] = Channel(id=number, message_encoding="json", metadata={}, schema_id=number, topic=topic)
        return number, _record_bytes(self.schemas[number]) + _record_bytes(self.channels[number])

    def message(self, channel: int, t_ns: int, data: bytes) -> bytes:
        """The record of a new message."""
        sequence = self._count(channel, t_ns)
        return _MESSAGE.pack(Opcode.MESSAGE, _MESSAGE_BODY.size + len(data), channel, sequence, t_ns, t_ns) + data

    def take(self, opcode: int, body: bytes, position: int) -> LogMessage | None:
        """Take in the record at a position of a file; the message, if it is one. Raises one of `BROKEN`."""
        if opcode == Opcode.MESSAGE:
            return self._take_message(body)
        if opcode == Opcode.SCHEMA:
            schema = Schema.read(_stream(body))
            self.schemas[schema.id] = schema
        elif opcode == Opcode.CHANNEL:
            channel = Channel.read(_stream(body))
            self.channels[channel.id] = channel
        elif opcode == Opcode.METADATA:
            self._take_run(body, position)
        elif opcode != Opcode.HEADER:
            raise ValueError(f"unexpected record type {opcode}")
        return None

    def _take_run(self, body: bytes, position: int) -> None:
        if self.run is not None:
            raise ValueError("the run is named twice")
        self.run = Metadata.read(_stream(body)).metadata[_RUN_ID]
        self._named = MetadataIndex(offset=position, length=RECORD.size + len(body), name=_RUN)

    def _take_message(self, body: bytes) -> LogMessage:
        channel, sequence, t_ns, published_ns = _MESSAGE_BODY.unpack_from(body)
        topic = self.channels[channel].topic
        if published_ns != t_ns:
            raise ValueError(f"the two times of a message of {topic} differ")
        if sequence != self.counts.get(channel, 0):
            raise ValueError(f"message {self.counts.get(channel, 0)} of {topic} is missing")
        self._count(channel, t_ns)
        return LogMessage(topic, t_ns, body[_MESSAGE_BODY.size :])

    def _count(self, channel: int, t_ns: int) -> int:
        self.start_ns, self.end_ns = (min(self.start_ns, t_ns), max(self.end_ns, t_ns)) if self.counts else (t_ns, t_ns)
        sequence = self.counts.get(channel, 0)
        self.counts[channel] = sequence + 1
        return sequence

    def ending(self, position: int, crc: int) -> bytes:
        """Everything after the last data record, for a data section of `position` bytes with that CRC-32."""
        end = _record_bytes(DataEnd(crc))
        groups: list[tuple[Opcode, list[McapRecord]]] = [
            (Opcode.SCHEMA, list(self.schemas.values())),
            (Opcode.CHANNEL, list(self.channels.values())),
            (Opcode.STATISTICS, [self._statistics()]),
            (Opcode.METADATA_INDEX, [] if self._named is None else [self._named]),
        ]
        summary_start = position + len(end)
        summary, offsets = b"", b""
        for opcode, records in groups:
            if not records:
                continue
            group, start = b"".join(map(_record_bytes, records)), summary_start + len(summary)
            offsets += _record_bytes(SummaryOffset(group_opcode=opcode, group_start=start, group_length=len(group)))
            summary += group
        offset_start = summary_start + len(summary)
        summary += offsets
        # The summary's checksum covers the footer up to the checksum itself.
        checked = summary + _FOOTER_START.pack(Opcode.FOOTER, 8 + 8 + 4, summary_start, offset_start)
        footer = Footer(summary_start=summary_start, summary_offset_start=offset_start, summary_crc=zlib.crc32(checked))
        return end + summary + _record_bytes(footer) + MAGIC

    def _statistics(self) -> Statistics:
        return Statistics(
            attachment_count=0,
            channel_count=len(self.channels),
            channel_message_counts=dict(self.counts),
            chunk_count=0,
            message_count=sum(self.counts.values()),
            message_end_time=self.end_ns,
            message_start_time=self.start_ns,
            metadata_count=int(self._named is not None),
            schema_count=len(self.schemas),
        )


def _stream(body: bytes) -> ReadDataStream:
    return ReadDataStream(io.BytesIO(body))


def _record_bytes(record: McapRecord) -> bytes:
    builder = RecordBuilder()
    record.write(builder)
    return builder.end()
