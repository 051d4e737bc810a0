"""`heal patches approve | reject`, `heal run --resume`, and the question on a terminal."""

import contextlib
import io
import json
import os
import pty
import sqlite3
import subprocess
import sys
from types import SimpleNamespace

import pytest

from healing_runtime.cli import reviewing
from healing_runtime.cli.main import execute
from healing_runtime.core.codec import digest, plain, read
from healing_runtime.core.records import Scenario
from healing_runtime.gate.evidence import seal_of
from healing_runtime.ledger.approvals import Approvals
from healing_runtime.ledger.store import Ledger
from healing_runtime.supervisor.approval import Approve, Reject, review_of
from healing_runtime.telemetry.progress import Silent
from tests.supervisor import reviewed

BEFORE, AFTER = "GAIN = 1.0\n", "GAIN = 2.0\n"
SCENARIO = {
    "name": "lander/s", "robot": "lander", "controller": "lander/mine", "assertions": [], "mission": None,
    "duration_ticks": 10, "control_hz": 10, "physics_hz": 100, "seed": 1, "initial": {}, "environment": {},
}  # fmt: skip
HELD = {"passed": 96, "flown": 96, "needed": 93, "samples": 96, "confidence": 0.975, "lower_bound": 0.962, "number": 1}
FLOWN = {"from_tick": 0, "last_tick": 9, "kept": True, "fault": "", "robustness": 0.4, "weakest": "low"}
DOCUMENT = {
    "policy": "full",
    "confinement": "process",
    "program_sha256": "sha256:p",
    "brain": "mock:b",
    "diagnosis": "too\nslow",
    "controller": "lander/mine",
    "controller_before": digest(BEFORE),
    "controller_after": digest(AFTER),
    "stages": [
        {"stage": "contract", "accepted": True, "reason": "", "facts": {}},
        {
            "stage": "flights", "accepted": True, "reason": "",
            "facts": {"scenario": FLOWN, "regressions": [FLOWN], "neighbourhood": HELD},
        },
    ],
}  # fmt: skip
EVIDENCE = {"evidence_sha256": seal_of(DOCUMENT), **DOCUMENT}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").mkdir()
    return tmp_path


def waiting(home, run="r1"):
    """A run's record with a patch that waits, as far as a decision looks at it; gives the hash."""
    bound = {
        "patch": digest(AFTER),
        "evidence": EVIDENCE["evidence_sha256"],
        "scenario": digest(read(Scenario, SCENARIO)),
        "program": "sha256:p",
    }
    folder = home / "runs" / run
    (folder / "incidents/i1").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"run_id": run, "scenario": plain(read(Scenario, SCENARIO))}))
    (folder / "incidents/i1/patched.py").write_text(AFTER)
    (folder / "incidents/i1/evidence.json").write_text(json.dumps(EVIDENCE))
    asked = {"bound": bound, "assertion": "low", "english": "At all times low.", "t_s": 1.2, "number": 1}
    with Ledger(home / "runs/ledger.sqlite3") as ledger:
        ledger.record_run(run, {})
        document = {
            "run_id": run, "incident": "i1", "brain": "mock:b", "controller": "lander/mine", "scenario": "lander/s",
            "diagnosis": "too\nslow", "before": BEFORE, "after": AFTER, "diff": "-GAIN = 1.0\n+GAIN = 2.0\n",
            "evidence": EVIDENCE, "approval": asked,
        }  # fmt: skip
        Approvals(ledger).ask(bound["patch"], document)
    return bound["patch"].removeprefix("sha256:")[:12]


def states(home):
    with Ledger(home / "runs/ledger.sqlite3") as ledger:
        return [p["state"] for p in reversed(ledger.patches())]


