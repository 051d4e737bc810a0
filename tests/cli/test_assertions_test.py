"""`heal assertions test` over files: verdict, clause, signal and instant, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from healing_runtime import stl
from healing_runtime.app.assertions.logged import logged_atoms
from healing_runtime.cli.main import execute
from healing_runtime.core.errors import Location
from healing_runtime.core.status import Severity
from healing_runtime.stl.text import Text

RULES = """\
robot: lander
definitions:
  low: altitude < 60 m
assertions:
  - id: slow-when-low
    severity: critical
    formula: always (low implies descent_rate < 12 m/s)
  - id: sensor
    severity: warning
    formula: >-
      always (
      observed(altitude) < 100 m)
  - id: lands
    severity: warning
    formula: always (contact implies eventually[0 s, 0.2 s] landed)
  - id: settles
    severity: warning
    formula: (always (altitude > 0 m)) and (eventually (always (descent_rate < 1 m/s)))
  - id: slows
    severity: warning
    formula: always (contact implies eventually[0 s, 0.2 s] (descent_rate < 1 m/s))
"""
HEAD = "t [s],altitude [m],descent_rate [m/s],contact,landed\n"
FLIGHT = HEAD + "0,61,10,0,0\n0.1,59,11,0,0\n0.2,58,12.5,0,0\n0.3,57,13,0,0\n0.4,56,0.5,0,0\n"


@pytest.fixture
def judge(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("rules.yaml").write_text(RULES)

    def run(text, *options, code):
        Path("flight.csv").write_text(text)
        arguments = ["assertions", "test", "flight.csv", "--assertions", "rules.yaml", *options]
        assert execute(arguments) == code
        return capsys.readouterr()

    return run


def document(judge, text, *options, code):
    return json.loads(judge(text, *options, "--json", code=code).out, parse_constant=pytest.fail)


def one(judge, text, name, code=1):
    (found,) = document(judge, text, "--id", name, code=code)["assertions"]
    return found


def test_a_violation_names_clause_signal_and_instant(judge):
    found = one(judge, FLIGHT, "slow-when-low")
    assert (found["status"], found["severity"], found["file"]) == ("false", "critical", "rules")
    assert (found["robustness"], found["robustness_scaled"]) == (-1.0, -0.2)
    assert (found["first_violation"]["tick"], found["first_violation"]["t_s"]) == (2, 0.2)
    first = found["first_violation"]["decided_by"]
    assert (first["clause"], first["line"], first["column"]) == ("descent_rate < 12 m/s", 7, 34)
    assert first["signals"] == {"descent_rate": {"value": 12.5, "unit": "m/s"}}
    (other,) = first["beside"]
    assert (other["clause"], other["signals"]) == ("low", {"altitude": {"value": 58.0, "unit": "m"}})
    assert (found["decided_by"]["tick"], found["worst"]["t_s"]) == (3, pytest.approx(0.3))
    assert found["english"].startswith("Whenever")


def test_text_says_it_in_a_sentence(judge):
    said = judge(FLIGHT, "--id", "slow-when-low", code=1).out.splitlines()
    assert said[0] == "flight.csv: 5 samples at 10 Hz, 0 s to 0.4 s"
    assert said[-1] == (
        "slow-when-low: false at 0.2 s: altitude is 58 m, so 'low' holds (less than 60 m) and descent_rate is "
        "12.5 m/s, 'descent_rate < 12 m/s' asks for less than 12 m/s; worst at 0.3 s: altitude is 57 m, so 'low' holds "
        "(less than 60 m) and descent_rate is 13 m/s, 'descent_rate < 12 m/s' asks for less than 12 m/s"
    )


def test_each_side_is_told_at_its_own_instant(judge):
    text = HEAD + "0,5,12,1,0\n0.1,5,11,0,0\n0.2,5,12.5,0,0\n0.3,5,0,0,0\n"
    assert one(judge, text, "slows")["reason"] == (
        "false at 0.2 s: at 0 s contact is true and at 0.1 s descent_rate is 11 m/s, 'descent_rate < 1 m/s' asks for "
        "less than 1 m/s"
    )


def test_numbers_that_are_nearly_equal_are_told_apart(judge):
    text = HEAD + "0,61,0,0,0\n0.1,59,12.000001,0,0\n"
    assert "descent_rate is 12.000001 m/s, " in one(judge, text, "slow-when-low")["reason"]


def test_a_file_is_judged_in_the_digits_it_was_written_in(judge):
    text = HEAD + "0,50,11.9999999999,0,0\n0.1,50,0,0,0\n"
    found = one(judge, text, "slow-when-low", code=0)
    assert found["status"] == "true" and found["robustness"] == pytest.approx(1e-10, rel=1e-3)


def test_a_place_in_a_folded_formula_is_found(judge):
    text = FLIGHT.replace("altitude [m]", "observed(altitude) [m]").replace("0,61", "0,161")
    found = one(judge, text, "sensor")
    assert found["decided_by"]["signals"] == {"observed(altitude)": {"value": 161.0, "unit": "m"}}
    assert found["decided_by"]["line"] in (11, 12)


def test_without_ground_truth_the_sensor_is_judged_and_that_is_said(judge):
    text = FLIGHT.replace("altitude [m]", "observed(altitude) [m]")
    told = document(judge, text, "--id", "slow-when-low", code=1)
    assert told["notes"] == ["no ground truth for altitude: what the sensors said is judged"]
    told = document(judge, FLIGHT, "--id", "sensor", code=0)
    assert told["notes"] == ["no sensor's own column for altitude: observed(…) reads the plain one"]


def test_a_stale_sensor_is_invalid(judge):
    text = "t [s],altitude [m],observed(altitude) [m],altitude_age [ms]\n"
    text += "".join(f"{k / 10},50,50,{100 * max(0, k - 2)}\n" for k in range(7))
    found = one(judge, text, "sensor")
    assert (found["status"], found["first_violation"]["tick"]) == ("invalid", 5)
    assert "observed(altitude) has no value" in found["reason"]


def test_a_sensor_whose_age_is_missing_is_stale(judge):
    text = "t [s],altitude [m],observed(altitude) [m],altitude_age [ms]\n"
    text += "".join(f"{k / 10},50,50,{'' if k == 3 else 0}\n" for k in range(7))
    found = one(judge, text, "sensor")
    assert (found["status"], found["first_violation"]["tick"]) == ("invalid", 3)


def test_a_plain_column_that_stands_for_a_stale_sensor_is_stale(judge):
    text = "t [s],altitude [m],descent_rate [m/s],altitude_age [ms]\n"
    text += "".join(f"{k / 10},50,1,{100 * max(0, k - 2)}\n" for k in range(7))
    told = document(judge, text, "--id", "sensor", "--id", "slow-when-low", code=1)
    by_id = {entry["id"]: entry for entry in told["assertions"]}
    assert (by_id["sensor"]["status"], by_id["sensor"]["first_violation"]["tick"]) == ("invalid", 5)
    assert by_id["slow-when-low"]["status"] == "true"
    assert told["notes"] == ["no sensor's own column for altitude: observed(…) reads the plain one"]


def test_a_hole_is_invalid_and_names_the_signal(judge):
    found = one(judge, FLIGHT.replace("0.1,59,11", "0.1,59,"), "slow-when-low")
    assert (found["status"], found["robustness"], found["first_violation"]["tick"]) == ("invalid", None, 1)
    assert found["decided_by"]["signals"] == {"descent_rate": {"value": None, "unit": "m/s"}}
    said = "invalid at 0.1 s: descent_rate has no value, so 'descent_rate < 12 m/s' cannot be judged"
    assert found["reason"] == said


def test_a_missing_sample_is_invalid_and_said(judge):
    told = document(judge, FLIGHT.replace("0.1,59,11,0,0\n", ""), "--id", "slow-when-low", code=1)
    assert told["notes"] == ["1 of 5 samples are missing at 10 Hz: invalid (first at 0.1 s)"]
    assert told["assertions"][0]["status"] == "invalid"


def test_vacuous_and_open_verdicts_are_no_violations_and_say_why(judge):
    found = one(judge, FLIGHT, "lands", code=0)
    assert (found["status"], found["robustness"]) == ("vacuous", "inf")
    assert found["reason"] == "vacuous: never triggered; contact is false at 0 s"
    found = one(judge, FLIGHT.replace("0.4,56,0.5,0,0", "0.4,56,0.5,1,0"), "lands", code=0)
    assert found["reason"].startswith(
        "unknown: 'eventually[0 s, 0.2 s] landed', asked at 0.4 s, is open at the end; 0.2 s"
    )


def test_what_no_monitor_can_judge_is_judged_offline(judge):
    assert one(judge, FLIGHT, "settles", code=0)["status"] == "true"
    found = one(judge, FLIGHT.replace("0.5,0,0", "3,0,0"), "settles")
    assert (found["status"], found["robustness"], found["decided_by"]["tick"]) == ("false", -2.0, 4)


def test_one_sample_is_judged(judge):
    assert document(judge, HEAD + "0,61,1,0,0\n", "--rate", "48 Hz", "--id", "slow-when-low", code=0)["samples"] == 1


def test_a_column_may_be_named(judge):
    text = "zeit,h\n0,61\n1,62\n"
    told = document(
        judge, text, "--column", "zeit=t [s]", "--column", "h=observed(altitude) [m]", "--id", "sensor", code=0
    )
    assert told["assertions"][0]["robustness"] == 38.0


# ---------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("t [s],altitude [m],sink [m/s]\n0,1,1\n1,1,1\n", ["--id", "slow-when-low"], "the nearest are"),
        ("t [s],height [m],contact\n0,1,1\n1,1,1\n", ["--id", "sensor"], "'observed(altitude)' is read by 'sensor'"),
        (FLIGHT, ["--id", "slow"], "there is no assertion 'slow' here. Did you mean 'slows'?"),
        (FLIGHT, ["--rate", "48"], "--rate 48 is no rate; write for example"),
        (FLIGHT, ["--rate", "48 rpm"], "--rate 48 rpm is no rate"),
        (FLIGHT, ["--rate", "0 Hz"], "--rate 0 Hz is no rate"),
        (FLIGHT, ["--rate", "-1 Hz"], "is no rate"),
        (FLIGHT, ["--rate", "1e9999999 Hz"], "is no rate"),
        (FLIGHT, ["--rate", "1e-400 Hz"], "is no rate"),
        (FLIGHT, ["--rate", "1e9 Hz"], "is not between 1e-06 and 1e+06 Hz"),
        (FLIGHT, ["--rate", "nan Hz"], "is no rate"),
        (FLIGHT, ["--rate", "7 Hz"], "two samples fall on one tick of 7 Hz"),
        (FLIGHT, ["--column", "altitude"], "--column 'altitude' names no signal"),
        (FLIGHT, ["--column", "h=altitude [m]"], "there is no column 'h'"),
        (FLIGHT, ["--assertions", "quadrotor/landing"], "is for robot 'quadrotor', the recording is of 'lander'"),
        (FLIGHT, ["--assertions", "none.yaml"], "there is no file none.yaml"),
        ("t [s],altitude [deg]\n0,1\n1,1\n", [], "flight.csv:1: column 'altitude [deg]': altitude is measured in m"),
        (FLIGHT.replace("0.3,", "0.23,"), ["--rate", "3 Hz"], "do not lie on ticks"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(judge, text, options, said):
    captured = judge(text, *options, code=2)
    assert captured.out == "" and len(captured.err.splitlines()) == 1 and said in captured.err, captured.err


def test_a_component_without_a_column_is_refused(judge, capsys):
    Path("flight.csv").write_text(
        "t [s],position.x [m],reference_position.x [m],reference_position.y [m]\n0,1,1,1\n1,1,1,1\n"
    )
    assert execute(["assertions", "test", "flight.csv", "--assertions", "quadrotor/landing", "--id", "corridor"]) == 2
    said = capsys.readouterr().err
    assert "'position.y' is read by 'corridor' and has no column in flight.csv; the nearest are position.x [m]" in said


def test_bounds_that_fall_between_ticks_are_refused_with_their_place(judge):
    captured = judge(FLIGHT.replace("0.4,", "0.40001,"), "--rate", "12.5 Hz", code=2)
    assert "flight.csv" in captured.err or "rules.yaml" in captured.err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.csv", "there is no file none.csv"),
        ("none", "there is no run none"),
        ("rules.yaml", "is neither .csv nor .mcap"),
        ("empty", "holds no manifest.json"),
        ("folder.csv", "holds no manifest.json"),
        ("bytes.mcap", "is no whole MCAP file"),
    ],
)
def test_what_is_no_recording_is_one_line(judge, capsys, name, said):
    for folder in ("empty", "folder.csv"):
        Path(folder).mkdir()
    Path("bytes.mcap").write_bytes(b"\x89MCAP0\r\nrubbish")
    assert execute(["assertions", "test", name, "--assertions", "rules.yaml"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and said in captured.err and len(captured.err.splitlines()) == 1


def test_a_file_names_no_assertions_by_itself(judge, capsys):
    Path("flight.csv").write_text(FLIGHT)
    assert execute(["assertions", "test", "flight.csv"]) == 2
    assert "give an assertion file with --assertions" in capsys.readouterr().err


# ---------------------------------------------------------------- what a run logged
def test_logged_values_are_taken_where_their_text_tells_which_atom_they_are_of():
    def bound(name, text):
        definitions = {"slow(v)": "speed < v and height > 0"}
        formula = stl.parse(text, definitions=definitions)
        where = Location("file")
        return stl.Requirement(name, formula, Severity.CRITICAL, False, text, 1.0, "file", where, Text(text, where))

    plain, twice = bound("plain", "always (speed < 1)"), bound("twice", "always (slow(2) or slow(3))")
    one, two = np.array([1.0]), np.array([2.0])
    logged = {"plain": {"speed < 1": one}, "twice": {"speed < v": two, "height > 0": one}}
    known = logged_atoms([plain, twice], logged)
    assert {atom.text: values for atom, values in known.items()} == {"speed < 1": one, "height > 0": one}
    # Equal atoms are one to a program, under the text of either.
    same = bound("same", "always (slow(1))")
    (atom,) = logged_atoms([plain, same], {"same": {"speed < 1": two}})
    assert atom.text == "speed < v"
    assert logged_atoms([plain], {}) == {}
