"""Records that say what no files of a workspace could say: one line that says why, and nothing flown."""

from __future__ import annotations

import json

import pytest

from healing_runtime.core.codec import digest, plain, read
from healing_runtime.core.records import Scenario
from healing_runtime.workspace import must_be_legal
from tests.supervisor.conftest import edit, manifest


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


def deep(run):
    """Deep enough for whoever walks it, and not for the reader of JSON."""
    edit(run, "manifest.json", lambda d: d["scenario"].update(initial=json.loads('{"a":' * 400 + "1" + "}" * 400)))


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


@pytest.mark.parametrize("what", ILLEGAL)
def test_what_could_not_be_written_is_refused_in_one_line(what, foreign):
    change, said = ILLEGAL[what]
    assert said in foreign(change, "--verify")


def test_what_the_catalogue_says_is_legal(home):
    """As a manifest holds it: through JSON and back."""
    for name in ("lander/neuro_lander", "quadrotor/landing_frame_error", "cartpole/balance"):
        loaded = home.scenario(name)
        scenario = read(Scenario, json.loads(json.dumps(plain(loaded.scenario))))
        must_be_legal(scenario, home.robot(scenario.robot), loaded.path)
