"""The run folder: every file whole or not there."""

from __future__ import annotations

import json
import math
import re
import threading

import pytest

from healing_runtime.core.errors import RecordError, RecordNotWritten
from healing_runtime.telemetry import record, whole_files
from healing_runtime.telemetry.record import RunFolder


def test_a_folder_is_named_by_time_scenario_and_chance(tmp_path):
    folder = RunFolder.create(tmp_path / "runs", "lander/neuro_lander")
    assert re.fullmatch(r"\d{8}T\d{6}Z-lander-neuro_lander-[0-9a-f]{4}", folder.run_id)
    assert folder.path.parent == tmp_path / "runs"
    assert folder.log_path == folder.path / "log.mcap"


def test_folders_do_not_collide(tmp_path, monkeypatch):
    tokens = iter(["aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr(record.secrets, "token_hex", lambda n: next(tokens))
    assert len({RunFolder.create(tmp_path, "a").path for _ in range(2)}) == 2


def test_documents_come_back(tmp_path):
    folder = RunFolder.create(tmp_path, "cart/drop")
    folder.write_manifest({"seed": 7, "limit": math.inf})
    assert not folder.ended
    folder.write_result({"outcome": "healed"})
    again = RunFolder.open(folder.path)
    assert again.ended
    assert again.read_manifest() == {"seed": 7, "limit": "inf"}
    assert again.read_result() == {"outcome": "healed"}


def test_incidents_come_back(tmp_path):
    folder = RunFolder.create(tmp_path, "cart/drop")
    for number in (2, 100, 1, 11):
        folder.write_incident("0001-low", f"attempt-{number:02d}.json", {"number": number})
    folder.write_incident("0001-low", "patch.diff", "--- a\n+++ b\n")
    folder.write_incident("0001-low", "state.bin", b"\x00\x01")
    assert folder.incident_ids() == ("0001-low",)
    folder.write_incident("0001-low", "attempt-02-rolled-back-evidence.json", {"no": "attempt"})
    assert [a["number"] for a in folder.read_attempts("0001-low")] == [1, 2, 11, 100]
    assert folder.read_incident("0001-low", "patch.diff") == "--- a\n+++ b\n"
    assert folder.read_ending("0001-low") == {}
    folder.write_incident("0001-low", "ending.json", {"ending": "healed"})
    assert folder.read_ending("0001-low") == {"ending": "healed"}
    assert folder.read_attempts("0002-none") == ()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path, "cart/drop")
    folder.write_manifest({"seed": 1})

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_files.os, "fsync", full)
    with pytest.raises(RecordError, match="no space left"):
        folder.write_manifest({"seed": 2})
    assert folder.read_manifest() == {"seed": 1}
    assert [p.name for p in folder.path.iterdir()] == ["manifest.json"]


def test_what_is_set_aside_or_forgotten_is_durable_and_a_disk_that_refuses_is_told(tmp_path, monkeypatch):
    folder, synced = RunFolder.create(tmp_path, "cart/drop"), []
    folder.write_incident("0001-low", "patch.diff", "--- a\n")
    folder.write_result({"outcome": "healed"})
    monkeypatch.setattr(whole_files, "make_rename_durable", synced.append)
    folder.set_aside("0001-low", ("patch.diff", "patched.py"), "attempt-01-rejected-")
    folder.forget_result()
    assert folder.incident_files("0001-low") == ("attempt-01-rejected-patch.diff",) and not folder.ended
    assert synced == [folder.path / "incidents/0001-low", folder.path]

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_files, "make_rename_durable", full)
    with pytest.raises(RecordNotWritten, match="cannot be renamed: no space left on device; make room there"):
        folder.set_aside("0001-low", ("attempt-01-rejected-patch.diff",), "again-")
    with pytest.raises(RecordNotWritten, match=r"result.json cannot be removed: no space left"):
        folder.forget_result()


def test_a_reader_never_sees_half_a_file(tmp_path):
    folder = RunFolder.create(tmp_path, "cart/drop")
    folder.write_manifest({"n": 0, "text": ""})
    stop = threading.Event()

    def write():
        for n in range(1, 60):
            folder.write_manifest({"n": n, "text": "x" * (1000 * n)})
        stop.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = set()
    while not stop.is_set():
        document = folder.read_manifest()
        assert len(document["text"]) == 1000 * document["n"]
        seen.add(document["n"])
    thread.join()
    assert len(seen) > 1


@pytest.mark.parametrize("text", ["", "{", '{"a": 1', "[1]", "3", "\x00" * 20])
def test_damaged_documents_are_said_to_be(tmp_path, text):
    folder = RunFolder.create(tmp_path, "cart/drop")
    (folder.path / "manifest.json").write_text(text)
    (folder.path / "result.json").write_text(text)
    for read in (RunFolder.open(folder.path).read_manifest, folder.read_result):
        with pytest.raises(RecordError, match="damaged") as error:
            read()
        assert error.value.exit_code == 2


def test_a_run_without_an_end(tmp_path):
    folder = RunFolder.create(tmp_path, "cart/drop")
    assert folder.read_result(missing_ok=True) is None
    with pytest.raises(RecordError, match="cannot be read"):
        folder.read_result()


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(RecordError, match="no run folder"):
        RunFolder.open(tmp_path / "missing")
    with pytest.raises(RecordError, match=r"no manifest\.json"):
        RunFolder.open(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="no run folder can be made"):
        RunFolder.create(tmp_path / "file", "a")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "/etc/passwd", "x" * 200])
def test_names_stay_inside_the_folder(tmp_path, name):
    folder = RunFolder.create(tmp_path, "cart/drop")
    with pytest.raises(RecordError, match="not a name"):
        folder.write_incident("0001", name, {})
    with pytest.raises(RecordError, match="not a name"):
        folder.read_incident(name, "ending.json")
    assert json.dumps([p.name for p in folder.path.iterdir()]) == "[]"
