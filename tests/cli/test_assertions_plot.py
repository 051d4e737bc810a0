"""`heal assertions plot`: files, ids, outputs, and what is refused."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from healing_runtime.cli.main import execute

PNG = b"\x89PNG"
FILE = """\
robot: lander
assertions:
  - id: slow
    severity: critical
    formula: always (descent_rate < 5 m/s)
  - id: low
    severity: warning
    formula: always (altitude < 150 m)
"""


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(FILE)
    t = np.arange(21) / 10
    rows = [f"{time:.1f},{100 - 3 * time:.3f},{7 if 1.2 <= time < 1.4 else 3}" for time in t]
    (tmp_path / "flight.csv").write_text("\n".join(["t_s,altitude [m],descent_rate [m/s]", *rows]) + "\n")
    return tmp_path


def plot(*arguments: str) -> int:
    return execute(["assertions", "plot", *arguments])


def answer(capsys, *arguments: str):
    assert plot(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments: str) -> str:
    assert plot(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1
    return captured.err


# ---------------------------------------------------------------- what is written
def test_a_picture_and_a_page_are_written_and_named(home, capsys):
    assert plot("flight.csv", "--assertions", "rules.yaml") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == ["flight-assertions.png", "flight-assertions.html"]
    assert said[0].split("  ") == ["assertion", "status", "violated at", "worst at"]
    assert said[1].split() == ["slow", "false", "1.200", "s", "1.200", "s"]
    assert (home / "flight-assertions.png").read_bytes().startswith(PNG)
    page = (home / "flight-assertions.html").read_text()
    assert "slow" in page and "low" in page


def test_the_document_says_what_was_drawn_and_where(home, capsys):
    document = answer(capsys, "flight.csv", "--assertions", "rules.yaml", "--out-dir", "new/pictures", "--id", "slow")
    (entry,) = document["assertions"]
    assert (entry["id"], entry["status"], entry["violated_t_s"]) == ("slow", "false", pytest.approx(1.2))
    assert entry["robustness"] == pytest.approx(-2.0)
    assert document["files"] == [
        {"path": f"new/pictures/flight-assertions{suffix}", "replaced": False} for suffix in (".png", ".html")
    ]
    assert all((home / file["path"]).is_file() for file in document["files"])


def test_named_outputs_alone_are_written_and_the_same_again(home, capsys):
    arguments = ("flight.csv", "--assertions", "rules.yaml", "--output", "a.PNG", "--output", "b.html")
    first = answer(capsys, *arguments)
    before = [(home / name).read_bytes() for name in ("a.PNG", "b.html")]
    again = answer(capsys, *arguments)
    assert [file["replaced"] for file in (*first["files"], *again["files"])] == [False, False, True, True]
    assert [(home / name).read_bytes() for name in ("a.PNG", "b.html")] == before
    assert sorted(path.name for path in home.iterdir()) == ["a.PNG", "b.html", "flight.csv", "rules.yaml"]


def test_numbers_of_a_file_are_judged_as_they_stand_there(home, capsys):
    (home / "flight.csv").write_text("t_s,altitude [m],descent_rate [m/s]\n0.0,1,5.00000001\n0.1,1,4\n")
    (home / "rules.yaml").write_text(FILE.replace("< 5 m/s", "<= 5 m/s"))
    document = answer(capsys, "flight.csv", "--assertions", "rules.yaml", "--id", "slow")
    assert document["assertions"][0]["status"] == "false", "in single precision it is 5"


# ---------------------------------------------------------------- what is refused
def test_a_file_that_is_not_ours_is_never_lost(home, capsys):
    (home / "holiday.png").write_bytes(PNG + b"a beach")
    said = refusal(capsys, "flight.csv", "--assertions", "rules.yaml", "--output", "holiday.png")
    assert "holiday.png is there and was not made by this command" in said
    assert (home / "holiday.png").read_bytes() == PNG + b"a beach"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output", "a.pdf"], "a.pdf ends neither in .png nor in .html"),
        (["--output", "a"], "a ends neither in .png nor in .html"),
        (["--output", "nowhere/a.png"], "there is no folder nowhere"),
        (["--output", "flight.csv/a.png"], "there is no folder flight.csv"),
        (["--output", "folder.png"], "folder.png is a folder"),
        (["--out-dir", "flight.csv"], "flight.csv is a file; name a folder"),
        (["--output", "/proc/a.png"], "/proc/a.png cannot be written: "),
        (["--out-dir", "/proc/a"], "/proc/a cannot be written: "),
        (["--output", "a.png", "--out-dir", "b"], "--output or --out-dir, not both"),
        (["--id", "slwo"], "there is no assertion 'slwo' here. Did you mean 'slow'"),
        (["--rate", "fast"], "--rate fast is no rate"),
        (["--rate", "0 Hz"], "--rate 0 Hz is no rate"),
        (["--rate", "5 m"], "--rate 5 m is no rate"),
        (["--assertions", "quadrotor/landing"], "is for robot 'quadrotor', the recording is of 'lander'"),
    ],
    ids=lambda found: " ".join(found) if isinstance(found, list) else "",
)
def test_a_mistake_is_one_line_and_nothing_is_written(home, capsys, arguments, words):
    (home / "folder.png").mkdir()
    before = sorted(home.rglob("*"))
    assert words in refusal(capsys, "flight.csv", "--assertions", "rules.yaml", *arguments)
    assert sorted(home.rglob("*")) == before


def test_a_full_disk_leaves_nothing_behind(home, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    before = sorted(home.iterdir())
    assert plot("flight.csv", "--assertions", "rules.yaml") == 4
    assert "No space left on device" in capsys.readouterr().err
    assert sorted(home.iterdir()) == before


def test_a_file_needs_assertions_and_a_recording_must_be_there(home, capsys):
    assert "names no assertions by itself" in refusal(capsys, "flight.csv")
    assert "gone.csv" in refusal(capsys, "gone.csv", "--assertions", "rules.yaml")
    (home / "none.yaml").write_text("robot: lander\nassertions: []\n")
    assert "assertion" in refusal(capsys, "flight.csv", "--assertions", "none.yaml")


def test_a_signal_that_the_file_lacks_is_named(home, capsys):
    (home / "fuel.yaml").write_text(
        "robot: lander\nassertions:\n  - id: f\n    severity: warning\n    formula: always (fuel > 1 kg)\n"
    )
    assert "fuel" in refusal(capsys, "flight.csv", "--assertions", "fuel.yaml")


@pytest.mark.parametrize("package", ["matplotlib", "plotly"])
def test_a_missing_package_is_one_line_and_nothing_is_written(home, capsys, monkeypatch, package):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    said = refusal(capsys, "flight.csv", "--assertions", "rules.yaml")
    assert f"need {package}; pip install 'healing-runtime[plot]'" in said
    assert not list(home.glob("flight-assertions*"))
