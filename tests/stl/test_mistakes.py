"""Every mistake of the table is told at its place, with what to do; what is proposed is accepted."""

from __future__ import annotations

import importlib.util
import re
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_runtime import stl
from healing_runtime.core.errors import AssertionSyntaxError, InputError, Location
from healing_runtime.core.records import AssertionFile, AssertionText
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.stl import analysis
from healing_runtime.stl.text import Text
from healing_runtime.stl.ticks import check_online, in_ticks
from healing_runtime.workspace.assertions import resolve_assertions
from healing_runtime.workspace.document import parse_document


def _table():
    spec = importlib.util.spec_from_file_location("stl_mistake_table", Path(__file__).with_name("mistake_table.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TABLE = _table()
SIGNALS = {
    "altitude": "m",
    "speed": "m/s",
    "tilt": "rad",
    "rate": "rad/s",
    "contact": "",
    "fraction": "",
    "freq": "Hz",
    "time": "s",
    "velocity": Signal("velocity", "m/s", (3,), ("x", "y", "z")),
    "rotor": Signal("rotor", "rad/s", (4,)),
}
WHERE = Location("a.yaml", 7, 10)
ROBOT = Layout((Signal("altitude", "m"), Signal("speed", "m/s"), Signal("contact")))


def read(text):
    """A formula as far as a monitor at 50 Hz takes it."""
    source = Text(text, WHERE)
    formula = in_ticks(stl.parse(text, signals=SIGNALS, where=WHERE), Fraction(1, 50), source)
    check_online(formula, source)
    return formula


def read_file(text):
    document = parse_document(text, path="f.yaml")
    file = resolve_assertions(document, "f")
    for key, _, error in analysis.wrong_names(file):
        raise type(error)(error.message, where=error.where or document.where_key(key))
    return stl.bind([file], SignalTable(ROBOT, Layout(()), ROBOT), 50)


def refused(kind, reader, text):
    with pytest.raises(InputError) as caught:
        reader(text)
    assert type(caught.value) is kind, caught.value
    return caught.value


# ---------------------------------------------------------------- the table
@pytest.mark.parametrize("row", TABLE.ROWS, ids=lambda row: row.text[:40])
def test_a_mistake_in_a_formula(row):
    error = refused(row.kind, read, row.text)
    what, shown, caret = error.message.split("\n")
    assert what == f"{row.problem}; {row.remedy}"
    assert what.endswith((".", "?"))
    assert (error.where.line, error.where.column) == (7, 10 + row.column)
    assert shown.strip() == row.text.strip()
    assert caret.index("^") == 4 + row.column


@pytest.mark.parametrize("row", [r for r in TABLE.ROWS if r.replaces], ids=lambda row: row.text[:40])
def test_what_a_remedy_proposes_is_accepted(row):
    proposed = [code for code in re.findall(r"'([^']+)'", row.remedy) if code != row.replaces]
    assert proposed and row.replaces in row.text
    if ", or '>=' between numbers" in row.remedy:
        proposed.remove(">=")
    for code in proposed:
        read(row.text.replace(row.replaces, code))


@pytest.mark.parametrize("row", TABLE.FILES, ids=lambda row: row.name)
def test_a_mistake_in_a_file(row):
    assert TABLE.BASE.count(row.old) >= 1
    error = refused(row.kind, read_file, TABLE.BASE.replace(row.old, row.new, 1))
    what = error.message.split("\n")[0]
    assert row.problem in what and what.endswith(row.remedy)
    assert str(error.where) == f"f.yaml:{row.place}"


def test_the_table_is_long_and_says_nothing_twice():
    assert len(TABLE.ROWS) + len(TABLE.FILES) >= 250
    assert len({row.text for row in TABLE.ROWS}) == len(TABLE.ROWS)
    assert len({row.name for row in TABLE.FILES}) == len(TABLE.FILES)
    assert sum(bool(row.replaces) for row in TABLE.ROWS) >= 80


def test_the_file_without_mistakes_is_accepted_however_its_lines_end():
    plain = read_file(TABLE.BASE)
    assert [r.id for r in plain] == ["calm", "down"]
    for text in (TABLE.BASE.replace("\n", "\r\n"), TABLE.BASE.rstrip(), f"---\n{TABLE.BASE}...\n"):
        assert [r.formula for r in read_file(text)] == [r.formula for r in plain]


# ---------------------------------------------------------------- spellings that are fine
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("altitude<3m", "altitude < 3 m"),
        ("speed < 3m/s", "speed < 3 m / s"),
        ("altitude < 1e3 m", "altitude < 1 km"),
        ("time < .5 s", "time < 0.5 s"),
        ("time < 5. s", "time < 5 s"),
        ("fraction < 5%", "fraction < 0.05"),
        ("rate < 60 rpm", "rate < 1 rev/s"),
        ("altitude < - 3 m", "altitude < -3 m"),
        ("always[0s,1s] contact", "G[0 s, 1 s] contact"),
        ("always [0 s, 1 s] contact", "always[0 s,1 s](contact)"),
        ("velocity[0] < 3 m/s", "velocity.x < 3 m/s"),
        ("observed(velocity).x < 3 m/s", "observed(velocity.x) < 3 m/s"),
        ("always (contact\n\tand contact)", "always (contact and contact)"),
        ("not altitude < 3 m", "not (altitude < 3 m)"),
        ("((contact))", "contact"),
    ],
)
def test_spellings_that_mean_the_same(one, other):
    same = [re.sub(r"text='[^']*'|text=\"[^\"]*\"|place=\d+", "", repr(read(text))) for text in (one, other)]
    assert same[0] == same[1] or read(one) == read(other)


