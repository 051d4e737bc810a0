"""A fresh log against the recorded one, message by message, to the last bit: the first difference, with its place."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from healing_runtime.core.codec import plain
from healing_runtime.telemetry.mcap import LogContents, LogMessage

NOT_REPLAYED = {
    *("run_id", "wall_time_s", "time_to_heal_s", "breakdown_s", "wall_s", "stage_s", "latency"),
    *("notes", "confinement", "evidence_sha256", "program_sha256"),
}
"""Fields of a record that name the run, measure the wall clock, or tell what happened outside or was had there.

An executable's bytes differ from one compilation to the next; what it was compiled from is compared (`stablehlo`).
`evidence_sha256` is over such fields too; all else that it is over is compared by itself.
"""
NOTHING = "nothing"
"""Stands for a field that is not there."""
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_WIDTH = 80
"""What is longer is told by the part around the first difference."""


@dataclasses.dataclass(frozen=True)
class Divergence:
    """Where a replay and its record part. `signal` is the field of the row; `what` says all of it in words."""

    what: str
    tick: int | None = None
    t_s: float | None = None
    topic: str | None = None
    signal: str | None = None
    recorded: Any = None
    replayed: Any = None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return plain(self)

    @classmethod
    def at(
        cls, message: LogMessage, what: str, field: str | None = None, was: Any = None, now: Any = None
    ) -> Divergence:
        """In a row, in one of its fields where one can be named."""
        tick = content_of(message).get("tick")
        signal = None if field is None else field.removeprefix("values.")
        return cls(what, tick, message.t_ns / 1e9, message.topic, signal, was, now)

    def within(self, document: str) -> Divergence:
        """The same, told of a field of this document."""
        return dataclasses.replace(self, what=f"{document}{self.signal and f': {self.signal}'}: {self.what}")


def first_difference(old: Sequence[LogMessage], new: Sequence[LogMessage], *, truncated: bool) -> Divergence | None:
    """The first message in which two logs differ; None if there is none. A truncated one may end anywhere."""
    for a, b in zip(old, new, strict=False):
        if a != b:
            return _difference(a, b)
    return other_length(old, new, truncated=truncated)


def other_length(old: Sequence[LogMessage], new: Sequence[LogMessage], *, truncated: bool) -> Divergence | None:
    """One of two logs, equal so far, goes on where the other ends."""
    if len(new) < len(old):
        return Divergence.at(old[len(new)], "the record goes on where the replay ends")
    if len(new) > len(old) and not truncated:
        return Divergence.at(new[len(old)], "a row is missing in the record")
    return None


def broken_row(
    log: LogContents, old: Sequence[LogMessage], new: Sequence[LogMessage], *, ended: bool
) -> Divergence | None:
    """The row at which a damaged log breaks off, all rows before it being equal.

    A log without a result was cut off, and what was cut off is not damaged; a record that is all there and no record
    is. The log of a run that ended is whole, so whatever is missing of it was lost later.
    """
    if log.complete or not (ended or log.broken_record or not log.truncated):
        return None
    at = new[len(old)] if len(old) < len(new) else new[-1]
    return Divergence.at(at, f"the recorded log is broken here ({log.broken_at})")


def other_result(old: Mapping[str, Any], new: Mapping[str, Any], *, whole: bool) -> Divergence | None:
    """The first field in which two results differ; the digest is one where the `whole` log was compared."""
    was, now = (dict(leaves(replayed(document))) for document in (old, plain(new)))
    for fields in () if whole else (was, now):
        fields.pop("digest", None)
    return other_field(was, now)


def other_field(was: Mapping[str, Any], now: Mapping[str, Any]) -> Divergence | None:
    """The first field in which what two results say differs."""
    found = other_leaf(was, now)
    return found and found.within("result.json")


def other_leaf(was: Mapping[str, Any], now: Mapping[str, Any], other: str = "replayed") -> Divergence | None:
    """The first field in which two documents differ, the second one being what `other` says.

    To the last bit: 0 is neither 0.0 nor false, 0.0 is not -0.0, and what is null is not missing.
    """
    for field in [*now, *(f for f in was if f not in now)]:
        old, new = was.get(field, NOTHING), now.get(field, NOTHING)
        if (field in was) != (field in now) or not same(old, new):
            return Divergence(_told(old, new, other), signal=field, recorded=old, replayed=new)
    return None


def same(was: Any, now: Any) -> bool:
    """Whether two values are the same to the last bit."""
    return type(was) is type(now) and repr(was) == repr(now)


def _told(was: Any, now: Any, other: str) -> str:
    """Both values in words; of texts the first line that differs, of long ones the part around the difference."""
    place = ""
    if isinstance(was, str) and isinstance(now, str) and ("\n" in was or "\n" in now):
        lines = _LINE.findall(was), _LINE.findall(now)
        at = _first_other(*lines)
        place = f"line {at + 1}: "
        was, now = (text[at] if at < len(text) else NOTHING for text in lines)
    old, new = (" ".join(str(value).split()) for value in (was, now))
    if old == new:  # they differ in blanks or in type
        old, new = repr(was), repr(now)
    start = max(0, _first_other(old, new) - _WIDTH // 2)
    return f"{place}recorded {_part(old, start)}, {other} {_part(new, start)}"


def _first_other(was: Sequence[Any], now: Sequence[Any]) -> int:
    """The first index at which two sequences differ."""
    pairs = zip(was, now, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(was), len(now)))


def _part(text: str, start: int) -> str:
    """A text that fits; of a longer one what begins at `start`."""
    if len(text) <= _WIDTH:
        return text
    return ("..." if start else "") + text[start : start + _WIDTH] + ("..." if start + _WIDTH < len(text) else "")


def content_of(message: LogMessage) -> Mapping[str, Any]:
    """A message as a mapping; empty where it is none."""
    try:
        content = json.loads(message.data)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The single values of a document under their paths, `values.velocity_mps[2]`; what is empty is a value."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for i, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{i}]")
    else:
        yield path, value


def other_place(old: LogMessage, new: LogMessage) -> Divergence | None:
    """Two messages of different topics or times."""
    if (old.topic, old.t_ns) == (new.topic, new.t_ns):
        return None
    what = f"recorded {old.topic} at {old.t_ns / 1e9:g} s, replayed {new.topic} at {new.t_ns / 1e9:g} s"
    return Divergence.at(new, what, None, old.topic, new.topic)


def in_words(field: str, was: Any, now: Any) -> str:
    """Which field, what was recorded, what came out."""
    return f"{field.removeprefix('values.')}: recorded {was}, replayed {now}"


def _difference(old: LogMessage, new: LogMessage) -> Divergence:
    if (elsewhere := other_place(old, new)) is not None:
        return elsewhere
    was, now = content_of(old), content_of(new)
    if not was:
        return Divergence.at(new, "the recorded row is not readable")
    before, after = dict(leaves(was)), dict(leaves(now))
    for field in [*after, *(f for f in before if f not in after)]:
        if before.get(field, NOTHING) != after.get(field, NOTHING):
            recorded, fresh = before.get(field, NOTHING), after.get(field, NOTHING)
            return Divergence.at(new, in_words(field, recorded, fresh), field, recorded, fresh)
    return Divergence.at(new, "the recorded row has other bytes")


def replayed(value: Any) -> Any:
    """A document without the fields that a replay does not reproduce."""
    if isinstance(value, Mapping):
        return {k: replayed(v) for k, v in value.items() if k not in NOT_REPLAYED}
    return [replayed(v) for v in value] if isinstance(value, list | tuple) else value
