"""Patches taken out of the ledger: for review, into the workspace, and back."""

import json
import subprocess
from pathlib import Path

import pytest

from healing_runtime.cli.main import execute
from healing_runtime.core.codec import digest
from healing_runtime.core.records import Source
from healing_runtime.ledger.store import Ledger
from healing_runtime.supervisor.sources import patch_diff

CATALOGUE = "lander/soft_landing"
BEFORE, AFTER = '"""Mine."""\nGAIN = 1.0\n', '"""Mine."""\nGAIN = 2.0\n'


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "controllers/lander").mkdir(parents=True)
    (tmp_path / "controllers/lander/mine.py").write_text(BEFORE)
    return tmp_path


def recorded(home, name="lander/mine", before=BEFORE, after=AFTER, state="active"):
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
                "evidence": {"policy": "full", "confinement": "process", "stages": stages}, "state": state,
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
    head = f"Patch:       sha256:{patch}\nController:  lander/mine\nWritten by:  embedded\n"
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
