"""A formula's text: places in it, complaints about it, and the words and numbers it is made of."""

from __future__ import annotations

import dataclasses
from typing import Any, NoReturn

from healing_runtime.core.errors import AssertionSyntaxError, InputError, Location
from healing_runtime.stl.operators import OPERATORS

NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NAME_OF_UNIT = r"[kmcµμ]?(?:m|s|g|rad|N|Hz)|deg|rpm|rev|turn|min(?!\s*\()|ticks?|percent"
_UNIT = rf"(?:(?:{_NAME_OF_UNIT})(?:(?:\^|\*\*)?-?\d)?(?![A-Za-z0-9_])|%)"
QUANTITY = rf"{NUMBER}\s*{_UNIT}(?:(?:\s*[*/]\s*|[ \t]+){_UNIT})*"

WORDS = {name for operator in OPERATORS.values() for name in (operator.name, operator.short) if name} | {
    "true",
    "false",
}


_LONGEST_SHOWN = 160


@dataclasses.dataclass(frozen=True)
class Text:
    """A formula's text and where its first character stands."""

    text: str
    where: Location | None = None

    def at(self, place: int) -> Location | None:
        """File, line and column of an offset."""
        if self.where is None:
            return None
        before = self.text[:place]
        lines = before.count("\n")
        column = place - (before.rfind("\n") + 1)
        if lines == 0:
            return Location(self.where.path, self.where.line, self.where.column + column if self.where.column else 0)
        return Location(self.where.path, self.where.line + lines if self.where.line else 0, column + 1)

    def fail(self, what: str, place: int, kind: type[InputError] = AssertionSyntaxError) -> NoReturn:
        """Raise with the location, the message, the line of text and a caret under the offending character."""
        start = self.text.rfind("\n", 0, place) + 1
        line = self.text[start:].split("\n", 1)[0].replace("\t", " ")
        if len(line) > _LONGEST_SHOWN:
            # Of a long line the stretch around the place.
            cut = max(0, min(place - start - _LONGEST_SHOWN // 2, len(line) - _LONGEST_SHOWN))
            line, start = line[cut : cut + _LONGEST_SHOWN], start + cut
        raise kind(f"{what}\n    {line}\n    {' ' * (place - start)}^", where=self.at(place))


@dataclasses.dataclass(frozen=True)
class Raw:
    """One node of the raw tree: a tag, its parts, and the stretch of text it came from."""

    tag: str
    parts: tuple[Any, ...]
    start: int
    end: int
