"""What a replay finds: the first row that differs, on this platform to the last bit, on another one by tolerance."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import struct
import subprocess
import sys

import numpy as np
import pytest

from healing_runtime.compile.cache import VARIABLE
from healing_runtime.core.errors import InputError, RecordError, ReplayDivergence
from healing_runtime.core.records import Incident, Snapshot
from healing_runtime.core.status import Severity, Status
from healing_runtime.supervisor import agreement, comparing
from healing_runtime.supervisor import replay as replays
from healing_runtime.supervisor.recall import Recall, SnapshotDiffers
from healing_runtime.supervisor.record import Record
from healing_runtime.supervisor.replay import replay
from healing_runtime.supervisor.runtime import Runtime
from healing_runtime.telemetry.mcap import read_log
from tests.supervisor.conftest import ROOT, edit, repack

TICK = 17


def at(messages, topic, tick=TICK):
    return next(m for m in messages if m.topic == topic and m.content["tick"] == tick)


def flipped(value: float) -> float:
    """The float with its last bit changed."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    return struct.unpack("<d", struct.pack("<Q", bits ^ 1))[0]


def turned(folder, topic, key, change):
    """Change one number of one row; gives what was there and what is."""
    numbers = []

    def edit_row(messages):
        row = at(messages, topic).content
        values = row.get("values", row)
        numbers.append(values[key])
        values[key] = change(values[key])
        numbers.append(values[key])

    repack(folder, edit_row)
    return numbers


# ---------------------------------------------------------------- to the last bit
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


def test_a_log_without_the_recorded_digest_is_found(copied, verify):
    edit(copied, "result.json", lambda d: d.update(digest="sha256:00"))
    code, document = verify(copied)
    assert code == 3 and "digest" in document["divergence"]["what"]


# ---------------------------------------------------------------- on another platform
@pytest.fixture
def elsewhere(copied):
    """The run as if it had been recorded with another NumPy and another core count."""
    edit(copied, "manifest.json", lambda d: d["fingerprint"].update(numpy="1.0.0", nproc="8"), sealed=True)
    return copied


def test_on_another_platform_nothing_is_called_identical(elsewhere, verify):
    code, document = verify(elsewhere)
    assert (code, document["verified"], document["compared"]) == (0, True, "tolerance")
    assert document["same_bits"] is True and document["same_fingerprint"] is False
    assert set(document["fingerprint_differences"]) == {"numpy", "nproc"}
    assert document["fingerprint_differences"]["numpy"]["recorded"] == "1.0.0"
    assert document["tolerance"]["/sim/state:altitude_m"] == pytest.approx(10.0 * agreement.OF_SCALE)


def test_a_replay_without_verify_says_it_too(elsewhere, flown, home, monkeypatch):
    monkeypatch.setattr(replays, "_flown", lambda *_: flown)
    document = replay(elsewhere, home=home).document
    assert document["same_fingerprint"] is False and set(document["fingerprint_differences"]) == {"numpy", "nproc"}


def test_other_code_of_the_simulation_is_another_platform(copied, verify):
    def change(manifest):
        from healing_runtime.supervisor.manifest import inputs_of

        manifest["robot"]["sim_sha256"] = "sha256:00"
        manifest["inputs_sha256"] = inputs_of(manifest)

    edit(copied, "manifest.json", change)
    code, document = verify(copied)
    assert (code, document["compared"], document["same_simulation"]) == (0, "tolerance", False)


SIGNALS = [
    ("/sim/state", "altitude_m"),
    ("/sim/sensed", "velocity_mps"),
    ("/control/cmd_applied", "thrust_n"),
    ("/assert/braking-distance", "rho_hi"),
]


@pytest.mark.parametrize(("topic", "key"), SIGNALS)
def test_a_last_digit_agrees_and_is_not_called_the_same(topic, key, elsewhere, verify):
    turned(elsewhere, topic, key, lambda v: v * (1.0 + 1e-9) + 1e-9)
    code, document = verify(elsewhere)
    assert (code, document["verified"], document["same_bits"]) == (0, True, False), document["divergence"]


