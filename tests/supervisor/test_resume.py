"""Runs that were killed go on and end as one run, whatever they were killed at; what cannot go on says why."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from healing_runtime import Approve, Runtime, resume, workspace
from healing_runtime.core.codec import plain
from healing_runtime.core.errors import InputError, RecordError, ReplayDivergence
from healing_runtime.core.records import Decision, Proposal, Source, StageResult
from healing_runtime.core.status import Stage
from healing_runtime.gate import policy
from healing_runtime.ledger.store import Ledger
from healing_runtime.ledger.vouchers import Vouchers
from healing_runtime.supervisor.approval import settle
from healing_runtime.supervisor.continued import ContinuedLog
from healing_runtime.supervisor.replay import replay
from healing_runtime.supervisor.resumption import Entry, Resumption
from healing_runtime.telemetry.mcap import LogWriter, read_log
from healing_runtime.telemetry.record import RunFolder
from tests.supervisor import reviewed
from tests.supervisor.conftest import edit

PATIENCE_S = 150.0
POINTS = {
    "flying": "flying ",
    "incident": "t = 3.50 s",
    "asking": "asking ",
    "judged": "patch by ",
    "swapped": "swapped in ",
}
"""Where a run is killed: at the line that it tells there."""
HEAL = """import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # what is started in the background ignores Ctrl-C
from healing_runtime.cli.main import main
main()
"""


def killed(folder: Path, at: str, *, approval: str = "auto", number: signal.Signals = signal.SIGKILL) -> Path:
    """The folder of a real `heal run` that a signal ended at a point of its story."""
    brain = reviewed.made(folder, approval)
    command = [sys.executable, "-c", HEAL, "run", reviewed.SCENARIO, "--brain", brain]
    environment = {**os.environ, "PYTHONPATH": str(reviewed.ROOT)}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as process:
        told = []
        for line in process.stderr:
            told.append(line)
            if line.startswith(POINTS[at]):
                os.kill(process.pid, number)
                break
        process.stderr.read()
        assert process.wait(timeout=PATIENCE_S) in (-number, 130), told
    (run,) = (p for p in (folder / "runs").iterdir() if p.is_dir())
    return run


def went_on(run: Path, folder: Path, *, verify: bool = True, **choices):
    """Resume it, and check that it is one run, and that it replays."""
    home = workspace.open(folder)
    early = read_log(run / "log.mcap").messages if (run / "log.mcap").exists() else ()
    result = resume(run, home=home, **choices)
    assert (result.document["outcome"], result.document["run_id"]) == ("healed", run.name)
    assert read_log(run / "log.mcap").messages[: len(early)] == early
    assert not [p for p in run.iterdir() if p.name.startswith(".")]
    assert reviewed.states(run) == ["active"]
    if verify:
        verified = replay(run, verify=True, home=home)
        assert verified.exit_code == 0, verified.document


def test_a_run_that_was_killed_with_a_new_patch_in_flight_goes_on(tmp_path):
    run = killed(tmp_path, "swapped")
    assert not (run / "result.json").exists()
    went_on(run, tmp_path, verify=False)


@pytest.mark.slow
@pytest.mark.parametrize("at", list(POINTS))
def test_a_run_that_was_killed_at_any_point_goes_on(tmp_path, at):
    went_on(killed(tmp_path, at), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("at", list(POINTS))
def test_a_run_that_ctrl_c_ended_goes_on(tmp_path, at):
    went_on(killed(tmp_path, at, number=signal.SIGINT), tmp_path)


@pytest.mark.slow
def test_a_resumption_that_is_killed_goes_on_too(tmp_path):
    run = killed(tmp_path, "judged", approval="human")
    for delay_s in (0.0, 0.3, 1.0):
        code = (
            "from healing_runtime import Approve, resume\n"
            f"resume({str(run)!r}, approve=lambda _: Approve('ann'), progress=lambda s: print(s, flush=True))\n"
        )
        command = [sys.executable, "-c", code]
        environment = {**os.environ, "PYTHONPATH": str(reviewed.ROOT)}
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if line.startswith("t = "):
                    break
            time.sleep(delay_s)
            os.kill(process.pid, signal.SIGKILL)
    if not (run / "result.json").exists():
        went_on(run, tmp_path, approve=lambda _: Approve("ann"))


@pytest.mark.slow
def test_without_cached_executables_the_one_that_was_approved_flies_or_somebody_is_asked_again(tmp_path, monkeypatch):
    monkeypatch.setenv("HEALING_RUNTIME_CACHE", str(tmp_path / "cache"))
    brain = reviewed.made(tmp_path)
    home = workspace.open(tmp_path)
    run = Runtime(reviewed.SCENARIO, brain=brain, workspace=home).run().folder
    for kept in (tmp_path / "cache").iterdir():
        if kept.stat().st_size > 10_000:  # the vouchers stay
            kept.unlink()
    other = reviewed.copied(run, tmp_path / "other")
    judge = policy.Gate.judge
    monkeypatch.setattr(policy.Gate, "judge", None)  # the gate is not asked again
    assert resume(run, approve=lambda _: Approve("ann"), home=home).document["outcome"] == "healed"
    assert not list(run.glob("*.program"))
    monkeypatch.setattr(policy.Gate, "judge", judge)
    (kept,) = other.glob("*.program")
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    approved = reviewed.review(other).bound.program
    with Ledger(other.parent / "ledger.sqlite3") as ledger:
        settle(ledger, reviewed.review(other), Approve("ann"))
    again = resume(other, home=home)
    if again.exit_code == 5:
        assert reviewed.review(other).bound.program != approved
    else:
        assert again.document["outcome"] == "healed"


# ---------------------------------------------------------------- examinations that were spent before
COUNTS = {"number": 1, "passed": 3, "flown": 9}


@pytest.mark.parametrize(
    ("decided_by", "facts", "spent"),
    [
        ("full", {"flight": "neighbourhood", "neighbourhood": COUNTS, "examinations_left": 1}, 1),
        ("full", {"flight": "neighbourhood", "examinations_left": 1}, 1),
        ("full", {"flight": "neighbourhood", "examinations_left": 0}, 2),
        ("full", {"flight": "scenario"}, 0),
        ("full", {"flight": "neighbourhood", "examinations_left": "1"}, 2),
        ("full", {"flight": "neighbourhood", "examinations_left": -7}, 2),
        ("remembered", {"neighbourhood": {**COUNTS, "number": 2}, "stands_on": "sha256:e"}, 0),
        ("remembered", {"examinations_left": 0}, 0),
    ],
    ids=["counts", "its worker died", "the second", "none", "no number", "too few", "remembered", "not its own"],
)
def test_what_was_spent_on_an_incident_stays_spent(decided_by, facts, spent):
    proposal = Proposal("d", "file", "x")
    decision = Decision(decided_by, False, (StageResult(Stage.FLIGHTS, False, "no", facts=facts),))
    attempt = {"proposal": plain(proposal), **plain(decision)}
    believed = SimpleNamespace(vouched=lambda document: True)
    entries = {"0001-a": [Entry(attempt, {})]}
    resumption = Resumption(SimpleNamespace(run_id="r"), (), entries, "sha256:s", believed)
    judge = resumption.judge_for(SimpleNamespace(id="0001-a"), None, Source("c", "c", "y", "sha256:y"))
    assert judge(proposal).refusal is not None
    assert resumption.examined().get("0001-a", 0) == spent


# ---------------------------------------------------------------- what cannot go on
@pytest.fixture
def cut_off(copied, tmp_path):
    """An unhealed run as a kill leaves it, alone in its folder, under its own name."""
    run = json.loads((copied / "manifest.json").read_text())["run_id"]
    (tmp_path / "runs").mkdir()
    folder = Path(shutil.move(copied, tmp_path / "runs" / run))
    (folder / "result.json").unlink()
    return folder


def test_a_run_that_is_being_flown_is_not_flown_twice(cut_off, home):
    with RunFolder.open(cut_off).claim(), pytest.raises(RecordError, match="flown by another process"):
        resume(cut_off, home=home)
    RunFolder.open(cut_off).claim().close()


def test_a_run_holds_its_folder_while_it_flies(home, tmp_path):
    tried = []

    def progress(_):
        for run in (p for p in tmp_path.iterdir() if p.is_dir()):
            with pytest.raises(RecordError, match="flown by another process"):
                RunFolder(run).claim()
            tried.append(run)

    result = Runtime("lander/neuro_lander", brain="none", workspace=home, out=tmp_path, progress=progress).run()
    assert tried
    RunFolder(result.folder).claim().close()


def test_a_copy_of_a_run_does_not_go_on(cut_off, home):
    other = Path(shutil.copytree(cut_off, cut_off.with_name("mine")))
    with pytest.raises(InputError, match="is a copy of the run"):
        resume(other, home=home)


def test_a_run_of_another_machine_does_not_go_on(cut_off, home):
    edit(cut_off, "manifest.json", lambda m: m["fingerprint"].update(numpy="1.0"), sealed=True)
    with pytest.raises(InputError, match="began with another value of numpy"):
        resume(cut_off, home=home)


def test_a_damaged_log_does_not_go_on(cut_off, home):
    log = cut_off / "log.mcap"
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 0xFF
    log.write_bytes(bytes(data))
    with pytest.raises((RecordError, InputError), match="is damaged, not cut off"):
        resume(cut_off, home=home)


def test_a_damaged_incident_does_not_go_on(cut_off, home):
    (cut_off / "incidents/0001-braking-distance/incident.json").write_text("{")
    with pytest.raises(RecordError, match="damaged"):
        resume(cut_off, home=home)


def test_a_run_that_comes_out_otherwise_is_told_and_its_log_left(cut_off, home, monkeypatch):
    monkeypatch.setattr(Vouchers, "vouched", lambda *_: True)  # as if it had been recorded so
    path = "incidents/0001-braking-distance/incident.json"
    edit(cut_off, path, lambda d: d["snapshot"].update(state_hash="sha256:0"))
    before = (cut_off / "log.mcap").read_bytes()
    with pytest.raises(ReplayDivergence, match="the state hash of 0001-braking-distance differs"):
        resume(cut_off, home=home)
    assert (cut_off / "log.mcap").read_bytes() == before


@pytest.mark.slow
def test_a_run_without_a_log_begins_again(cut_off, unhealed, home):
    shutil.rmtree(cut_off / "incidents")
    (cut_off / "log.mcap").unlink()
    again = resume(cut_off, home=home)
    assert again.document["digest"] == unhealed.document["digest"]


def written(path, *ticks):
    with LogWriter(path, {"/event": {"type": "object"}}, run="r") as log:
        for tick in ticks:
            log.write("/event", tick, {"tick": tick})


def test_a_log_that_goes_on_takes_the_place_of_the_one_it_begins_with(tmp_path):
    folder = RunFolder(tmp_path)
    written(folder.log_path, 1, 2)
    earlier = read_log(folder.log_path).messages
    (tmp_path / ".log.mcap.resumed").write_text("of a resumption that was killed")
    log = ContinuedLog(folder, earlier)
    written(log.path, 1, 2, 3)
    log.put_in_place()
    assert [m.t_ns for m in read_log(folder.log_path).messages] == [1, 2, 3]
    log.put_in_place()


@pytest.mark.parametrize("ticks", [(1, 3, 4), (1,)], ids=["another", "shorter"])
def test_a_log_that_does_not_begin_with_the_old_one_is_thrown_away(tmp_path, ticks):
    folder = RunFolder(tmp_path)
    written(folder.log_path, 1, 2)
    log = ContinuedLog(folder, read_log(folder.log_path).messages)
    written(log.path, *ticks)
    with pytest.raises(ReplayDivergence, match="is not what it was"):
        log.put_in_place()
    assert [m.t_ns for m in read_log(folder.log_path).messages] == [1, 2]
    assert [p.name for p in tmp_path.iterdir()] == ["log.mcap"]


@pytest.mark.slow
def test_what_a_run_folder_claims_to_have_been_accepted_is_judged_again(tmp_path):
    run = killed(tmp_path, "judged")
    incident = next((run / "incidents").iterdir())

    def forged(entry):
        entry["proposal"]["source"] = "import os\n"

    edit(incident, "attempt-01.json", forged)
    (run / "log.mcap").unlink()  # which would tell that it was another one
    result = resume(run, home=workspace.open(tmp_path))
    attempt = result.document["incidents"][0]["attempts"][0]
    assert (attempt["verdict"], attempt["stage"]) == ("refused", "syntax")
