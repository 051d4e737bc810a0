"""Every mistake of the table is told at its place, with what to do; several in one file come at once."""

from __future__ import annotations

import importlib.util
import itertools
import re
import sys
from pathlib import Path

import pytest

from healing_runtime import stl, workspace
from healing_runtime.cli.main import execute
from healing_runtime.core.errors import InputError


def _table():
    spec = importlib.util.spec_from_file_location("scenario_mistakes", Path(__file__).with_name("mistake_table.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TABLE = _table()
FILE = "scenarios/quadrotor/mistaken.yaml"


@pytest.fixture
def told(tmp_path, monkeypatch):
    """`told(text)` -> what is said of a scenario file, as (place, message)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / FILE).parent.mkdir(parents=True)
    home = workspace.open()

    def say(text):
        Path(FILE).write_text(text, encoding="utf-8")
        return [(str(e.where).removeprefix(f"{FILE}:"), e.message.partition("\n")[0]) for e in _mistakes(home)]

    return say


def _mistakes(home):
    try:
        reading, _ = home.scenario_reading("quadrotor/mistaken")
    except InputError as error:
        return [error, *error.more]
    found = list(reading.mistakes)
    for trigger in reading.triggers if reading.robot else ():
        try:
            stl.condition(trigger.text, reading.robot.signals, reading.control_hz, trigger.where)
        except InputError as error:
            found.append(error)
    return found


def changed(*rows):
    text = TABLE.BASE
    for row in rows:
        assert text.count(row.old) >= 1, row.old
        text = text.replace(row.old, row.new, 1)
    return text


def test_the_file_without_a_mistake_has_none(told):
    assert told(TABLE.BASE) == []


@pytest.mark.parametrize("row", TABLE.ROWS, ids=lambda row: " ".join(row.new.split())[:32] or "nothing")
def test_a_mistake(told, row):
    ((place, message),) = told(changed(row))
    assert place == row.place
    assert re.fullmatch(re.escape(row.message).replace("…", ".*"), message), message
    assert message.endswith((".", "?"))


def test_what_is_said_is_also_what_to_do():
    for row in TABLE.ROWS:
        tail = row.message.partition("; ")[2] or row.message.partition(". ")[2] or row.message.partition(": ")[2]
        assert len(tail) > 4, row.message


def test_the_lengths_that_are_proposed_are_taken(told):
    """At 48 Hz few numbers of seconds are whole ticks."""
    rows = [row for row in TABLE.ROWS if row.message.startswith("duration")]
    proposed = {time for row in rows for time in re.findall(r"'([0-9.]+ s)'[.| ]", row.message.partition("; ")[2])}
    assert {"12 s", "12.0625 s", "0.0625 s", "20833.3125 s"} <= proposed
    for time in proposed - {"2000 s"}:  # of a row with other rates
        found = told(TABLE.BASE.replace("duration: 12 s", f"duration: {time}"))
        assert not any(message.startswith("duration") for _, message in found), time


def test_all_mistakes_of_a_file_come_at_once_in_its_order(told):
    wrong = [
        ("controller: quadrotor/landing_pid", "controller: quadrotor/landing_pdi"),
        ("mission: landed", "mission: lands"),
        ("gravity_mps2: 9.8", "gravity_mps2: -9.8"),
        ("friction: 0.8", "friction: -0.1"),
        ("reference: {position_m: [0, 0, 0]}", "reference: {altitude_m: 0}"),
        ("value: 0.8", "value: 1.8"),
        ("signal: altitude", "signal: altimeter"),
        ("position_m: {normal: 0.02}", "positon_m: {normal: 0.02}"),
        ("on_violation: rewind", "on_violation: failsafe"),
        ("probation: 2 s", "probation: 2.01 s"),
        ("dtype: float32", "dtype: double"),
    ]
    rows = [next(row for row in TABLE.ROWS if (row.old, row.new) == pair) for pair in wrong]
    found = told(changed(*rows))
    assert len(found) == len(rows)
    for row, (_, message) in zip(rows, found, strict=True):
        assert re.fullmatch(re.escape(row.message).replace("…", ".*"), message)
    places = [tuple(map(int, place.split(":"))) for place, _ in found]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rates: {control_hz: 48, physics_hz: 240}", "rate: {control_hz: 10, physics_hz: 40}"),
        ("duration: 12 s", "durations: 12 s"),
        ("initial: {position_m", "initials: {position_m"),
        ("faults:", "fault:"),
        ("robot: quadrotor", "robots: quadrotor"),
        ("policy: {on_violation: rewind, ", "policies: {on_violation: rewound, "),
    ],
)
def test_a_mistyped_key_is_one_mistake_whatever_rests_on_it(told, old, new):
    ((_, message),) = told(TABLE.BASE.replace(old, new, 1))
    assert message.startswith(f"unknown key '{new.partition(':')[0]}'. Did you mean '")


def test_check_tells_them_all_and_exits_2(told, capsys):
    text = TABLE.BASE.replace("control_hz: 48", "control_hz: 50").replace(
        "start: 3 s, until: 5 s", "when: altitud < 1 m"
    )
    told(text.replace("seed: 7", "sed: 7"))
    assert execute(["check", FILE]) == 2
    said = capsys.readouterr().out
    assert f"{FILE}:6:21: error: control_hz 50 does not divide" in said
    assert f"{FILE}:7:1: error: unknown key 'sed'" in said
    assert f"{FILE}:12:58: error: 'altitud' is no signal" in said
    assert "3 errors" in said and "Traceback" not in said


def test_a_run_tells_the_first_and_exits_2(told, capsys):
    told(TABLE.BASE.replace("control_hz: 48", "control_hz: 50").replace("seed: 7", "sed: 7"))
    assert execute(["run", FILE, "--brain", "none"]) == 2
    assert capsys.readouterr().err.startswith(f"heal: {FILE}:6:21: control_hz 50 does not divide")


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (
            "probation: 2 s, max_attempts: 8, wall_budget_s: 60",
            "probation: -1 s, max_attempts: 0, wall_budget_s: .inf",
            [
                ("15:43", "policy.probation: a time is never negative"),
                ("15:63", "policy.max_attempts: must be greater than or equal to 1"),
                ("15:81", ".inf is not a finite number"),
            ],
        ),
        (
            "seed: 7\ninitial: {position_m: [0.3, -0.2, 1.5]",
            "seed: 1e999\ninitial: {position_m: [0.3, .nan, 1 s]",
            [
                ("7:7", "the number is too large"),
                ("8:29", ".nan is not a finite number"),
                ("8:35", "initial.position_m[2]: '1 s' has the wrong dimension"),
            ],
        ),
        (
            "signal: altitude, start: 1 s, until: 2 s}",
            "signal: altimeter, start: .inf, until: 2 s}\n  - {kind: wind, velocity_mps: [.inf, 1e9, 0]}",
            [
                ("13:34", 'faults[1].signal cannot be "altimeter"'),
                ("13:52", ".inf is not a finite number"),
                ("14:33", ".inf is not a finite number"),
                ("14:39", "faults[2].velocity_mps[1]: must be less"),
            ],
        ),
        ("duration: 12 s", "duration: .nan", [("5:11", ".nan is not a finite number")]),
        (
            "uniform: [-0.05, 0.05]",
            "uniform: [.nan, 99999999999999999999]",
            [("14:66", ".nan is not a finite number"), ("14:72", "the number is too large")],
        ),
        (
            "{kind: sensor_stuck, signal: altitude, start: 1 s, until: 2 s}",
            "{kind: sensor_bias, signal: velocity, value: [0, .inf, 0]}",
            [("13:54", ".inf is not a finite number")],
        ),
    ],
)
def test_a_number_that_is_none_hides_nothing_else(told, old, new, found):
    assert old in TABLE.BASE
    text = TABLE.BASE.replace(old, new, 1)
    said = told(text)
    assert [place for place, _ in said] == [place for place, _ in found]
    assert all(message.startswith(start) for (_, message), (_, start) in zip(said, found, strict=True))


def test_wherever_a_number_may_stand_one_that_is_none_is_told_once(told):
    """With all keys that take one, and nothing else wrong."""
    text = TABLE.BASE.replace(
        "perturb:",
        "  - {kind: impulse, impulse: [1, 0, 0], over_s: 0.5, start: 1 s}\n"
        "  - {kind: sensor_bias, signal: velocity, value: [1, 0, 0], start: 2.5 s, ramp: 3 s}\n"
        "  - {kind: actuator_delay, value_s: 0.1}\n"
        "  - {kind: downwash, value: 1, radius_m: 2, centre_m: [1, 0]}\nperturb:",
    )
    assert told(text) == []
    numbers = list(re.finditer(r"(?<=[ \[])-?[0-9][0-9.]*( s)?(?=[,\]}\n])", text))
    assert len(numbers) > 40
    for number, bad in itertools.product(numbers, (".nan", "1e999")):
        line = text.count("\n", 0, number.start()) + 1
        column = number.start() - text.rfind("\n", 0, number.start())
        ((place, message),) = told(text[: number.start()] + bad + text[number.end() :])
        assert place == f"{line}:{column}" and message.startswith((f"{bad} is not", "the number is too large"))
