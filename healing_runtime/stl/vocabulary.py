"""What the names in a formula may mean: signals, constants, definitions; and a file's own tolerance and scales."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from healing_runtime.core import units
from healing_runtime.core.errors import Location, UnitError
from healing_runtime.core.signals import Signal
from healing_runtime.stl.formula import Dimension, Number
from healing_runtime.stl.parse import WORDS, Raw, Text, parse_text

FUNCTIONS: Mapping[str, tuple[int, int]] = {
    "abs": (1, 1),
    "min": (1, 9),
    "max": (1, 9),
    "norm": (1, 9),
    "clamp": (3, 3),
}
_HEAD = re.compile(r"^\s*([A-Za-z_]\w*)\s*(?:\(\s*([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)?\s*\))?\s*$")
_SHARE = r"%|\bpercent\b"
_SHARE_OF_UNIT = re.compile(rf"(?:{_SHARE})[\s*]*[A-Za-zµμ]|[A-Za-zµμ0-9][\s*]+(?:{_SHARE})")


@dataclasses.dataclass(frozen=True)
class Definition:
    """A named sub-formula or expression with parameters."""

    name: str
    parameters: tuple[str, ...]
    source: Text
    body: Raw


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """What names may mean.

    Attributes:
        true, observed: signal name -> signal; None for `true` means every other name is a scalar without a unit.
        constants: name -> quantity.
        definitions: name -> definition.
        tolerance: SI value and dimension that `==` uses, or None.
        scales: dimension -> nominal range that replaces the signal's own.
    """

    true: Mapping[str, Signal] | None = None
    observed: Mapping[str, Signal] = dataclasses.field(default_factory=dict)
    constants: Mapping[str, Number] = dataclasses.field(default_factory=dict)
    definitions: Mapping[str, Definition] = dataclasses.field(default_factory=dict)
    tolerance: Number | None = None
    scales: Mapping[Dimension, float] = dataclasses.field(default_factory=dict)


def quantity(text: str, where: Location | None = None) -> Number:
    """`"0.5 m/s"` -> number in SI.

    Raises:
        UnitError: not a quantity, or one that no signal can be compared with.
    """
    try:
        _refuse_share_of_unit(text)
        return Number(*units.quantity(text), text.strip())
    except UnitError as error:
        raise UnitError(error.message, where=where) from None


def _refuse_share_of_unit(text: str) -> None:
    """`10 % deg`: a share of what a signal can be is meant, and a tenth of a degree would be read."""
    number, unit = units.split_quantity(text)
    if _SHARE_OF_UNIT.search(unit):
        amount = f"{float(number) / 100:g} {' '.join(re.sub(_SHARE, ' ', unit).replace('*', ' ').split())}"
        raise UnitError(f"'{text.strip()}' has '%' beside another unit; write '{amount}' if that is meant.")


def constants(texts: Mapping[str, str], where: Location | None = None) -> dict[str, Number]:
    """Constants of a file; names must not shadow words of the language."""
    for name in texts:
        _check_new_name(name, where)
    return {name: dataclasses.replace(quantity(str(text), where), name=name) for name, text in texts.items()}


def head_of(head: str, where: Location | None = None) -> tuple[str, tuple[str, ...]]:
    """`settled(v)` -> the name and the parameters; neither may be a word of the language."""
    match = _HEAD.match(head)
    if not match:
        Text(head, where).fail("a definition is a name with parameters, as in 'settled(v)'; change it.", 0)
    parameters = tuple(p.strip() for p in match[2].split(",")) if match[2] else ()
    for name in (match[1], *parameters):
        _check_new_name(name, where)
    if len(set(parameters)) != len(parameters):
        Text(head, where).fail("a parameter occurs twice; rename one.", 0)
    return match[1], parameters


def definition(head: str, body: str, where: Location | None = None) -> Definition:
    """`settled(v)` and its body, parsed but not yet given a meaning."""
    name, parameters = head_of(head, where)
    source = Text(body, where)
    return Definition(name, parameters, source, parse_text(source))


def _check_new_name(name: str, where: Location | None) -> None:
    if name in WORDS or name in FUNCTIONS or name == "observed":
        Text(name, where).fail(f"'{name}' is a word of the language; choose another name.", 0)