@pytest.mark.parametrize(("topic", "key"), SIGNALS)
def test_beyond_the_tolerance_the_first_row_is_named(topic, key, elsewhere, verify):
    turned(elsewhere, topic, key, lambda v: v * (1.0 + 1e-3) + (0.1 if topic.startswith("/control") else 1e-3))
    code, document = verify(elsewhere)
    found = document["divergence"]
    assert code == 3 and (found["tick"], found["topic"], found["signal"]) == (TICK, topic, key)


def test_a_value_that_is_gone_agrees_with_nothing(elsewhere, verify):
    turned(elsewhere, "/sim/sensed", "altitude_m", lambda _: None)
    code, document = verify(elsewhere)
    assert code == 3 and document["divergence"]["recorded"] is None


def test_an_incident_a_tick_later_is_found(elsewhere, verify):
    def later(messages):
        for message in messages:
            if message.topic == "/event" and message.content["event"] == "incident":
                message.content["tick"] += 1

    repack(elsewhere, later)
    assert verify(elsewhere)[0] == 3


def touched(folder, tick):
    def change(messages):
        for message in messages:
            if message.topic == "/sim/state" and message.content["tick"] >= tick:
                message.content["values"]["contact"] = 1.0

    repack(folder, change)


def test_after_contact_the_outcome_is_compared_and_nothing_else(elsewhere, verify):
    touched(elsewhere, 10)
    turned(elsewhere, "/sim/state", "altitude_m", lambda v: v + 1.0)
    code, document = verify(elsewhere)
    assert code == 0 and document["contact"] == {"tick": 10, "t_s": 1.0}
    assert 0 < document["rows_within_tolerance"] < document["messages"]
    edit(elsewhere, "result.json", lambda d: d["assertions"][0].update(status="false"))
    code, document = verify(elsewhere)
    assert code == 3 and document["divergence"]["signal"].endswith(".status")


def test_a_heading_on_the_other_side_of_the_turn_agrees():
    from healing_runtime.core.signals import Layout, Signal, SignalTable
    from healing_runtime.telemetry.mcap import LogMessage

    table = SignalTable(Layout(()), Layout(()), Layout((Signal("yaw", "rad", scale=math.pi),)))
    tolerance = agreement.Tolerance(table, {})

    def row(yaw):
        return LogMessage("/sim/state", 0, b'{"tick":0,"values":{"yaw_rad":%r}}' % yaw)

    assert tolerance.difference(row(math.pi - 1e-9), row(-math.pi)) is None
    assert tolerance.difference(row(math.pi - 1e-3), row(-math.pi)) is not None


