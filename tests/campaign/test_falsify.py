"""The search itself, in real flights: what it finds, that it finds the same again, and that it says what it did not."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from healing_runtime.app.assertions.falsify import falsify
from healing_runtime.campaign import flying
from healing_runtime.campaign.falsify import Hunt
from healing_runtime.campaign.flying import MODULES, Fleet
from healing_runtime.campaign.search import Search
from healing_runtime.campaign.space import Space
from healing_runtime.campaign.state import RECORD, RESULT, Record
from healing_runtime.cli.main import execute
from healing_runtime.core.errors import InputError
from healing_runtime.gate import policy
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.records import Course
from healing_runtime.sandbox.messages import Message
from healing_runtime.sandbox.zygote import Sandbox
from healing_runtime.supervisor.preparation import prepare
from healing_runtime.telemetry.progress import Silent

ROOT = Path(__file__).parents[2]
CORNER = "lander/corner"
SEED, ENOUGH = 1, 70
"""A seed with which the corner is found, and flights that are enough for it."""


def search(scenario=CORNER, **options):
    return falsify(scenario, progress=Silent(), **options)


def heal(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "healing_runtime", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def answer(*arguments, code: int):
    out, err = (process := heal(*arguments, "--json")).communicate(timeout=120)
    assert process.returncode == code, err
    return json.loads(out)


# ---------------------------------------------------------------- what it finds
class Blind:
    """Draws without looking at what came of it."""

    def __init__(self, size, seed):
        self.size, self.rng = size, np.random.default_rng(seed)
        self.tell(None)

    def ask(self):
        return self.points

    def tell(self, _):
        self.points = self.rng.uniform(size=(16, self.size))


def test_it_finds_a_corner_that_blind_draws_miss(home):
    prepared = prepare(CORNER)
    space, wanted = Space(prepared.scenario), ("touchdown-speed",)
    tallies = {}
    with Sandbox(2, MODULES) as sandbox:
        course = Course(prepared.scenario, prepared.files)
        program = policy.admit(sandbox, prepared.source, course, prepared.table, KeptPrograms.none())
        fleet = Fleet(sandbox, program, str(prepared.sim_root))
        for method in (Search, Blind):
            with Record.begin(home / method.__name__, {}) as record:
                hunt = Hunt(fleet, record, space, method(space.size, SEED), wanted, SEED, lambda *_: None)
                tallies[method] = hunt.run(ENOUGH, keep_going=False).tally
    assert tallies[Search].violations >= 1 and tallies[Search].flown < ENOUGH
    assert tallies[Blind].violations == 0 and tallies[Blind].flown == ENOUGH


def test_a_counterexample_is_flown_again_bit_for_bit_and_so_is_a_smaller_one(home):
    found = answer("assertions", "falsify", CORNER, "--seed", SEED, "--flights", ENOUGH, "--out", "s", code=1)
    whole, small = found["counterexample"], found["shrunk"]
    assert found["outcome"] == "counterexample" and whole["flight"] > 0
    assert whole["assertion"] == small["assertion"] == "touchdown-speed"
    assert 0.0 <= small["share"] < 1.0
    nominal = {axis["name"]: axis["nominal"] for axis in found["space"]}
    assert small["at"]["altitude_m"] == pytest.approx(
        nominal["altitude_m"] + small["share"] * (whole["at"]["altitude_m"] - nominal["altitude_m"])
    )
    assert answer("check", "s/counterexample.yaml", "s/shrunk.yaml", code=0)["clean"]
    for shown in (whole, small):
        flown = answer("run", Path("s", shown["file"]), "--brain", "none", "--out", "again", code=1)
        (verdict,) = [a for a in flown["assertions"] if a["id"] == "touchdown-speed"]
        assert verdict["status"] == shown["status"] == "false"
        assert verdict["robustness"] == shown["robustness"]
        assert verdict["robustness_scaled"] == shown["robustness_scaled"] < 0.0
        assert flown["incidents"][0]["t_s"] == shown["t_s"]


def test_a_nominal_flight_that_violates_is_said_at_once(home, capsys):
    assert execute(["assertions", "falsify", "lander/neuro_lander", "--out", "s"]) == 1
    said = capsys.readouterr().out
    assert "braking-distance in the nominal scenario of 1 flight" in said
    assert "heal run s/counterexample.yaml --brain none" in said
    assert json.loads(Path("s", RESULT).read_text())["shrunk"] is None


def test_going_on_finds_no_more_robustness_than_was_found_already(home):
    first = search("lander/neuro_lander", out=home / "s")
    more = search("lander/neuro_lander", resume=home / "s", flights=6, keep_going=True)
    assert (first["flights"], first["newly_flown"], first["violations"]) == (1, 1, 1)
    assert more["flights"] == more["violations"] == 6
    assert 5 <= more["newly_flown"] <= 5 + 9, "the nominal flight is in the record"
    assert more["least"]["robustness_scaled"] <= first["least"]["robustness_scaled"] < 0.0


# ---------------------------------------------------------------- what it says
def test_an_assertion_that_is_vacuous_in_every_flight_is_not_verified(home, capsys):
    assert execute(["assertions", "falsify", CORNER, "--assertion", "high-and-slow", "--flights", "4"]) == 0
    said = capsys.readouterr().out
    assert "nothing was decided in 4 flights" in said
    assert "vacuous or unknown in every flight, so not verified: high-and-slow" in said


def test_no_counterexample_is_no_proof(home, capsys):
    assert execute(["assertions", "falsify", CORNER, "--assertion", "fuel-reserve", "--flights", "4"]) == 0
    said = capsys.readouterr()
    assert "no counterexample in 4 flights; that is no proof that there is none" in said.out
    assert "fuel-reserve: true, robustness" in said.out and "fuel_kg = " in said.out
    assert "fuel_kg: 210 … 300, nominal 300" in said.err, "the space is told before anything flies"


def test_an_invalid_verdict_is_a_violation_with_its_own_word(home, vary):
    blind = vary(
        "blind",
        ("{kind: sensor_noise, signal: velocity, value: 0.05}", "{kind: sensor_dropout, signal: altitude, start: 3 s}"),
    )
    found = search(blind, assertion="seen", flights=1)["counterexample"]
    assert (found["status"], found["robustness"]) == ("invalid", None)


def test_flights_that_another_assertion_ends_are_counted(home):
    document = search("lander/neuro_lander", assertion="fuel-reserve", flights=2)
    assert document["ended_early"] == {"braking-distance": 2}
    assert document["outcome"] == "not_found"


def test_without_a_perturbation_the_robots_own_is_searched(home, vary):
    text = (home / "scenarios/lander/corner.yaml").read_text()
    name = vary("plain", (text[text.index("perturb:") :], ""))
    axes = {a.name: a for a in Space(prepare(name).scenario).axes}
    assert (axes["altitude_m"].low, axes["altitude_m"].high) == (57.0, 63.0)
    assert axes["faults[0].start"].high == pytest.approx(39.99)


def test_a_flight_that_kills_its_worker_ends_the_search_and_keeps_the_record(home, capsys):
    shutil.copytree(ROOT / "tests/gate/sim", home / "sim")
    for path, text in HOPPER.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
    assert execute(["assertions", "falsify", "hopper/hold", "--flights", "20", "--out", "s"]) == 4
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "heal: a flight did not end well, its worker was lost (killed by SIGABRT)"
    assert Path("s", RECORD).exists() and not Path("s", RESULT).exists()


HOPPER = {
    "scenarios/hopper/hold.yaml": """
