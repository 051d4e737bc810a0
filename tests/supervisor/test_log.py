"""The log of a real run: a schema for every channel, open to the public package, readable wherever it was cut."""

from __future__ import annotations

import json
import random

import pytest
from mcap.reader import NonSeekingReader, SeekingReader, make_reader
from mcap.stream_reader import StreamReader

from healing_runtime.cli.main import execute
from healing_runtime.core.errors import RecordError
from healing_runtime.supervisor.channels import Channels
from healing_runtime.telemetry.mcap import MAGIC, read_log, repair_log
from tests.supervisor.conftest import ROOT, schema_errors


def publicly_read(path):
    """(topic, time, data) of every message, by the public package's readers, all of which must agree."""
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        seeking = [(c.topic, m.log_time, m.data) for _, c, m in reader.iter_messages(log_time_order=False)]
    with path.open("rb") as file:
        indexed = SeekingReader(file, validate_crcs=True)
        metadata = [(m.name, m.metadata) for m in indexed.iter_metadata()]
        assert indexed.get_header().library == "healing-runtime"
    with path.open("rb") as file:
        streamed = NonSeekingReader(file).iter_messages(log_time_order=False)
        assert [(c.topic, m.log_time, m.data) for _, c, m in streamed] == seeking
    with path.open("rb") as file:
        records = [type(record).__name__ for record in StreamReader(file, validate_crcs=True).records]
    assert records[0] == "Header" and records[-1] == "Footer" and records.count("DataEnd") == 1
    return summary, metadata, seeking


def test_a_finished_log_opens_in_the_public_readers(unhealed):
    log = unhealed.folder / "log.mcap"
    summary, metadata, messages = publicly_read(log)
    assert messages == [tuple(m) for m in read_log(log).messages]
    assert metadata == [("run", {"run_id": unhealed.document["run_id"]})]
    statistics = summary.statistics
    assert (statistics.message_count, statistics.metadata_count) == (len(messages), 1)
    times = [t for _, t, _ in messages]
    assert (statistics.message_start_time, statistics.message_end_time) == (min(times), max(times))
    assert times == sorted(times), "the mcap tools want them in order; only a branch goes back"
    counts = {c.topic: statistics.channel_message_counts[c.id] for c in summary.channels.values()}
    assert counts == {topic: [t for t, _, _ in messages].count(topic) for topic in counts}


def test_every_channel_has_its_schema_and_every_message_keeps_to_it(unhealed, home):
    summary, _, messages = publicly_read(unhealed.folder / "log.mcap")
    schemas = {}
    for channel in summary.channels.values():
        schema = summary.schemas[channel.schema_id]
        assert (schema.encoding, channel.message_encoding) == ("jsonschema", "json")
        schemas[channel.topic] = json.loads(schema.data)
    assert len({c.schema_id for c in summary.channels.values()}) == len(summary.channels)
    fixed = {"/sim/state", "/sim/sensed", "/control/cmd_applied", "/control/state", "/event"}
    assert {t for t in schemas if not t.startswith("/assert/")} == fixed
    assert {t.removeprefix("/assert/") for t in schemas if t.startswith("/assert/")} >= {"braking-distance", "landed"}
    values = schemas["/sim/state"]["properties"]["values"]["properties"]
    assert set(values) == set(home.robot("lander").signals.true.by_key) and "[m]" in values["altitude_m"]["description"]
    assert [e for topic, _, data in messages for e in schema_errors(json.loads(data), schemas[topic], topic)] == []


def test_a_message_beside_its_schema_is_seen(home):
    """The check above can fail."""
    channels = Channels(home.robot("quadrotor").signals)
    sensed = home.robot("quadrotor").signals.observed
    row = {signal.key: [0.0] * signal.size if signal.shape else 0.0 for signal in sensed}
    good = {"tick": 0, "values": row}
    schema = channels("/branch/3/sim/sensed")
    assert schema_errors(good, schema, "") == []
    for bad in (
        {"tick": -1, "values": row},
        {"tick": 0.5, "values": row},
        {"tick": 0},
        {"tick": 0, "values": {**row, "more": 1.0}},
        {"tick": 0, "values": {**row, "altitude_m": "high"}},
        {"tick": 0, "values": {**row, "position_m": [0.0, 0.0]}},
    ):
        assert schema_errors(bad, schema, ""), bad
    with pytest.raises(KeyError):
        channels("/sim/other")


def places(data, step):
    """The last 2 kB of the file, the last 2 kB of its messages, every `step`-th byte, and a hundred random places."""
    end = data.rindex(b"}") + 1  # of a schema
    last = data.rindex(b'"tick":35') + 20
    drawn = random.Random(5).sample(range(len(data)), 100)
    assert last < end < len(data)
    return [*range(len(data) - 2048, len(data), step), *range(last - 2048, last, step), *drawn]


@pytest.mark.parametrize("step", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_a_log_cut_anywhere_loads_up_to_its_last_whole_message(step, unhealed, tmp_path):
    data = (unhealed.folder / "log.mcap").read_bytes()
    messages = read_log(unhealed.folder / "log.mcap").messages
    cut, repaired = tmp_path / "cut.mcap", 0
    for number, length in enumerate(places(data, step)):
        cut.write_bytes(data[:length])
        contents = read_log(cut)
        assert not contents.complete and contents.truncated, length
        assert contents.messages == messages[: len(contents.messages)]
        if number % 23 == 0:
            assert repair_log(cut).messages == contents.messages
            assert publicly_read(cut)[2] == [tuple(m) for m in contents.messages]
            repaired += 1
    assert repaired > 15


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_repaired_run_opens_in_the_public_readers(share, copied, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    log = copied / "log.mcap"
    data = log.read_bytes()
    log.write_bytes(data[: int(len(data) * share)])
    (copied / "result.json").unlink()
    whole = read_log(log).messages
    assert execute(["doctor", "--repair", str(copied), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["repaired"] is True
    _, metadata, messages = publicly_read(log)
    assert messages == [tuple(m) for m in whole] and metadata[0][0] == "run"
    assert execute(["doctor", "--repair", str(copied), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["was_complete"] is True


def test_a_damaged_run_is_not_repaired(copied, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    log = copied / "log.mcap"
    data = bytearray(log.read_bytes())
    data[data.index(b'"tick":17') + 8] ^= 1
    log.write_bytes(data)
    assert execute(["doctor", "--repair", str(copied)]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "damaged, not cut off" in line and log.read_bytes() == data


def test_a_log_that_names_two_runs_is_damaged(copied):
    log = copied / "log.mcap"
    data = log.read_bytes()
    start = data.index(b"\x0c", len(MAGIC))
    named = data[start : start + 9 + int.from_bytes(data[start + 1 : start + 9], "little")]
    log.write_bytes(data[:start] + named + named + data[start + len(named) :])
    assert "named twice" in (read_log(log).broken_at or "")
    with pytest.raises(RecordError):
        repair_log(log)