OTHER_INSTRUCTIONS = """
import json, sys
from healing_runtime import workspace
from healing_runtime.supervisor.replay import replay
from healing_runtime.supervisor.runtime import Runtime
result = replay(sys.argv[1], verify=True, home=workspace.open(sys.argv[2]))
print(json.dumps([result.exit_code, result.document]))
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the flag is of this family of processors")
def test_other_instructions_give_other_bits_that_agree(home, tmp_path):
    """XLA without fused multiply-add: really other numbers, in a landing with contact."""
    run = Runtime("quadrotor/landing", brain="none", workspace=home, out=tmp_path).run()
    flags = {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2", "PYTHONPATH": str(ROOT), VARIABLE: "off"}
    command = [sys.executable, "-c", OTHER_INSTRUCTIONS, str(run.folder), str(ROOT)]
    done = subprocess.run(command, env={**os.environ, **flags}, capture_output=True, text=True, check=True)
    code, document = json.loads(done.stdout)
    assert code == 0, document["divergence"]
    assert document["same_bits"] is False and "xla_flags" in document["fingerprint_differences"]
    assert document["contact"]["tick"] > 200 and document["rows_within_tolerance"] > 1000


# ---------------------------------------------------------------- from an incident
INCIDENT = "0001-braking-distance"


def test_a_run_verifies_from_an_incident_on(copied, home):
    repack(copied, lambda m: at(m, "/sim/state", 5).content["values"].update(altitude_m=0.0), result=False)
    edit(copied, "result.json", lambda d: d.update(digest=_digest(copied)))
    result = replay(copied, verify=True, from_incident=INCIDENT, home=home)
    document = result.document
    assert result.exit_code == 0, document
    assert document["from_incident"] == {
        "id": INCIDENT, "tick": 35, "t_s": 3.5, "start": "snapshot", "reason": None, "reached": True,
    }  # fmt: skip
    assert 0 < document["messages"] < 30, "what lies before the incident is not compared"


def _digest(folder):
    from healing_runtime.telemetry.mcap import digest_of

    return digest_of(read_log(folder / "log.mcap").messages)


@pytest.fixture
def snapshot(unhealed):
    """The incident as it was frozen."""
    written = json.loads((unhealed.folder / "incidents" / INCIDENT / "incident.json").read_text())
    parts = written["snapshot"]["carry"]
    carry = tuple(np.array([math.nan if v is None else float(v) for v in part]) for part in parts)
    return Snapshot(35, written["snapshot"]["state_hash"], np.zeros((35, 1)), carry)


@pytest.mark.parametrize("part", ["nothing", "tick", "state_hash", "carry"])
def test_a_flight_that_does_not_come_out_at_the_snapshot_is_seen(part, unhealed, snapshot):
    recall = Recall.of(Record.open(unhealed.folder), INCIDENT, 1)
    spoilt = {"carry": (snapshot.carry[0] + 1e-6, *snapshot.carry[1:]), "state_hash": "0" * 64}
    fresh = dataclasses.replace(snapshot, **{part: spoilt[part]} if part in spoilt else {})
    tick = 34 if part == "tick" else 35
    incident = Incident(INCIDENT, "", "", "", Severity.CRITICAL, Status.FALSE, tick, -1.0, fresh)
    if part == "nothing":
        recall.meet(incident)
        assert recall.reached
    else:
        with pytest.raises(SnapshotDiffers):
            recall.meet(incident)


def test_a_broken_snapshot_is_said_and_the_recipe_is_flown(copied, home):
    def spoil(document):
        document["snapshot"]["recipe_actions"][4][0] = 1000.0

    edit(copied, f"incidents/{INCIDENT}/incident.json", spoil)
    result = replay(copied, verify=True, from_incident=INCIDENT, home=home)
    assert result.exit_code == 0, result.document
    began = result.document["from_incident"]
    assert (began["start"], began["reached"]) == ("recipe", True) and began["reason"]


@pytest.mark.slow  # docs/records.md does it by default
def test_another_controller_takes_over_at_the_snapshot(unhealed, home):
    result = replay(unhealed.folder, controller="lander/soft_landing", from_incident=INCIDENT, home=home)
    document = result.document
    assert (document["outcome"], result.exit_code) == ("healed", 0), document
    incident = document["incidents"][0]
    assert incident["resume_tick"] == incident["tick"] == 35
    assert document["controller"]["final"] == home.controller("lander/soft_landing").sha256
    assert {a["id"]: a["status"] for a in document["assertions"]}["braking-distance"] == "false", "it stays broken"


@pytest.mark.slow
def test_a_controller_that_does_not_save_it_is_told(unhealed, home):
    result = replay(unhealed.folder, controller="lander/neuro_pilot", from_incident=INCIDENT, home=home)
    assert (result.document["outcome"], result.exit_code) == ("violated", 1)


def test_an_incident_that_is_not_there_is_named_with_those_that_are(unhealed, home):
    with pytest.raises(InputError, match=f"no incident 'x'; it has {INCIDENT}"):
        replay(unhealed.folder, from_incident="x", home=home)


def test_a_log_that_ends_before_the_incident_cannot_be_verified_from_there(copied, home):
    log = copied / "log.mcap"
    log.write_bytes(log.read_bytes()[:20_000])
    (copied / "result.json").unlink()
    with pytest.raises(RecordError, match="cut off before"):
        replay(copied, verify=True, from_incident=INCIDENT, home=home)


def test_an_incident_that_does_not_happen_again_is_a_divergence(copied, flown, home, monkeypatch):
    """The flight is one in which nobody met the incident."""
    monkeypatch.setattr(replays, "_flown", lambda *_: flown)
    with pytest.raises(ReplayDivergence, match="did not happen"):
        replay(copied, from_incident=INCIDENT, home=home)
    result = replay(copied, verify=True, from_incident=INCIDENT, home=home)
    assert result.exit_code == 3 and "did not happen" in result.document["divergence"]["what"]
