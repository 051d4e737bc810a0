"""The fallback flies on from the trip that nothing healed, on real physics; what is told of it, and replayed."""

import dataclasses
import json
import shutil

import pytest

from healing_runtime.app import history
from healing_runtime.cli.run import summary
from healing_runtime.core.codec import digest
from healing_runtime.core.errors import SandboxFailed
from healing_runtime.core.records import Decision, Source, StageResult
from healing_runtime.core.status import Stage
from healing_runtime.gate import policy
from healing_runtime.gate.policy import Gate
from healing_runtime.supervisor.replay import replay
from healing_runtime.telemetry.mcap import read_log
from tests.supervisor.conftest import ROOT, edit
from tests.supervisor.falling import FALLS, falling_in, run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return falling_in(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def fallen(made, told):
    """Nobody was asked; the fallback flew on."""
    return run(made(), brain="none", progress=told.append)


def events(result, name):
    messages = [json.loads(m.data) for m in read_log(result.folder / "log.mcap").messages if m.topic == "/event"]
    return [m for m in messages if m["event"] == name]


def rows(result, topic):
    messages = read_log(result.folder / "log.mcap").messages
    return {json.loads(m.data)["tick"]: json.loads(m.data)["values"] for m in messages if m.topic == topic}


# ---------------------------------------------------------------- what is told of it
def test_the_fallback_ends_the_run_and_the_result_says_so(fallen, made):
    document = fallen.document
    assert (document["outcome"], fallen.exit_code) == ("fallback", 1)
    assert document["ticks"] == 400 and document["mission"]["satisfied"]
    incident, fallback = document["incidents"][0], document["fallback"]
    assert incident["assertion"] == "controller/still-high" and not incident["healed"]
    assert (incident["ending"], fallback["cause"]) == ("no_brain", "no_brain")
    assert (fallback["controller"], fallback["incident"]) == ("lander/waits", incident["id"])
    assert fallback["tick"] == incident["tick"] and fallback["t_s"] == incident["t_s"]
    source = made().controller("lander/waits")
    assert document["controller"]["final"] == fallback["sha256"] == source.sha256
    manifest = json.loads((fallen.folder / "manifest.json").read_text())
    assert manifest["fallback"]["sha256"] == source.sha256 and manifest["fallback"]["text"] == source.text
    assert manifest["fallback_admission"]["states"] == 32


def test_violations_under_the_fallback_are_recorded_and_do_not_trip(fallen):
    (violated,) = fallen.document["fallback"]["violated"]
    assert violated["id"] == "slow-high-up" and violated["tick"] > fallen.document["fallback"]["tick"]
    assert len(fallen.document["incidents"]) == 1
    (event,) = events(fallen, "violation_recorded")
    assert (event["assertion"], event["tick"]) == ("slow-high-up", violated["tick"])
    statuses = {a["id"]: (a["status"], a["violated_t_s"]) for a in fallen.document["assertions"]}
    assert statuses["slow-high-up"] == ("false", violated["t_s"]) and statuses["gentle"][0] == "true"


def test_what_the_old_controller_itself_asserted_stays_broken_on_record(fallen):
    incident = fallen.document["incidents"][0]
    (closed,) = [a for a in fallen.document["assertions"] if a["id"] == "controller/still-high"]
    assert (closed["status"], closed["violated_t_s"]) == ("false", incident["t_s"])


def test_the_modes_are_a_path_through_the_table(fallen):
    tick = fallen.document["incidents"][0]["tick"]
    changes = [(e["tick"], e["before"], e["after"]) for e in events(fallen, "fall_back")]
    assert changes == [(tick, "held", "fallback")]
    assert [(e["tick"], e["before"]) for e in events(fallen, "finish")] == [(400, "fallback")]


# ---------------------------------------------------------------- the very tick
def test_it_computes_the_tripped_tick_again_and_the_old_action_is_never_applied(fallen):
    tick = fallen.document["fallback"]["tick"]
    before, after = rows(fallen, "/control/cmd_applied"), rows(fallen, "/branch/1/control/cmd_applied")
    assert list(before) == list(range(tick)) and list(after) == list(range(tick, 400))
    sensed = rows(fallen, "/sim/sensed"), rows(fallen, "/branch/1/sim/sensed")
    assert sensed[0][tick] == sensed[1][tick], "the same sample"


def test_memory_moves_by_name_and_shape_from_before_the_tripped_tick(fallen):
    tick = fallen.document["fallback"]["tick"]
    old, new = rows(fallen, "/control/state"), rows(fallen, "/branch/1/control/state")
    assert new[tick]["flown_s"] == old[tick]["flown_s"] == pytest.approx(0.1 * (tick + 1))
    assert new[tick]["height_m"] == [1.0, 1.0, 1.0], "of another shape: as its own init says"


def test_the_action_step_is_recorded(fallen):
    tick = fallen.document["fallback"]["tick"]
    before, after = rows(fallen, "/control/cmd_applied"), rows(fallen, "/branch/1/control/cmd_applied")
    step = {"thrust_n": after[tick]["thrust_n"] - before[tick - 1]["thrust_n"]}
    (event,) = events(fallen, "fallback")
    assert fallen.document["fallback"]["action_step"] == event["action_step"] == step
    assert (event["tick"], event["controller"], event["cause"]) == (tick, "lander/waits", "no_brain")


def test_at_the_last_tick_nothing_is_left_to_fly(fallen, made):
    home = made()
    path = home.root / "scenarios/lander/own.yaml"
    path.write_text(path.read_text().replace("duration: 40 s", "duration: 1 s"))
    result = run(home, brain="none")
    (incident,) = result.document["incidents"]
    assert (incident["assertion"], incident["tick"], result.document["ticks"]) == ("landed", 10, 10)
    assert (result.document["outcome"], result.document["fallback"]) == ("violated", None)


# ---------------------------------------------------------------- again
def test_a_run_that_ended_under_its_fallback_replays_bit_for_bit(fallen, made):
    result = replay(fallen.folder, verify=True, home=made())
    assert result.exit_code == 0, result.document
    assert result.document["digest"] == fallen.document["digest"]


def test_it_replays_from_its_incident_too(fallen, made):
    incident = fallen.document["incidents"][0]["id"]
    result = replay(fallen.folder, verify=True, from_incident=incident, home=made())
    assert result.exit_code == 0, result.document
    assert result.document["from_incident"]["start"] == "snapshot"


@pytest.mark.slow
def test_a_run_that_was_cut_off_under_its_fallback_replays_as_far_as_it_goes(fallen, made, tmp_path):
    cut = shutil.copytree(fallen.folder, tmp_path / "run")
    log = cut / "log.mcap"
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    (cut / "result.json").unlink()
    result = replay(cut, verify=True, home=made())
    assert (result.exit_code, result.document["complete"]) == (0, False)
    assert result.document["messages"] > 100


@pytest.mark.slow
def test_another_fallback_in_the_manifest_is_found_by_the_replay(fallen, made, tmp_path):
    other = made().controller("lander/sink")
    copied = shutil.copytree(fallen.folder, tmp_path / "run")
    edit(copied, "manifest.json", lambda d: d.update(fallback=dataclasses.asdict(other)), sealed=True)
    result = replay(copied, verify=True, home=made())
    assert result.exit_code == 3
    assert result.document["divergence"]["tick"] == fallen.document["fallback"]["tick"]


def test_the_second_run_does_not_pay_for_the_drawn_flights_again(fallen, told, made, monkeypatch):
    assert "lander/waits flew well from 32 drawn states" in told
    monkeypatch.setattr("healing_runtime.gate.fallback._examine", lambda *_: pytest.fail("flown again"))
    again = []
    result = run(made(), brain="none", progress=again.append)
    assert result.document["digest"] == fallen.document["digest"]
    assert not any("drawn states" in line for line in again)


# ---------------------------------------------------------------- whatever ended the repair
def script(folder, *sources):
    (folder / "script.json").write_text(json.dumps({"answers": [{"source": text} for text in sources]}))
    return f"mock:{folder / 'script.json'}"


@pytest.mark.parametrize(
    ("answers", "ending"),
    [
        (["import os\n", "x = 1\n", "y = 1\n", FALLS], "attempts_spent"),
        pytest.param(["import os\n"], "nothing_offered", marks=pytest.mark.slow),
    ],
)
def test_refused_patches_end_under_the_fallback(fallen, made, tmp_path, monkeypatch, answers, ending):
    monkeypatch.setattr(Gate, "qualify", lambda *_: ())
    result = run(made(), brain=script(tmp_path, *answers))
    assert result.document["outcome"] == "fallback"
    assert result.document["incidents"][0]["ending"] == result.document["fallback"]["cause"] == ending
    assert result.document["fallback"]["tick"] == fallen.document["fallback"]["tick"]
    assert [e["before"] for e in events(result, "fall_back")] == ["held"]


@pytest.mark.slow
def test_where_the_workers_are_gone_the_fallback_flies_and_the_reason_is_kept(fallen, made, tmp_path, monkeypatch):
    def gone(*_):
        raise SandboxFailed("the zygote died")

    monkeypatch.setattr(Gate, "qualify", gone)
    result = run(made(), brain=script(tmp_path, "x = 1\n"))
    assert (result.document["outcome"], result.exit_code) == ("fallback", 1)
    assert result.document["fallback"]["cause"] == "aborted" and "the zygote died" in result.document["reason"]
    monkeypatch.undo()
    assert replay(result.folder, verify=True, home=made()).exit_code == 0


@pytest.mark.slow
def test_a_brain_that_cannot_be_reached_leaves_the_flight_to_the_fallback(fallen, made, monkeypatch):
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    result = run(made(), brain="gemini", brain_fallback=False)
    assert (result.document["outcome"], result.exit_code) == ("fallback", 1)
    assert result.document["fallback"]["cause"] == "brain_unavailable"
    assert "GEMINI_API_KEY" in result.document["incidents"][0]["detail"]


# ---------------------------------------------------------------- after a swap
BREAKS = FALLS.replace('"thrust": 0.0', '"thrust": 100.0')
"""A patch that breaks the same promise in the next tick."""
LANDS = (ROOT / "controllers/lander/sink.py").read_text()
"""A patch that keeps every promise from the trip on."""


@pytest.fixture
def trusting(monkeypatch):
    """A gate that takes whatever builds, from the trip on; `trusting(last)` says up to which tick it had flown."""

    def trust(last):
        def judge(self, proposal, incident, resumes, flying, *_, **__):
            source, context = Source(flying.name, "patch", proposal.source, digest(proposal.source)), self._context
            self.program = policy.admit(self._sandbox, source, context.course, context.table, self._kept)
            flights = StageResult(Stage.FLIGHTS, True, facts={"scenario": {"last_tick": last}})
            return Decision("full", True, (flights,), incident.tick, (incident.tick, None), self.program.sha256)

        monkeypatch.setattr(Gate, "judge", judge)
        monkeypatch.setattr(Gate, "qualify", lambda *_: ())

    return trust


def test_a_patch_that_is_rolled_back_hands_the_flight_to_the_fallback(fallen, made, tmp_path, trusting):
    trusting(400)
    result = run(made(), brain=script(tmp_path, BREAKS))
    (incident,) = result.document["incidents"]
    assert [(a["verdict"], a["stage"]) for a in incident["attempts"]] == [("refused", "probation")]
    assert result.document["outcome"] == "fallback" and result.document["ticks"] == 400
    assert result.document["fallback"]["tick"] == incident["tick"], "from the trip, not from the probation"
    assert [e["before"] for e in events(result, "fall_back")] == ["held"]


def test_beyond_the_validated_ticks_the_fallback_takes_over(fallen, made, tmp_path, trusting):
    trusting(120)
    result = run(made(), brain=script(tmp_path, LANDS))
    document = result.document
    (incident,) = document["incidents"]
    assert incident["healed"], incident
    assert (document["outcome"], document["fallback"]["cause"]) == ("fallback", "validity_expired")
    assert (document["fallback"]["tick"], document["fallback"]["incident"]) == (120, None)
    evidence = json.loads((result.folder / "incidents" / incident["id"] / "evidence.json").read_text())
    assert evidence["valid_until_tick"] == 120
    assert max(rows(result, "/branch/1/control/cmd_applied")) == 119, "no action of the patch beyond"
    assert list(rows(result, "/branch/2/control/cmd_applied")) == list(range(120, 400))
    assert [e["before"] for e in events(result, "fall_back")] == ["nominal"]


@pytest.mark.slow
def test_without_a_fallback_the_run_ends_there_with_that_reason(fallen, made, tmp_path, trusting):
    trusting(120)
    result = run(made(fallback=None), brain=script(tmp_path, LANDS))
    document = result.document
    assert (document["outcome"], result.exit_code, document["ticks"]) == ("violated", 1, 120)
    assert "validated up to tick 120" in document["reason"] and document["fallback"] is None


@pytest.mark.slow
def test_a_patch_that_was_validated_to_the_end_flies_to_the_end(fallen, made, tmp_path, trusting):
    trusting(400)
    result = run(made(), brain=script(tmp_path, LANDS))
    assert (result.document["outcome"], result.document["fallback"]) == ("healed", None)
    assert result.document["ticks"] == 400


# ---------------------------------------------------------------- for people
def test_an_incident_says_who_flew_on(fallen):
    incident = fallen.document["incidents"][0]["id"]
    document = history.incident(f"{fallen.folder.name}/{incident}", fallen.folder.parent)
    assert (document["ending"], document["fallback"]) == ("no_brain", "lander/waits")


def test_the_summary_names_the_fallback_and_what_broke_under_it(fallen):
    text = "\n".join(summary(dict(fallen.document), fallen.folder))
    flew = fallen.document["fallback"]
    assert f"fallback lander/waits flew from {flew['t_s']:g} s (tick {flew['tick']}) on: no brain" in text
    assert "slow-high-up violated at" in text and "action step: thrust_n +0" in text
