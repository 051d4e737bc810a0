"""Folders that are not one run's record: one line that says why, exit code 2, nothing flown, nothing imported."""

from __future__ import annotations

import errno
import json
import os
import shutil

import pytest

from healing_runtime.cli.main import execute
from healing_runtime.supervisor import replay as replays
from healing_runtime.supervisor.memoir import inputs_of
from healing_runtime.telemetry.mcap import LogWriter
from healing_runtime.telemetry.record import MAX_BYTES
from tests.supervisor.conftest import ROOT, edit


def empty(run):
    shutil.rmtree(run)
    run.mkdir()


def file(run):
    shutil.rmtree(run)
    run.write_text("no folder")


def without(name):
    def change(run):
        (run / name).unlink()

    return change


def garbage(name):
    def change(run):
        (run / name).write_bytes(os.urandom(4096))

    return change


def manifest(change, *, sealed=False):
    """`sealed`: as if the run had written it like this."""

    def change_run(run):
        def both(document):
            change(document)
            if sealed:
                document["inputs_sha256"] = inputs_of(document)

        edit(run, "manifest.json", both)

    return change_run


def result(change):
    return lambda run: edit(run, "result.json", change)


def other_log(run):
    (run / "log.mcap").unlink()
    with LogWriter(run / "log.mcap", lambda _: {}, run="20260101T000000Z-other-0000") as writer:
        writer.write("/sim/state", 0, {"tick": 0, "values": {}})


def nameless_log(run):
    (run / "log.mcap").unlink()
    with LogWriter(run / "log.mcap", lambda _: {}) as writer:
        writer.write("/sim/state", 0, {"tick": 0, "values": {}})


def rowless(name=None):
    """A whole log without a row: of the copied run, of another one, or cut off behind its first bytes."""

    def change(run):
        run_id = json.loads((run / "manifest.json").read_text())["run_id"]
        (run / "log.mcap").unlink()
        with LogWriter(run / "log.mcap", lambda _: {}, run=name or run_id):
            pass

    return change


def beginning_alone(length):
    def change(run):
        (run / "result.json").unlink()
        (run / "log.mcap").write_bytes((run / "log.mcap").read_bytes()[:length])

    return change


def linked(name):
    def change(run):
        outside = run.parent / "outside"
        outside.mkdir()
        (run / name).rename(outside / "file")
        (run / name).symlink_to(outside / "file")

    return change


def huge(run):
    with (run / "manifest.json").open("ab") as stream:
        stream.truncate(MAX_BYTES + 1)


def pipe(run):
    (run / "log.mcap").unlink()
    os.mkfifo(run / "log.mcap")


def nested(run):
    (run / "manifest.json").write_text("[" * 100_000)


def regressions(text):
    return lambda run: (run / "regressions.json").write_text(text)


def judged_without_regressions(run):
    """An attempt was judged, and what it was held against is not there."""
    (run / "incidents/0001-braking-distance/attempt-01.json").write_text("{}")


def robot(name):
    return lambda d: d["scenario"].update(robot=name)


