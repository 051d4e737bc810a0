"""The log of a run, read back as it was flown: rewinds, rollbacks, cuts."""

from __future__ import annotations

import numpy as np
import pytest

from healing_runtime.core.errors import RecordError
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.supervisor import recordings
from healing_runtime.supervisor.channels import Channels
from healing_runtime.supervisor.recordings import is_own_log, read_own_log
from healing_runtime.telemetry.mcap import LogWriter

TRUE = (Signal("altitude", "m"), Signal("velocity", "m/s", (2,), ("x", "y")))
TABLE = SignalTable(Layout(TRUE[:1]), Layout(()), Layout(TRUE))
HZ = 48


def rows(branch, ticks, altitude):
    prefix = f"/branch/{branch}" if branch else ""
    for tick in ticks:
        values = {"altitude_m": altitude, "velocity_mps": [tick, None]}
        yield f"{prefix}/sim/state", tick, {"values": values}
        yield f"{prefix}/sim/sensed", tick, {"values": {"altitude_m": "inf"}}
        yield f"{prefix}/assert/a", tick, {"status": "unknown", "rho": 0, "rho_lo": 0, "rho_hi": 0}


def event(name, tick, **facts):
    return "/event", tick, {"event": name, **facts}


@pytest.fixture
def load(tmp_path):
    def read(*messages):
        path = tmp_path / "log.mcap"
        with LogWriter(path, Channels(TABLE)) as log:
            for topic, tick, content in messages:
                log.write(topic, tick * 10**9 // HZ, {"tick": tick, **content})
        assert is_own_log(path)
        return read_own_log(path, "quad", TABLE)

    return read


def healed():
    yield from rows(0, range(6), 0)
    yield event("incident", 5, id="one")
    yield event("swap", 5, before="ready", after="probation")
    yield event("swap", 3, incident="one")
    yield from rows(1, range(3, 8), 1)


def test_rows_become_samples(load):
    recording = load(*rows(0, range(4), 7))
    assert (len(recording), recording.period_s.denominator) == (4, HZ)
    assert recording.t_s.tolist() == [k / HZ for k in range(4)]
    np.testing.assert_array_equal(recording.signals["velocity"], [[k, np.nan] for k in range(4)])
    assert recording.signals["observed(altitude)"].tolist() == [np.inf] * 4


def test_a_rewind_forgets_what_came_after_it(load):
    assert load(*healed()).signals["altitude"].tolist() == [0, 0, 0, 1, 1, 1, 1, 1]


def test_a_rollback_brings_back_what_a_rewind_forgot(load):
    recording = load(*healed(), event("probation_failed", 5, incident="one"))
    assert recording.signals["altitude"].tolist() == [0] * 6


def test_a_patch_after_a_rollback_goes_on_from_the_trip(load):
    second = [event("probation_failed", 5, incident="one"), event("swap", 4, incident="one"), *rows(2, range(4, 7), 2)]
    assert load(*healed(), *second).signals["altitude"].tolist() == [0, 0, 0, 0, 2, 2, 2]


def test_a_second_rewind_may_go_back_behind_the_first(load):
    second = [event("incident", 7, id="two"), event("swap", 2, incident="two"), *rows(2, range(2, 5), 2)]
    assert load(*healed(), *second).signals["altitude"].tolist() == [0, 0, 2, 2, 2]


def test_a_last_row_that_is_not_whole_is_left_out(load):
    assert len(load(*list(rows(0, range(5), 0))[:-1])) == 4


def test_a_missing_row_is_invalid_and_said(load):
    recording = load(*rows(0, [0, 1, 3], 0))
    assert np.isnan(recording.signals["altitude"]).tolist() == [False, False, True, False]
    assert recording.notes == ("1 of 4 samples are missing: invalid",)


def test_a_log_that_was_cut_off_is_read_to_its_last_whole_sample(load, tmp_path):
    load(*rows(0, range(40), 0))
    path = tmp_path / "log.mcap"
    data = path.read_bytes()
    path.write_bytes(data[: data.rfind(b'"tick":38') + 4])
    recording = read_own_log(path, "quad", TABLE)
    assert 1 < len(recording) < 40 and not np.isnan(recording.signals["altitude"]).any()
    assert recording.notes == ("the log was cut off: judged up to its last whole sample",)


def test_a_log_that_was_changed_is_refused(load, tmp_path):
    load(*rows(0, range(40), 0))
    path = tmp_path / "log.mcap"
    data = bytearray(path.read_bytes())
    data[data.index(b'"altitude_m":0') + 13] ^= 1
    path.write_bytes(data)
    with pytest.raises(RecordError, match="damaged"):
        read_own_log(path, "quad", TABLE)


def state(at, **content):
    return "/sim/state", at, {"values": {"altitude_m": 0}, **content}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (state(4, tick="abc"), "a message of /sim/state at 83333333 ns is not ours"),
        (state(4, tick=None), "is not ours"),
        (state(4, tick=1.5), "is not ours"),
        (state(4, tick=-1), "is not ours"),
        (state(4, values=[1, 2]), "is not ours"),
        (state(4, values={"altitude_m": "abc"}), "/sim/state at tick 4: 'altitude_m' is not a number"),
        (state(4, values={"altitude_m": [1, 2]}), "'altitude_m' is not a number"),
        (state(4, values={"altitude_m": {"a": 1}}), "'altitude_m' is not a number"),
        (state(4, values={"velocity_mps": 1}), "'velocity_mps' is not 2 numbers"),
        (state(4, values={"velocity_mps": [1, [2]]}), "'velocity_mps' is not 2 numbers"),
        (state(4, tick=2 * 10**9), "1999999997 ticks pass after tick 3 without a sample; cut the recording there"),
        (state(4, tick=10**4), "9997 ticks pass after tick 3"),
        (state(4, tick=3), "tick 3 was logged at 62500000 ns and, in /sim/state, at 83333333 ns"),
        (state(4, tick=5), "tick 1 was logged at 20833333 ns, which is not 60 Hz"),
    ],
)
def test_a_message_that_is_none_of_ours_is_refused_in_one_line(load, monkeypatch, message, said):
    if "ticks pass" in said:
        monkeypatch.setattr(recordings, "_rate", lambda *_: HZ)
    with pytest.raises(RecordError) as found:
        load(*(state(k) for k in range(4)), message)
    assert said in str(found.value) and "\n" not in str(found.value)


