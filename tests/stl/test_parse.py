"""Text to formula: what is read, and what is refused with a place and an advice."""

from __future__ import annotations

import pytest

from healing_runtime import stl
from healing_runtime.core.errors import AssertionSyntaxError, Location, UnitError, UnknownSignalError
from healing_runtime.core.signals import Signal
from healing_runtime.stl.formula import Predicate
from healing_runtime.stl.ticks import exact_period, in_ticks

SIGNALS = {
    "altitude": "m",
    "speed": "m/s",
    "tilt": "rad",
    "rate": "rad/s",
    "contact": "",
    "velocity": Signal("velocity", "m/s", (3,), ("x", "y", "z")),
}


def parse(text, **options):
    return stl.parse(text, signals=SIGNALS, where=Location("a.yaml", 7, 10), **options)


def refused(kind, text, **options):
    with pytest.raises(kind) as caught:
        parse(text, **options)
    return caught.value


def test_units_become_si():
    formula = parse("(altitude < 30 cm) and (tilt < 180 deg)")
    numbers = [predicate.right.value for predicate in formula.arguments]
    assert numbers == pytest.approx([0.3, 3.141592653589793], rel=1e-15)


def test_precedence_and_short_forms():
    assert parse("contact and contact or contact").operator == "or"
    assert parse("contact or contact implies contact").operator == "implies"
    assert parse("G[0 s, 1 s] contact") == parse("always[0 s, 1 s] contact")
    assert parse("contact S contact") == parse("contact since contact")
    assert parse("rise(contact) implies not (contact)").operator == "implies"


@pytest.mark.parametrize(
    ("text", "one", "other"),
    [
        ("always contact implies contact", "(always contact) implies contact", "always (contact implies contact)"),
        ("always (contact) and contact", "(always (contact)) and contact", "always ((contact) and contact)"),
        ("not contact and contact", "(not contact) and contact", "not (contact and contact)"),
        ("contact and once contact or contact", "(once contact) or contact", "once (contact or contact)"),
        (
            "contact implies contact implies contact",
            "(contact implies contact) implies contact",
            "contact implies (contact implies contact)",
        ),
        (
            "contact until contact and contact",
            "(contact until contact) and contact",
            "contact until (contact and contact)",
        ),
    ],
)
def test_what_could_be_misread_shows_both_readings(text, one, other):
    message = refused(AssertionSyntaxError, text).message
    assert f"'{one}'" in message and f"'{other}'" in message


@pytest.mark.parametrize(
    ("kind", "text", "column", "words"),
    [
        (UnknownSignalError, "altitud < 1 m", 0, "altitude"),
        (UnknownSignalError, "altitude_m < 1 m", 0, "altitude"),
        (UnitError, "altitude < 5", 11, "give '5' a unit"),
        (UnitError, "altitude < 5 deg", 11, "m and"),
        (UnitError, "rate < 5 Hz", 7, "rad/s"),
        (UnitError, "altitude < 30 feet", 14, "not a unit"),
        (UnitError, "always[0, 2 s] contact", 7, "seconds or ticks"),
        (UnitError, "always[0 m, 2 s] contact", 7, "not a duration"),
        (AssertionSyntaxError, "contact -> contact", 8, "implies"),
        (AssertionSyntaxError, "contact && contact", 8, "and"),
        (AssertionSyntaxError, "alway contact", 0, "always"),
        (AssertionSyntaxError, "0 m < altitude < 5 m", 15, "do not chain"),
        (AssertionSyntaxError, "(contact", 8, "')' is missing"),
        (AssertionSyntaxError, "altitude", 0, "compare it"),
        (AssertionSyntaxError, "velocity < 5 m/s", 0, "norm(velocity)"),
        (AssertionSyntaxError, "velocity.w < 5 m/s", 9, "x, y, z"),
        (AssertionSyntaxError, "velocity[3] < 5 m/s", 9, "0 to 2"),
        (AssertionSyntaxError, "altitude == 5 m", 9, "tolerance"),
        (AssertionSyntaxError, "always[2 s, 1 s] contact", 6, "exchange"),
        (AssertionSyntaxError, "held_for contact", 0, "duration"),
        (AssertionSyntaxError, "rise[0 s, 1 s] contact", 4, ""),
        (AssertionSyntaxError, "", 0, "no formula"),
    ],
)
def test_refusals_name_the_place_and_what_to_do(kind, text, column, words):
    error = refused(kind, text)
    assert words in error.message
    assert (error.where.line, error.where.column) == (7, 10 + column)
    assert error.message.splitlines()[-1].index("^") == 4 + column


def test_definitions_and_constants():
    options = {
        "constants": {"v_max": "0.5 m/s", "soon": "200 ms"},
        "definitions": {"near": "altitude < 30 cm", "slow(v)": "speed < v and near"},
    }
    formula = parse("always[0 s, soon] slow(v_max)", **options)
    assert formula.arguments[0].operator == "and"
    assert formula.arguments[0].arguments[0].right.value == 0.5
    assert in_ticks(formula, exact_period(0.01)).window.ticks == (0, 20)
    assert "argument" in refused(AssertionSyntaxError, "slow", **options).message
    loop = {"definitions": {"a": "not (b)", "b": "a"}}
    assert "by itself" in refused(AssertionSyntaxError, "a", **loop).message
    assert "m/s" in refused(UnitError, "slow(3 m)", **options).message


def test_equal_needs_and_uses_its_tolerance():
    formula = parse("altitude == 1 m", tolerance="1 cm")
    assert isinstance(formula, Predicate)
    assert formula.tolerance == pytest.approx(0.01)
    assert "another unit" in refused(UnitError, "altitude == 1 m", tolerance="1 s").message


def test_bounds_are_exact_and_never_rounded():
    def ticks(text, dt_s):
        return in_ticks(parse(text), exact_period(dt_s)).window.ticks

    assert ticks("always[0 s, 0.1 s] contact", 0.02) == (0, 5)
    assert ticks("always[0.25 s, 12 s] contact", 1 / 48) == (12, 576)
    assert ticks("always[3 ticks, 300 ms] contact", 0.1) == (3, 3)
    with pytest.raises(AssertionSyntaxError, match=r"'4 ticks'.*'5 ticks'"):
        ticks("always[0 s, 0.1 s] contact", 1 / 48)


def test_hostile_texts_are_refused_quickly():
    refused(AssertionSyntaxError, "(" * 3000 + "contact" + ")" * 3000)
    refused(AssertionSyntaxError, "not " * 900 + "contact")
    refused(AssertionSyntaxError, "contact or " * 3000 + "contact")
    doubling = {f"d{i}": f"d{i - 1} and d{i - 1}" for i in range(1, 40)} | {"d0": "contact"}
    assert "parts" in refused(AssertionSyntaxError, "d39", definitions=doubling).message
