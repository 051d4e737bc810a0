"""Every kind of bad input: one line with file, line, what and what to do; exit 2; nothing half-written."""

import json
from pathlib import Path

import pytest

from healing_runtime.cli.main import execute

SCENARIO = """\
robot: lander
controller: lander/mine
assertions: [lander/mine]
mission: landed
duration: 4 s
rates: {control_hz: 10, physics_hz: 240}
seed: 1
"""
ASSERTIONS = """\
robot: lander
assertions:
  - id: soft
    severity: critical
    formula: always (touchdown_speed < 5 m/s)
mission:
  - id: landed
    formula: eventually[0 s, 4 s] landed
"""
CONTROLLER = '''\
"""Hover."""

import jax.numpy as jnp

PARAMS = {"thrust_n": 1620.0}


def init(params):
    return {}


def control(obs, state, params):
    action = {"thrust_n": jnp.clip(params["thrust_n"], 0.0, 5000.0)}
    return action, state
'''
FILES = {
    "scenarios/lander/mine.yaml": SCENARIO,
    "assertions/lander/mine.yaml": ASSERTIONS,
    "controllers/lander/mine.py": CONTROLLER,
}
S, A, C = FILES

# file, what is replaced, by what, the place that the message names, words in it
BAD_FILES = [
    pytest.param(S, "rates: {", "rates: {{", f"{S}:6", "", id="YAML typo"),
    pytest.param(S, "duration:", "durations:", f"{S}:5:1", "duration", id="unknown key"),
    pytest.param(S, "robot: lander", "robot: landr", f"{S}:1", "lander", id="unknown robot"),
    pytest.param(S, "lander/mine\n", "lander/yours\n", f"{S}:2", "lander/yours", id="unknown controller"),
    pytest.param(S, "[lander/mine]", "[lander/yours]", f"{S}:3", "lander/yours", id="unknown assertions"),
    pytest.param(S, "mission: landed", "mission: orbit", S, "orbit", id="unknown mission"),
    pytest.param(S, "physics_hz: 240", "physics_hz: 245", f"{S}:6", "245", id="rates that do not divide"),
    pytest.param(S, "duration: 4 s", "duration: 4 m", f"{S}:5", "4 m", id="wrong unit"),
    pytest.param(S, "duration: 4 s", "duration: 0.05 s", f"{S}:5", "", id="duration between ticks"),
    pytest.param(S, "duration: 4 s", "duration: 1e12 s", f"{S}:5:11", "1,000,000", id="duration without end"),
    pytest.param(S, "seed: 1", "initial: {altitude_m: abc}", f"{S}:7:23", "abc", id="text that is no quantity"),
    pytest.param(S, "seed: 1", "faults: [{kind: gremlin}]", f"{S}:7", "gremlin", id="unknown fault"),
    pytest.param(S, "seed: 1", "policy: {on_violation: failsafe}", S, "failsafe", id="policy that is not built"),
    pytest.param(A, "touchdown_speed", "touchdown_sped", f"{A}:5", "touchdown_speed", id="unknown signal"),
    pytest.param(A, "5 m/s", "5 deg", f"{A}:5", "", id="unit of another dimension"),
    pytest.param(A, "5 m/s", "5 furlong", f"{A}:5", "furlong", id="unknown unit"),
    pytest.param(A, "always (", "always ((", f"{A}:5", "", id="formula that does not parse"),
    pytest.param(C, "def control(", "def 2control(", f"{C}:12", "", id="controller that is not Python"),
    pytest.param(C, "import jax.numpy as jnp", "import os", f"{C}:3", "os", id="import that is not allowed"),
    pytest.param(C, '{"thrust_n": jnp', '{"thrust": jnp', C, "thrust", id="unknown action"),
    pytest.param(C, 'jnp.clip(params["thrust_n"], 0.0, 5000.0)', "jnp.zeros(3)", C, "thrust_n", id="wrong shape"),
    pytest.param(C, 'params["thrust_n"], 0.0', 'params["thrst_n"], 0.0', C, "thrst_n", id="does not trace"),
    pytest.param(C, 'params["thrust_n"], 0.0', 'jnp.log(-params["thrust_n"]), 0.0', C, "finite", id="returns NaN"),
]


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("path", "old", "new", "place", "words"), BAD_FILES)
def test_a_run_is_refused_in_one_line(path, old, new, place, words, home, capfd):
    text = FILES[path]
    assert text.count(old) == 1
    (home / path).write_text(text.replace(old, new))
    assert execute(["run", "lander/mine", "--brain", "none", "--json"]) == 2
    captured = capfd.readouterr()
    line = captured.err.splitlines()[-1]
    assert line.startswith(f"heal: {place}") and words in line, line
    assert "Traceback" not in captured.err
    assert json.loads(captured.out)["error"]["exit_code"] == 2
    assert not (home / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "lander/nowhere"], "lander/nowhere"),
        (["run", "missing.yaml"], "missing.yaml"),
        (["run", "scenarios/lander"], "is a folder"),
        (["run", "/dev/null"], "is not a regular file"),
        (["run", "lander/mine", "--seed", "-1"], "--seed"),
        (["run", "lander/mine", "--seed", "2147483648"], "--seed"),
        (["check", "zzz"], "The nearest are"),
        (["replay", "scenarios"], "manifest.json"),
        (["run", "lander/mine", "--policy", "failsafe"], "failsafe"),
        (["run", "lander/mine", "--brain", "embeded"], "embedded"),
        (["run", "lander/mine", "--brain", "mock:missing.yaml"], "missing.yaml"),
        (["check", "missing.yaml"], "missing.yaml"),
        (["check", "runs.txt"], "runs.txt"),
        (["catalogue", "show", "lader"], "lader"),
        (["incidents", "show", "x"], "x"),
        (["patches", "diff", "x"], "x"),
        (["replay", "nowhere"], "nowhere"),
        (["doctor", "--repair", "nowhere"], "nowhere"),
        (["doctor", "--repair", "scenarios"], "manifest.json"),
        (["init", "scenarios/lander/mine.yaml"], "is a file"),
        (["bench", "speed", "--only", "P99"], "P99"),
    ],
    ids=" ".join,
)
def test_a_wrong_word_is_refused_in_one_line(arguments, words, home, capfd):
    assert execute(arguments) == 2
    captured = capfd.readouterr()
    line = captured.err.splitlines()[-1]
    assert line.startswith("heal: ") and words in line, line
    assert "Traceback" not in captured.err and captured.out == ""
    assert not (home / "runs").exists()


