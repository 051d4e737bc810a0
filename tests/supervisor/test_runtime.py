"""Whole runs on real physics: healed, unhealed, replayed, copied, interrupted; with the quickest scenario."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from healing_runtime import workspace
from healing_runtime.core.errors import InputError, RecordError, SandboxFailed
from healing_runtime.gate import attempt_document, evidence_document
from healing_runtime.ledger.store import Ledger
from healing_runtime.repair.request import brain_seed
from healing_runtime.supervisor.channels import Channels
from healing_runtime.supervisor.preparation import prepare
from healing_runtime.supervisor.replay import replay
from healing_runtime.supervisor.runtime import Runtime
from healing_runtime.telemetry.mcap import read_log, repair_log
from healing_runtime.telemetry.record import RunFolder
from tests.supervisor.conftest import schema_errors

ROOT = Path(__file__).parents[2]
SCENARIO = "lander/neuro_lander"


@pytest.fixture(scope="session")
def healed(home, tmp_path_factory):
    return Runtime(SCENARIO, workspace=home, out=tmp_path_factory.mktemp("runs")).run()


def test_a_landing_that_crashes_is_healed(healed):
    document = healed.document
    assert (document["outcome"], healed.exit_code) == ("healed", 0), document
    assert document["mission"]["satisfied"] is True
    assert {a["status"] for a in document["assertions"]} <= {"true", "vacuous"}
    assert document["controller"]["final"] != document["controller"]["initial"]
    assert all(i["healed"] and i["attempts"][-1]["verdict"] == "accepted" for i in document["incidents"])
    assert document["final_branch"] == len(document["incidents"])


def test_without_a_brain_the_run_ends_at_the_trip(unhealed, healed):
    document = unhealed.document
    assert (document["outcome"], unhealed.exit_code) == ("violated", 1)
    incident = document["incidents"][0]
    assert document["ticks"] == incident["tick"] == healed.document["incidents"][0]["tick"]
    assert incident["attempts"] == [] and not incident["healed"]


@pytest.mark.parametrize("ground_truth", [True, False])
def test_a_run_says_whether_it_judges_the_truth_or_the_sensors(ground_truth, home, tmp_path):
    prepared = prepare(SCENARIO, home=home)
    robot = dataclasses.replace(prepared.robot, ground_truth=ground_truth)
    told = []
    Runtime(dataclasses.replace(prepared, robot=robot), brain="none", out=tmp_path, progress=told.append).run()
    assert any("no ground truth" in line for line in told) is not ground_truth
    assert not any(".: paused" in line for line in told)


def test_the_record_holds_what_a_reviewer_needs(healed):
    incident = healed.folder / "incidents" / healed.document["incidents"][0]["id"]
    diff = (incident / "patch.diff").read_text()
    assert diff.startswith("--- a/controllers/") and "\n+" in diff
    evidence = json.loads((incident / "evidence.json").read_text())
    stages = [s["stage"] for s in evidence["stages"]]
    assert stages == ["contract", "syntax", "ownership", "trace", "passes", "export", "flights"]
    neighbourhood = evidence["stages"][-1]["facts"]["neighbourhood"]
    assert neighbourhood["passed"] >= neighbourhood["needed"]
    assert evidence["controller_after"] == healed.document["controller"]["final"]
    assert evidence["takeover"]["resume_tick"] == healed.document["incidents"][0]["resume_tick"]


def test_the_whole_chain_is_in_the_run_and_in_the_ledger(healed):
    """Every attempt with each stage and its time; the evidence under its own hash, the same in both places."""
    folder = RunFolder.open(healed.folder)
    with Ledger(healed.folder.parent / "ledger.sqlite3") as ledger:
        for incident in healed.document["incidents"]:
            written = folder.read_attempts(incident["id"])
            kept = ledger.incident(f"{healed.document['run_id']}/{incident['id']}")["attempts"]
            assert len(written) == len(kept) == len(incident["attempts"])
            for attempt, entry in zip(written, kept, strict=True):
                found = attempt_document.read(attempt)
                assert set(found.stage_s) == {stage.stage for stage in found.stages}
                assert attempt == {key: entry[key] for key in attempt}
            evidence = folder.read_incident(incident["id"], "evidence.json")
            proven = evidence_document.read(evidence)
            assert ledger.patch(incident["patch"])["evidence"] == evidence
            assert proven.brain == "embedded" and proven.latency is not None and proven.program_sha256
            assert proven.stages[-1].facts.examinations_left is not None


def test_the_topics_are_those_of_the_design(healed):
    topics = {m.topic for m in read_log(healed.folder / "log.mcap").messages}
    assert {"/sim/state", "/sim/sensed", "/control/cmd_applied", "/control/state", "/event"} <= topics
    assert any(t.startswith("/assert/") for t in topics)
    assert any(t.startswith("/branch/1/") for t in topics)


def test_the_rows_of_a_branch_keep_to_the_schemas_of_their_topics(healed, home):
    channels = Channels(home.robot("lander").signals)
    for message in read_log(healed.folder / "log.mcap").messages:
        assert schema_errors(json.loads(message.data), channels(message.topic), message.topic) == []


def test_the_log_says_what_the_result_says(healed):
    """Rows of the final branch, joined to the old rows before the fork, are one gapless flight."""
    messages = read_log(healed.folder / "log.mcap").messages
    resume = healed.document["incidents"][0]["resume_tick"]
    ticks = [json.loads(m.data)["tick"] for m in messages if m.topic == "/sim/state"]
    after = [json.loads(m.data)["tick"] for m in messages if m.topic == "/branch/1/sim/state"]
    assert [t for t in ticks if t < resume] + after == list(range(healed.document["ticks"] + 1))


def test_a_replay_is_the_run_bit_for_bit(healed, home):
    result = replay(healed.folder, verify=True, home=home)
    assert result.exit_code == 0, result.document
    assert result.document["digest"] == healed.document["digest"]
    assert result.document["same_fingerprint"] and result.document["same_simulation"]


def flip(log: Path, pattern: bytes, offset: int = 0) -> None:
    data = bytearray(log.read_bytes())
    match = re.search(pattern, data)
    assert match
    data[match.start(1) + offset] ^= 1
    log.write_bytes(bytes(data))


def test_one_flipped_bit_of_a_row_is_found_with_its_tick(copied, verify):
    flip(copied / "log.mcap", rb'\{"tick":17,"values":\{"altitude_m":\d+\.\d(\d)')
    code, document = verify(copied)
    assert code == 3
    assert document["divergence"]["tick"] == 17
    assert "altitude_m" in document["divergence"]["what"]


def test_a_flipped_frame_byte_is_found_too(copied, verify):
    flip(copied / "log.mcap", rb'(.)\{"tick":21,"values":\{"altitude_m"', offset=-18)
    code, document = verify(copied)
    assert code == 3
    assert document["divergence"]["tick"] in (20, 21)


def test_a_truncated_log_is_compared_as_far_as_it_goes(copied, home):
    log = copied / "log.mcap"
    data = log.read_bytes()
    log.write_bytes(data[: len(data) // 2])
    (copied / "result.json").unlink()
    result = replay(copied, verify=True, home=home)
    assert result.exit_code == 0
    assert result.document["complete"] is False and result.document["messages"] > 10


def test_another_controller_can_be_flown_on_a_recorded_run(unhealed, home):
    result = replay(unhealed.folder, controller="lander/soft_landing", home=home)
    assert result.document["outcome"] == "succeeded"


LAND = """robot: lander
assertions:
  - {id: slow-high-up, formula: always (altitude > 80 m implies descent_rate < 11 m/s), rationale: The radar needs it.}
  - {id: gentle, formula: always (touchdown_speed < 5 m/s), rationale: The legs break.}
