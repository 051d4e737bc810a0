"""The commands that fly nothing, in a workspace of their own."""

import json
from pathlib import Path

import pytest

from healing_runtime import workspace
from healing_runtime.app import bench
from healing_runtime.cli.main import execute
from healing_runtime.core.errors import InputError


def answer(capsys, *arguments: str, code: int = 0):
    assert execute([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---------------------------------------------------------------- init
def test_init_makes_a_workspace_and_overwrites_nothing(home, capsys):
    made = answer(capsys, "init", "mine")["files"]
    assert all((home / path).is_file() for path in made)
    (home / made[0]).write_text("mine")
    assert execute(["init", "mine"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (home / made[0]).read_text() == "mine"


def test_init_writes_nothing_where_one_file_is_in_the_way(home, capsys):
    (home / "mine/scenarios/lander").mkdir(parents=True)
    (home / "mine/scenarios/lander/first.yaml").write_text("here")
    assert execute(["init", "mine"]) == 2
    assert not (home / "mine/controllers").exists()


# ---------------------------------------------------------------- catalogue
def test_catalogue_lists_what_the_workspace_adds(home, capsys):
    answer(capsys, "init", ".")
    names = answer(capsys, "catalogue", "list")
    assert {"lander", "quadrotor"} <= set(names["robots"])
    assert {"lander/first", "lander/neuro_lander"} <= set(names["scenarios"])


def test_a_name_that_nothing_has_is_told_the_nearest_of_many(home, capsys):
    assert execute(["catalogue", "show", "nope"]) == 2
    said = capsys.readouterr().err
    assert "there is no file and no catalogue entry 'nope'. The nearest of " in said and said.count(", ") == 4
    assert execute(["catalogue", "show", "quadrotr"]) == 2
    assert "Did you mean 'quadrotor'" in capsys.readouterr().err
    assert execute(["run", "nope"]) == 2
    assert "there is no scenario 'nope'. The nearest of " in capsys.readouterr().err


def test_catalogue_shows_a_robot_with_signals_limits_and_faults(home, capsys):
    (robot,) = answer(capsys, "catalogue", "show", "quadrotor")["entries"]
    assert robot["signals"]["action"][0]["key"] == "rotor_speed_radps"
    assert robot["signals"]["action"][0]["low"] == 0.0
    examples = {f["kind"]: f["example"] for f in robot["faults"]}
    assert examples["rotor_efficiency"] == {"rotor": 0, "value": 0.7}
    assert robot["twin"] is True
    assert execute(["catalogue", "show", "quadrotor"]) == 0
    printed = capsys.readouterr().out
    assert "rotor_speed_radps" in printed
    assert "value_deg: 45.0, signals: [position, velocity]" in printed


@pytest.mark.parametrize("name", ["cartpole", "lander", "lander_planar", "quadrotor"])
def test_a_robot_says_what_it_is_made_of_and_where_that_comes_from(home, capsys, name):
    (robot,) = answer(capsys, "catalogue", "show", name)["entries"]
    figures = robot["constants"]
    assert any("mass" in figure["name"] and figure["unit"] == "kg" for figure in figures)
    assert all(figure["value"] and figure["source"] for figure in figures)
    assert execute(["catalogue", "show", name]) == 0
    shown = capsys.readouterr().out
    assert all(figure["source"] in shown for figure in figures)


def test_a_name_that_several_kinds_share_shows_all_of_them(home, capsys):
    answer(capsys, "init", ".")
    entries = answer(capsys, "catalogue", "show", "lander/first")["entries"]
    assert [e["kind"] for e in entries] == ["scenario", "controller", "assertions"]


# ---------------------------------------------------------------- ledger
def test_looking_into_an_empty_ledger_makes_no_file(home, capsys):
    assert answer(capsys, "incidents", "list") == {"incidents": [], "damaged": []}
    assert answer(capsys, "patches", "list") == {"patches": [], "damaged": []}
    assert list(home.iterdir()) == []


# ---------------------------------------------------------------- doctor
def test_doctor_tells_versions_devices_confinement_and_keys_but_no_key(home, capsys, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "a-secret")
    assert execute(["doctor", "--json"]) == 0
    text = capsys.readouterr().out
    found = json.loads(text)
    assert found["platform"]["jax"] and found["devices"] and found["brains"]["embedded"] == "ready"
    assert "no_new_privs" in found["confinement"] and "rlimits" in found["confinement"]
    assert found["brains"]["gemini"] == "GEMINI_API_KEY is set" and "a-secret" not in text


def test_doctor_tells_of_the_cache_and_makes_none(home, capsys, monkeypatch):
    from healing_runtime.compile.cache import VARIABLE, Cache

    folder = home / "executables"
    monkeypatch.setenv(VARIABLE, str(folder))
    assert answer(capsys, "doctor")["cache"] == {"folder": str(folder), "entries": 0, "bytes": 0, "usable": "yes"}
    assert not folder.exists()
    Cache(folder).store(b"a program")
    assert answer(capsys, "doctor")["cache"] == {"folder": str(folder), "entries": 1, "bytes": 9, "usable": "yes"}
    folder.chmod(0o755)
    found = answer(capsys, "doctor")["cache"]
    assert found["entries"] == 0 and "no: " in found["usable"] and "chmod 700" in found["usable"]
    monkeypatch.setenv(VARIABLE, "off")
    assert answer(capsys, "doctor")["cache"]["usable"] == "no: HEALING_RUNTIME_CACHE is off"
    assert execute(["doctor"]) == 0
    assert "folder: none" in capsys.readouterr().out
    monkeypatch.setenv(VARIABLE, "here")
    found = answer(capsys, "doctor")["cache"]
    assert found["folder"] == "here" and found["usable"].startswith("no: the cache here is not used: it is no absolute")


# ---------------------------------------------------------------- bench
def test_bench_needs_a_checkout(home, monkeypatch):
    monkeypatch.setattr(workspace, "catalogue_root", lambda: home)
    with pytest.raises(InputError, match="needs a checkout"):
        bench.speed()


def test_bench_runs_the_files_that_are_there_and_collects_their_answers(home, capsys, monkeypatch):
    line = {"subject": "P2", "what": "w", "ours": "1 s", "limit": "1 s", "ratio": 1.0, "spread": 0.0}
    line |= {"must_reach": "1×", "reached": True, "count": 1, "note": ""}
    (home / "benchmarks").mkdir()
    (home / "benchmarks/p2_word.py").write_text(f"import json; print(json.dumps([{line!r}]))")
    (home / "benchmarks/p10_later.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(workspace, "catalogue_root", lambda: home)
    document = answer(capsys, "bench", "speed", "--only", "p2", "--out", "speed.json")
    assert document["results"] == [line]
    assert json.loads((home / "speed.json").read_text()) == document
    assert execute(["bench", "speed"]) == 4
    assert "p10_later.py failed with exit code 3" in capsys.readouterr().err


# ---------------------------------------------------------------- check
def test_check_says_how_long_it_took(home, capsys, monkeypatch):
    answer(capsys, "init", "mine")
    monkeypatch.chdir(home / "mine")
    (assertions,) = (home / "mine/assertions").rglob("*.yaml")
    assert 0.0 < answer(capsys, "check", str(assertions))["elapsed_s"] < 600.0
