"""`heal check` on assertion files: what it looks at, what it finds, and where."""

from __future__ import annotations

import json

import pytest

from healing_runtime.cli.main import execute

GOOD = """\
robot: lander
assertions:
  - id: soft
    formula: always (touchdown_speed < 5 m/s)
"""
BAD = """\
robot: lander
constants:
  v_max: 5 m/s
  spare: 3 m
definitions:
  low(h): altitude < 10 m
  idle: altitude < 1 m
assertions:
  - id: below
    formula: always (altitude < 1 m)
  - id: above
    formula: >-
      always (contact
      or altitude > 2 m)
  - id: never
    formula: always (descent_rate < v_max and descent_rate > 6 m/s)
  - id: triggered
    formula: always (low(1 m) implies descent_rate < 9 m/s)
  - id: airborne
    formula: always (not contact)
    tolerance: 1 cm
    scale: {m/s: 2}
"""
SCENARIO = """\
robot: lander
controller: lander/soft_landing
assertions: [lander/one, lander/two]
mission: landed
duration: 4 s
rates: {control_hz: 10, physics_hz: 240}
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty workspace, and a function that writes assertion files into it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").mkdir()
    folder = tmp_path / "assertions/lander"
    folder.mkdir(parents=True)

    def write(name, text):
        (folder / f"{name}.yaml").write_text(text)

    return write


def checked(capsys, *names):
    """Exit code, and the document that is printed."""
    code = execute(["check", "--json", *names])
    return code, json.loads(capsys.readouterr().out)


def places(document, severity):
    return [
        (f"{f['path'].removeprefix('assertions/lander/')}:{f['line']}:{f['column']}", f["message"])
        for f in document["findings"]
        if f["severity"] == severity
    ]


def test_a_folder_is_all_files_in_it(home, capsys):
    home("good", GOOD)
    home("other", GOOD.replace("soft", "softer"))
    for folder in ("assertions", "assertions/lander", "."):
        code, document = checked(capsys, folder)
        assert code == 0 and len(document["files"]) == 2
    code, document = checked(capsys, "assertions", "assertions/lander/good.yaml")
    assert len(document["files"]) == len(document["formulas"]) == 2


def test_a_folder_with_nothing_in_it_is_refused(home, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    assert execute(["check", "empty"]) == 2
    assert "empty holds no scenario, assertion file or controller" in capsys.readouterr().err


def test_a_missing_file_does_not_keep_the_others_from_being_checked(home, capsys):
    home("good", GOOD)
    code, document = checked(capsys, "assertions/lander/god.yaml", "assertions/lander/good.yaml")
    assert code == 2 and len(document["files"]) == 1 and [f["id"] for f in document["formulas"]] == ["soft"]
    ((place, message),) = places(document, "error")
    assert place == "god.yaml:0:0" and "there is no file" in message
    assert execute(["check", "assertions/lander/god.yaml"]) == 2
    assert "there is no file" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_does_not_either(home, capsys):
    home("good", GOOD)
    home("broken", "robot: [lander\n")
    code, document = checked(capsys, "assertions")
    assert code == 2 and [f["id"] for f in document["formulas"]] == ["soft"]
    assert places(document, "error")[0][0].startswith("broken.yaml:2")


def test_what_the_analysis_finds_stands_at_its_place(home, capsys):
    home("bad", BAD)
    code, document = checked(capsys, "assertions/lander/bad.yaml")
    assert code == 2
    (one, never), (other, together) = places(document, "error")
    assert one == "bad.yaml:16:14" and "'never' can never hold" in never
    assert other == "bad.yaml:20:14" and together.startswith(
        "'airborne' can never hold together with 'below' (assertions/lander/bad.yaml:10:14) "
        "and 'above' (assertions/lander/bad.yaml:13:7)"
    )
    assert [(place, message.split(";")[0]) for place, message in places(document, "warning")] == [
        ("bad.yaml:4:3", "nothing uses the constant 'spare'"),
        ("bad.yaml:6:3", "'low' does not use its parameter 'h'"),
        ("bad.yaml:7:3", "no assertion uses the definition 'idle'"),
        ("bad.yaml:21:5", "'airborne' has a tolerance and compares nothing with '=='"),
        ("bad.yaml:22:13", "'airborne' has a scale for 'm/s' and compares nothing in it"),
    ]


def test_warnings_alone_are_no_failure(home, capsys):
    home("good", GOOD + "constants: {spare: 3 m}\n")
    code, document = checked(capsys, "assertions/lander/good.yaml")
    assert code == 0 and len(places(document, "warning")) == 1
    assert execute(["check", "assertions/lander/good.yaml"]) == 0
    assert "good.yaml:5:13: warning: nothing uses the constant 'spare'" in capsys.readouterr().out


def test_every_mistake_of_a_file_is_told(home, capsys):
    text = BAD.replace("v_max: 5 m/s", "until: 5 m/s").replace("idle: altitude", "idle: altitud").replace("1 cm", "1 s")
    text = text.replace("low(h): altitude < 10 m", "low(h): altitude << 10 m").replace("not contact)", "not contct)")
    home("bad", text)
    code, document = checked(capsys, "assertions/lander/bad.yaml")
    assert code == 2
    assert [place for place, _ in places(document, "error")] == [
        "bad.yaml:3:3",  # the constant's name
        "bad.yaml:6:20",  # the definition that does not parse
        "bad.yaml:16:37",  # the constant that is not there any more
        "bad.yaml:20:26",  # the signal
    ]
    home("bad", BAD.replace("id: below", "id: Be Low").replace("id: never", "id: 7").replace("tolerance", "tolerence"))
    code, document = checked(capsys, "assertions/lander/bad.yaml")
    assert code == 2 and len(places(document, "error")) == 3


MANY = """\
robot: lander
constants:
  high: 3 metres
  lean: 30°
  v_max: 5 m/s
