"""Recorded runs, judged again: an unhealed one and one that was healed with a rewind, against their own results."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from healing_runtime import workspace
from healing_runtime.app import recordings
from healing_runtime.app.assertions import test as judging
from healing_runtime.cli.main import execute
from healing_runtime.core.errors import InputError, RecordError
from healing_runtime.supervisor import recordings as runs

ROOT = Path(__file__).parents[2]


def fly(out, *options):
    command = [sys.executable, "-m", "healing_runtime", "run", "lander/neuro_lander", "--out", str(out), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    return folder


@pytest.fixture(scope="module")
def unhealed(tmp_path_factory):
    return fly(tmp_path_factory.mktemp("unhealed"), "--brain", "none")


@pytest.fixture
def healed(flown):
    return flown.out / json.loads(flown.stdout)["run_id"]


def assert_judged_as_it_was_flown(folder):
    result = json.loads((folder / "result.json").read_text())
    told = judging.test(str(folder))
    judged = {entry["id"]: entry for entry in told["assertions"]}
    for flown in result["assertions"]:
        if flown["id"].startswith("controller/"):
            continue  # the controller's own, which no file holds
        found = judged.pop(flown["id"])
        assert (found["status"], found["severity"]) == (flown["status"], flown["severity"])
        for key in ("robustness", "robustness_scaled"):
            assert found[key] == flown[key], (flown["id"], key)
        assert found["worst"]["t_s"] == flown["worst_t_s"]
    (mission,) = judged.values()
    assert mission["id"] == result["mission"]["id"] and mission["severity"] == "mission"
    assert (mission["status"] == "true") == result["mission"]["satisfied"]
    assert told["samples"] == result["ticks"] + 1
    return result, told


def test_an_unhealed_run_is_judged_as_it_was_flown(unhealed):
    result, told = assert_judged_as_it_was_flown(unhealed)
    (incident,) = result["incidents"]
    broken = next(entry for entry in told["assertions"] if entry["id"] == incident["assertion"])
    assert (broken["first_violation"]["tick"], broken["decided_by"]["tick"]) == (incident["tick"], incident["tick"])
    assert broken["robustness"] == incident["robustness"]
    assert set(broken["decided_by"]["signals"]) == {"descent_rate", "altitude"}


def test_a_healed_run_is_judged_by_its_final_branch(healed):
    result, told = assert_judged_as_it_was_flown(healed)
    assert result["final_branch"] == 1 and result["outcome"] == "healed"
    assert not told["violated"]


def test_what_the_run_logged_is_what_is_judged(unhealed, tmp_path, monkeypatch):
    """Values of atoms come from the log: without them the last digits would be calculated anew."""
    asked = []
    original = judging.judge

    def judge(requirements, signals, dtype, known):
        asked.append(set(known))
        spoilt = {name: samples * 0 for name, samples in signals.items()}
        return original(requirements, spoilt, dtype, known)

    monkeypatch.setattr(judging, "judge", judge)
    judged = {entry["id"]: entry["status"] for entry in judging.test(str(unhealed))["assertions"]}
    assert judged["braking-distance"] == "false" and len(asked[0]) == 5


def test_new_assertions_over_an_old_run(unhealed, tmp_path, monkeypatch, capsys):
    (tmp_path / "new.yaml").write_text(
        "robot: lander\nassertions:\n  - {id: slow, severity: warning, formula: always (descent_rate < 12 m/s)}\n"
    )
    arguments = ["assertions", "test", str(unhealed), "--assertions", str(tmp_path / "new.yaml"), "--json"]
    assert execute(arguments) == 1
    (found,) = json.loads(capsys.readouterr().out)["assertions"]
    assert (found["id"], found["status"]) == ("slow", "false")
    rate = found["decided_by"]["signals"]["descent_rate"]["value"]
    assert found["robustness"] == pytest.approx(12 - rate, abs=1e-5) and rate > 15


def test_a_log_alone_is_judged_as_its_run(healed, tmp_path, capsys):
    shutil.copy(healed / "log.mcap", tmp_path / "alone.mcap")
    told = judging.test(str(tmp_path / "alone.mcap"), ["lander/landing"])
    assert not told["violated"] and told["samples"] == 401 and told["rate_hz"] == 10.0


def test_a_run_that_did_not_end_is_judged_as_far_as_it_came(healed, tmp_path):
    folder = Path(shutil.copytree(healed, tmp_path / "cut"))
    (folder / "result.json").unlink()
    log = folder / "log.mcap"
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    told = judging.test(str(folder))
    assert told["notes"] == ["the run did not end: judged up to its last whole sample"]
    assert 36 < told["samples"] < 401 and not told["violated"]


def test_a_log_that_is_not_the_runs_is_refused(unhealed, healed, tmp_path):
    table = workspace.open().robot("lander").signals
    folder = Path(shutil.copytree(unhealed, tmp_path / "mixed"))
    shutil.copy(healed / "log.mcap", folder / "log.mcap")
    with pytest.raises(RecordError, match="not as the run left it"):
        runs.read_run(folder, table)
    shutil.copy(unhealed / "log.mcap", folder / "log.mcap")
    log = bytearray((folder / "log.mcap").read_bytes())
    log[log.index(b'"altitude_m":') + 15] ^= 1
    (folder / "log.mcap").write_bytes(log)
    with pytest.raises(RecordError, match="not as the run left it"):
        runs.read_run(folder, table)


def test_a_manifest_that_is_not_the_runs_is_refused(unhealed, tmp_path, capsys):
    def changed(change):
        folder = tmp_path / "changed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(unhealed, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        change(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        assert execute(["assertions", "test", str(folder)]) == 2
        said = capsys.readouterr().err
        assert len(said.splitlines()) == 1
        return said

    assert "is not one of this version" in changed(lambda m: m.pop("assertion_files"))
    assert "is not one of this version" in changed(lambda m: m["assertion_files"][0].pop("robot"))
    assert "is not one of this version" in changed(lambda m: m.update(assertion_files=[7]))
    assert "control_hz is 0" in changed(lambda m: m["scenario"].update(control_hz=0))
    assert "control_hz is -10" in changed(lambda m: m["scenario"].update(control_hz=-10))
    said = changed(lambda m: m["scenario"].update(control_hz=7))
    assert "tick 1 was logged at 100000000 ns, which is not 7 Hz" in said
    assert "names the mission 'orbit'" in changed(lambda m: m["scenario"].update(mission="orbit"))


def test_a_verdict_that_is_not_the_results_is_refused(unhealed, tmp_path, capsys):
    """Formulas of the manifest, or verdicts of the result, that were changed after the run."""
    folder = Path(shutil.copytree(unhealed, tmp_path / "changed"))

    def refused(name, change, *options):
        document = json.loads((unhealed / name).read_text())
        change(document)
        (folder / name).write_text(json.dumps(document))
        assert execute(["assertions", "test", str(folder), *options]) == 2
        shutil.copy(unhealed / name, folder / name)
        said = capsys.readouterr().err
        assert len(said.splitlines()) == 1
        return said

    def loosen(manifest):
        for written in manifest["assertion_files"][0]["assertions"]:
            written["formula"] = f"({written['formula']}) or altitude > -900 m"

    said = refused("manifest.json", loosen, "--id", "braking-distance")
    assert "'braking-distance' is true by the manifest and the log, and false in result.json" in said
    said = refused("result.json", lambda r: r["assertions"].pop(0))
    assert "and missing in result.json" in said
    said = refused("result.json", lambda r: r["mission"].update(satisfied=True))
    assert "'landed' is unknown by the manifest and the log, and true in result.json" in said
    assert "does not tell its verdicts" in refused("result.json", lambda r: r.update(assertions=[7]))
    (tmp_path / "new.yaml").write_text(
        "robot: lander\nassertions:\n  - {id: braking-distance, severity: warning, formula: always (altitude > -1 m)}\n"
    )
    assert execute(["assertions", "test", str(folder), "--assertions", str(tmp_path / "new.yaml")]) == 0


def test_what_is_not_for_a_run_is_refused(unhealed):
    table = workspace.open().robot("lander").signals
    with pytest.raises(InputError, match="was recorded at 10 Hz; leave --rate out"):
        judging.test(str(unhealed), rate="48 Hz")
    with pytest.raises(InputError, match="leave --column out"):
        judging.test(str(unhealed), columns=["a=altitude [m]"])
    with pytest.raises(InputError, match="is for robot 'quadrotor', the recording is of 'lander'"):
        judging.test(str(unhealed), ["quadrotor/landing"])
    with pytest.raises(InputError, match="is a run of 'lander', the assertions are for 'quadrotor'"):
        recordings.load_recording(str(unhealed), "quadrotor", table)
    assert judging.test(str(unhealed), rate="10 Hz", ids=["ceiling"])["assertions"][0]["status"] == "true"
