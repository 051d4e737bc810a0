"""Patches taken out of the ledger: for review, into the workspace, and back."""

import contextlib
import functools
import json
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from healing_runtime.cli.main import execute
from healing_runtime.core.codec import digest, plain, read
from healing_runtime.core.records import Evidence, Perturbation, Scenario, Source
from healing_runtime.gate.evidence import seal_of
from healing_runtime.ledger.sealed import SealedEvidence
from healing_runtime.ledger.store import BOUND_TO, Ledger
from healing_runtime.supervisor.sources import patch_diff

CATALOGUE = "lander/soft_landing"
STAGES = ("contract", "syntax", "ownership", "trace", "passes", "export")
BEFORE, AFTER = '"""Mine."""\nGAIN = 1.0\n', '"""Mine."""\nGAIN = 2.0\n'


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "controllers/lander").mkdir(parents=True)
    (tmp_path / "controllers/lander/mine.py").write_text(BEFORE)
    return tmp_path


def recorded(home, name="lander/mine", before=BEFORE, after=AFTER, state="active", evidence=None, run="r1"):
    """A patch in the workspace's ledger; gives its hash."""
    (home / "runs").mkdir(exist_ok=True)
    sources = [Source(name, "", text, digest(text.encode())) for text in (before, after)]
    with Ledger(home / "runs/ledger.sqlite3") as ledger:
        ledger.record_run(run, {})
        ledger.record_patch(
            sources[1].sha256,
            {
                "run_id": run, "incident": "i1", "brain": "embedded", "controller": name, "scenario": "lander/s",
                "diagnosis": "too\nslow", "before": before, "after": after, "diff": patch_diff(*sources),
                "evidence": evidence or proven(before, after, name), "state": state,
            },
        )  # fmt: skip
    return sources[1].sha256.removeprefix("sha256:")


