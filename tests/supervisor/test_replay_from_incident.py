"""A replay that begins at an incident: at its snapshot, or by its recipe where that is broken."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from healing_runtime.core.errors import InputError, RecordError, ReplayDivergence
from healing_runtime.core.records import Incident, Snapshot
from healing_runtime.core.status import Severity, Status
from healing_runtime.supervisor import replay as replays
from healing_runtime.supervisor.recall import Recall, SnapshotDiffers
from healing_runtime.supervisor.record import Record
from healing_runtime.supervisor.replay import replay
from healing_runtime.telemetry.mcap import digest_of, read_log
from tests.supervisor.conftest import edit, repack
from tests.supervisor.turning import at

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
    return digest_of(read_log(folder / "log.mcap").messages)


@pytest.fixture
def snapshot(unhealed):
    """The incident as it was frozen."""
    written = json.loads((unhealed.folder / "incidents" / INCIDENT / "incident.json").read_text())
    parts = written["snapshot"]["carry"]
    carry = tuple(np.array([math.nan if v is None else float(v) if v == "inf" else v for v in part]) for part in parts)
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
    began, found = result.document["from_incident"], result.document["divergence"]
    assert (began["start"], began["reached"]) == ("recipe", True) and began["reason"]
    assert result.exit_code == 3, "what the snapshot says is not what was flown"
    assert (found["tick"], found["signal"], found["recorded"]) == (4, "thrust_n", 1000.0)


@pytest.fixture(scope="module")
def begun(unhealed, home):
    """The unhealed run, flown once from its incident on."""
    kept = []
    real = replays._from_incident
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replays, "_from_incident", lambda *given: kept.append(real(*given)) or kept[-1])
        assert replay(unhealed.folder, verify=True, from_incident=INCIDENT, home=home).document["files"] == 2
    return kept[0]


def forged(**fields):
    """What changes fields of an incident or of its snapshot."""

    def change(document):
        for name, value in fields.items():
            held = document if name in document and name != "tick" else document["snapshot"]
            assert name in held and held[name] != value
            held[name] = value

    return change


def turned_action(document):
    document["snapshot"]["recipe_actions"][4][0] += 1e-7


FORGED = {
    "tick": (forged(tick=20), "snapshot.tick"),
    "a truth value for the tick": (forged(tick=True), "snapshot.tick"),
    "state hash": (forged(state_hash="0" * 64), "snapshot.state_hash"),
    "action": (turned_action, "thrust_n"),
    "assertion": (forged(assertion="soft-landing"), "assertion"),
    "robustness": (forged(robustness=-1.0), "robustness"),
    "English": (forged(english="nothing happened"), "english"),
    "memory": (lambda d: d["snapshot"]["carry"][-1].append(0), "snapshot.carry"),
    "onsets": (lambda d: d["snapshot"]["onsets"].append([0, 3]), "snapshot.onsets"),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_incident_is_a_divergence(what, copied, begun, home, monkeypatch):
    monkeypatch.setattr(replays, "_from_incident", lambda *_: begun)
    change, signal = FORGED[what]
    edit(copied, f"incidents/{INCIDENT}/incident.json", change)
    result = replay(copied, verify=True, from_incident=INCIDENT, home=home)
    found = result.document["divergence"]
    assert result.exit_code == 3 and found["signal"].startswith(signal), result.document
    assert f"incidents/{INCIDENT}/incident.json" in found["what"]
    assert found["tick"] == (4 if what == "action" else None)


def test_a_forged_action_that_moves_nothing_is_found_in_the_log(copied, begun, home, monkeypatch):
    """The replay followed it, so that only the log knows better."""
    edit(copied, f"incidents/{INCIDENT}/incident.json", turned_action)
    followed = json.loads((copied / f"incidents/{INCIDENT}/incident.json").read_text())
    files = {INCIDENT: {**begun.files[INCIDENT], "incident.json": followed}}
    monkeypatch.setattr(replays, "_from_incident", lambda *_: dataclasses.replace(begun, files=files))
    result = replay(copied, verify=True, from_incident=INCIDENT, home=home)
    found = result.document["divergence"]
    assert result.exit_code == 3 and (found["tick"], found["signal"]) == (4, "thrust_n"), result.document
    assert "recorded 1e-07, the log has 0.0" in found["what"]


def test_a_snapshot_of_another_tick_is_not_begun_at(unhealed, snapshot):
    recall = Recall.of(Record.open(unhealed.folder), INCIDENT, 1)
    fresh = dataclasses.replace(snapshot, tick=20)
    with pytest.raises(SnapshotDiffers, match="the tick in the snapshot"):
        recall.meet(Incident(INCIDENT, "", "", "", Severity.CRITICAL, Status.FALSE, 35, -1.0, fresh))


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
