"""YAML with positions: one document, YAML 1.2 core scalars, no anchors, aliases, tags or duplicate keys.

Scalars are resolved here and not by the YAML library, whose 1.2 schema still knows dates and other things that are not
in the core schema: `yes`, `no`, `on`, `off` and `2024-01-01` are text.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from healing_runtime.core import codec
from healing_runtime.core.errors import FileFormatError, Location, NotFoundInCatalogue

MAX_BYTES = 256 * 1024
MAX_DEPTH = 24
MOST_NAMES = 40
"""More than these do not help a reader of one line."""

KeyPath = tuple[str | int, ...]

_NULL = re.compile(r"(?:~|null|Null|NULL|)")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


@dataclasses.dataclass(frozen=True)
class Document:
    """A YAML file as plain values, with the place of each; shared by all who read the file, so nobody changes one.

    `marks` maps a key path (`("faults", 0, "kind")`) to the line and column of its value, `key_marks` to those of its
    key; both count from 1. The value of a scalar starts at the first character of its content: behind the quote, or
    on the first line of a block. `layouts` holds texts of several lines as they stand in the file, line breaks and
    indentation included, so that a place in the text is a place in the file. `unusable` says what is wrong with numbers
    that are none to compute with; in their places stands NaN. Only a lenient reading gives a document with such.
    """

    path: str
    text: str
    sha256: str
    value: Any
    marks: Mapping[KeyPath, tuple[int, int]]
    key_marks: Mapping[KeyPath, tuple[int, int]]
    layouts: Mapping[KeyPath, str] = dataclasses.field(default_factory=dict)
    unusable: Mapping[KeyPath, str] = dataclasses.field(default_factory=dict)

    def where(self, at: KeyPath = ()) -> Location:
        """The place of a value; of the nearest enclosing one where the file does not spell it out."""
        return self._nearest_mark(self.marks, at)

    def where_key(self, at: KeyPath) -> Location:
        """The place of a mapping key."""
        known = at in self.key_marks or (*at[:-1], f"{at[-1] if at else ''}_s") in self.key_marks
        return self._nearest_mark(self.key_marks if known else self.marks, at)

    def unusable_numbers(self) -> list[FileFormatError]:
        """A mistake for every number that is none to compute with, in the order of the file."""
        return [FileFormatError(message, where=self.where(at)) for at, message in self.unusable.items()]

    def _nearest_mark(self, marks: Mapping[KeyPath, tuple[int, int]], at: KeyPath) -> Location:
        while at and at not in marks:
            # A time may stand under the name that carries its unit.
            suffixed = (*at[:-1], f"{at[-1]}_s")
            at = suffixed if suffixed in marks else at[:-1]
        return Location(self.path, *marks.get(at, (1, 1)))


def read_text(path: Path, *, limit: int = MAX_BYTES) -> tuple[str, str]:
    """A text file and the sha256 of its bytes.

    Raises:
        NotFoundInCatalogue: there is no such file.
        FileFormatError: it is too large, not UTF-8, or cannot be read.
    """
    shown = display(path)
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise NotFoundInCatalogue(f"there is no file {shown}; check the path.") from None
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise FileFormatError(f"cannot be read: {reason}; give a readable file.", where=Location(shown)) from None
    if len(data) > limit:
        raise FileFormatError(f"is larger than {limit // 1024} KiB; split it.", where=Location(shown))
    try:
        return data.decode("utf-8-sig"), codec.digest(data)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise FileFormatError("is not UTF-8 text; save it as UTF-8.", where=Location(shown, line)) from None


def display(path: Path) -> str:
    """A path as people want to read it: relative to the current folder where it lies below.

    Below the root, where workers stand, everything lies: there a path stays whole.
    """
    absolute = path.absolute()
    here = Path.cwd()
    below = here != here.parent and absolute.is_relative_to(here)
    return str(absolute.relative_to(here) if below else absolute)


def read_document(path: Path, *, lenient: bool = False) -> Document:
    """Read and parse a YAML file. Raises as `read_text` and `parse_document`."""
    text, sha256 = read_text(path)
    return _parsed(text, display(path), sha256, lenient)


@functools.lru_cache(maxsize=64)
def _parsed(text: str, path: str, sha256: str, lenient: bool) -> Document:
    """One file is asked for again and again: every scenario of a robot names the same assertions."""
    return parse_document(text, path=path, sha256=sha256, lenient=lenient)


def parse_document(text: str, *, path: str, sha256: str | None = None, lenient: bool = False) -> Document:
    """Parse one YAML document whose top is a mapping; a `lenient` reading goes on after a number that is unusable.

    Raises:
        FileFormatError: a YAML mistake, or a construct outside the subset, with line and column.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    builder = _Builder(path, text)
    try:
        value = builder.document(iter(YAML(typ="safe", pure=True).parse(text)))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Location(path, mark.line + 1, mark.column + 1) if mark else Location(path)
        problem = " ".join(str(error.problem or error.context).split())
        raise FileFormatError(f"not valid YAML: {problem}{_advice(problem)}.", where=place) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        what = f"not valid YAML: the control character U+{ord(text[error.position]):04X} stands here; delete it."
        raise FileFormatError(what, where=Location(path, line, column)) from None
    except (YAMLError, RecursionError) as error:
        problem = " ".join(str(error).split("\n", 1)[0].split()) or "nested too deeply"
        raise FileFormatError(f"not valid YAML: {problem}.", where=Location(path)) from None
    marks = (builder.marks, builder.key_marks, builder.layouts, builder.unusable)
    document = Document(path, text, sha256 or codec.digest(text), value, *marks)
    if document.unusable and not lenient:
        raise document.unusable_numbers()[0]
    return document


