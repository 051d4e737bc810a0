import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_runtime.core import units
from healing_runtime.core.errors import Location, UnitError


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("30 cm", "m", 0.3),
        ("5 deg", "rad", math.radians(5)),
        ("1 rpm", "rad/s", 2 * math.pi / 60),
        ("9.8 m/s2", "m/s2", 9.8),
        ("2 N m", "N m", 2.0),
        ("250 g", "kg", 0.25),
        ("50 %", "", 0.5),
        ("48 Hz", "Hz", 48.0),
        ("150 ms", "s", 0.15),
        ("1e-2 km", "m", 10.0),
        (0.5, "m", 0.5),
    ],
)
def test_quantities_come_out_in_si(text, unit, value):
    assert units.to_si(text, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "unit"), [("1 Hz", "rad/s"), ("5", "rad"), ("1 rpm", "Hz"), ("3", "m"), ("1 m", "s"), ("2 ticks", "s")]
)
def test_what_pint_would_convert_in_silence_is_refused(text, unit):
    with pytest.raises(UnitError, match="wrong dimension"):
        units.to_si(text, unit)


@pytest.mark.parametrize("text", ["1 mile", "1 parsec", "3 nm", "1 MHz", "1 foot", "2 m;s", "4 __class__", "1 m.s()"])
def test_the_registry_is_short(text):
    with pytest.raises(UnitError, match="not a unit"):
        units.to_si(text, "m")


def test_an_error_says_where():
    with pytest.raises(UnitError, match=r"^a\.yaml:3:7: "):
        units.to_si("5 furlong", "m", where=Location("a.yaml", 3, 7))


def test_durations_are_exact():
    assert units.exact_seconds("0.1 s") == Fraction(1, 10)
    assert units.exact_seconds("20 ms") == Fraction(1, 50)
    with pytest.raises(UnitError, match="not a duration"):
        units.exact_seconds("3 m")


@given(st.floats(-1e6, 1e6, allow_nan=False), st.sampled_from(["m", "cm", "km", "mm", "µm"]))
def test_factors_are_linear(value, unit):
    assert units.to_si(f"{value!r} {unit}", "m") == pytest.approx(value * units.si_factor(unit), rel=1e-12, abs=0)
