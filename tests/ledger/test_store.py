"""The ledger: what is recorded comes back, durable, and addressable by its first characters."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
import threading

import pytest

from healing_runtime.core import codec
from healing_runtime.core.errors import NotFoundInCatalogue, RecordError, RecordNotWritten
from healing_runtime.core.records import Proposal, StageResult
from healing_runtime.core.status import Stage
from healing_runtime.ledger.migrations import MIGRATIONS
from healing_runtime.ledger.store import Ledger

PATCH = {"brain": "embedded", "controller": "cart/still", "before": "a\n", "after": "b\n", "diff": "", "evidence": {}}


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "runs/ledger.sqlite3") as opened:
        yield opened


def record(ledger, run, *, incident="0001-low", state="probation", after="b\n"):
    ledger.record_run(run, {"scenario": "cart/drop"})
    ledger.record_incident(incident, run, {"assertion": "low", "tick": 60, "t_s": 1.25, "robustness": -math.inf})
    sha256 = codec.digest(after)
    ledger.record_patch(sha256, {**PATCH, "run_id": run, "incident": incident, "state": state, "after": after})
    return sha256


def attempt(*stages):
    proposal = Proposal("gain too small", "parameters", "PARAMS = {}\n")
    return {"brain": "embedded", "proposal": proposal, "accepted": all(s.accepted for s in stages), "stages": stages}


def test_a_run_comes_back(ledger):
    ledger.record_run("r1", {"scenario": "cart/drop"})
    assert ledger.run("r1")["result"] is None
    ledger.finish_run("r1", {"outcome": "healed", "robustness": math.inf})
    found = ledger.run("r")
    assert found["scenario"] == "cart/drop"
    assert found["result"] == {"outcome": "healed", "robustness": "inf"}
    assert [r["run"] for r in ledger.runs()] == ["r1"]


def test_a_run_that_goes_on_has_not_ended(ledger):
    ledger.record_run("r1", {})
    ledger.finish_run("r1", {"outcome": "awaiting_approval"})
    ledger.finish_run("r1", None)
    assert [run["result"] for run in ledger.runs()] == [None]


def test_an_incident_comes_back_with_its_attempts(ledger):
    record(ledger, "r1")
    refusal = StageResult(Stage.FLIGHTS, False, "the incident: low is violated", facts={"rho": math.nan})
    ledger.record_attempt("0001-low", "r1", 2, attempt(StageResult(Stage.CONTRACT, True)))
    ledger.record_attempt("0001-low", "r1", 1, attempt(StageResult(Stage.CONTRACT, True), refusal))
    found = ledger.incident("0001")
    assert (found["id"], found["run"], found["assertion"], found["robustness"]) == ("0001-low", "r1", "low", "-inf")
    first, second = found["attempts"]
    assert (first["number"], first["verdict"], first["stage"]) == (1, "refused", "flights")
    assert first["reason"] == "the incident: low is violated"
    assert first["stages"][1]["facts"] == {"rho": None}
    assert (second["verdict"], second["stage"], second["diagnosis"]) == ("accepted", None, "gain too small")
    assert codec.read(Proposal, second["proposal"]) == attempt()["proposal"]


def test_a_patch_and_what_became_of_it(ledger):
    sha256 = record(ledger, "r1")
    assert not ledger.incident("0001")["healed"]
    ledger.set_patch_state(sha256, "active")
    found = ledger.patch(sha256.removeprefix("sha256:")[:6])
    assert (found["sha256"], found["state"], found["run"], found["incident"]) == (sha256, "active", "r1", "0001-low")
    assert (found["before"], found["after"]) == ("a\n", "b\n")
    assert ledger.incident("0001")["healed"]
    assert ledger.incidents()[0]["patch"] == sha256
    ledger.set_patch_state(sha256, "rolled_back")
    assert not ledger.incidents()[0]["healed"]


def test_the_same_patch_of_another_run_is_another_entry(ledger):
    sha256 = record(ledger, "r1", state="active")
    assert record(ledger, "r2") == sha256
    ledger.set_patch_state(sha256, "rolled_back")
    assert [(p["run"], p["state"]) for p in ledger.patches()] == [("r2", "rolled_back"), ("r1", "active")]
    assert ledger.patch(sha256)["run"] == "r2"


def test_incidents_share_ids_across_runs(ledger):
    record(ledger, "r1")
    record(ledger, "r2")
    assert ledger.incident("0001-low")["run"] == "r2"
    assert ledger.incident("r1/0001")["run"] == "r1"
    assert [i["run"] for i in ledger.incidents()] == ["r2", "r1"]


def test_a_prefix_must_fit_one_name(ledger):
    record(ledger, "r1")
    record(ledger, "r12", incident="0001-lower", after="c\n")
    with pytest.raises(NotFoundInCatalogue, match=r"fits 2 incidents \(0001-low, 0001-lower\)"):
        ledger.incident("0001")
    assert ledger.incident("0001-low")["id"] == "0001-low"
    assert ledger.run("r1")["run"] == "r1"
    for missing in (ledger.incident, ledger.patch, ledger.run):
        with pytest.raises(NotFoundInCatalogue, match="there is no"):
            missing("zzz%_")


def test_what_is_recorded_twice_is_refused_and_changes_nothing(ledger):
    record(ledger, "r1")
    with pytest.raises(RecordError, match="already"):
        ledger.record_run("r1", {"scenario": "other"})
    assert ledger.run("r1")["scenario"] == "cart/drop"


@pytest.mark.parametrize("size", [400_000, 9_000_000])  # the larger one does not fit into SQLite's cache either
def test_an_entry_without_room_is_told_as_such_and_the_next_one_goes_in(ledger, size):
    ledger.record_run("r", {})
    with ledger.transaction() as db:
        db.execute("PRAGMA max_page_count = 40")
    with pytest.raises(RecordNotWritten, match="is full; make room there"):
        ledger.record_run("s", {"text": "x" * size})
    ledger.record_run("t", {})
    assert [run["run"] for run in ledger.runs()] == ["t", "r"]


def test_executables_go_by_key(ledger):
    assert ledger.executable("k") is None
    ledger.record_executable("sha256:a", "k")
    ledger.record_executable("sha256:a", "k")
    ledger.record_executable("sha256:b", "k")
    assert ledger.executable("k") == "sha256:b"
    ledger.record_executable("sha256:c", "other")
    assert ledger.executables() == (("sha256:a", "k"), ("sha256:b", "k"), ("sha256:c", "other"))


def test_another_process_reads_what_a_killed_one_wrote(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    code = (
        "import sys, os, signal, pathlib\n"
        "from healing_runtime.ledger.store import Ledger\n"
        "ledger = Ledger(pathlib.Path(sys.argv[1]))\n"
        "ledger.record_run('r1', {'scenario': 'cart/drop'})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    assert subprocess.run([sys.executable, "-c", code, str(path)], env=environment).returncode == -9
    with Ledger(path) as ledger:
        assert ledger.run("r1")["scenario"] == "cart/drop"


def test_several_writers(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    failures = []

    def write(name):
        try:
            with Ledger(path) as ledger:
                for n in range(10):
                    ledger.record_run(f"{name}-{n}", {})
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(f"w{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with Ledger(path) as ledger:
        assert len(ledger.runs()) == 40


def test_one_ledger_from_several_threads(ledger):
    threads = [threading.Thread(target=ledger.record_run, args=(f"r{i}", {})) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.runs()) == 8


def test_what_is_no_ledger_is_refused(tmp_path):
    (tmp_path / "ledger.sqlite3").write_bytes(b"not a database, but long enough to be taken for one" * 40)
    with pytest.raises(RecordError, match="cannot be used"):
        Ledger(tmp_path / "ledger.sqlite3")


def test_a_newer_ledger_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    Ledger(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(RecordError, match="newer version"):
        Ledger(path)


def test_an_opened_ledger_keeps_its_entries(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as ledger:
        record(ledger, "r1")
    with Ledger(path) as ledger:
        assert len(ledger.patches()) == 1
        assert ledger.incident("0001")["attempts"] == []