def _advice(problem: str) -> str:
    if "\\t" in problem:
        return "; indent with spaces"
    if "mapping values are not allowed" in problem:
        return "; quote a text that holds ': ', and check the indentation"
    if "flow" in problem or "',' or" in problem:
        return "; close the bracket, or put a text that holds one in quotes"
    if "cannot start any token" in problem or "chomping" in problem or "a comment or a line break" in problem:
        return "; put the text in quotes"
    if "block" in problem or "expected" in problem:
        return "; check the indentation and the punctuation here, or quote the text"
    return "; check the quotes and the indentation here"


class _Builder:
    """Turns YAML events into plain values and notes where each stands."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.marks: dict[KeyPath, tuple[int, int]] = {}
        self.key_marks: dict[KeyPath, tuple[int, int]] = {}
        self.layouts: dict[KeyPath, str] = {}
        self.unusable: dict[KeyPath, str] = {}

    def document(self, events: Iterator[Any]) -> Any:
        from ruamel.yaml.events import DocumentStartEvent, MappingStartEvent

        next(events)
        start = next(events)
        if not isinstance(start, DocumentStartEvent):
            raise FileFormatError("is empty; write a mapping of keys to values.", where=Location(self.path))
        top = next(events)
        if not isinstance(top, MappingStartEvent):
            raise self._refuse(top, "the file must be a mapping of keys to values; write 'key: value' lines")
        value = self._value(top, events, ())
        next(events)
        extra = next(events)
        if isinstance(extra, DocumentStartEvent):
            raise self._refuse(extra, "a second document starts here; keep one document a file")
        return value

    def _refuse(self, event: Any, message: str) -> FileFormatError:
        mark = event.start_mark
        return FileFormatError(f"{message}.", where=Location(self.path, mark.line + 1, mark.column + 1))

    def _value(self, event: Any, events: Iterator[Any], at: KeyPath) -> Any:
        from ruamel.yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

        if isinstance(event, AliasEvent) or event.anchor is not None:
            what = "anchors and aliases are not allowed here; write the value out, or quote the text"
            raise self._refuse(event, what)
        if event.tag is not None:
            what = f"tags such as {event.tag} are not allowed here; write the plain value, or quote the text"
            raise self._refuse(event, what)
        if len(at) > MAX_DEPTH:
            raise self._refuse(event, f"nested deeper than {MAX_DEPTH} levels; flatten it")
        if isinstance(event, ScalarEvent):
            self.marks[at] = self._content_start(event)
            if layout := self._layout(event, *self.marks[at]):
                self.layouts[at] = layout
            return self._scalar(event, at)
        self.marks[at] = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(events, at)
        assert isinstance(event, MappingStartEvent)
        return self._mapping(events, at)

    def _sequence(self, events: Iterator[Any], at: KeyPath) -> list[Any]:
        from ruamel.yaml.events import SequenceEndEvent

        out: list[Any] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            out.append(self._value(event, events, (*at, len(out))))
        return out

    def _mapping(self, events: Iterator[Any], at: KeyPath) -> dict[str, Any]:
        from ruamel.yaml.events import MappingEndEvent, ScalarEvent

        out: dict[str, Any] = {}
        while not isinstance(key_event := next(events), MappingEndEvent):
            if not isinstance(key_event, ScalarEvent) or key_event.anchor or key_event.tag:
                raise self._refuse(key_event, "a key must be plain text")
            key = key_event.value
            if key in out:
                raise self._refuse(key_event, f"the key '{key}' stands here twice; keep one")
            self.key_marks[(*at, key)] = (key_event.start_mark.line + 1, key_event.start_mark.column + 1)
            out[key] = self._value(next(events), events, (*at, key))
        return out

    def _scalar(self, event: Any, at: KeyPath) -> Any:
        text = event.value
        if event.style is not None:
            return text
        if _NULL.fullmatch(text):
            return None
        if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
            return bool(_TRUE.fullmatch(text))
        if _INTEGER.fullmatch(text) or _OTHER_BASE.fullmatch(text):
            return self._integer(text, at)
        if _FLOAT.fullmatch(text):
            return self._float(text, at)
        if _NOT_FINITE.fullmatch(text):
            return self._none(at, f"{text} is not a finite number; write a finite one.")
        return text

    def _none(self, at: KeyPath, message: str) -> float:
        self.unusable[at] = message
        return math.nan

    def _integer(self, text: str, at: KeyPath) -> float:
        value = int(text) if _INTEGER.fullmatch(text) else int(text, 0)
        if abs(value) >= 2**63:
            return self._none(at, "the number is too large; write one below 2^63.")
        return value

    def _float(self, text: str, at: KeyPath) -> float:
        value = float(text)
        if math.isinf(value):
            return self._none(at, "the number is too large; write one below 1e308.")
        return value

    def _content_start(self, event: Any) -> tuple[int, int]:
        line, column = event.start_mark.line, event.start_mark.column
        if event.style in ("'", '"'):
            return line + 1, column + 2
        if event.style in ("|", ">"):
            for number in range(line + 1, len(self.lines)):
                if content := self.lines[number].lstrip():
                    return number + 1, len(self.lines[number]) - len(content) + 1
        return line + 1, column + 1

    def _layout(self, event: Any, line: int, column: int) -> str | None:
        """A text of several lines as it stands there; None for one line, or where escapes and comments intervene."""
        end = event.end_mark
        if end.line < line:
            return None
        quote = event.style in ("'", '"')
        lines = [*self.lines[line - 1 : end.line], self.lines[end.line][: end.column - quote] if end.column else ""]
        lines[0] = lines[0][column - 1 :]
        layout = "\n".join(lines).rstrip()
        return layout if layout.split() == event.value.split() else None


def nearest(name: str, known: Iterable[str], *, likeness: float = 0.6) -> list[str]:
    """At most two known names that may have been meant; `likeness` is 1 for the same name."""
    return difflib.get_close_matches(name, sorted(known), n=2, cutoff=likeness)


def suggestion(name: str, known: Iterable[str], *, what: str = "Known", likeness: float = 0.6) -> str:
    """`" Did you mean 'x'?"`, else the list of what is known, for the end of an error message; of many, the nearest."""
    names = sorted(known)
    near = nearest(name, names, likeness=likeness)
    if near:
        return " Did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
    if len(names) > MOST_NAMES:
        few = difflib.get_close_matches(name, names, n=5, cutoff=0.0)
        return f" The nearest of {len(names)} are: {', '.join(few)}."
    return f" {what}: {', '.join(names)}." if names else ""