mission:
  - {id: landed, formula: "eventually[0 s, MISSION s] landed"}
"""
FLY = """robot: lander
controller: lander/PILOT
assertions: [own]
mission: landed
duration: 40 s
rates: {control_hz: 10, physics_hz: 100}
initial: {altitude_m: 100, velocity_mps: -10, fuel_kg: 300}
dtype: DTYPE
policy: {on_violation: POLICY, max_attempts: 3}
acceptance: {neighbourhood: {samples: 12, min_pass_rate: 0.7}, regressions: false}
"""


@pytest.fixture
def own(tmp_path):
    """A workspace of one's own: `own(policy=…, mission=…, dtype=…)` makes and opens it."""

    def make(policy="freeze", mission="40", dtype="float32", pilot="neuro_pilot"):
        for folder, name, text in (("assertions", "own.yaml", LAND), ("scenarios/lander", "own.yaml", FLY)):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            for word, value in {"POLICY": policy, "MISSION": mission, "DTYPE": dtype, "PILOT": pilot}.items():
                text = text.replace(word, value)
            (tmp_path / folder / name).write_text(text)
        return workspace.open(tmp_path)

    return make


def test_freezing_resumes_in_the_trip_and_keeps_the_broken_promise_on_record(own, tmp_path):
    home = own()
    result = Runtime("lander/own", workspace=home, out=tmp_path / "runs").run()
    incident = result.document["incidents"][0]
    assert result.document["outcome"] == "healed" and incident["assertion"] == "slow-high-up"
    assert incident["resume_tick"] == incident["tick"]
    statuses = {a["id"]: a["status"] for a in result.document["assertions"]}
    assert statuses["slow-high-up"] == "false" and statuses["gentle"] == "true"
    assert replay(result.folder, verify=True, home=home).exit_code == 0


@pytest.mark.slow
def test_a_frozen_run_verifies_from_its_incident_on(own, tmp_path):
    home = own()
    result = Runtime("lander/own", workspace=home, out=tmp_path / "runs").run()
    incident = result.document["incidents"][0]["id"]
    assert replay(result.folder, verify=True, from_incident=incident, home=home).exit_code == 0


