"""MCAP files of other recorders: JSON messages in chunks of any compression, fields and topics as columns."""

from __future__ import annotations

import contextlib
import json
from fractions import Fraction

import numpy as np
import pytest
from mcap.writer import CompressionType, Writer

from healing_runtime.core.errors import FileFormatError
from healing_runtime.telemetry.columns import recording_of
from healing_runtime.telemetry.headings import Names
from healing_runtime.telemetry.mcap_recording import read_mcap

BEGIN = 1_764_086_400_000_000_000


def write(path, messages, compression=CompressionType.ZSTD, encoding="json"):
    """`messages` are (topic, nanoseconds, content)."""
    with path.open("wb") as file:
        writer = Writer(file, compression=compression, chunk_size=400)
        writer.start()
        schema = writer.register_schema("any", "jsonschema", b"{}")
        channels = {}
        for topic, t_ns, content in messages:
            if topic not in channels:
                channels[topic] = writer.register_channel(topic, encoding, schema)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            writer.add_message(channels[topic], BEGIN + t_ns, data, BEGIN + t_ns)
        writer.finish()
    return path


@pytest.fixture
def load(tmp_path, table):
    def read(messages, names=None, **options):
        path = write(tmp_path / "flight.mcap", messages, **options)
        return recording_of(read_mcap(path, Names(names or {})), "flight.mcap", "quad", table, None)

    return read


def flight(count=60, hz=48):
    for k in range(count):
        t_ns = k * 10**9 // hz
        yield "/odom", t_ns, {"altitude_m": 9 - k, "velocity_mps": {"x": 1, "y": 2, "z": None}, "frame": "map"}
        yield "/contact", t_ns, {"data": k > 2}
        yield "/rotors", t_ns, {"rotor_speed_radps": [1, 2, 3, 4]}


@pytest.mark.parametrize("compression", list(CompressionType))
def test_every_compression_is_read(load, compression):
    recording = load(flight(), compression=compression)
    assert recording.period_s == Fraction(1, 48) and len(recording) == 60
    assert recording.signals["altitude"][:3].tolist() == [9, 8, 7]
    np.testing.assert_array_equal(recording.signals["velocity"][5], [1, 2, np.nan])
    assert recording.signals["contact"][:4].tolist() == [0, 0, 0, 1]
    assert recording.signals["rotor_speed"][7].tolist() == [1, 2, 3, 4]


def test_a_topic_that_is_missing_now_and_then_is_invalid_there(load):
    recording = load([m for m in flight(20) if m[:2] != ("/contact", 5 * 10**9 // 48)])
    assert np.flatnonzero(np.isnan(recording.signals["contact"])).tolist() == [5]
    assert not np.isnan(recording.signals["altitude"]).any()


def test_a_reader_may_say_what_a_field_of_a_topic_is(load):
    messages = [(t, n, {"z": k}) for k in range(9) for t, n in (("/gps", k * 10**8), ("/lidar", k * 10**8))]
    recording = load(messages, names={"/lidar.z": "altitude [cm]", "/gps.z": "observed(altitude) [m]"})
    assert recording.signals["altitude"][8] == 0.08 and recording.signals["observed(altitude)"][8] == 8
    with pytest.raises(FileFormatError, match=r"there is no column '/lidar.y'; there are /lidar.z"):
        load(messages, names={"/lidar.y": "altitude [m]"})


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([("/odom", 0, {"altitude_m": 1}), ("/odom", 0, {"altitude_m": 1})], "/odom:2: time stands still"),
        ([("/odom", 0, {"altitude_m": 1})], "/odom:1: one sample has no rate"),
        ([("/odom", 0, b"{"), ("/odom", 1, b"{}")], "message 1 of /odom is no JSON"),
        ([("/odom", 0, {"height": 1})], "no column names a signal of quad"),
        (
            [("/a", 0, {"altitude_m": 1}), ("/b", 0, {"altitude_m": 1}), ("/b", 10**8, {"altitude_m": 1})],
            "the same signal",
        ),
        ([("/a", 0, {"altitude_m": True}), ("/a", 10**8, {"altitude_m": False})], "holds true or false"),
        ([], "it holds no JSON messages"),
    ],
)
def test_bad_input_is_one_line_with_its_place(load, messages, said):
    with pytest.raises(FileFormatError) as found:
        load(messages)
    assert said in str(found.value) and "flight.mcap" in str(found.value) and "\n" not in str(found.value)


@pytest.mark.parametrize("integer", ["1" + "0" * 400, "-" + "9" * 5000])
def test_an_integer_that_no_float_holds_is_invalid(load, integer):
    message = f'{{"altitude_m": {integer}, "mode": {integer}}}'.encode()
    recording = load([("/odom", k * 10**8, message if k == 1 else {"altitude_m": k}) for k in range(3)])
    assert np.isnan(recording.signals["altitude"]).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (b'{"altitude_m": 9, "altitude_m": 1}', "altitude_m"),
        (b'{"frame": "map", "frame": 1}', "frame"),
        (b'{"velocity_mps": {"x": 1}, "velocity_mps.x": 2}', "velocity_mps.x"),
        (b'{"rotor_speed_radps": [1], "rotor_speed_radps[0]": 2}', "rotor_speed_radps[0]"),
        (b'{"a": {"b": 1, "b": 2}}', "b"),
    ],
)
def test_a_field_that_a_message_has_twice_is_refused(load, message, name):
    with pytest.raises(FileFormatError) as found:
        load([("/odom", 0, {"altitude_m": 1}), ("/odom", 10**8, message)])
    assert f"message 2 of /odom has two fields '{name}'; record it once." in str(found.value)


def test_a_topic_may_have_so_many_fields(load):
    rows = [("/odom", k * 10**8, {"altitude_m": 1, "scan": [k] * 9_999}) for k in range(2)]
    assert len(load(rows).columns) == 10_000
    rows[1][2]["scan"].append(0)
    with pytest.raises(FileFormatError, match=r"the messages of /odom have 10001 fields, and 10000 at most are read"):
        load(rows)


@pytest.mark.parametrize("depth", [900, 1500, 100_000])
def test_a_deep_message_is_read_or_refused(load, depth):
    message = f'{{"altitude_m": 1, "q": {"[" * depth}{"]" * depth}}}'.encode()
    with contextlib.suppress(FileFormatError):
        load([("/odom", k * 10**8, message) for k in range(3)])


def test_other_encodings_are_named(load):
    with pytest.raises(FileFormatError, match=r"no JSON messages; it has /odom \(cdr\)"):
        load([("/odom", 0, b"\0")], encoding="cdr")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.95])
def test_a_damaged_file_is_refused(tmp_path, share):
    path = write(tmp_path / "flight.mcap", flight())
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(FileFormatError, match=r"flight\.mcap: it is no whole MCAP file"):
        read_mcap(path)
    broken = bytearray(data)
    for at in range(200, 1200, 10):
        broken[at] ^= 0xFF
    path.write_bytes(broken)
    with pytest.raises(FileFormatError, match=r"flight\.mcap"):
        read_mcap(path)
