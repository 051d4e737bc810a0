"""A replay on another platform against its record: within a stated tolerance before contact, by outcome after it.

XLA, libm and Bullet give other last bits on another machine. In free motion they stay last bits; a contact makes
centimetres of them (physics.md), so nothing after the first contact is compared by number. Measured over the catalogue
with XLA's instruction set cut down to SSE4.2: before contact no signal moved by more than 6.4e-7 of its scale.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from healing_runtime.core.signals import SignalTable
from healing_runtime.supervisor.channels import BRANCH
from healing_runtime.supervisor.comparing import (
    Divergence,
    content_of,
    in_words,
    leaves,
    other_field,
    other_length,
    other_place,
)
from healing_runtime.telemetry.mcap import LogMessage

OF_SCALE = 1e-5
"""Tolerance of a signal, as part of its scale; of the controller's memory, as part of 1 or of its size."""
OF_ROBUSTNESS = 1e-4
"""Tolerance of a robustness, as part of its assertion's scale or of its size: a margin may be steep in a signal."""
_OF_EVENT = 1e-4
_STATE = "/sim/state"
_LAYOUTS = {_STATE: "true", "/sim/sensed": "observed", "/control/cmd_applied": "action"}
_BITS = ("state_hash", "digest", "program_sha256")
"""What a hash says of an event is true to the last bit only."""


@dataclasses.dataclass(frozen=True)
class Agreement:
    """What a comparison with tolerance found.

    `contact` is the first row with contact, in the record or in the replay; `rows` were compared by number.
    """

    divergence: Divergence | None
    rows: int
    contact: LogMessage | None


class Tolerance:
    """How far each number of a log may be off."""

    def __init__(self, table: SignalTable, scales: Mapping[str, float]) -> None:
        """`scales` holds the scale of each assertion by its id."""
        self._layouts = {topic: getattr(table, part).by_key for topic, part in _LAYOUTS.items()}
        self._scales = scales

    def document(self) -> dict[str, float]:
        """Topic and signal -> tolerance in the signal's unit; assertion -> tolerance of its robustness."""
        signals = {
            f"{topic}:{key}": OF_SCALE * signal.scale
            for topic, by_key in self._layouts.items()
            for key, signal in by_key.items()
        }
        return signals | {f"/assert/{name}": OF_ROBUSTNESS * scale for name, scale in self._scales.items()}

    def difference(self, old: LogMessage, new: LogMessage) -> Divergence | None:
        """The first field in which two messages of the same topic and time are farther apart than they may be."""
        was, now = dict(leaves(content_of(old))), dict(leaves(content_of(new)))
        if not was:
            return Divergence.at(new, "the recorded row is not readable")
        topic = BRANCH.sub("", new.topic)
        for field in [*now, *(f for f in was if f not in now)]:
            if topic == "/event" and field.rpartition(".")[2] in _BITS:
                continue
            recorded, replayed = was.get(field), now.get(field)
            if (field in was) != (field in now) or not self._near(topic, field, recorded, replayed):
                return Divergence.at(new, in_words(field, recorded, replayed), field, recorded, replayed)
        return None

    def _near(self, topic: str, field: str, was: Any, now: Any) -> bool:
        """Words, truth values, ticks and what has no value are the same or are not near."""
        if not (_is_number(was) and _is_number(now)) or field == "tick":
            return was == now and type(was) is type(now)
        by_key = self._layouts.get(topic)
        if by_key is not None:
            signal = by_key.get(field.removeprefix("values.").partition("[")[0])
            if signal is None:
                return False
            off = abs(was - now)
            if signal.unit == "rad":  # a heading that is read on the other side of the turn
                off = min(off, abs(2.0 * math.pi - off))
            return off <= OF_SCALE * signal.scale
        size = max(abs(was), abs(now))
        if topic.startswith("/assert/"):
            scale = self._scales.get(topic.removeprefix("/assert/"), 1.0)
            return abs(was - now) <= OF_ROBUSTNESS * max(scale, size)
        return abs(was - now) <= (_OF_EVENT if topic == "/event" else OF_SCALE) * max(1.0, size)


def agreement(
    old: Sequence[LogMessage], new: Sequence[LogMessage], tolerance: Tolerance, *, truncated: bool
) -> Agreement:
    """Compare two logs up to the first contact, message by message."""
    for rows, (a, b) in enumerate(zip(old, new, strict=False)):
        if _touches(a) or _touches(b):
            return Agreement(None, rows, b if _touches(b) else a)
        found = other_place(a, b) or tolerance.difference(a, b)
        if found is not None:
            return Agreement(found, rows, None)
    return Agreement(other_length(old, new, truncated=truncated), min(len(old), len(new)), None)


def other_outcome(old: Mapping[str, Any], new: Mapping[str, Any]) -> Divergence | None:
    """The first way in which two runs ended differently: outcome, verdicts, incidents and what became of them."""
    return other_field(_outcome(old), _outcome(new))


def _outcome(result: Mapping[str, Any]) -> dict[str, Any]:
    mission = result.get("mission") or {}
    out = {"outcome": result.get("outcome"), "mission.status": mission.get("status")}
    out |= {f"assertions.{a['id']}.status": a["status"] for a in result.get("assertions", ())}
    for incident in result.get("incidents", ()):
        out |= {f"incidents.{incident['id']}.{key}": incident[key] for key in ("assertion", "healed", "ending")}
        verdicts = [(a["verdict"], a["stage"]) for a in incident["attempts"]]
        out[f"incidents.{incident['id']}.attempts"] = verdicts
    return out


def _touches(message: LogMessage) -> bool:
    if BRANCH.sub("", message.topic) != _STATE:
        return False
    values = content_of(message).get("values")
    contact = values.get("contact", 0) if isinstance(values, dict) else 0
    return contact not in (0, None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