def test_a_scenario_that_is_a_folder_is_never_suggested_for_itself(home, capfd):
    (home / S).unlink()
    (home / S).mkdir()
    assert execute(["run", "lander/mine"]) == 2
    assert "'lander/mine'?" not in capfd.readouterr().err


def test_an_unknown_word_gets_five_names_at_most(home, capfd):
    assert execute(["check", "zzz"]) == 2
    assert capfd.readouterr().err.count(",") == 4


def test_replay_reads_the_record_before_it_builds(home, capfd):
    (home / "run").mkdir()
    (home / "run/manifest.json").write_text("{}")
    assert execute(["replay", "run"]) == 2
    assert "log.mcap" in capfd.readouterr().err


def test_the_good_files_are_good(home, capfd):
    assert execute(["check", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["clean"] is True


def test_check_finds_every_mistake_of_every_file_at_once(home, capfd):
    (home / A).write_text(ASSERTIONS.replace("touchdown_speed", "touchdown_sped").replace("] landed", "] lnded"))
    (home / C).write_text(CONTROLLER.replace("import jax.numpy as jnp", "import os"))
    assert execute(["check", "--json"]) == 2
    found = json.loads(capfd.readouterr().out)["findings"]
    assert [(f["path"], f["line"]) for f in found if f["severity"] == "error"][:3] == [(A, 5), (A, 8), (C, 3)]
