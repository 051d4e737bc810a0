"""`heal doctor --repair` on a log that was cut off: it writes the log whole, and nothing else."""

from __future__ import annotations

import errno
import json
import os

import pytest

from healing_runtime.cli.main import execute
from healing_runtime.telemetry.claim import Claim
from healing_runtime.telemetry.mcap import LogWriter
from tests.supervisor.conftest import ROOT, edit, manifest


def cut_off(run):
    data = (run / "log.mcap").read_bytes()
    (run / "log.mcap").write_bytes(data[: len(data) // 2])


def contents(run):
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_a_repair_writes_nothing_outside_the_folder(copied, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    cut_off(copied)
    outside = copied.parent / "outside"
    outside.write_text("mine")
    (copied / ".log.mcap.repair").symlink_to(outside)
    assert execute(["doctor", "--repair", str(copied)]) == 0
    assert "repaired" in capfd.readouterr().out
    assert outside.read_text() == "mine" and not (copied / "log.mcap").is_symlink()


def test_a_folder_in_the_way_stops_no_repair(copied, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    cut_off(copied)
    (copied / ".log.mcap.repair").mkdir()
    assert execute(["doctor", "--repair", str(copied)]) == 0
    assert "repaired" in capfd.readouterr().out


def test_a_repair_on_a_full_disk_says_what_to_do_and_leaves_the_log(copied, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    cut_off(copied)
    before = contents(copied)

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert execute(["doctor", "--repair", str(copied)]) == 4
    (line,) = capfd.readouterr().err.splitlines()
    assert "log.mcap cannot be written: no space left on device; make room there." in line
    assert contents(copied) == before


def log_of_another_run(run):
    (run / "log.mcap").unlink()
    with LogWriter(run / "log.mcap", lambda _: {}, run="20260101T000000Z-other-0000") as writer:
        for tick in range(100):
            writer.write("/sim/state", tick, {"tick": tick, "values": {}})


def other_controller(document):
    document["controller"]["text"] += "# more\n"


FOREIGN = {
    "the log of another run": (log_of_another_run, "log.mcap is of the run 20260101T000000Z-other-0000"),
    "the result of another run": (lambda run: edit(run, "result.json", lambda d: d.update(run_id="x")), "of the run x"),
    "another seed": (manifest(lambda d: d["scenario"].update(seed=12)), "changed after the run"),
    "another controller": (manifest(other_controller, sealed=True), "controller's text in manifest.json does not"),
    "no scenario file": (manifest(lambda d: d.pop("scenario_file"), sealed=True), "'scenario_file' is missing"),
    "an older manifest": (manifest(lambda d: d.update(format=1)), "format 1, expected"),
    "a damaged result": (lambda run: (run / "result.json").write_text("{"), "result.json is damaged"),
}


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_not_one_runs_record_is_refused_and_left_as_it_is(what, cut, copied, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    change, said = FOREIGN[what]
    change(copied)
    if cut:
        cut_off(copied)
    before = contents(copied)
    assert execute(["doctor", "--repair", str(copied)]) == 2
    captured = capfd.readouterr()
    (line,) = captured.err.splitlines()
    assert captured.out == "" and line.startswith("heal: ") and said in line
    assert contents(copied) == before


def test_a_log_that_is_being_written_is_not_repaired(copied, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    cut_off(copied)
    before = contents(copied)
    with Claim.on(copied):
        assert execute(["doctor", "--repair", str(copied)]) == 2
    assert "is being flown by another process" in capfd.readouterr().err
    assert contents(copied) == before


def test_a_run_that_was_killed_is_repaired(copied, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    (copied / "result.json").unlink()
    cut_off(copied)
    assert execute(["doctor", "--repair", str(copied), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["repaired"] is True
    assert execute(["doctor", "--repair", str(copied), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["was_complete"] is True
