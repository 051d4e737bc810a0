"""Foreign MCAP -> columns: JSON messages of any recorder, chunked and compressed ones too.

A field is called by its path in the message (`altitude_m`, `velocity_mps.z`, `rotor_speed[2]`). A message whose only
number is `data` or `value` is called by the last part of its topic. A reader may say what a field is, under that name
or under `<topic>.<path>`. Time is the log time. A field that a message has twice is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from healing_runtime.core.errors import FileFormatError, Location
from healing_runtime.telemetry.columns import Column, Together, must_be_few
from healing_runtime.telemetry.headings import Names
from healing_runtime.telemetry.mcap_messages import Found, messages_of
from healing_runtime.telemetry.sampling import Stamps

_UNCHECKED = "the file states no checksum for some of its data: damage there is not seen"
_ONLY = ("data", "value")
_WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "Infinity": math.inf, "-Infinity": -math.inf}


def read_mcap(path: Path, names: Names | None = None) -> tuple[Together, ...]:
    """The columns of every topic with JSON messages, one group a topic.

    Raises:
        FileFormatError: the file is no MCAP, is damaged, or holds no JSON messages.
    """
    times: dict[str, list[int]] = {}
    fields: dict[str, list[dict[str, float | bool]]] = {}
    others: set[str] = set()
    messages, checked = _messages(path)
    for topic, encoding, t_ns, data in messages:
        if encoding != "json":
            others.add(f"{topic} ({encoding})")
            continue
        times.setdefault(topic, []).append(t_ns)
        fields.setdefault(topic, []).append(_fields(data, topic, len(times[topic]), path))
    if not times:
        found = f"; it has {', '.join(sorted(others))}" if others else ""
        raise FileFormatError(f"it holds no JSON messages{found}; record JSON.", where=Location(str(path)))
    names = names or Names()
    groups = {topic: _headings(topic, fields[topic], path) for topic in times}
    names.must_be_in((h for group in groups.values() for both in group.values() for h in both), Location(str(path)))
    together = (_together(topic, times[topic], fields[topic], groups[topic], names, path) for topic in times)
    return tuple(group._replace(notes=() if checked else (_UNCHECKED,)) for group in together)


def _messages(path: Path) -> tuple[list[Found], bool]:
    """As `messages_of`."""
    where = Location(str(path))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"it cannot be read: {(error.strerror or str(error)).lower()}.", where=where) from None
    try:
        return messages_of(data)
    except Exception as error:  # on damaged bytes the library raises whatever its parts raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FileFormatError(f"it is no whole MCAP file ({reason}); record it again.", where=where) from None


def _fields(data: bytes, topic: str, number: int, path: Path) -> dict[str, float | bool]:
    """Every number of one message. FileFormatError if it is no JSON, or says something twice."""
    where = Location(str(path))
    try:
        # An integer beyond any float becomes infinite, as 1e400 does: a sample without a value.
        return each_once(_numbers(json.loads(data, parse_int=float, object_pairs_hook=each_once)))
    except Twice as twice:
        raise FileFormatError(
            f"message {number} of {topic} has two fields '{twice.name}'; record it once.", where=where
        ) from None
    except (ValueError, RecursionError):
        raise FileFormatError(f"message {number} of {topic} is no JSON; record it again.", where=where) from None


class Twice(ValueError):
    """A name that stands twice in one message."""

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name}' stands there twice")
        self.name = name


def each_once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Names and values as a mapping. Raises Twice rather than forget a value."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Twice(name)
        found[name] = value
    return found


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float | bool]]:
    """Every number of a message under its path; null is NaN."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _numbers(inner, f"{name}[{index}]")
    elif isinstance(value, bool | int | float):
        yield name, value
    elif value is None or (isinstance(value, str) and value in _WORDS):
        yield name, _WORDS.get(value or "nan", math.nan)


def _headings(topic: str, rows: Sequence[Mapping[str, Any]], path: Path) -> dict[str, tuple[str, str]]:
    """Path of a field -> what it is called, and what it is called beside other topics."""
    paths = list(dict.fromkeys(field for row in rows for field in row))
    must_be_few(len(paths), f"the messages of {topic} have {len(paths)} fields", Location(str(path)))
    own = topic.rstrip("/").rpartition("/")[2]
    short = len(paths) == 1 and paths[0] in _ONLY
    return {field: (own if short else field, f"{topic}.{field}") for field in paths}


def _together(
    topic: str,
    times: Sequence[int],
    rows: Sequence[Mapping[str, float | bool]],
    headings: Mapping[str, tuple[str, str]],
    names: Names,
    path: Path,
) -> Together:
    where = Location(f"{path} {topic}")
    columns = []
    for field, both in headings.items():
        heading, named = names.of(*both)
        values = [row.get(field, math.nan) for row in rows]
        words = any(isinstance(value, bool) for value in values)
        columns.append(Column(heading, where, np.array(values, np.float64), words, named=named))

    def place(sample: int) -> Location:
        return Location(where.path, sample + 1)

    return Together(tuple(columns), Stamps(np.array(times, np.float64) * 1e-9, 1e-9, place))
