"""Patches taken out of the ledger: for review, into the workspace, and back."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from healing_runtime.cli.main import execute
from healing_runtime.core.codec import digest, plain
from healing_runtime.core.records import Perturbation, Scenario, Source
from healing_runtime.gate.evidence import seal_of
from healing_runtime.ledger.store import Ledger
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


def recorded(home, name="lander/mine", before=BEFORE, after=AFTER, state="active", evidence=None):
    """A patch in the workspace's ledger; gives its hash."""
    (home / "runs").mkdir(exist_ok=True)
    sources = [Source(name, "", text, digest(text.encode())) for text in (before, after)]
    stages = [{"stage": stage, "accepted": True, "reason": ""} for stage in ("contract", "flights")]
    with Ledger(home / "runs/ledger.sqlite3") as ledger:
        ledger.record_run("r1", {})
        ledger.record_patch(
            sources[1].sha256,
            {
                "run_id": "r1", "incident": "i1", "brain": "embedded", "controller": name, "scenario": "lander/s",
                "diagnosis": "too\nslow", "before": before, "after": after, "diff": patch_diff(*sources),
                "evidence": evidence or {"policy": "full", "confinement": "process", "stages": stages}, "state": state,
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
    head = f"Patch:       sha256:{patch}\nEvidence:    not sealed\nController:  lander/mine\nWritten by:  embedded\n"
    assert diff.read_text().startswith(head)
    assert "Diagnosis:   too slow\n" in diff.read_text()
    subprocess.run(["git", "apply", diff], cwd=home, check=True)
    assert (home / "controllers/lander/mine.py").read_text() == AFTER
    stages = json.loads(evidence.read_text())["evidence"]["stages"]
    assert [stage["stage"] for stage in stages] == ["contract", "flights"]


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


# ---------------------------------------------------------------- what a reviewer is sent, and what is shown
def proven(before=BEFORE, after=AFTER):
    """Evidence as the gate writes it, in small."""
    flown = {
        "from_tick": 0, "last_tick": 9, "kept": True, "fault": "", "robustness": 0.4, "weakest": "soft",
        "margins": {"soft": 0.4, "fast": "inf"}, "action_step": {}, "digest": digest("flight"),
    }  # fmt: skip
    facts = {"incident": [flown], "scenario": flown, "repeated": True, "regressions": [], "neighbourhood": None}
    stage = {"accepted": True, "reason": "", "line": None}
    before_it = [{"stage": name, **stage, "facts": {}} for name in STAGES]
    scenario = plain(
        Scenario("lander/s", "lander", "lander/mine", (), None, 9, 10, 100, 1, {}, {}, perturb=Perturbation())
    )
    document = {
        "policy": "full", "brain": "embedded", "edit_kind": "file", "diagnosis": "too slow", "changed_assumptions": [],
        "controller": "lander/mine", "controller_before": digest(before), "controller_after": digest(after),
        "program_sha256": digest("program"), "robot": "lander", "simulation": "", "mission": None,
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