def test_an_integer_that_no_float_holds_is_invalid(load):
    recording = load(state(0), state(1, values={"altitude_m": 10**401}), state(2))
    assert np.isnan(recording.signals["altitude"]).tolist() == [False, True, False]


def test_a_message_that_says_something_twice_is_refused(tmp_path):
    path = tmp_path / "log.mcap"
    with LogWriter(path, Channels(TABLE)) as log:
        log.write("/sim/state", 0, {"tick": 0, "values": {"altitude_m": 0}})
        twice = b'{"tick": 1, "values": {"altitude_m": 9, "altitude_m": 0}}'
        log._append(log._contents.message(log._ids["/sim/state"], 10**8, twice))
    with pytest.raises(RecordError, match="at 100000000 ns is not ours"):
        read_own_log(path, "quad", TABLE)


def written(path, rows):
    with LogWriter(path, Channels(TABLE)) as log:
        for tick, t_ns in rows:
            log.write("/sim/state", t_ns, {"tick": tick, "values": {"altitude_m": 0}})
    return path


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(k, 7) for k in range(4)], "at no whole rate"),
        ([(k, 9 - k) for k in range(4)], "at no whole rate"),
        ([(k, k * 10**12) for k in range(4)], "at no whole rate"),
        ([(k, k * 10**8 + 5 * (k == 2)) for k in range(4)], "tick 2 was logged at 200000005 ns, which is not 10 Hz"),
        ([(k, k * 10**8 + 5) for k in range(4)], "tick 0 was logged at 5 ns, which is not 10 Hz"),
    ],
)
def test_a_log_alone_must_have_been_logged_at_one_rate(tmp_path, rows, said):
    with pytest.raises(RecordError, match=said):
        read_own_log(written(tmp_path / "log.mcap", rows), "quad", TABLE)


@pytest.mark.parametrize("hz", [1, 7, 48, 240, 1000])
def test_whole_rates_are_found(tmp_path, hz):
    path = written(tmp_path / "log.mcap", [(k, k * 10**9 // hz) for k in range(3, 9)])
    assert read_own_log(path, "quad", TABLE).period_s.denominator == hz


def test_one_row_has_no_rate(load):
    with pytest.raises(RecordError, match="fewer than two samples"):
        load(*rows(0, range(1), 0))
