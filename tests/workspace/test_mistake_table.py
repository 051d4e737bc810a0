"""Every mistake of the table is told at its place, with what to do; several in one file come at once."""

from __future__ import annotations

import importlib.util
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
