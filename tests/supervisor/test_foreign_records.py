"""Folders that are not one run's record: one line that says why, exit code 2, nothing flown, nothing imported."""

from __future__ import annotations

import errno
import json
import os
import shutil

import pytest

from healing_runtime.cli.main import execute
from healing_runtime.core.codec import digest, plain, read
from healing_runtime.core.records import Scenario
from healing_runtime.supervisor import replay as replays
from healing_runtime.supervisor.manifest import inputs_of
from healing_runtime.telemetry.mcap import MAX_BYTES as MAX_LOG_BYTES
from healing_runtime.telemetry.mcap import LogWriter
from healing_runtime.telemetry.record import MAX_BYTES
from healing_runtime.workspace import must_be_legal
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


def huge_log(run):
    with (run / "log.mcap").open("ab") as stream:
        stream.truncate(MAX_LOG_BYTES + 1)


def pipe(run):
    (run / "log.mcap").unlink()
    os.mkfifo(run / "log.mcap")


def nested(run):
    (run / "manifest.json").write_text("[" * 100_000)


def deep(run):
    """Deep enough for whoever walks it, and not for the reader of JSON."""
    edit(run, "manifest.json", lambda d: d["scenario"].update(initial=json.loads('{"a":' * 400 + "1" + "}" * 400)))


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


def says(**changes):
    """A manifest whose scenario says something else, with the right hash."""
    return manifest(lambda d: d["scenario"].update(changes), sealed=True)


def within(section, **changes):
    return manifest(lambda d: d["scenario"][section].update(changes), sealed=True)


def fault(kind="force_saturation", until=None, ramp=0, when=None, start=0, **parameters):
    spec = {"kind": kind, "parameters": parameters, "start_step": start, "until_step": until, "ramp_steps": ramp}
    return {**spec, "when": when}


def bias(**more):
    return fault("sensor_bias", signal="altitude", value=1.0, **more)


def stuck(**more):
    return fault("sensor_stuck", signal="altitude", **more)


def draws(section, key, **changes):
    draw = {"kind": "normal", "scale": 1.0, "low": 0.0, "high": 0.0, "absolute": False, "floor": "-inf"}
    change = {key: {**draw, "ceiling": "inf", **changes}}
    return manifest(lambda d: d["scenario"]["perturb"][section].update(change), sealed=True)


def with_course(change):
    """A regression that the run qualified, as somebody changed it."""

    def change_run(run):
        document = json.loads((run / "manifest.json").read_text())
        course = {"scenario": document["scenario"], "files": document["assertion_files"]}
        change(course)
        text = json.dumps({"courses": [course], "sha256": digest([course])})
        (run / "regressions.json").write_text(text)

    return change_run


def formula(**changes):
    return manifest(lambda d: d["assertion_files"][0]["assertions"][0].update(changes), sealed=True)


def half_a_pair(manifest):
    manifest["scenario"]["healable_reason"] = "\ud800"