# ---------------------------------------------------------------- size
def analysed(text, definitions=None):
    """Everything that `heal check` and a reading do with a formula."""
    written = AssertionText("x", text, Location("f.yaml", 3, 5))
    file = AssertionFile("f", "f.yaml", "", "box", (written,), {}, definitions or {})
    table = SignalTable(ROBOT, Layout(()), ROBOT)
    bound = stl.bind([file], table, 50)
    analysis.names(file, table)
    analysis.examine(bound, table)
    stl.explain(bound[0].formula)
    hash(bound[0].formula)
    return stl.online_all(bound, table, 50)


LARGE = {
    "a chain of and": "always (" + " and ".join(["speed<1m/s"] * 240) + ")",
    "a chain of or": " or ".join(f"speed<{i}m/s" for i in range(250)),
    "a sum": "speed" + " + speed" * 90 + " < 1 m/s",
    "parentheses": "(" * 40 + "contact" + ")" * 40,
    "negations": "not (" * 39 + "contact" + ")" * 39,
    "windows": "once[0 s, 1 s] (" * 9 + "contact" + ")" * 9,
    "functions": "abs(" * 39 + "speed" + ")" * 39 + " < 1 m/s",
    "and in or": "(" * 39 + "contact" + "".join(f" {('and', 'or')[i % 2]} speed < {i} m/s)" for i in range(39)),
    "implications": "(" * 39 + "contact" + "".join(f" implies speed < {i} m/s)" for i in range(39)),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.timeout(60)
def test_large_formulas_within_the_limits_are_accepted(name):
    analysed(LARGE[name])


@pytest.mark.timeout(60)
def test_a_thousand_nodes_are_accepted():
    definitions = {"ten": " and ".join(["speed < 1 m/s"] * 10)}
    formula = " and ".join(["ten"] * 40)
    analysed(formula, definitions)
    assert len(list(stl.formula.walk(stl.parse(formula, signals=ROBOT.by_name, definitions=definitions)))) == 799


TOO_LARGE = {
    "characters": ("speed < 1 m/s and " * 230 + "contact", "characters"),
    "parentheses": ("(" * 41 + "contact" + ")" * 41, "deeper than 40"),
    "thousands of parentheses": ("(" * 1900 + "contact" + ")" * 1900, "deeper than 40"),
    "negations": ("not " * 900 + "contact", "nest too deep"),
    "temporal operators": ("G " * 900 + "contact", "nest too deep"),
    "minus signs": ("-" * 900 + "speed < 1 m/s", "nest too deep"),
    "components": ("speed" + ".x" * 900 + " < 1 m/s", "nest too deep"),
    "entries": ("speed" + "[0]" * 900 + " < 1 m/s", "nest too deep"),
    "a sum": ("speed" + "+speed" * 600 + " < 1 m/s", "levels"),
    "a product": ("fast" + "*2" * 900 + " < 1", "levels"),
    "windows": ("always[0 s, 1 s] (" * 30 + "contact" + ")" * 30, "more than 10 temporal operators"),
    "until": ("(" * 20 + "contact" + " until[0 s, 1 s] contact)" * 20, "more than 10 temporal operators"),
    "a bound": ("always[0 s, 1e999999999 s] contact", "too many digits"),
    "a tiny bound": ("always[0 s, 1e-999999999 s] contact", "too many digits"),
    "a bound of ticks": ("always[0 ticks, 1e999999999 ticks] contact", "whole number of ticks"),
    "digits": ("speed < " + "9" * 3900 + " m/s", "too large"),
    "digits of a bound": ("always[0 s, " + "9" * 3900 + " s] contact", "too many digits"),
}


@pytest.mark.parametrize("name", TOO_LARGE)
@pytest.mark.timeout(60)
def test_what_is_too_large_is_refused_in_words(name):
    text, words = TOO_LARGE[name]
    with pytest.raises(InputError, match=words):
        analysed(text, {"fast": "speed / (1 m/s)"})


@pytest.mark.parametrize(
    "definitions",
    [
        {"d0": "contact", **{f"d{i}": f"not (d{i - 1})" for i in range(1, 400)}},
        {"d0": "speed < 1 m/s", **{f"d{i}": f"d{i - 1} and d{i - 1}" for i in range(1, 400)}},
        {"d0": "contact", **{f"d{i}": f"once[0 s, 1 s] d{i - 1}" for i in range(1, 400)}},
        {"d399": "d398", "d398": "d399"},
    ],
    ids=["a tower", "doubling", "windows", "a circle"],
)
@pytest.mark.timeout(60)
def test_definitions_cannot_hide_size(definitions):
    with pytest.raises(AssertionSyntaxError, match=r"levels|parts|temporal operators|by itself"):
        analysed("d399", definitions)


# ---------------------------------------------------------------- anything at all
PIECES = [
    "always", "eventually[0 s, 1 s]", "until", "not", "and", "or", "implies", "rise", "(", ")", "[", "]", ",", ".", "<",
    ">=", "==", "+", "-", "*", "/", "3", "3 m", "0.5", "deg", "altitude", "velocity", "x", "contact", "observed",
    "norm", "true", "&&", "=", "|", "“", "é", "\t", "\n", "#", "0 s", "1 tick", "1e9", "µ", "\x00", "😀", "_", "'", '"',
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14), st.sampled_from(["", " "]))
def test_any_heap_of_pieces_is_a_formula_or_one_clear_refusal(pieces, between):
    try:
        read(between.join(pieces))
    except InputError as error:
        what, *rest = error.message.split("\n")
        assert "; " in what and what.endswith((".", "?")), what
        assert what.isprintable() and len(what) < 500, what
        assert len(rest) == 2 and "^" in rest[1]
        assert error.where.line >= 7


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_file_or_one_clear_refusal(text):
    try:
        read_file(text)
    except InputError as error:
        assert "\n" not in error.message or error.message.count("\n") == 2
        assert str(error.where).startswith("f.yaml")
