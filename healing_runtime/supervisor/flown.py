"""The messages of a run's log -> the rows of its final branch, by tick."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from healing_runtime.core.errors import RecordError
from healing_runtime.telemetry.mcap import LogMessage
from healing_runtime.telemetry.mcap_recording import each_once

_BRANCH = re.compile(r"^/branch/\d+(?=/)")
_COMMAND = "/control/cmd_applied"


@dataclasses.dataclass
class Row:
    """What was logged of one tick: its time and the content of each topic, branches left out."""

    t_ns: int
    topics: dict[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)


class Flight:
    """Replays what a deck does with its rows: a swap forgets what comes after it, a rollback brings it back."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.branch = 0
        self._branches = 0
        self._at_incident: tuple[dict[int, Row], int] = ({}, 0)

    @classmethod
    def of(cls, messages: Iterable[LogMessage]) -> Flight:
        """The live rows after the last message. RecordError for a message that is none of ours."""
        flight = cls()
        for message in messages:
            content = _content(message)
            if message.topic == "/event":
                flight._event(content)
            else:
                topic = _BRANCH.sub("", message.topic)
                row = flight.rows.setdefault(content["tick"], Row(message.t_ns))
                if message.t_ns != row.t_ns:
                    raise RecordError(
                        f"tick {content['tick']} was logged at {row.t_ns} ns and, in {topic}, at {message.t_ns} ns; "
                        "the log cannot be judged."
                    )
                row.topics[topic] = content
        return flight

    def _event(self, content: Mapping[str, Any]) -> None:
        kind, tick = content.get("event"), content["tick"]
        if kind == "incident":
            self._at_incident = (dict(self.rows), self.branch)
        elif kind == "swap" and "incident" in content:  # the change of mode has the same name
            self._branches += 1
            self.branch = self._branches
            self.rows = {t: row for t, row in self.rows.items() if t < tick}
        elif kind == "probation_failed":
            rows, self.branch = self._at_incident
            self.rows = dict(rows)


def _content(message: LogMessage) -> Mapping[str, Any]:
    """A message as a mapping with a tick; its values and atoms are mappings too."""
    try:
        content = json.loads(message.data, object_pairs_hook=each_once)
        ticked = isinstance(content, dict) and type(content.get("tick")) is int and content["tick"] >= 0
        if ticked and all(isinstance(content.get(part, {}), dict) for part in ("values", "atoms")):
            return content
    except (ValueError, RecursionError):
        pass
    raise RecordError(f"a message of {message.topic} at {message.t_ns} ns is not ours; the log cannot be judged.")


def whole(rows: Mapping[int, Row]) -> dict[int, Row]:
    """Without the last row of a log that was cut off, if a part of it is missing."""
    ticks = sorted(rows)
    wanted = set(rows[ticks[0]].topics) - {_COMMAND} if ticks else set()
    return {t: rows[t] for t in ticks if t != ticks[-1] or wanted <= set(rows[t].topics)}