def answer(capsys, *arguments, code=0):
    assert execute([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def complaint(capsys, *arguments):
    assert execute(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and "Traceback" not in captured.err
    return captured.err


def test_an_exported_patch_is_one_that_git_applies_with_its_evidence_beside(home, capsys):
    patch = recorded(home)
    diff, evidence = map(Path, answer(capsys, "patches", "export", patch[:8], "--to", "review")["files"])
    seal = proven()["evidence_sha256"]
    head = f"Patch:       sha256:{patch}\nEvidence:    {seal}\nController:  lander/mine\nWritten by:  embedded\n"
    assert diff.read_text().startswith(head)
    assert "Diagnosis:   too slow\n" in diff.read_text()
    subprocess.run(["git", "apply", diff], cwd=home, check=True)
    assert (home / "controllers/lander/mine.py").read_text() == AFTER
    stages = json.loads(evidence.read_text())["evidence"]["stages"]
    assert [stage["stage"] for stage in stages] == [*STAGES, "flights"]


def test_exporting_again_is_the_same_and_overwrites_nothing_else(home, capsys):
    patch = recorded(home)
    (first, _) = answer(capsys, "patches", "export", patch)["files"]
    assert answer(capsys, "patches", "export", patch)["files"][0] == first
    Path(first).write_text("mine")
    assert "is there already and differs" in complaint(capsys, "patches", "export", patch)
    assert Path(first).read_text() == "mine"


def test_applied_and_taken_back(home, capsys):
    patch, path = recorded(home), home / "controllers/lander/mine.py"
    path.chmod(0o600)
    assert answer(capsys, "patches", "apply", patch)["done"] == "applied"
    assert path.read_text() == AFTER and path.stat().st_mode & 0o777 == 0o600
    assert answer(capsys, "patches", "apply", patch)["done"] == "was applied already"
    assert answer(capsys, "patches", "rollback", patch)["done"] == "rolled back"
    assert path.read_text() == BEFORE
    assert [p.name for p in path.parent.iterdir()] == ["mine.py"]


def test_what_is_taken_back_is_out_of_the_memory_and_not_applied_again(home, capsys, monkeypatch):
    monkeypatch.setenv("HEALING_RUNTIME_CACHE", str(home / "cache"))
    patch = recorded(home)
    recorded(home, run="r2")
    sealed = SealedEvidence.here().seal(read(Evidence, {k: v for k, v in proven().items() if k != "evidence_sha256"}))
    bound = {str(name): "x" for name in BOUND_TO}
    with Ledger(home / "runs/ledger.sqlite3") as ledger:
        ledger.remember(bound, f"sha256:{patch}", str(sealed), {})
        assert ledger.remembered(bound, most=3, most_bytes=9999)
        assert SealedEvidence.here().find(str(sealed)) is not None
        answer(capsys, "patches", "apply", patch)
        answer(capsys, "patches", "rollback", patch)
        assert ledger.remembered(bound, most=3, most_bytes=9999) == () == ledger.forget(f"sha256:{patch}")
        assert SealedEvidence.here().find(str(sealed)) is None
        assert [p["state"] for p in ledger.patches()] == ["rolled_back", "rolled_back"]
    assert "is 'rolled_back': " in complaint(capsys, "patches", "apply", patch)
    assert (home / "controllers/lander/mine.py").read_text() == BEFORE
    assert answer(capsys, "patches", "rollback", patch)["done"] == "was rolled back already"


def test_a_rollback_that_is_refused_leaves_the_ledger_as_it_is(home, capsys):
    patch = recorded(home)
    (home / "controllers/lander/mine.py").write_text(BEFORE + "# a note\n")
    complaint(capsys, "patches", "rollback", patch)
    with Ledger(home / "runs/ledger.sqlite3") as ledger:
        assert [p["state"] for p in ledger.patches()] == ["active"]


def test_a_file_that_was_changed_since_is_left_alone(home, capsys):
    patch, path = recorded(home), home / "controllers/lander/mine.py"
    path.write_text(BEFORE + "# a note\n")
    for deed in ("apply", "rollback"):
        assert "it was changed since. Merge by hand: heal patches export" in complaint(capsys, "patches", deed, patch)
        assert path.read_text() == BEFORE + "# a note\n"


@pytest.mark.parametrize("state", ["rolled_back", "probation"])
def test_a_patch_that_did_not_stay_in_its_flight_is_not_applied(home, capsys, state):
    patch = recorded(home, state=state)
    assert f"is '{state}'" in complaint(capsys, "patches", "apply", patch)
    assert (home / "controllers/lander/mine.py").read_text() == BEFORE


def test_a_controller_of_the_catalogue_is_patched_in_a_copy(home, capsys):
    from healing_runtime import workspace

    shipped = workspace.open(home).controller(CATALOGUE)
    patch = recorded(home, CATALOGUE, shipped.text, shipped.text + "# patched\n")
    assert answer(capsys, "patches", "apply", patch)["done"] == "applied"
    assert (home / f"controllers/{CATALOGUE}.py").read_text() == shipped.text + "# patched\n"
    assert workspace.open(home).controller(CATALOGUE).sha256.endswith(patch)


def test_a_controller_that_is_not_in_the_workspace(home, capsys):
    patch = recorded(home, "lander/elsewhere")
    assert "is not in this workspace" in complaint(capsys, "patches", "apply", patch)


# ---------------------------------------------------------------- the ledger lies in the workspace
def edited(home, change, table="patches"):
    """Rewrite every document of a table, as whoever can write in the workspace may."""
    with contextlib.closing(sqlite3.connect(home / "runs/ledger.sqlite3")) as database, database:
        for position, text in database.execute(f"SELECT rowid, document FROM {table}").fetchall():
            document = json.loads(text)
            change(document)
            database.execute(f"UPDATE {table} SET document = ? WHERE rowid = ?", (json.dumps(document), position))


def test_what_is_shown_is_computed_and_not_what_the_row_says(home, capsys):
    patch = recorded(home)
    edited(home, lambda d: d.update(diff="-a\n+b\n", diagnosis="harmless", brain="human:ann"))
    assert answer(capsys, "patches", "diff", patch)["diff"].endswith("-GAIN = 1.0\n+GAIN = 2.0\n")
    shown = answer(capsys, "patches", "show", patch)
    assert (shown["brain"], shown["diagnosis"]) == ("embedded", "too\nslow")
    assert "+GAIN = 2.0" in shown["diff"]
    assert answer(capsys, "patches", "list")["patches"][0]["brain"] == "embedded"
    edited(home, lambda d: d.pop("diff"))
    assert answer(capsys, "patches", "diff", patch)["diff"] == shown["diff"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(after="GAIN = 9.0\n"), "the controller after was changed"),
        (lambda d: d.update(before="GAIN = 0.0\n"), "the controller before was changed"),
        (lambda d: d.update(controller="lander/other"), "the name of its controller was changed"),
        (lambda d: d["evidence"].update(brain="human:ann"), "its evidence was changed"),
        (lambda d: d.update(evidence=proven(after="GAIN = 9.0\n")), "that it was accepted on was changed"),
    ],
)
def test_what_the_gate_did_not_accept_is_neither_shown_nor_written(home, capsys, change, said):
    patch = recorded(home)
    edited(home, change)
    for deed in ("show", "diff", "apply", "export", "rollback"):
        complaint_of = complaint(capsys, "patches", deed, patch)
        assert said in complaint_of and "is not what the gate accepted" in complaint_of
    assert (home / "controllers/lander/mine.py").read_text() == BEFORE
    assert not list(home.glob("*.patch")) and not (home / "controllers/lander/other.py").exists()


def replaced(home, text, table="patches", where="run = 'r1'"):
    with contextlib.closing(sqlite3.connect(home / "runs/ledger.sqlite3")) as database, database:
        database.execute(f"UPDATE {table} SET document = ? WHERE {where}", (text,))


@pytest.mark.parametrize(
    "row",
    ["{", "[]", "7", "", "{}", '{"evidence": {}}', '{"brain": "b", "controller": "c", "evidence": []}', "[" * 100_000],
)
def test_a_damaged_row_is_named_and_the_others_are_listed(home, capsys, row):
    patch, other = recorded(home), recorded(home, after=AFTER + "# more\n", run="r2")
    replaced(home, row)
    assert execute(["patches", "list", "--json"]) == 2
    captured = capsys.readouterr()
    listed = json.loads(captured.out)
    assert [p["run"] for p in listed["patches"]] == ["r2"]
    assert len(listed["damaged"]) == 1 and captured.err.count("\n") == 1
    assert f"sha256:{patch[:12]} of r1" in captured.err and "is damaged: " in captured.err
    assert "run its scenario anew" in captured.err
    for deed in ("show", "diff", "apply", "export", "rollback"):
        assert "is damaged: " in complaint(capsys, "patches", deed, patch)
    assert answer(capsys, "patches", "show", other)["run"] == "r2"


@pytest.mark.parametrize(
    "key", ["brain", "controller", "scenario", "diagnosis", "before", "after", "evidence", ("evidence", "stages")]
)
def test_a_row_that_lacks_something_is_said_to(home, capsys, key):
    patch = recorded(home)
    *inside, name = (key,) if isinstance(key, str) else key
    edited(home, lambda d: functools.reduce(dict.__getitem__, inside, d).pop(name))
    assert f"'{name}' is missing" in complaint(capsys, "patches", "show", patch)


@pytest.mark.parametrize("row", ["[]", "{", "{}", '{"brain": "b", "proposal": {}, "stages": [[]]}'])
def test_a_damaged_attempt_is_named(home, capsys, row):
    patch = recorded(home)
    with Ledger(home / "runs/ledger.sqlite3") as ledger:
        for run in ("r0", "r1"):
            ledger.record_incident("i1", run, {"scenario": "s", "assertion": "soft", "t_s": 1.0, "tick": 5})
        ledger.record_attempt("i1", "r1", 1, {"brain": "b", "proposal": {"source": AFTER}, "stages": []})
    replaced(home, row, "attempts")
    for command in (["patches", "show", patch], ["incidents", "show", "r1/i1"]):
        assert "attempt 1 of r1/i1 is damaged: " in complaint(capsys, *command)
    replaced(home, row, "incidents")
    assert execute(["incidents", "list"]) == 2
    captured = capsys.readouterr()
    assert "r0" in captured.out and "incident r1/i1" in captured.err and captured.err.count("\n") == 1


# ---------------------------------------------------------------- what a reviewer is sent, and what is shown
def proven(before=BEFORE, after=AFTER, name="lander/mine"):
    """Evidence as the gate writes it, in small."""
    flown = {
        "from_tick": 0, "last_tick": 9, "kept": True, "fault": "", "robustness": 0.4, "weakest": "soft",
        "margins": {"soft": 0.4, "fast": "inf"}, "action_step": {}, "digest": digest("flight"),
    }  # fmt: skip
    facts = {"incident": [flown], "scenario": flown, "repeated": True, "regressions": [], "neighbourhood": None}
    stage = {"accepted": True, "reason": "", "line": None}
    before_it = [{"stage": one, **stage, "facts": {}} for one in STAGES]
    scenario = plain(
        Scenario("lander/s", "lander", "lander/mine", (), None, 9, 10, 100, 1, {}, {}, perturb=Perturbation())
    )
    document = {
        "policy": "full", "brain": "embedded", "edit_kind": "file", "diagnosis": "too\nslow", "changed_assumptions": [],
        "controller": name, "controller_before": digest(before), "controller_after": digest(after),
        "program_sha256": digest("program"), "robot": "lander", "mission": None,
        "incident": {"id": "i1", "assertion": "soft", "tick": 5}, "assertions": {}, "scenario": digest(scenario),
        "scenario_document": scenario, "limits": {}, "limits_sha256": digest({}), "regressions": [],
        "stages": [*before_it, {"stage": "flights", **stage, "facts": facts}],
        "seeds": {"run": 1, "neighbourhood": None}, "versions": {}, "fingerprint": {}, "confinement": "process",
        "takeover": {"resume_tick": 0, "bracket": [0, None], "action_step": {}}, "workers": {}, "latency": None,
        "bound_to": {}, "stands_on": "", "valid_until_tick": 0,
    }  # fmt: skip
    return {"evidence_sha256": seal_of(document), **document}


@pytest.fixture
def sent(home, capsys):
    """An exported package, somewhere else."""
    patch = recorded(home, evidence=proven())
    files = answer(capsys, "patches", "export", patch, "--to", "sent")["files"]
    shutil.rmtree(home / "runs")
    return [Path(file) for file in files]


def test_a_package_is_checked_without_a_ledger(sent, capsys):
    found = answer(capsys, "patches", "export", str(sent[1]), "--verify")
    assert found["evidence_sha256"] == proven()["evidence_sha256"] and len(found["checked"]) == 7
    assert found["evidence_sha256"] in sent[0].read_text()


def rewrite(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda patch, _: patch.write_text(patch.read_text() + "+GAIN = 9.0\n"), "the patch file has the hash"),
        (lambda _, told: rewrite(told, lambda d: d.update(after=AFTER + "# more\n")), "the controller after has its"),
        (lambda _, told: rewrite(told, lambda d: d.update(before="x\n")), "the controller before has its hash"),
        (lambda _, told: rewrite(told, lambda d: d.update(sha256=digest("x"))), "the evidence is of this patch"),
        (lambda _, told: rewrite(told, lambda d: d["evidence"].update(policy="none")), "evidence_sha256 is"),
        (lambda _, told: rewrite(told, lambda d: d["evidence"].pop("stages")), "stages: field required"),
        (lambda _, told: rewrite(told, lambda d: d.pop("before")), "'before' is missing"),
        (lambda _, told: rewrite(told, lambda d: d.update(format=7)), "format 7 is not known"),
        (lambda _, told: told.write_text("{"), "is no exported evidence"),
        (lambda patch, _: patch.unlink(), "cannot be read: No such file"),
    ],
)
def test_a_package_that_was_changed_on_the_way_is_refused(sent, capsys, change, said):
    change(*sent)
    assert said in complaint(capsys, "patches", "export", str(sent[1]), "--verify")