ILLEGAL = {
    "rates that do not divide": (says(control_hz=7), "does not divide physics_hz"),
    "a rate that is too high": (says(control_hz=20_000, physics_hz=20_000), "control_hz"),
    "more ticks than a run has": (says(duration_ticks=1_000_001), "1000001 ticks"),
    "more steps than a run has": (says(control_hz=1, physics_hz=100_000, duration_ticks=2_000), "1 to 1,000"),
    "a length of 10^30": (says(duration_ticks=10**30), "ticks"),
    "a negative seed": (says(seed=-1), "seed"),
    "a seed that is too large": (says(seed=2**31), "seed"),
    "no attempts": (within("policy", max_attempts=0), "max_attempts"),
    "a million attempts": (within("policy", max_attempts=10**6), "max_attempts"),
    "no probation": (within("policy", probation_ticks=0), "probation"),
    "a policy that is not there": (within("policy", on_violation="failsafe"), "rewind and freeze"),
    "a fallback that the manifest does not hold": (
        within("policy", fallback="lander/sink"),
        "do not name the same fallback",
    ),
    "a fallback that is the controller": (within("policy", fallback="lander/neuro_pilot"), "the controller itself"),
    "a fallback that nobody names": (
        manifest(lambda d: d.update(fallback=d["controller"]), sealed=True),
        "do not name the same fallback",
    ),
    "a fallback of another text": (
        manifest(lambda d: d.update(fallback=d["controller"] | {"text": "x = 1\n"}), sealed=True),
        "the fallback's text in manifest.json does not have its hash",
    ),
    "a pass rate of one": (within("acceptance", min_pass_rate=1.0), "min_pass_rate"),
    "a billion samples": (within("acceptance", samples=10**9), "samples"),
    "an endless robustness": (within("acceptance", min_robustness="inf"), "not a number"),
    "an initial that no robot has": (within("initial", wings=1.0), "wings"),
    "an initial in words": (within("initial", altitude_m="high"), "initial.altitude_m"),
    "an initial that is no number": (within("initial", altitude_m=float("nan")), "not JSON"),
    "an initial out of range": (within("initial", altitude_m=1e300), "not a number that a robot can reach"),
    "an environment left out": (says(environment={}), "environment"),
    "a negative gravity": (within("environment", gravity_mps2=-1e9), "environment.gravity_mps2"),
    "a reference that no robot has": (within("reference", star="x"), "star"),
    "a fault that no robot has": (says(faults=[fault("curse")]), "curse"),
    "a fault without its parameters": (says(faults=[fault("sensor_bias")]), "faults[0]"),
    "a fault with too many errors": (
        says(faults=[fault("sensor_bias", signal="altitude", value=[1.0, 2.0])]),
        "2 values",
    ),
    "a fault before the start": (says(faults=[bias(start=-5)]), "starts at step -5"),
    "a fault after the end": (says(faults=[bias(start=10**9)]), "starts at step 1000000000"),
    "a fault that ends first": (says(faults=[bias(start=5, until=3)]), "does not end after it starts"),
    "a ramp that shrinks": (says(faults=[bias(ramp=-5)]), "cannot grow"),
    "a stuck sensor that grows": (says(faults=[stuck(ramp=5)]), "cannot grow"),
    "two that hold one sensor": (says(faults=[stuck(), stuck(start=3)]), "overlap"),
    "a formula that is none": (says(faults=[bias(when="altitude <")]), "neuro_lander"),
    "a formula of nothing": (says(faults=[bias(when="")]), "when"),
    "a formula of no signal": (says(faults=[bias(when="wings > 3 m")]), "wings"),
    "a draw of nothing": (draws("initial", "wings_m"), "nothing that can be drawn"),
    "a draw without the robot's limits": (draws("initial", "altitude_m", floor=-5.0), "other limits"),
    "a draw of a fault that is not there": (draws("faults", "wind.speed_mps"), "no fault of this scenario"),
    "text that is no UTF-8": (manifest(half_a_pair, sealed=True), "not UTF-8"),
    "deep values": (deep, "nested too deeply"),
    "an assertion without a name": (formula(id=""), "id"),
    "a negative scale": (formula(scale={"m": -1.0}), "scale"),
    "a formula of an assertion that is none": (formula(formula="always ("), "neuro_lander"),
    "a regression that is none": (with_course(lambda c: c.pop("files")), "Course.files"),
    "a regression of another robot": (with_course(lambda c: c["scenario"].update(robot="cartpole")), "another robot"),
    "a regression that never ends": (with_course(lambda c: c["scenario"].update(duration_ticks=10**9)), "ticks"),
    "a regression with a fault of nobody": (
        with_course(lambda c: c["scenario"].update(faults=[fault("curse")])),
        "curse",
    ),
}
FOREIGN |= ILLEGAL
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


def test_what_the_catalogue_says_is_legal(home):
    """As a manifest holds it: through JSON and back."""
    for name in ("lander/neuro_lander", "quadrotor/landing_frame_error", "cartpole/balance"):
        loaded = home.scenario(name)
        scenario = read(Scenario, json.loads(json.dumps(plain(loaded.scenario))))
        must_be_legal(scenario, home.robot(scenario.robot), loaded.path)


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
