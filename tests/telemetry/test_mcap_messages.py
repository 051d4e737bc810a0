"""Whole MCAP files, and files that say of themselves that they are damaged or that a part of them is missing."""

from __future__ import annotations

import dataclasses
import io
import json
import struct

import pytest
import zstandard
from mcap.data_stream import RecordBuilder
from mcap.records import Chunk
from mcap.writer import CompressionType, IndexType, Writer

from healing_runtime.telemetry import mcap_messages
from healing_runtime.telemetry.columns import recording_of
from healing_runtime.telemetry.mcap_messages import messages_of
from healing_runtime.telemetry.mcap_recording import read_mcap

ALTITUDES = [1, 2, 3, 4, 5, 9, 7, 8]
FORMS = {
    "unchunked": {"use_chunking": False, "enable_data_crcs": True},
    "no index": {"index_types": IndexType.NONE},
    "chunk index alone": {"index_types": IndexType.CHUNK},
    "indexed": {},
}


def written(compression=CompressionType.NONE, lost=0, **options):
    """A file of eight messages in chunks of four; the last `lost` chunks are in no index."""
    file = io.BytesIO()
    writer = Writer(file, compression=compression, **options)
    writer.start()
    schema = writer.register_schema("any", "jsonschema", b"{}")
    channel = writer.register_channel("/odom", "json", schema)
    for k, altitude in enumerate(ALTITUDES):
        writer.add_message(channel, k * 10**8, json.dumps({"altitude_m": altitude}).encode(), k * 10**8)
        if k % 4 == 3 and options.get("use_chunking", True):
            writer._Writer__finalize_chunk()
    for _ in range(lost):
        writer._Writer__chunk_indices.pop()
    writer.finish()
    return file.getvalue()


def altitudes(data):
    return [json.loads(found.data)["altitude_m"] for found in messages_of(data)[0]]


@pytest.mark.parametrize("compression", list(CompressionType))
@pytest.mark.parametrize("form", FORMS)
def test_whole_files_of_any_form_are_read(form, compression):
    assert altitudes(written(compression, **FORMS[form])) == ALTITUDES


@pytest.mark.parametrize("form", FORMS)
def test_a_value_that_was_changed_is_told_by_a_checksum(form):
    data = written(**FORMS[form]).replace(b'"altitude_m": 9', b'"altitude_m": 1')
    with pytest.raises(ValueError, match=r"the checksum of its (chunk|data section) differs"):
        messages_of(data)


@pytest.mark.parametrize(
    ("checked", "options"),
    [
        (True, {}),
        (True, {"enable_data_crcs": True}),
        (True, {"enable_data_crcs": True, "use_chunking": False}),
        (False, {"use_chunking": False}),
        (False, {"enable_crcs": False}),
    ],
)
def test_it_is_known_whether_checksums_vouch_for_a_file(tmp_path, table, checked, options):
    data = written(**options)
    assert messages_of(data)[1] is checked
    (tmp_path / "flight.mcap").write_bytes(data)
    recording = recording_of(read_mcap(tmp_path / "flight.mcap"), "flight.mcap", "quad", table, None)
    assert any("states no checksum" in note for note in recording.notes) is not checked


def test_a_changed_summary_is_told_by_its_checksum():
    data = bytearray(written())
    data[data.rindex(b"/odom") + 1] ^= 1
    with pytest.raises(ValueError, match="the checksum of its summary differs"):
        messages_of(bytes(data))


def test_chunks_that_no_index_lists_are_read():
    assert altitudes(written(lost=1)) == altitudes(written(lost=2)) == ALTITUDES


def without_checksums(data):
    """The same file with nothing said about its data section and its summary."""
    end = data.index(struct.pack("<BQ", 0x0F, 4))
    return data[: end + 9] + bytes(4) + data[end + 13 : -12] + bytes(4) + data[-8:]


@pytest.mark.parametrize("statistics", [True, False])
def test_chunks_that_are_missing_are_missed(statistics):
    data = without_checksums(written(use_statistics=statistics))
    assert altitudes(data) == ALTITUDES
    first = data.index(b"\x06", data.index(b"/odom"))
    at = data.index(b"\x06" + data[first + 1 : first + 2], 8)
    length = struct.unpack_from("<Q", data, at + 1)[0] + 9
    with pytest.raises(ValueError, match="8 messages in 2 chunks and holds 4 in 1" if statistics else "is missing"):
        messages_of(data[:at] + data[at + length :])


@pytest.mark.parametrize("form", FORMS)
def test_no_cut_is_whole(form):
    data = written(**FORMS[form])
    for length in range(len(data)):
        with pytest.raises(Exception, match=r"."):
            messages_of(data[:length])


def chunk(**changes):
    """A file whose one chunk is a thousand spaces in zstd, with a header that may lie."""
    packed = zstandard.ZstdCompressor().compress(b" " * 1000)
    honest = Chunk("zstd", packed, 0, 0, 0, 1000)
    builder = RecordBuilder()
    dataclasses.replace(honest, **changes).write(builder)
    whole = written(use_chunking=False, use_statistics=False)
    at = whole.index(struct.pack("<BQ", 0x0F, 4))
    return without_checksums(whole[:at] + builder.end() + whole[at:])


@pytest.mark.parametrize("size", [0, 10, 999, 1001])
def test_a_chunk_that_lies_about_its_size_is_refused(size):
    with pytest.raises(ValueError, match=f"says that it holds {size} bytes and does not"):
        messages_of(chunk(uncompressed_size=size))


def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked(monkeypatch):
    with pytest.raises(ValueError, match="unpack to more than 1024 MiB"):
        messages_of(chunk(uncompressed_size=2**30 + 1, data=b"no frame"))
    monkeypatch.setattr(mcap_messages, "MOST_UNPACKED", 300)
    with pytest.raises(ValueError, match="unpack to more than"):  # two chunks, each of them small enough
        messages_of(written())


def test_other_packings_and_types_are_refused():
    with pytest.raises(ValueError, match="packed with 'xz'"):
        messages_of(chunk(compression="xz"))
    data = without_checksums(written(use_chunking=False, use_statistics=False))
    at = data.index(struct.pack("<BQ", 0x0F, 4))
    private = data[:at] + struct.pack("<BQ", 0x90, 2) + b"ab" + data[at:]
    assert altitudes(private) == ALTITUDES
    with pytest.raises(ValueError, match="no records of type 32"):
        messages_of(private.replace(b"\x90\x02", b"\x20\x02"))