def complaint(capsys, *arguments):
    assert execute(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and "Traceback" not in captured.err
    return captured.err


def test_approved_by_name_with_a_note_and_shown(home, capsys):
    patch = waiting(home)
    assert execute(["patches", "approve", patch, "--by", "ann", "--note", "read it", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["decision"], document["by"], document["note"]) == ("approved", "ann", "read it")
    assert document["bound"]["evidence"] == EVIDENCE["evidence_sha256"] and states(home) == ["approved"]
    assert execute(["patches", "show", patch]) == 0
    shown = capsys.readouterr().out
    assert "state: approved" in shown and "approved: ann at " in shown and ": read it\n" in shown


def test_rejected_with_a_reason(home, capsys):
    patch = waiting(home)
    assert "--reason" in complaint(capsys, "patches", "reject", patch)
    assert "needs a reason" in complaint(capsys, "patches", "reject", patch, "--reason", " ")
    assert execute(["patches", "reject", patch, "--reason", "too high", "--by", "ann"]) == 0
    printed = capsys.readouterr().out
    assert "rejected by ann at " in printed and "heal run --resume" in printed and states(home) == ["rejected"]


def test_nobody_decides_under_an_empty_name(home, capsys):
    patch = waiting(home)
    for command in (["approve", patch], ["reject", patch, "--reason", "too high"]):
        for name in ("", " "):
            assert "--by is empty" in complaint(capsys, "patches", *command, "--by", name)
    assert states(home) == ["pending"]


@pytest.mark.parametrize("state", ["approved", "rejected", "active", "rolled_back", "probation"])
def test_what_does_not_wait_is_not_decided_on(home, capsys, state):
    patch = waiting(home)
    with Ledger(home / "runs/ledger.sqlite3") as ledger:
        ledger.set_patch_state(digest(AFTER), state)
    assert f"is '{state}'; only one that is 'pending'" in complaint(capsys, "patches", "approve", patch)
    assert states(home) == [state]


def test_no_such_patch_and_one_that_waits_twice(home, capsys):
    assert "nothing is recorded here yet" in complaint(capsys, "patches", "approve", "1c9e")
    patch = waiting(home)
    waiting(home, "r2")
    assert "there is no patch" in complaint(capsys, "patches", "approve", "zz")
    assert "waits in 2 runs (r2, r1); name one with --run" in complaint(capsys, "patches", "approve", patch)
    assert "of a run r3" in complaint(capsys, "patches", "approve", patch, "--run", "r3")
    assert execute(["patches", "approve", patch, "--run", "r1"]) == 0
    assert states(home) == ["approved", "pending"]


@pytest.mark.parametrize("name", ["patched.py", "evidence.json"])
def test_what_was_changed_since_is_not_approved(home, capsys, name):
    patch = waiting(home)
    path = home / "runs/r1/incidents/i1" / name
    path.write_text(path.read_text().replace("1", "2").replace("2.0", "3.0"))
    assert "was changed after the gate accepted" in complaint(capsys, "patches", "approve", patch)
    manifest = home / "runs/r1/manifest.json"
    assert states(home) == ["pending"] and manifest.exists()


def test_another_scenario_than_the_reviewed_one_is_not_approved(home, capsys):
    patch = waiting(home)
    manifest = home / "runs/r1/manifest.json"
    manifest.write_text(manifest.read_text().replace('"seed": 1', '"seed": 2'))
    assert "the scenario in" in complaint(capsys, "patches", "approve", patch)


def edited(home, path, *value):
    """Set what a path names in the ledger's row, or remove it."""
    statement = "json_set(document, ?, json(?))" if value else "json_remove(document, ?)"
    with contextlib.closing(sqlite3.connect(home / "runs/ledger.sqlite3")) as database, database:
        database.execute(f"UPDATE patches SET document = {statement}", (path, *map(json.dumps, value)))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (("$.approval.bound",), "'bound' is missing"),
        (("$.approval.bound", "x"), "'bound' is of another kind"),
        (("$.approval.bound", {}), "'patch' is missing"),
        (("$.approval.number",), "'number' is missing"),
        (("$.approval", 7), "'approval' is of another kind"),
        (("$.evidence",), "'evidence' is missing"),
        (("$.evidence.brain", "human:ann"), "its evidence was changed since"),
        (("$.after", "GAIN = 9.0\n"), "the controller after was changed since"),
    ],
)
def test_a_row_that_is_damaged_or_edited_is_not_decided_on(home, capsys, edit, said):
    patch = waiting(home)
    edited(home, *edit)
    for deed in (["approve", patch], ["reject", patch, "--reason", "no"]):
        assert said in complaint(capsys, "patches", *deed)
    assert states(home) == ["pending"]