definitions:
  fast: descent_rte > v_max
  up: altitude > high
assertions:
  - id: Top_Height
    formula: always (altitud < 3 m)
    requirement: 4.10
  - id: upright
    formula: always (tilt < 10 dge)
  - id: upright
    formula: always (not up)
  - id: level
    severty: critical
    formula: always (fast implies contact))
  - id: still
    formula: always (not fast)
    scale: {furlong: 1, m: 3}
  - id: equal
    formula: always (altitude == 1 m)
    tolerance: 10 quarts
mission: soon
"""


def test_mistakes_of_form_names_and_formulas_come_at_once(home, capsys):
    home("many", MANY)
    code, document = checked(capsys, "assertions/lander/many.yaml")
    assert code == 2 and document["files"] == ["assertions/lander/many.yaml"]
    assert [
        (place.removeprefix("many.yaml:"), message.split(";")[0]) for place, message in places(document, "error")
    ] == [
        ("3:9", "constants.high: 'metres' is not a unit"),
        ("4:9", "constants.lean: '°' is not a unit"),
        ("7:9", "'descent_rte' is no signal, constant or definition"),
        ("10:9", 'assertions[0].id: "Top_Height" is not a name'),
        ("11:22", "'altitud' is no signal, constant or definition"),
        ("12:18", "assertions[0].requirement: must be text, not 4.1"),
        ("14:32", "'dge' is not a unit"),
        ("15:9", "the id 'upright' stands twice in this file"),
        ("18:5", "unknown key 'severty'. Did you mean 'severity'?"),
        ("19:43", "this ')' has no '('"),
        ("22:13", "assertions[4].scale: 'furlong' is not a unit"),
        ("25:16", "assertions[5].tolerance: 'quarts' is not a unit"),
        ("26:10", "mission: must be a list"),
    ]
    # The first mistake is what other commands say of the file.
    assert execute(["assertions", "explain", "assertions/lander/many.yaml"]) == 2
    assert "many.yaml:3:9" in capsys.readouterr().err


def test_where_the_names_are_missing_the_formulas_are_read_for_their_syntax(home, capsys):
    home("many", MANY.replace("constants:", "constnts:"))
    told = [place for place, _ in places(checked(capsys, "assertions/lander/many.yaml")[1], "error")]
    assert "many.yaml:2:1" in told and "many.yaml:19:43" in told and "many.yaml:11:22" not in told
    home("many", GOOD.replace("robot: lander", "robot: landr").replace("5 m/s)", "5 m/s))"))
    (robot, what), (place, _) = places(checked(capsys, "assertions/lander/many.yaml")[1], "error")
    assert robot == "many.yaml:1:8" and what == "there is no robot 'landr'. Did you mean 'lander'?"
    assert place == "many.yaml:4:46"


def test_windows_of_a_file_that_nothing_can_fly_are_not_held_against_a_rate(home, capsys):
    home("many", GOOD.replace("always (", "always[0 s, 0.123 s] (") + "    rationle: none\n")
    ((place, message),) = places(checked(capsys, "assertions/lander/many.yaml")[1], "error")
    assert place == "many.yaml:5:5" and message.startswith("unknown key 'rationle'")


def test_a_flight_holds_its_files_against_each_other_and_against_its_length(home, capsys, tmp_path):
    home("one", GOOD + "  - id: low\n    formula: always (altitude < 9 m)\n")
    home(
        "two",
        "robot: lander\nassertions:\n  - id: high\n    formula: always (altitude > 9 m)\n"
        "mission:\n  - id: landed\n    formula: eventually[0 s, 5 s] landed\n"
        "  - id: other\n    formula: eventually[0 s, 50 s] landed\n",
    )
    folder = tmp_path / "scenarios/lander"
    folder.mkdir()
    (folder / "drop.yaml").write_text(SCENARIO)
    code, document = checked(capsys, "scenarios/lander/drop.yaml")
    ((place, message),) = places(document, "error")
    assert code == 2 and place == "two.yaml:4:14"
    assert "'high' can never hold together with 'low' (assertions/lander/one.yaml:6:14)" in message
    ((place, message),) = places(document, "warning")
    assert place == "two.yaml:7:14" and "scenarios/lander/drop.yaml lasts 4 s" in message
    (folder / "drop.yaml").write_text(SCENARIO.replace("4 s", "5 s"))
    assert places(checked(capsys, "scenarios/lander/drop.yaml")[1], "warning") == []


def test_a_start_that_the_plant_refuses_is_found_before_anything_flies(home, capsys, tmp_path):
    home("one", GOOD.replace("lander", "quadrotor"))
    where = tmp_path / "scenarios/buried.yaml"
    flight = "controller: quadrotor/landing_pid\nassertions: [lander/one]\nduration: 4 s\n"
    rates = "rates: {control_hz: 48, physics_hz: 240}\n"
    where.write_text(f"robot: quadrotor\n{flight}{rates}initial: {{position_m: [0, 0, -2]}}\n")
    code, document = checked(capsys, str(where))
    ((place, message),) = places(document, "error")
    assert code == 2 and place.startswith("scenarios/buried.yaml") and "inside the pad" in message


def test_shipped_files_give_no_findings(capsys):
    code, document = checked(capsys, "lander/landing", "quadrotor/landing")
    assert code == 0 and document["findings"] == []
