"""Folders that are not one run's record: one line that says why, exit code 2, nothing flown, nothing imported."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from healing_runtime.cli.main import execute
from healing_runtime.telemetry.mcap import MAX_BYTES as MAX_LOG_BYTES
from healing_runtime.telemetry.mcap import LogWriter
from healing_runtime.telemetry.record import MAX_BYTES
from tests.supervisor.conftest import ROOT, edit, manifest


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


def huge_log(run):
    with (run / "log.mcap").open("ab") as stream:
        stream.truncate(MAX_LOG_BYTES + 1)


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
    "an older manifest": (manifest(lambda d: d.update(format=1)), "format 1, expected 4"),
    "a newer manifest": (manifest(lambda d: d.update(format=99)), "format 99, expected 4"),
    "a manifest without a fingerprint": (manifest(lambda d: d.pop("fingerprint")), "'fingerprint' is missing"),
    "a manifest without its scenario": (manifest(lambda d: d.pop("scenario"), sealed=True), "'scenario' is missing"),
    "no copy of the scenario file": (manifest(lambda d: d.pop("scenario_file")), "'scenario_file' is missing"),
    "no copy of the controller": (manifest(lambda d: d["controller"].pop("text")), "Source.text: field required"),
    "no copy of the assertions": (manifest(lambda d: d.pop("assertion_files")), "'assertion_files' is missing"),
    "a duration in words": (
        manifest(lambda d: d["scenario"].update(duration_ticks="long"), sealed=True),
        "Scenario.duration_ticks",
    ),
    "no rate": (manifest(lambda d: d["scenario"].update(control_hz=0), sealed=True), "control_hz"),
    "another controller": (
        manifest(lambda d: d["controller"].update(text=d["controller"]["text"] + "# more\n"), sealed=True),
        "controller's text in manifest.json does not have its hash",
    ),
    "another scenario file": (
        manifest(lambda d: d["scenario_file"].update(text="robot: lander\n"), sealed=True),
        "scenario's text in manifest.json does not have its hash",
    ),
    "another seed": (manifest(lambda d: d["scenario"].update(seed=12)), "changed after the run"),
    "another fingerprint": (manifest(lambda d: d["fingerprint"].update(numpy="1.0.0")), "changed after the run"),
    "other code of the simulation": (manifest(lambda d: d["robot"].update(sim_sha256="")), "changed after the run"),
    "another program": (manifest(lambda d: d.update(program_sha256="sha256:0")), "changed after the run"),
    "another ground truth": (manifest(lambda d: d.update(ground_truth=False)), "changed after the run"),
    "other notes": (manifest(lambda d: d.update(notes=["all is well"])), "changed after the run"),
    "a log that is too large": (huge_log, "larger than 2 GiB"),
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


@pytest.mark.parametrize("place", ["incidents", f"incidents/{INCIDENT}", "incidents/0002-names"])
def test_no_name_of_another_folder_is_told(place, foreign, capfd):
    def change(run):
        outside = run.parent / "outside"
        (outside / "a-secret-name").mkdir(parents=True)
        shutil.rmtree(run / place, ignore_errors=True)
        (run / place).symlink_to(outside)

    line = foreign(change, "--from-incident", "0009-none")
    assert "leads out of the run folder" in line and "secret" not in line


def test_verify_takes_no_controller(foreign):
    assert "leave --controller out" in foreign(lambda _: None, "--verify", "--controller", "lander/soft_landing")


def test_the_line_is_a_document_for_machines(copied, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    edit(copied, "manifest.json", lambda d: d.update(format=1))
    assert execute(["replay", str(copied), "--json"]) == 2
    assert json.loads(capfd.readouterr().out)["error"]["exit_code"] == 2
