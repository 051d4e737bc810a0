"""The log: readable after a kill at any byte, opened by the public reader, and never silently wrong."""

from __future__ import annotations

import json
import math
import os
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.stream_reader import StreamReader

from healing_runtime.core.errors import RecordError
from healing_runtime.telemetry.mcap import (
    MAGIC,
    LogDrain,
    LogMessage,
    LogWriter,
    digest_of,
    read_log,
    repair_log,
)

SCHEMA = {"type": "object", "properties": {"tick": {"type": "integer"}}}
CHANNELS = {"/sim/state": SCHEMA, "/event": {"title": "Event", "type": "object"}}


def small_log(path, rows=3):
    with LogWriter(path, CHANNELS) as writer:
        for tick in range(rows):
            writer.write("/sim/state", tick * 10**9 // 48, {"tick": tick, "values": {"altitude_m": 1.5 - tick}})
            writer.write("/event", tick * 10**9 // 48, {"tick": tick, "event": "tick"})
    return path


def publicly_read(path):
    """(topic, time, data) as the public package reads them, checksums validated."""
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        statistics = reader.get_summary().statistics
        messages = [LogMessage(c.topic, m.log_time, m.data) for s, c, m in reader.iter_messages(log_time_order=False)]
    assert statistics.message_count == len(messages)
    with path.open("rb") as file:
        assert len(list(StreamReader(file, validate_crcs=True).records)) > len(messages)
    return tuple(messages)


def test_what_is_written_is_read(tmp_path):
    contents = read_log(small_log(tmp_path / "log.mcap"))
    assert contents.complete and contents.broken_at is None
    assert [m.topic for m in contents.messages] == ["/sim/state", "/event"] * 3
    assert contents.messages[2].t_ns == 10**9 // 48
    assert json.loads(contents.messages[2].data) == {"tick": 1, "values": {"altitude_m": 0.5}}


def test_a_closed_log_opens_in_the_public_reader(tmp_path):
    path = small_log(tmp_path / "log.mcap")
    assert publicly_read(path) == read_log(path).messages
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert {c.topic for c in summary.channels.values()} == set(CHANNELS)
    assert {s.name for s in summary.schemas.values()} == {"sim.state", "Event"}
    assert {s.encoding for s in summary.schemas.values()} == {"jsonschema"}
    assert json.loads(summary.schemas[1].data) == SCHEMA
    assert summary.chunk_indexes == []


def test_every_prefix_is_readable_and_repairable(tmp_path):
    whole = small_log(tmp_path / "log.mcap", rows=2)
    data, messages = whole.read_bytes(), read_log(whole).messages
    cut, seen = tmp_path / "cut.mcap", set()
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        contents = read_log(cut)
        assert not contents.complete and contents.truncated and contents.broken_at
        assert contents.messages == messages[: len(contents.messages)]
        if length % 29 == 0 or len(contents.messages) not in seen:
            seen.add(len(contents.messages))
            repaired = repair_log(cut)
            assert repaired.complete and repaired.messages == contents.messages
            assert publicly_read(cut) == contents.messages
    assert seen == {0, 1, 2, 3, 4}
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_repairing_loses_no_whole_message(tmp_path):
    whole = small_log(tmp_path / "log.mcap", rows=40)
    data, messages = whole.read_bytes(), read_log(whole).messages
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(data[: data.rfind(b'{"event"') + 10])
    assert repair_log(cut).messages == messages[:-1]


def test_repairing_a_complete_log_changes_nothing(tmp_path):
    path = small_log(tmp_path / "log.mcap")
    before = path.read_bytes()
    assert repair_log(path).complete
    assert path.read_bytes() == before


def test_no_flipped_bit_passes_for_the_record(tmp_path):
    path = small_log(tmp_path / "log.mcap", rows=2)
    data, messages = path.read_bytes(), read_log(path).messages
    start, stop = data.index(b'{"tick":0') - 31, data.rindex(b'"event":"tick"')
    flipped = tmp_path / "flipped.mcap"
    for at in range(start, stop):
        for bit in (0, 3, 7):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            flipped.write_bytes(changed)
            contents = read_log(flipped)
            assert not contents.complete and not contents.truncated
            with pytest.raises(RecordError, match="not cut off"):
                repair_log(flipped)
            assert flipped.read_bytes() == changed
            assert contents.messages != messages  # not the checksum alone: the row itself can be named


def test_a_summary_that_tells_of_other_data_is_no_whole_log(tmp_path):
    """Its readers go by the summary: topics, counts and times that are not those of the rows."""
    path, other = small_log(tmp_path / "log.mcap"), tmp_path / "other.mcap"
    data = path.read_bytes()
    with LogWriter(other, CHANNELS) as writer:
        writer.write(next(iter(CHANNELS)), 0, {})
    end, foreign = bytes([Opcode.DATA_END]) + struct.pack("<Q", 4), other.read_bytes()
    at, there = data.rindex(end) + 13, foreign.rindex(end) + 13
    path.write_bytes(data[:at] + foreign[there:])
    contents = read_log(path)
    assert not contents.complete and not contents.truncated and "summary" in contents.broken_at


def test_a_flipped_bit_in_a_row_is_seen_in_that_row(tmp_path):
    path = small_log(tmp_path / "log.mcap", rows=2)
    data, messages = path.read_bytes(), read_log(path).messages
    at = data.index(b"0.5")
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    contents = read_log(path)
    assert [a == b for a, b in zip(contents.messages, messages, strict=True)] == [True, True, False, True]


@pytest.mark.parametrize("data", [b"hello there", b"\x89MCAP1\r\n"])
def test_what_is_no_log_is_refused(tmp_path, data):
    (tmp_path / "log.mcap").write_bytes(data)
    with pytest.raises(RecordError, match="not an MCAP log"):
        read_log(tmp_path / "log.mcap")


def test_a_missing_log_is_refused(tmp_path):
    with pytest.raises(RecordError, match="cannot be read"):
        read_log(tmp_path / "log.mcap")


def test_an_existing_log_is_never_overwritten(tmp_path):
    path = small_log(tmp_path / "log.mcap")
    with pytest.raises(RecordError, match="cannot be created"):
        LogWriter(path, CHANNELS)
    assert read_log(path).complete


def test_numbers_that_are_not_finite(tmp_path):
    message = {"rho": math.inf, "low": -math.inf, "gone": math.nan, "v": np.array([1.0, np.inf]), "n": np.float64(2.5)}
    with LogWriter(tmp_path / "log.mcap", CHANNELS) as writer:
        writer.write("/event", 0, message)
    (row,) = read_log(tmp_path / "log.mcap").messages
    assert row.data == b'{"gone":null,"low":"-inf","n":2.5,"rho":"inf","v":[1.0,"inf"]}'


def test_floats_survive_bit_for_bit(tmp_path):
    values = np.random.default_rng(0).normal(size=200) * 10.0 ** np.random.default_rng(1).integers(-300, 300, 200)
    values = [*values.tolist(), -0.0, 5e-324, 1.7976931348623157e308]
    with LogWriter(tmp_path / "log.mcap", CHANNELS) as writer:
        writer.write("/event", 0, {"values": values})
    (row,) = read_log(tmp_path / "log.mcap").messages
    back = json.loads(row.data)["values"]
    assert np.array(back).tobytes() == np.array(values).tobytes()


def test_topics_of_a_mapping_are_the_only_ones(tmp_path):
    with LogWriter(tmp_path / "log.mcap", CHANNELS) as writer, pytest.raises(KeyError):
        writer.write("/other", 0, {})


def test_topics_may_be_declared_when_first_used(tmp_path):
    asked = []

    def schema_of(topic):
        asked.append(topic)
        return SCHEMA

    with LogWriter(tmp_path / "log.mcap", schema_of) as writer:
        for topic in ("/sim/state", "/branch/1/sim/state", "/sim/state"):
            writer.write(topic, 0, {"tick": 0})
    assert asked == ["/sim/state", "/branch/1/sim/state"]
    assert [m.topic for m in publicly_read(tmp_path / "log.mcap")] == [
        "/sim/state",
        "/branch/1/sim/state",
        "/sim/state",
    ]


def test_the_digest_is_of_content_and_order_alone(tmp_path):
    a = read_log(small_log(tmp_path / "a.mcap")).messages
    with LogWriter(tmp_path / "b.mcap", lambda topic: {"title": topic}) as writer:
        for topic, t_ns, data in a:
            writer.write(topic, t_ns, json.loads(data))
            writer.flush()
    b = read_log(tmp_path / "b.mcap").messages
    assert digest_of(a) == digest_of(b)
    assert digest_of(a) != digest_of(a[::-1])
    assert digest_of(a) != digest_of(a[:-1])
    assert digest_of([LogMessage("/ab", 0, b"c")]) != digest_of([LogMessage("/a", 0, b"bc")])


def test_the_drain_keeps_the_order_and_closes(tmp_path):
    drain = LogDrain(LogWriter(tmp_path / "log.mcap", CHANNELS))
    for tick in range(2000):
        drain.write("/event", tick, {"tick": tick})
    drain.close()
    drain.close()
    contents = read_log(tmp_path / "log.mcap")
    assert contents.complete
    assert [m.t_ns for m in contents.messages] == list(range(2000))


def test_the_drain_flushes_while_nothing_more_comes(tmp_path):
    drain = LogDrain(LogWriter(tmp_path / "log.mcap", CHANNELS))
    drain.write("/event", 7, {"tick": 7})
    deadline = time.monotonic() + 5.0
    while not read_log(tmp_path / "log.mcap").messages and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [m.t_ns for m in read_log(tmp_path / "log.mcap").messages] == [7]
    drain.close()


def test_an_error_of_the_drain_surfaces_when_it_is_closed(tmp_path):
    drain = LogDrain(LogWriter(tmp_path / "log.mcap", CHANNELS))
    drain.write("/unknown", 0, {})
    for tick in range(100):
        drain.write("/event", tick, {"tick": tick})
    with pytest.raises(RecordError, match="unknown"):
        drain.close()
    assert read_log(tmp_path / "log.mcap").truncated


WRITER = """
import sys, pathlib, itertools
from healing_runtime.telemetry.mcap import LogDrain, LogWriter
drain = LogDrain(LogWriter(pathlib.Path(sys.argv[1]), lambda topic: {"type": "object"}))
for tick in itertools.count():
    drain.write("/sim/state", tick, {"tick": tick, "values": {"altitude_m": 0.1 * tick}})
"""


def test_a_killed_writer_leaves_a_readable_log(tmp_path):
    path = tmp_path / "log.mcap"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], env={**os.environ, "PYTHONPATH": os.getcwd()})
    deadline = time.monotonic() + 20.0
    while (not path.exists() or path.stat().st_size < 20_000) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    contents = read_log(path)
    assert contents.truncated and len(contents.messages) > 100
    assert [m.t_ns for m in contents.messages] == list(range(len(contents.messages)))
    assert repair_log(path).messages == contents.messages
    assert publicly_read(path) == contents.messages


def test_an_empty_log_is_a_log(tmp_path):
    LogWriter(tmp_path / "log.mcap", {}).close()
    assert read_log(tmp_path / "log.mcap").complete
    assert publicly_read(tmp_path / "log.mcap") == ()
    (tmp_path / "magic.mcap").write_bytes(MAGIC)
    assert repair_log(tmp_path / "magic.mcap").complete
