"""The one Pint registry: a short list of our own units.

Pint's default registry converts 1 Hz to 1 rad/s and takes a bare 5 for 286 degrees in silence. Here angle is a base
dimension, so Hz, rad/s and bare numbers never mix with angles; the only prefixes are k, m, c and µ; `ticks` is a
dimension of its own, resolved at a control rate.
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import Any

from healing_runtime.core.errors import Location, UnitError

_DEFINITIONS = """
kilo- = 1000 = k-
milli- = 1e-3 = m-
centi- = 1e-2 = c-
micro- = 1e-6 = µ- = μ-
meter = [length] = m
second = [time] = s
gram = [mass] = g
radian = [angle] = rad
tick = [tick] = _ = ticks
minute = 60 * second = min
degree = 0.017453292519943295 * radian = deg
turn = 6.283185307179586 * radian = rev
hertz = 1 / second = Hz
rpm = turn / minute
newton = kilogram * meter / second ** 2 = N
percent = 0.01
""".strip().splitlines()

_QUANTITY = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")


@functools.cache
def registry() -> Any:
    """The registry; built once, on first use (importing Pint takes 0.2 s)."""
    import pint

    # None, against the annotation, is what leaves Pint's own list of units out; an empty name loads it.
    ureg = pint.UnitRegistry(None, cache_folder=None, case_sensitive=True)  # pyright: ignore[reportArgumentType]
    for line in _DEFINITIONS:
        ureg.define(line)
    return ureg


@functools.lru_cache(maxsize=1024)
def _factor_and_dimension(unit: str) -> tuple[float, tuple[tuple[str, float], ...]]:
    text = re.sub(r"(?<=[A-Za-z])(\d)", r"**\1", unit.replace("%", "percent").replace("^", "**"))
    text = re.sub(r"(?<=[A-Za-z0-9])\s+(?=[A-Za-z])", "*", text.strip())
    if not text:
        return 1.0, ()
    if not re.fullmatch(r"[A-Za-zµμ0-9*/() .-]+", text):
        raise UnitError(f"'{unit}' is not a unit; write for example m, m/s, deg, rad/s, N, s, ticks.")
    try:
        base = registry().parse_expression(text).to_base_units()
    except Exception:
        raise UnitError(f"'{unit}' is not a unit; write for example m, m/s, deg, rad/s, N, s, ticks.") from None
    # The base of mass is the gram; SI asks for kilograms.
    dimension = {str(k): float(v) for k, v in dict(base.dimensionality).items()}
    factor = float(base.magnitude) / 1000.0 ** dimension.get("[mass]", 0.0)
    return factor, tuple(sorted(dimension.items()))


def dimension(unit: str) -> tuple[tuple[str, float], ...]:
    """The dimension of a unit as sorted (base, power) pairs; equal tuples may be compared and added.

    Raises:
        UnitError: the text is not a unit.
    """
    return _factor_and_dimension(unit)[1]


_SYMBOLS = {"[length]": "m", "[time]": "s", "[mass]": "kg", "[angle]": "rad", "[tick]": "ticks"}


def symbols(dimension: tuple[tuple[str, float], ...]) -> str:
    """A dimension in SI symbols, for people: `m/s2`; `no unit` for a plain number."""
    if not dimension:
        return "no unit"

    def power(base: str, exponent: float) -> str:
        return _SYMBOLS.get(base, base) + (f"{exponent:g}" if exponent != 1 else "")

    over = " ".join(power(b, e) for b, e in dimension if e > 0) or "1"
    under = "".join("/" + power(b, -e) for b, e in dimension if e < 0)
    return over + under


def si_factor(unit: str) -> float:
    """What one of `unit` is in SI units (radians for angles)."""
    return _factor_and_dimension(unit)[0]


def split_quantity(text: str) -> tuple[str, str]:
    """`"30 cm"` -> `("30", "cm")`; the unit is empty for a bare number. UnitError if there is no number."""
    match = _QUANTITY.match(text)
    if not match:
        raise UnitError(f"'{text}' is not a quantity; write a number and a unit, as in '0.5 m/s'.")
    return match[1], match[2]


LARGEST = 1e30
"""Numbers beyond it, or below its inverse, are infinite or zero to a controller's 32 bits."""


def quantity(text: str) -> tuple[float, tuple[tuple[str, float], ...]]:
    """`"30 cm"` -> 0.3 and the dimension of a length.

    Raises:
        UnitError: not a quantity, or one that no signal can be compared with.
    """
    number, unit = split_quantity(text)
    value = float(number) * si_factor(unit)
    vanished = value == 0 and re.search(r"[1-9]", re.split("[eE]", number)[0])
    if abs(value) > LARGEST or 0 < abs(value) < 1 / LARGEST or vanished:
        size = "large" if abs(value) > 1 else "small"
        raise UnitError(f"'{_shortened(text)}' is too {size} a number; write one that a signal can reach.")
    return value, dimension(unit)


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def to_si(text: str | float | int, unit: str, *, where: Location | None = None) -> float:
    """A quantity in SI. A number is taken to be in `unit` already; a text must carry a unit of the same dimension.

    Raises:
        UnitError: no unit, an unknown one, or one of another dimension.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    try:
        number, given = split_quantity(str(text))
        given_dimension = dimension(given)
    except UnitError as error:
        raise UnitError(error.message, where=where) from None
    if given_dimension != dimension(unit):
        wanted = unit or "no unit"
        raise UnitError(f"'{text}' has the wrong dimension; write it in {wanted}.", where=where)
    return float(number) * si_factor(given)


def exact_seconds(text: str | float | int) -> Fraction:
    """A duration as an exact rational number of seconds (`"0.1 s"` is 1/10, not its float).

    Raises:
        UnitError: not a duration, or one whose exact value would have more digits than any run can need.
    """
    if isinstance(text, int | float):
        return Fraction(str(text))
    number, unit = split_quantity(text)
    if dimension(unit) != dimension("s"):
        raise UnitError(f"'{text}' is not a duration; write for example '0.5 s' or '200 ms'.")
    if len(number) > 60 or not re.fullmatch(r"[^eE]*(?:[eE][-+]?0*\d{1,2})?", number):
        raise UnitError(f"'{_shortened(text)}' has too many digits; write for example '0.5 s'.")
    return Fraction(number) * Fraction(str(si_factor(unit)))
