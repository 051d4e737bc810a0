"""Runs as a user starts them: real processes, a healed landing, its record, its replay, and what a kill leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from healing_runtime.telemetry.mcap import read_log
from healing_runtime.telemetry.record import RunFolder

ROOT = Path(__file__).parents[2]
HEAL = [sys.executable, "-m", "healing_runtime"]


def heal(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*HEAL, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def document(flown) -> dict[str, Any]:
    assert flown.returncode == 0, flown.stderr
    return json.loads(flown.stdout)


@pytest.fixture
def record(flown, document, tmp_path) -> Path:
    """A copy of the healed run that a test may damage."""
    return Path(shutil.copytree(flown.out / document["run_id"], tmp_path / document["run_id"]))


# ---------------------------------------------------------------- the healed run
def test_the_document_is_the_one_that_is_promised(document):
    assert document["outcome"] == "healed"
    assert document["mission"]["satisfied"] is True
    assert {a["status"] for a in document["assertions"]} <= {"true", "vacuous"}
    (incident, *_) = document["incidents"]
    assert incident["healed"] and incident["patch"].startswith("sha256:")
    assert incident["attempts"][-1]["verdict"] == "accepted"
    assert set(incident["breakdown_s"]) >= {"propose", "verify", "compile", "validate", "swap"}
    assert incident["t_s"] == incident["tick"] / 10
    assert document["controller"]["initial"] != document["controller"]["final"] == incident["patch"]
    assert document["ticks"] == 400 and document["sim_time_s"] == 40.0


def test_progress_goes_to_stderr_and_the_result_stands_in_the_record(flown, document):
    assert "flying lander/neuro_lander" in flown.stderr
    assert json.loads((flown.out / document["run_id"] / "result.json").read_text()) == document


def test_the_ledger_shows_incident_and_patch(flown, document):
    out = flown.out
    (incident,) = json.loads(heal("incidents", "list", "--out", out, "--json").stdout)["incidents"]
    assert (incident["run"], incident["healed"]) == (document["run_id"], True)
    shown = json.loads(heal("incidents", "show", incident["id"], "--out", out, "--json").stdout)
    assert shown["attempts"][-1]["proposal"]["source"].startswith('"""')
    (patch,) = json.loads(heal("patches", "list", "--out", out, "--json").stdout)["patches"]
    assert (patch["sha256"], patch["state"]) == (document["controller"]["final"], "active")
    assert heal("patches", "show", patch["sha256"][:12], "--out", out).returncode == 0
    assert heal("patches", "show", "0000", "--out", out).returncode == 2


def test_the_diff_applies_to_the_controller_that_it_repairs(flown, document, tmp_path):
    diff = heal("patches", "diff", document["controller"]["final"], "--out", flown.out).stdout
    shutil.copytree(ROOT / "controllers", tmp_path / "controllers", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff, text=True, check=True)
    patched = (tmp_path / "controllers/lander/neuro_pilot.py").read_bytes()
    import hashlib

    assert "sha256:" + hashlib.sha256(patched).hexdigest() == document["controller"]["final"]


# ---------------------------------------------------------------- replay
def test_replay_finds_the_same_bits(record):
    done = heal("replay", record, "--verify", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["verified"] is True


def test_one_changed_bit_is_found_with_its_tick(record):
    log = record / "log.mcap"
    data = bytearray(log.read_bytes())
    at = data.index(b'"tick":20')
    data[data.index(b'"altitude_m":', at) + len(b'"altitude_m":') + 1] ^= 1
    log.write_bytes(data)
    done = heal("replay", record, "--verify", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["divergence"]["tick"] == 20


def test_a_cut_record_is_repaired_and_a_second_repair_changes_nothing(record):
    log = record / "log.mcap"
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    first = json.loads(heal("doctor", "--repair", record, "--json").stdout)
    assert first["repaired"] is True and first["messages"] > 0
    again = json.loads(heal("doctor", "--repair", record, "--json").stdout)
    assert (again["was_complete"], again["messages"]) == (True, first["messages"])


def test_a_run_that_is_not_there_is_one_line():
    done = heal("replay", "runs/none-such")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


# ---------------------------------------------------------------- interrupted
def interrupted(out: Path, wait_for: str, how: signal.Signals) -> tuple[int, str, Path]:
    """Start a run, wait for a line of its progress, interrupt it; exit code, stderr, run folder."""
    command = [*HEAL, "run", "lander/neuro_lander", "--out", str(out)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True, **pipes) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if wait_for in line:
                break
        time.sleep(0.3)
        os.killpg(process.pid, how)  # as a terminal does: workers that listen to it get it, too
        _, rest = process.communicate(timeout=60)
    (folder,) = [p for p in out.iterdir() if p.is_dir()]
    return process.returncode, said + rest, folder


def test_ctrl_c_exits_130_with_one_line_and_a_whole_log(tmp_path):
    code, said, folder = interrupted(tmp_path, "asking", signal.SIGINT)
    assert code == 130
    last = f"heal: interrupted. The record lies in {folder}; heal run --resume {folder} goes on with it."
    assert "Traceback" not in said and said.splitlines()[-1] == last
    assert RunFolder.open(folder).read_manifest()["run_id"] == folder.name
    assert read_log(folder / "log.mcap").complete


def test_a_kill_leaves_a_readable_record(tmp_path):
    code, _, folder = interrupted(tmp_path, "asking", signal.SIGKILL)
    assert code == -signal.SIGKILL
    run = RunFolder.open(folder)
    assert run.read_manifest()["run_id"] == folder.name and not run.ended
    contents = read_log(run.log_path)
    assert len(contents.messages) > 100
    assert json.loads(heal("doctor", "--repair", folder, "--json").stdout)["repaired"] is True
