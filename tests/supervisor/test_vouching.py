"""Whoever can write a workspace cannot make a run that goes on believe what its gate never said."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest

from healing_runtime import Approve, Runtime, resume, workspace
from healing_runtime.cli import reviewing
from healing_runtime.compile import wire
from healing_runtime.compile.cache import VARIABLE, Cache, place
from healing_runtime.core.codec import digest
from healing_runtime.core.errors import InputError
from healing_runtime.gate import policy
from healing_runtime.gate.evidence import SEAL, seal_of
from healing_runtime.ledger.vouchers import Vouchers
from healing_runtime.supervisor import resume as resuming
from healing_runtime.supervisor import surroundings
from healing_runtime.supervisor.approval import keep_program
from healing_runtime.supervisor.record import Record
from healing_runtime.telemetry.record import RunFolder
from tests.supervisor import reviewed
from tests.supervisor.conftest import edit

BAD = "import os\n"


class JudgedAnewError(Exception):
    """The gate was asked."""


@pytest.fixture(scope="module")
def flown(tmp_path_factory):
    """A run whose first patch was refused and whose second one waits, flown once, with its workspace."""
    folder = tmp_path_factory.mktemp("vouching")
    home = workspace.open(folder)
    brain = reviewed.made(folder)
    answers = [{"diagnosis": "bad", "source": BAD}, {"diagnosis": "the engine is off", "source": reviewed.GOOD}]
    (folder / "script.json").write_text(json.dumps({"answers": answers}))
    result = Runtime(reviewed.SCENARIO, brain=brain, workspace=home).run()
    assert result.exit_code == 5 and len(result.document["incidents"][0]["attempts"]) == 2
    return result, home


@pytest.fixture
def run(flown, tmp_path):
    """A copy of it with its ledger."""
    return reviewed.copied(flown[0].folder, tmp_path / "runs")


@pytest.fixture
def no_gate(monkeypatch):
    """A gate that only tells that it was asked."""

    def judge(*_):
        raise JudgedAnewError

    monkeypatch.setattr(policy.Gate, "judge", judge)


def approved(run, flown):
    return resume(run, approve=lambda _: Approve("ann"), home=flown[1])


@contextlib.contextmanager
def ledger_of(run):
    with contextlib.closing(sqlite3.connect(run.parent / "ledger.sqlite3")) as db, db:
        yield db


def change(run, table, document_of, where="1"):
    """Change the one document of a table of the ledger that is meant."""
    with ledger_of(run) as db:
        ((row, text),) = db.execute(f"SELECT rowid, document FROM {table} WHERE {where}").fetchall()
        document = json.loads(text)
        document_of(document)
        db.execute(f"UPDATE {table} SET document = ? WHERE rowid = ?", (json.dumps(document), row))


def sealed_again(patch):
    """A patch's evidence, changed, with a right seal in every place."""
    patch["evidence"][SEAL] = patch["approval"]["bound"]["evidence"] = seal_of(patch["evidence"])


def other_program(run):
    """An executable that was not accepted (the controller's own), laid down as if it waited; its hash."""
    good, cache = digest(reviewed.GOOD), Cache(place() or run)
    with ledger_of(run) as db:
        rows = db.execute("SELECT sha256, key FROM executables").fetchall()
    blobs = [wire.read_blob_file(cache.fetch(sha256) or b"", key) for sha256, key in rows]
    blob = next(b for b in blobs if b.interface.controller.source_sha256 != good)
    keep_program(RunFolder.open(run), blob)
    return blob.sha256


def test_what_nobody_changed_is_taken_over_without_the_gate(flown, run, no_gate):
    assert approved(run, flown).document["outcome"] == "healed"


@pytest.mark.parametrize("with_evidence", [False, True], ids=["program", "program-and-evidence"])
def test_another_executable_does_not_fly_under_an_approval(flown, run, no_gate, with_evidence):
    program = other_program(run)

    def exchanged(patch):
        patch["decision"]["program_sha256"] = patch["approval"]["bound"]["program"] = program
        if with_evidence:
            patch["evidence"]["program_sha256"] = program
            sealed_again(patch)

    change(run, "patches", exchanged)
    error, what = (JudgedAnewError, None) if with_evidence else (InputError, "of another executable")
    with pytest.raises(error, match=what):
        approved(run, flown)