FOREIGN = {
    "a file": (file, "there is no run"),
    "an empty folder": (empty, "manifest.json"),
    "no manifest": (without("manifest.json"), "manifest.json"),
    "no log": (without("log.mcap"), "log.mcap cannot be read"),
    "a garbage manifest": (garbage("manifest.json"), "not JSON"),
    "a garbage log": (garbage("log.mcap"), "not an MCAP log"),
    "a garbage result": (garbage("result.json"), "not JSON"),
    "a list for a manifest": (lambda run: (run / "manifest.json").write_text("[]"), "not a mapping"),
    "a deep manifest": (nested, "manifest.json is damaged"),
    "a huge manifest": (huge, "larger than 64 MiB"),
    "a log that is a pipe": (pipe, "is no file"),
    "a manifest without anything": (lambda run: (run / "manifest.json").write_text("{}"), "no format"),
    "an older manifest": (manifest(lambda d: d.update(format=1)), "format 1, expected 2"),
    "a newer manifest": (manifest(lambda d: d.update(format=99)), "format 99, expected 2"),
    "a manifest without a fingerprint": (manifest(lambda d: d.pop("fingerprint")), "'fingerprint' is missing"),
    "a manifest without its scenario": (manifest(lambda d: d.pop("scenario"), sealed=True), "'scenario' is missing"),
    "no copy of the scenario file": (manifest(lambda d: d.pop("scenario_file")), "'scenario_file' is missing"),
    "no copy of the controller": (manifest(lambda d: d["controller"].pop("text")), "Source.text: field required"),
    "no copy of the assertions": (manifest(lambda d: d.pop("assertion_files")), "'assertion_files' is missing"),
    "a duration in words": (
        manifest(lambda d: d["scenario"].update(duration_ticks="long"), sealed=True),
        "Scenario.duration_ticks",
    ),
    "no rate": (manifest(lambda d: d["scenario"].update(control_hz=0), sealed=True), "not positive"),
    "another controller": (
        manifest(lambda d: d["controller"].update(text=d["controller"]["text"] + "# more\n"), sealed=True),
        "controller's text in manifest.json does not have its hash",
    ),
    "another scenario file": (
        manifest(lambda d: d["scenario_file"].update(text="robot: lander\n"), sealed=True),
        "scenario's text in manifest.json does not have its hash",
    ),
    "another seed": (manifest(lambda d: d["scenario"].update(seed=12)), "changed after the run"),
    "another assertion": (
        manifest(lambda d: d["assertion_files"][0]["assertions"][0].update(formula="always altitude > -1 m")),
        "changed after the run",
    ),
    "another robot": (manifest(robot("evil"), sealed=True), "evil"),
    "a robot by its path": (manifest(robot("../run/sim/robots/evil"), sealed=True), "evil"),
    "the log of another run": (other_log, "log.mcap is of the run 20260101T000000Z-other-0000"),
    "the log of no run": (nameless_log, "of no run"),
    "a log without a row": (rowless(), "nothing to compare"),
    "the log without a row of another run": (rowless("20260101T000000Z-other-0000"), "log.mcap is of the run 2026"),
    "an empty log": (beginning_alone(0), "nothing to compare"),
    "a log that is its first bytes": (beginning_alone(40), "nothing to compare"),
    "the result of another run": (result(lambda d: d.update(run_id="other")), "result.json is of the run other"),
    "garbage for regressions": (regressions("no"), "regressions.json is damaged"),
    "other regressions": (regressions('{"courses": [], "sha256": "sha256:0"}'), "regressions.json was changed"),
    "no regressions": (judged_without_regressions, "regressions.json is missing"),
    "a linked manifest": (linked("manifest.json"), "leads out of the run folder"),
    "a linked log": (linked("log.mcap"), "leads out of the run folder"),
    "a linked result": (linked("result.json"), "leads out of the run folder"),
}
EVIL = "from pathlib import Path\nPath({!r}).write_text('imported')\nROBOT = None\n"


@pytest.fixture
def foreign(copied, monkeypatch, capfd):
    """A copied run that brings code of its own; `foreign(change)` gives the line that refuses it."""
    seen = copied.parent / "imported"
    (copied / "sim/robots").mkdir(parents=True)
    (copied / "sim/robots/evil.py").write_text(EVIL.format(str(seen)))
    (copied / "sim/__init__.py").write_text(EVIL.format(str(seen)))
    (copied / "conftest.py").write_text(EVIL.format(str(seen)))
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(replays, "_flown", lambda *_: pytest.fail("it was flown"))

    def refused(change, *options):
        change(copied)
        assert execute(["replay", str(copied), *options]) == 2
        captured = capfd.readouterr()
        assert captured.out == "" and "Traceback" not in captured.err
        assert not seen.exists(), "code of the run folder was imported"
        (line,) = captured.err.splitlines()
        assert line.startswith("heal: ") and len(line) < 400, line
        return line

    return refused


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_not_one_runs_record_is_refused_in_one_line(what, foreign):
    change, said = FOREIGN[what]
    assert said in foreign(change, "--verify")


INCIDENT = "0001-braking-distance"


def incident(change):
    return lambda run: edit(run, f"incidents/{INCIDENT}/incident.json", change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda run: shutil.rmtree(run / "incidents"), "it has none"),
        (lambda run: (run / "incidents" / INCIDENT / "incident.json").unlink(), "cannot be read"),
        (incident(lambda d: d.pop("snapshot")), "damaged"),
        (incident(lambda d: d["snapshot"]["recipe_actions"].pop()), "no recipe"),
        (incident(lambda d: d["snapshot"]["recipe_actions"].append([1.0, 2.0])), "damaged"),
        (incident(lambda d: d["snapshot"].update(recipe_actions="none")), "damaged"),
        (incident(lambda d: d.update(tick="soon")), "damaged"),
        (incident(lambda d: d.update(id="0002-other")), "no recipe"),
    ],
)
def test_an_incident_that_cannot_be_begun_at_is_refused_in_one_line(change, said, foreign):
    assert said in foreign(change, "--from-incident", INCIDENT)


def test_an_incident_is_no_path(foreign):
    assert "has no incident '/etc/x'" in foreign(lambda _: None, "--from-incident", "/etc/x")


def test_verify_takes_no_controller(foreign):
    assert "leave --controller out" in foreign(lambda _: None, "--verify", "--controller", "lander/soft_landing")


def test_the_line_is_a_document_for_machines(copied, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    edit(copied, "manifest.json", lambda d: d.update(format=1))
    assert execute(["replay", str(copied), "--json"]) == 2
    assert json.loads(capfd.readouterr().out)["error"]["exit_code"] == 2


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
