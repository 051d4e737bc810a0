"""`heal assertions explain`: what a person reads, what a machine reads, and what is refused."""

import json

import pytest

from healing_runtime.cli.main import execute

FILE = """robot: lander
assertions:
  - id: soft
    requirement: REQ-7
    severity: warning
    formula: always (touchdown_speed < 5 m/s)
    rationale: The legs.
  - id: odd-rate
    formula: always (contact implies eventually[0 s, 0.03 s] landed)
mission:
  - {id: landed, formula: "eventually[0 s, 40 s] landed"}
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(FILE)
    return tmp_path


def explain(capsys, *arguments, code=0):
    assert execute(["assertions", "explain", *arguments]) == code
    said = capsys.readouterr()
    return said.out if code == 0 else said.err


def test_a_person_reads_requirement_english_formula_and_rationale(home, capsys):
    assert explain(capsys, "own.yaml", "soft") == (
        "soft (warning, REQ-7)\n"
        "  At all times touchdown_speed is below 5 m/s.\n"
        "  formula: always (touchdown_speed < 5 m/s)\n"
        "  because: The legs.\n"
    )


def test_a_machine_reads_all_of_it_and_no_rate_is_in_the_way(home, capsys):
    document = json.loads(explain(capsys, "own.yaml", "--json"))
    assert [(e["id"], e["severity"]) for e in document["assertions"]] == [
        ("soft", "warning"),
        ("odd-rate", "critical"),
        ("landed", "mission"),
    ]
    assert document["assertions"][0]["rationale"] == "The legs."
    assert document["assertions"][2]["english"].startswith("The flight is to reach, within the first 40 s, ")


def test_one_formula_is_read_without_a_file(home, capsys):
    assert explain(capsys, "--formula", "fuel > 100 kg", "--robot", "lander") == "At all times fuel is above 100 kg.\n"
    document = json.loads(explain(capsys, "--formula", "fuel > 100 kg", "--robot", "lander", "--json"))
    assert document["english"] == "At all times fuel is above 100 kg."


def test_the_tolerance_of_a_formula_is_given_beside_it(home, capsys):
    formula = ["--formula", "fuel == 100 kg", "--robot", "lander"]
    english = "At all times fuel is equal to 100 kg to within 2 kg.\n"
    assert explain(capsys, *formula, "--tolerance", "2 kg") == english


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--formula", "fuel == 1 kg", "--robot", "lander"], "'==' needs a tolerance"),
        (["--formula", "fuel == 1 kg", "--robot", "lander", "--tolerance", "2"], "the tolerance '2' has no unit"),
        (["--formula", "fuel == 1 kg", "--robot", "lander", "--tolerance", "x"], "'x' is not a quantity"),
        (["--formula", "fuel == 1 kg", "--robot", "lander", "--tolerance", "-2 kg"], "is negative"),
        (["own.yaml", "--tolerance", "2 kg"], "--tolerance belongs to --formula"),
        (["own.yaml", "sofd"], "own.yaml: own has no assertion or mission 'sofd'. Did you mean 'soft'?"),
        (["own.yaml", "xyz"], "It has: landed, odd-rate, soft."),
        (["none.yaml"], "none.yaml"),
        ([], "give an assertion file, or --formula with --robot."),
        (["own.yaml", "--formula", "contact", "--robot", "lander"], "give an assertion file, or --formula"),
        (["--formula", "contact"], "belong together"),
        (["own.yaml", "--robot", "lander"], "belong together"),
        (["--formula", "", "--robot", "lander"], "formula:1:1: there is no formula; write one"),
        (["--formula", "fuell > 100 kg", "--robot", "lander"], "formula:1:1: 'fuell' is no signal"),
        (["--formula", "contact", "--robot", "landr"], "Did you mean 'lander'?"),
    ],
)
def test_what_is_refused_is_one_line(home, capsys, arguments, words):
    said = explain(capsys, *arguments, code=2)
    assert words in said and len(said.splitlines()) == 1, said