robot: hopper
controller: hopper/hold
assertions: [hopper/hold]
duration: 2 s
rates: {control_hz: 50, physics_hz: 50}
environment: {trouble: dies}
""",
    "assertions/hopper/hold.yaml": """
robot: hopper
assertions:
  - id: above-floor
    formula: always (altitude > 1 m)
""",
    "controllers/hopper/hold.py": """
PARAMS = {"hover_n": 5.0}


def init(params):
    return {"ticks": 0.0}


def control(obs, state, params):
    return {"thrust_n": params["hover_n"]}, {"ticks": state["ticks"] + 1.0}
""",
}


# ---------------------------------------------------------------- the same again
def test_the_number_of_workers_changes_nothing(home, vary):
    weak = vary("weak", ("force_saturation, value: 0.75", "force_saturation, value: 0.55"))
    for workers in (1, 3):
        assert search(weak, out=home / str(workers), workers=workers, flights=40)["shrunk"]
    for name in (RECORD, RESULT):
        assert (home / "1" / name).read_bytes() == (home / "3" / name).read_bytes()


def test_a_search_that_was_killed_and_interrupted_ends_as_if_nothing_had_been(home):
    """Long enough for a generation of CMA-ES, with an unfinished one at the end."""
    options = ["assertions", "falsify", CORNER, "--seed", SEED, "--flights", 50]
    assert answer(*options, "--out", "whole", code=0)["flights"] == 50

    killed = heal(*options, "--out", "cut")
    wait_for_flights(killed, 10)
    killed.kill()
    killed.communicate(timeout=60)
    interrupted = heal(*options, "--resume", "cut")
    wait_for_flights(interrupted, 25)
    interrupted.send_signal(signal.SIGINT)
    _, said = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130 and said.endswith("heal: interrupted.\n"), said
    assert not Path("cut", RESULT).exists()
    flown = len(Path("cut", RECORD).read_bytes().splitlines()) - 1
    assert 25 <= flown < 50

    last = answer(*options, "--resume", "cut", code=0)
    assert last["newly_flown"] == 50 - flown
    for name in (RECORD, RESULT):
        assert Path("cut", name).read_bytes() == Path("whole", name).read_bytes()


def wait_for_flights(process, flights):
    deadline = time.monotonic() + 120
    while not Path("cut", RECORD).exists() or Path("cut", RECORD).read_bytes().count(b"\n") <= flights:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)


# ---------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--assertion", "touchdown_speed"], "has no assertion 'touchdown_speed'. Did you mean 'touchdown-speed'?"),
        (["--flights", "0"], "'--flights': Input should be greater than or equal to 1."),
        (["--workers", "0"], "'--workers': Input should be greater than or equal to 1."),
        (["--sigmas", "0"], "'--sigmas': Input should be greater than or equal to 0.01."),
        (["--sigmas", "nan"], "'--sigmas': Input should be"),
        (["--seed", "-1"], "'--seed': Input should be greater than or equal to 0."),
        (["--out", "file"], "file is a file; give a folder with --out"),
        (["--out", "file/below"], "nothing can be written to file/below: not a directory"),
        (["--resume", "nowhere"], "nowhere holds no record.jsonl that can be read"),
        (["--resume", "a", "--out", "b"], "--out begins a search and --resume goes on with one"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_option_is_one_line(home, capsys, options, said):
    (home / "file").write_text("")
    assert execute(["assertions", "falsify", CORNER, *options]) == 2
    err = capsys.readouterr().err
    assert said in err.splitlines()[-1] and "Traceback" not in err
    assert not (home / "runs").exists(), "nothing is written for a search that cannot begin"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([("assertions: [lander/touch]", "assertions: []"), ("mission: landed\n", "")], "names no assertions"),
        (
            [
                ("faults:\n  - {kind: f", "perturb: {}\nfaults:\n  - {kind: f"),
            ],
            "nothing may vary",
        ),
        ([("velocity_mps: -8", "velocity: -8")], "has no unit"),
    ],
)
def test_a_scenario_that_cannot_be_searched_is_one_line(home, vary, capsys, changes, said):
    if "perturb: {}" in changes[0][1]:
        text = (home / "scenarios/lander/corner.yaml").read_text()
        changes = [*changes, (text[text.index("perturb:") :], "")]
    assert execute(["assertions", "falsify", vary("bad", *changes)]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_a_controller_that_cannot_fly_leaves_the_place_free(home, vary, capsys):
    (home / "controllers/lander").mkdir(parents=True)
    path = home / "controllers/lander/mine.py"
    mine = vary("mine", ("lander/soft_landing", "lander/mine"))
    good = (ROOT / "controllers/lander/soft_landing.py").read_text()
    path.write_text(good.replace("jnp.abs(", "jnp.nothing("))
    command = ["assertions", "falsify", mine, "--assertion", "fuel-reserve", "--flights", "1", "--out", "s"]
    assert execute(command) == 2
    assert "mine.py:" in capsys.readouterr().err.splitlines()[-1]
    assert not Path("s").exists()
    path.write_text(good)
    assert execute(command) == 0


def test_without_a_promise_an_assertion_must_be_chosen(home, vary, capsys):
    path = home / "assertions/lander/touch.yaml"
    path.write_text(path.read_text().replace("    scale: {m/s: 5}", "    severity: warning"))
    assert execute(["assertions", "falsify", vary("calm", ("mission: landed\n", ""))]) == 2
    assert "choose one with --assertion: touchdown-speed, fuel-reserve" in capsys.readouterr().err


def test_the_record_of_another_search_is_refused(home, capsys):
    search(flights=1, out=home / "s")
    assert execute(["assertions", "falsify", CORNER, "--resume", "s", "--seed", "4"]) == 2
    assert "s is the record of another search: seed is 3 there and 4 here" in capsys.readouterr().err
    path = home / "assertions/lander/touch.yaml"
    path.write_text(path.read_text().replace("< 5 m/s", "< 4 m/s"))
    assert execute(["assertions", "falsify", CORNER, "--resume", "s"]) == 2
    assert "another search: the assertions differ" in capsys.readouterr().err
    assert execute(["assertions", "falsify", CORNER, "--out", "s"]) == 2
    assert "s holds a search already; go on with --resume s" in capsys.readouterr().err


def test_a_robot_that_fails_in_flight_is_told_as_the_robot_and_not_as_a_lost_worker(home, monkeypatch):
    prepared = prepare(CORNER)
    plant = prepared.robot.make()
    plant.close()  # a closed world fails in the robot's own code
    job = ([prepared.scenario], None, None, prepared.robot, plant)
    monkeypatch.setattr(flying, "opened", lambda message: job)
    monkeypatch.setattr(flying, "fly", lambda plant, program, plan: plant.reset(plan.scenario, plan.seed))
    monkeypatch.chdir("/")  # where workers stand
    with pytest.raises(
        InputError, match=r"^/.*/sim/robots/lander.py: the plant failed in flight \(/.*\): .*; correct it"
    ):
        flying.fly_job(Message({}))