def test_a_diff_that_is_not_of_its_sources_is_refused_with_its_hash_right(sent, capsys):
    sent[0].write_text(sent[0].read_text().replace("+GAIN = 2.0", "+GAIN = 3.0"))
    rewrite(sent[1], lambda d: d["patch"].update(sha256=digest(sent[0].read_bytes())))
    assert "the diff leads from the one to the other" in complaint(
        capsys, "patches", "export", str(sent[1]), "--verify"
    )


def test_every_stage_of_every_attempt_is_shown(home, capsys):
    """With its time, its reason, its line and where the flight went wrong."""
    patch = recorded(home, evidence=proven())
    bad = {"tick": 37, "violated": ["soft"], "values": {"altitude_m": 0.98}, "command": {"thrust_n": 0.0}}
    flight = {"kept": False, "fault": "soft violated", "first_tick": 0, "last_tick": 37, "robustness": "-inf"}
    facts = {"flight": "scenario", "report": flight, "counterexample": bad}
    stages = [
        {"stage": "contract", "accepted": True, "reason": "", "line": None, "facts": {"edit_kind": "file"}},
        {"stage": "flights", "accepted": False, "reason": "soft violated", "line": 3, "facts": facts},
    ]
    attempt = {"brain": "mock", "proposal": {"source": "x"}, "stages": stages, "stage_s": {"flights": 0.25}}
    last = {"brain": "embedded", "proposal": {"source": AFTER}, "stages": proven()["stages"], "stage_s": {}}
    with Ledger(home / "runs/ledger.sqlite3") as ledger:
        ledger.record_incident("i1", "r1", {"scenario": "s", "assertion": "soft", "t_s": 1.0, "tick": 5})
        for number, one in enumerate((attempt, last), 1):
            ledger.record_attempt("i1", "r1", number, {**one, "accepted": one is last})
    for command in (["incidents", "show", "i1"], ["patches", "show", patch]):
        assert execute(command) == 0
        text = capsys.readouterr().out
        head = text.partition("\nattempt 1")[0]
        assert not re.search(r"None|True|False|(?<!robustness): invalid|: $", head, re.MULTILINE), "what nobody knows"
        assert "attempt 1, mock: refused at flights: soft violated" in text
        assert "  flights: refused, 250 ms (line 3) soft violated\n" in text
        assert "scenario, ticks 0 to 37: soft violated, robustness -inf" in text
        assert "counterexample at tick 37: violated soft; altitude_m 0.98; command thrust_n 0\n" in text
        assert "scenario, ticks 0 to 9: kept, robustness 0.4 (soft)" in text
    assert "evidence_sha256: sha256:" in text
    assert [a["verdict"] for a in answer(capsys, "patches", "show", patch)["attempts"]] == ["refused", "accepted"]