def test_who_decides_is_shown_what_was_judged(home, capsys):
    patch = waiting(home)
    for key, value in (("diff", "+GAIN = 1.1\n"), ("diagnosis", "harmless"), ("brain", "human:ann")):
        edited(home, f"$.{key}", value)
    assert execute(["patches", "show", patch]) == 0
    shown = capsys.readouterr().out
    assert "+GAIN = 2.0" in shown and "brain: mock:b" in shown and "diagnosis: too" in shown
    assert not any(word in shown for word in ("1.1", "harmless", "ann"))


def test_what_a_run_is_told_beside_resume(home, capsys):
    assert "leave SCENARIO and --seed out" in complaint(capsys, "run", "lander/s", "--resume", "r1", "--seed", "3")
    assert "name a scenario to fly" in complaint(capsys, "run")
    assert "there is no run r9" in complaint(capsys, "run", "--resume", "r9")


# ---------------------------------------------------------------- the question
@pytest.fixture
def review(home):
    waiting(home)
    with Ledger(home / "runs/ledger.sqlite3") as ledger:
        return review_of(ledger.patches()[0])


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("a\n\n", Approve()),
        ("what?\napprove\nread it\n", Approve(note="read it")),
        ("r\ntoo high\n", Reject("too high")),
        ("r\n\n \ntoo high\n", Reject("too high")),
        ("r\n\n", None),
        ("r\n", None),
        ("l\n", None),
        ("\n", None),
        ("", None),
    ],
)
def test_the_answers(review, typed, answer, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert reviewing.asker(Silent())(review) == answer
    shown = capsys.readouterr().out
    assert "+GAIN = 2.0" in shown and "diagnosis: too slow" in shown
    assert "96 of 96 flown kept every promise, 93 of 96 were needed; with 97.5% confidence at least 0.962" in shown


@pytest.mark.parametrize(
    ("regressions", "said"),
    [
        ([FLOWN], "the whole scenario twice, 1 regression"),
        ([], "the whole scenario twice, 0 regressions"),
        (None, "the whole scenario twice; regressions: those of the evidence"),
    ],
    ids=["one", "none", "remembered"],
)
def test_what_was_flown_is_shown_whichever_policy_accepted(review, regressions, said):
    facts = {**EVIDENCE["stages"][-1]["facts"], "regressions": regressions}
    evidence = {**EVIDENCE, "stages": [{**EVIDENCE["stages"][-1], "facts": facts}]}
    shown = reviewing.shown(type(review)(**{**vars(review), "evidence": evidence}))
    assert f"flown: the incident, {said}" in list(shown)


def test_ctrl_c_is_later(review, monkeypatch):
    def pressed():
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", SimpleNamespace(readline=pressed))
    assert reviewing.asker(Silent())(review) is None


def test_somebody_else_s_words_move_no_terminal(review, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    reviewing.asker(Silent())(type(review)(**{**vars(review), "diff": "+\x1b[2Jgone\n", "diagnosis": "\x07ding"}))
    assert "\x1b" not in (shown := capsys.readouterr().out) and "\x07" not in shown


# ---------------------------------------------------------------- a terminal
TERMINAL = """import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)  # what is started in the background ignores Ctrl-C
os.execv(sys.argv[1], sys.argv[1:])
"""


def on_a_terminal(command, folder):
    """A program whose terminal is ours: the process, and the terminal's other end."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(reviewed.ROOT)}
    started = [sys.executable, "-c", TERMINAL, *command]
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    child = subprocess.Popen(started, cwd=folder, env=environment, start_new_session=True, **streams)
    os.close(theirs)
    return child, ours


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [(b"a\nfine\n", 0, "healed"), (b"l\n", 5, "heal run --resume"), (b"\x03", 5, "heal run --resume")],
    ids=["approve", "later", "ctrl-c"],
)
def test_heal_run_asks_on_a_terminal(tmp_path, typed, code, said):
    brain = reviewed.made(tmp_path)
    command = [sys.executable, "-m", "healing_runtime", "run", reviewed.SCENARIO, "--brain", brain]
    child, terminal = on_a_terminal(command, tmp_path)
    printed = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while chunk := os.read(terminal, 65536):
            printed += chunk
            if b"[a/r/L]" in printed and typed:
                os.write(terminal, typed)
                typed = b""
    assert child.wait(timeout=60) == code, printed
    assert b"+++ b/controllers/lander/neuro_pilot.py" in printed and said.encode() in printed
    os.close(terminal)
