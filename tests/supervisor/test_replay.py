"""What a replay finds on the platform of the run: the first row, and the first bit, that differs."""

from __future__ import annotations

import dataclasses
import math
import shutil
import struct

import pytest

from healing_runtime.core.signals import Layout
from healing_runtime.supervisor import comparing, incident_files
from healing_runtime.telemetry.mcap import read_log
from tests.supervisor.conftest import ROOT, edit, repack
from tests.supervisor.turning import TICK, at, turned


def flipped(value: float) -> float:
    """The float with its last bit changed."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    return struct.unpack("<d", struct.pack("<Q", bits ^ 1))[0]


@pytest.mark.parametrize(
    ("topic", "key"),
    [
        ("/control/cmd_applied", "thrust_n"),
        ("/sim/state", "velocity_mps"),
        ("/sim/sensed", "altitude_m"),
        ("/assert/braking-distance", "rho_hi"),
    ],
)
def test_one_bit_of_one_number_is_found_where_it_is(topic, key, copied, verify):
    was, now = turned(copied, topic, key, flipped)
    assert was != now and math.isclose(was, now, rel_tol=1e-9, abs_tol=1e-300)
    code, document = verify(copied)
    found = document["divergence"]
    assert code == 3 and not document["verified"]
    assert (found["tick"], found["topic"], found["signal"]) == (TICK, topic, key)
    assert (found["recorded"], found["replayed"]) == (now, was)
    assert found["t_s"] == TICK / 10
    assert str(now) in found["what"] and str(was) in found["what"]


def test_the_first_of_two_changed_rows_is_named(copied, verify):
    def change(messages):
        for tick in (30, 20):
            at(messages, "/sim/state", tick).content["values"]["altitude_m"] += 1.0

    repack(copied, change)
    assert verify(copied)[1]["divergence"]["tick"] == 20


@pytest.mark.parametrize("last", [False, True])
def test_a_missing_row_is_found(last, copied, verify):
    def without(messages):
        messages.remove(messages[-1] if last else at(messages, "/sim/sensed"))

    repack(copied, without)
    code, document = verify(copied)
    assert code == 3
    assert document["divergence"]["tick"] == (35 if last else TICK)
    assert ("missing" in document["divergence"]["what"]) is last


def test_rows_beyond_the_end_are_found(copied, verify):
    repack(copied, lambda messages: [*messages, messages[-1]])
    code, document = verify(copied)
    assert code == 3 and "goes on where the replay ends" in document["divergence"]["what"]


def test_a_signal_that_only_the_record_has_is_found(copied, verify):
    repack(copied, lambda messages: at(messages, "/sim/state").content["values"].update(extra_m=0.0))
    assert verify(copied)[1]["divergence"]["signal"] == "extra_m"


def test_the_log_of_a_run_that_ended_is_whole_or_damaged(copied, verify):
    log = copied / "log.mcap"
    data = log.read_bytes()
    cut = data.rindex(b'{"tick":20') if b'{"tick":20' in data else data.rindex(b'"tick":20')
    log.write_bytes(data[:cut])
    code, document = verify(copied)
    assert code == 3 and not document["complete"]
    assert document["divergence"]["tick"] in (20, 21) and "broken here" in document["divergence"]["what"]
    (copied / "result.json").unlink()
    code, document = verify(copied)
    assert (code, document["complete"]) == (0, False)


def test_a_broken_record_within_a_log_that_was_cut_off_is_not_passed_over(copied, verify):
    log = copied / "log.mcap"
    data = bytearray(log.read_bytes()[:-200])
    row = data.index(b'"tick":20')
    start = data.rindex(b"\x05", 0, row - 20)  # the message's opcode
    while read_log(log).messages and data[start : start + 1] == b"\x05":
        changed = bytearray(data)
        changed[start] = 0x77
        log.write_bytes(changed)
        if read_log(log).broken_record:
            break
        start = data.rindex(b"\x05", 0, start)
    (copied / "result.json").unlink()
    code, document = verify(copied)
    assert code == 3 and "broken record" in document["divergence"]["what"]


def test_another_result_is_found(copied, verify):
    edit(copied, "result.json", lambda d: d.update(outcome="succeeded"))
    code, document = verify(copied)
    assert code == 3 and document["divergence"]["signal"] == "outcome"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda d: d["incidents"][0].update(detail="all is well"), "incidents[0].detail"),
        (lambda d: d.update(reason="none"), "reason"),
        (lambda d: d["incidents"][0].pop("patch"), "incidents[0].patch"),
        (lambda d: d["incidents"][0].update(healed=0), "incidents[0].healed"),
        (lambda d: d.update(more={}), "more"),
        (lambda d: d["incidents"][0].pop("attempts"), "incidents[0].attempts"),
    ],
)
def test_a_result_that_says_anything_else_is_found(change, field, copied, verify):
    edit(copied, "result.json", change)
    code, document = verify(copied)
    assert code == 3 and document["divergence"]["signal"] == field


@pytest.mark.parametrize("field", sorted(comparing.NOT_REPLAYED - {"run_id"}))
def test_what_is_not_compared_is_named_in_the_docs(field, copied, verify):
    assert f"`{field}`" in (ROOT / "docs/records.md").read_text()
    edit(copied, "result.json", lambda d: d.update({field: "otherwise"}))
    assert verify(copied)[0] == 0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("incident.json", None, "incident.json: english"),
        ("ending.json", '{"ending": "healed", "detail": "", "patch": null}', "ending.json: ending"),
        ("evidence.json", "{}", "evidence.json: the replay has none"),
        ("patched.py", "forged", "patched.py: the replay has none"),
        ("exchange-01.json", "{}", None),
    ],
)
def test_a_forged_file_of_an_incident_is_found(name, text, said, copied, verify):
    folder = copied / "incidents/0001-braking-distance"
    if text is None:
        edit(folder, name, lambda d: d.update(english="nothing happened"))
    else:
        (folder / name).write_text(text)
    code, document = verify(copied)
    assert code == (0 if said is None else 3)
    assert said is None or said in document["divergence"]["what"]


def test_a_lost_file_of_an_incident_is_found(copied, verify):
    assert verify(copied)[1]["files"] == 2
    (copied / "incidents/0001-braking-distance/ending.json").unlink()
    code, document = verify(copied)
    assert code == 3 and "ending.json: missing in the record" in document["divergence"]["what"]


@pytest.mark.parametrize("number", [1, 12])
def test_a_lost_file_is_named_before_the_rows_that_it_changes(number, copied, verify):
    def attempted(messages):
        facts = {"incident": "0001-braking-distance", "number": number}
        event = {"tick": 35, "event": "attempt", **facts}
        return [*messages, dataclasses.replace(messages[-1], topic="/event", content=event)]

    repack(copied, attempted)
    code, document = verify(copied)
    lost = f"incidents/0001-braking-distance/attempt-{number:02d}.json: missing in the record"
    assert code == 3 and document["divergence"]["what"] == lost
    shutil.rmtree(copied / "incidents")
    code, document = verify(copied)
    assert code == 3 and "incident.json: missing in the record" in document["divergence"]["what"]


def test_the_snapshots_of_a_run_that_was_cut_off_are_compared(copied, verify):
    (copied / "result.json").unlink()
    (copied / "incidents/0001-braking-distance/ending.json").unlink()
    assert verify(copied)[0] == 0
    edit(copied / "incidents/0001-braking-distance", "incident.json", lambda d: d.update(clause="else"))
    code, document = verify(copied)
    assert code == 3 and document["divergence"]["signal"] == "clause"


SOURCE = "".join(f"GAIN_{i} = {i}.25\n" for i in range(40))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (
            SOURCE.replace("GAIN_30 = 30.25", "GAIN_30 = 30.5"),
            "line 31: recorded GAIN_30 = 30.25, replayed GAIN_30 = 30.5",
        ),
        (SOURCE + "MORE = 1\n", "line 41: recorded nothing, replayed MORE = 1"),
        (SOURCE.replace("_3 =", "_3  ="), "line 4: recorded 'GAIN_3 = 3.25\\n', replayed 'GAIN_3  = 3.25\\n'"),
        (SOURCE.replace("\n", "\r\n"), r"recorded 'GAIN_0 = 0.25\n"),
    ],
)
def test_of_a_text_the_first_line_that_differs_is_quoted(now, said):
    old, new = ({"0001-x": {"patched.py": text}} for text in (SOURCE, now))
    found = incident_files.other_file(old, new, incident_files.Actions(Layout(()), 10))
    assert found is not None and said in found.what and found.what.startswith("incidents/0001-x/patched.py: ")


def test_of_a_long_value_the_part_that_differs_is_quoted():
    found = comparing.other_leaf({"note": "a" * 200 + "1" + "b" * 200}, {"note": "a" * 200 + "2" + "b" * 200})
    assert found is not None
    was, now = found.what.removeprefix("recorded ").split(", replayed ")
    assert "1b" in was and "2b" in now and max(map(len, (was, now))) < 100


@pytest.mark.parametrize(("was", "now"), [(0.0, -0.0), (0, 0.0), (1, True), ("1", 1), (None, "None")])
def test_values_that_read_alike_are_told_apart(was, now):
    assert comparing.other_leaf({"a": was}, {"a": was}) is None
    found = comparing.other_leaf({"a": was}, {"a": now})
    assert found is not None
    old, new = found.what.removeprefix("recorded ").split(", replayed ")
    assert old != new


def test_a_log_without_the_recorded_digest_is_found(copied, verify):
    edit(copied, "result.json", lambda d: d.update(digest="sha256:00"))
    code, document = verify(copied)
    assert code == 3 and "digest" in document["divergence"]["what"]
