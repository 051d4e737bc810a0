"""`heal doctor --repair` on a log that was cut off: it writes the log whole, and nothing else."""

from __future__ import annotations

import errno
import os

from healing_runtime.cli.main import execute
from tests.supervisor.conftest import ROOT


def cut_off(run):
    data = (run / "log.mcap").read_bytes()
    (run / "log.mcap").write_bytes(data[: len(data) // 2])


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
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert execute(["doctor", "--repair", str(copied)]) == 4
    (line,) = capfd.readouterr().err.splitlines()
    assert "log.mcap cannot be written: no space left on device; make room there." in line
    assert {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()} == before