@pytest.mark.slow
def test_a_healed_run_verifies_from_its_incident_on(healed, home):
    incident = healed.document["incidents"][0]["id"]
    assert replay(healed.folder, verify=True, from_incident=incident, home=home).exit_code == 0


def test_freezing_does_not_mend_a_missed_mission(own, tmp_path):
    result = Runtime("lander/own", workspace=own(mission="1", pilot="soft_landing"), out=tmp_path / "runs").run()
    incident = next(i for i in result.document["incidents"] if i["assertion"] == "landed")
    assert (incident["ending"], incident["healed"]) == ("mission_needs_rewind", False)
    assert (result.document["outcome"], result.exit_code) == ("violated", 1)


def test_a_float64_scenario_flies(own, tmp_path):
    import jax

    try:
        result = Runtime("lander/own", brain="none", workspace=own(dtype="float64"), out=tmp_path / "runs").run()
        assert result.document["incidents"][0]["assertion"] == "slow-high-up"
    finally:
        jax.config.update("jax_enable_x64", False)


def test_a_repaired_record_verifies_as_far_as_it_goes(copied, verify):
    log = copied / "log.mcap"
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    (copied / "result.json").unlink()
    repair_log(log)
    code, document = verify(copied)
    assert (code, document["complete"]) == (0, False)


def test_a_loaded_scenario_takes_seed_and_policy(home):
    prepared = prepare(home.scenario(SCENARIO), home=home, seed=99, policy="freeze")
    assert (prepared.scenario.seed, prepared.scenario.policy.on_violation) == (99, "freeze")


def test_a_brain_cannot_know_the_seed_of_the_held_out_draws(home):
    scenario = home.scenario(SCENARIO).scenario
    assert brain_seed(scenario) == brain_seed(scenario) != scenario.seed
    assert brain_seed(scenario) != brain_seed(dataclasses.replace(scenario, seed=scenario.seed + 1))


def test_a_mocked_patch_that_is_refused_does_not_fly(home, tmp_path):
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"answers": [{"source": "import os\n"}]}))
    result = Runtime(SCENARIO, brain=f"mock:{script}", workspace=home, out=tmp_path / "runs").run()
    assert result.exit_code == 1
    attempt = result.document["incidents"][0]["attempts"][0]
    assert (attempt["verdict"], attempt["stage"]) == ("refused", "syntax")
    assert result.document["controller"]["final"] == result.document["controller"]["initial"]


@pytest.mark.parametrize("delay_s", [*(pytest.param(s, marks=pytest.mark.slow) for s in (0.05, 0.4)), 1.5])
def test_a_run_killed_at_any_moment_leaves_a_readable_record(tmp_path, delay_s):
    code = (
        "from healing_runtime.supervisor.runtime import Runtime\n"
        f"Runtime({SCENARIO!r}, out={str(tmp_path)!r}, progress=lambda s: print(s, flush=True)).run()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("flying"):
                break
        time.sleep(delay_s)
        os.kill(process.pid, signal.SIGKILL)
    (run,) = [p for p in tmp_path.iterdir() if p.is_dir()]
    assert json.loads((run / "manifest.json").read_text())["scenario"]["name"] == SCENARIO
    contents = read_log(run / "log.mcap")
    assert all(json.loads(m.data) for m in contents.messages)
    if contents.messages:
        result = replay(run, verify=True, home=workspace.open(ROOT))
        assert result.exit_code == 0, result.document
    else:
        with pytest.raises(RecordError, match="nothing to compare"):
            replay(run, verify=True, home=workspace.open(ROOT))


def test_workers_that_are_gone_abort_the_run_and_the_record_says_so(home, tmp_path, monkeypatch):
    def gone(*_):
        raise SandboxFailed("the zygote died")

    monkeypatch.setattr("healing_runtime.gate.policy.Gate.qualify", gone)
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"answers": [{"source": "x = 1\n"}]}))
    result = Runtime(SCENARIO, brain=f"mock:{script}", workspace=home, out=tmp_path / "runs").run()
    assert (result.document["outcome"], result.exit_code) == ("aborted", 4)
    assert "the zygote died" in result.document["reason"]
    assert json.loads((result.folder / "result.json").read_text()) == result.document
    monkeypatch.undo()
    assert replay(result.folder, verify=True, home=home).exit_code == 0


def test_a_missing_key_without_a_fallback_brain_aborts_at_the_incident(home, tmp_path, monkeypatch):
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    result = Runtime(SCENARIO, brain="gemini", brain_fallback=False, workspace=home, out=tmp_path).run()
    assert (result.document["outcome"], result.exit_code) == ("aborted", 4)
    incident = result.document["incidents"][0]
    assert incident["ending"] == "brain_unavailable" and "GEMINI_API_KEY" in incident["detail"]


def test_bad_input_writes_nothing(home, tmp_path):
    with pytest.raises(InputError):
        Runtime("lander/no_such_scenario", workspace=home, out=tmp_path).run()
    with pytest.raises(InputError, match="not a brain"):
        Runtime(SCENARIO, brain="oracle", workspace=home, out=tmp_path).run()
    assert list(tmp_path.iterdir()) == []
