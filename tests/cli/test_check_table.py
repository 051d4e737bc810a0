"""What `heal check` says of each formula: when it trips, when it is decided, and what it costs."""

import json
from pathlib import Path

import pytest

from healing_runtime.cli.main import execute

FILE = """\
robot: quadrotor
assertions:
  - id: low
    severity: critical
    formula: always (altitude < 2 m)
  - id: settles
    severity: warning
    formula: always (rise(contact) implies eventually[0 s, 1 s] (speed < 0.1 m/s))
  - id: held
    severity: warning
    formula: always (contact implies eventually[0 s, 2 s] held_for[0.5 s] (speed < 0.1 m/s))
mission:
  - id: landed
    formula: eventually landed
"""


@pytest.fixture
def written(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "assertions/quadrotor/subject.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(FILE)
    return path


def test_every_formula_has_its_row(written, capsys):
    assert execute(["check", str(written), "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)["formulas"]}
    assert [row["zero_delay"] for row in rows.values()] == ["exact", "exact", "bound", "exact"]
    assert [row["horizon_s"] for row in rows.values()] == [0.0, 1.0, 2.0, None]
    assert all(row["memory_bytes"] > 0 and row["steps_per_tick"] > 0 for row in rows.values())
    assert rows["held"]["memory_bytes"] > rows["settles"]["memory_bytes"] > rows["low"]["memory_bytes"]
    assert rows["settles"]["steps_per_tick"] > rows["low"]["steps_per_tick"]


def test_the_table_says_it_in_a_hundred_columns(written, capsys):
    assert execute(["check", str(written)]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["formula", "severity", "zero-delay"] and "steps" in header.split()
    assert [row.split()[:3] for row in rows[:4]] == [
        ["low", "critical", "exact"],
        ["settles", "warning", "exact"],
        ["held", "warning", "bound"],
        ["landed", "mission", "exact"],
    ]
    assert "the run" in rows[3]
    assert max(map(len, [header, *rows])) <= 100


def test_what_no_run_can_afford_is_an_error_of_one_line_at_its_place(written, capsys):
    written.write_text(
        FILE.replace("eventually[0 s, 2 s] held", "(contact until[0 s, 600 s] held").replace("m/s))\nm", "m/s)))\nm")
    )
    assert execute(["check", str(written)]) == 2
    first = capsys.readouterr().out.splitlines()[0]
    assert "subject.yaml:11:58: error: judging this formula keeps" in first
    assert "there may be 20000; shorten the windows, first of all '600 s'" in first