def test_a_manifest_that_asks_nobody_any_more_does_not_go_on(flown, run):
    edit(run, "manifest.json", lambda m: m["scenario"]["policy"].update(approval="auto"), sealed=True)
    with pytest.raises(InputError, match="nothing here vouches for its record"):
        resume(run, home=flown[1])


def test_other_actions_do_not_fly_up_to_an_incident(flown, run):
    (incident,) = (run / "incidents").iterdir()
    edit(incident, "incident.json", lambda d: d["snapshot"]["recipe_actions"][0].__setitem__(0, 0.123))
    with pytest.raises(InputError, match=r"nothing here vouches for its incident 0001"):
        resume(run, home=flown[1])


def test_a_refusal_that_was_made_an_acceptance_is_judged_anew(flown, run, no_gate):
    with ledger_of(run) as db:
        (good,) = db.execute("SELECT document FROM attempts WHERE number = 2").fetchone()
        (row,) = db.execute("SELECT document FROM patches").fetchone()
        patch = json.loads(row)
        patch["after"] = BAD
        patch["evidence"]["controller_after"] = patch["approval"]["bound"]["patch"] = digest(BAD)
        sealed_again(patch)
        db.execute("UPDATE patches SET sha256 = ?, document = ?", (digest(BAD), json.dumps(patch)))
    stages = json.loads(good)["stages"]
    change(run, "attempts", lambda a: a.update(accepted=True, stages=stages), "number = 1")
    (incident,) = (run / "incidents").iterdir()
    edit(incident, "attempt-01.json", lambda a: a.update(accepted=True, stages=stages))
    (run / "result.json").unlink()
    with pytest.raises(JudgedAnewError):
        approved(run, flown)


def test_evidence_that_was_changed_with_its_seal_is_not_taken_over(flown, run, no_gate):
    def better(patch):
        patch["evidence"]["stages"][-1]["facts"]["neighbourhood"]["passed"] = 12
        patch["evidence"]["diagnosis"] = "else"
        sealed_again(patch)

    change(run, "patches", better)
    with pytest.raises(JudgedAnewError):
        approved(run, flown)


def test_regressions_that_a_run_did_not_find_are_found_anew(flown, run):
    def prepared():
        return resuming._prepared(Record.open(run), flown[1], Vouchers.here()).loaded

    assert prepared().regressions == ()
    manifest = json.loads((run / "manifest.json").read_text())
    courses = [{"scenario": manifest["scenario"], "files": manifest["assertion_files"]}]
    (run / "regressions.json").write_text(json.dumps({"courses": courses, "sha256": digest(courses)}))
    assert (prepared().regressions, prepared().listed) == (None, tuple(manifest["regressions"]))


def test_a_run_that_another_runtime_began_does_not_go_on(flown, run, monkeypatch):
    monkeypatch.setattr(surroundings, "code_sha256", lambda _: "sha256:0")
    with pytest.raises(InputError, match="another value of the code of the runtime"):
        resume(run, home=flown[1])


def test_without_the_private_cache_no_run_goes_on_and_that_is_said(flown, run, monkeypatch):
    monkeypatch.setenv(VARIABLE, "off")
    with pytest.raises(InputError, match="the private cache was cleared or is off"):
        resume(run, home=flown[1])
    (line,) = reviewing.how_to_go_on(flown[0].document, run)
    assert "no run goes on without the private cache" in line


@pytest.mark.slow
def test_a_run_without_the_private_cache_says_that_it_cannot_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "off")
    told = []
    brain = reviewed.made(tmp_path)
    Runtime(reviewed.SCENARIO, brain=brain, workspace=workspace.open(tmp_path), progress=told.append).run()
    assert any("this run cannot go on" in line for line in told)
