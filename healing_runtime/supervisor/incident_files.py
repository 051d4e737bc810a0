"""The files of a record's incidents: that what the log tells of is there, says what the log says, and is written again.

The log is one witness and the replay another. Where a replay follows the recorded actions, or runs on another machine,
only the log can tell that a snapshot was changed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from healing_runtime.core.codec import plain
from healing_runtime.core.signals import Layout
from healing_runtime.core.status import Outcome
from healing_runtime.ledger.approvals import REJECTED
from healing_runtime.supervisor import approval
from healing_runtime.supervisor.channels import BRANCH
from healing_runtime.supervisor.comparing import NOTHING, Divergence, content_of, leaves, other_leaf, replayed, same
from healing_runtime.supervisor.flown import Flight
from healing_runtime.supervisor.patch_writer import PATCH_FILES
from healing_runtime.supervisor.record import Record
from healing_runtime.telemetry.mcap import LogMessage
from healing_runtime.telemetry.record import RunFolder

Files = Mapping[str, Mapping[str, Any]]
"""Incident -> file -> what it holds."""

NOT_WRITTEN = "exchange-"
"""How the files of an incident begin that a replay does not write, for it asks nobody."""
SNAPSHOT = "incident.json"
_COMMAND = "/control/cmd_applied"
_ACTION = re.compile(r"snapshot\.recipe_actions\[(\d+)\]\[(\d+)\]")
_OF_EVENT = ("id", "assertion", "status", "tick", "robustness")


def read_files(folder: RunFolder) -> dict[str, dict[str, Any]]:
    """What the files of a run's incidents hold, of those that a replay writes too."""
    return {
        incident: {
            name: folder.read_incident(incident, name)
            for name in folder.incident_files(incident)
            if not name.startswith(NOT_WRITTEN)
        }
        for incident in folder.incident_ids()
    }


def to_compare(old: Files, new: Files, *, since: str | None, ended: bool) -> tuple[Files, Files]:
    """The files of a record and its replay that must be the same.

    All from the incident `since` (or the first) on, before it the snapshots, which a replay takes over. A run that was
    cut off may have stopped between any two files; only what was frozen at an incident is the same then.
    """

    def chosen(files: Files, other: Files) -> Files:
        return {
            incident: {n: held for n, held in inner.items() if n == SNAPSHOT or (ended and incident >= (since or ""))}
            for incident, inner in files.items()
            if ended or incident in other
        }

    return chosen(old, new), chosen(new, old)


class Actions:
    """The names and times of the numbers in the recorded actions of a robot."""

    def __init__(self, layout: Layout, control_hz: int) -> None:
        self.signals = [signal for signal, _ in leaves(plain(layout.unpack(np.zeros(layout.size))))]
        self._control_hz = control_hz

    def placed(self, found: Divergence, tick: int, column: int, what: str) -> Divergence:
        """A divergence in one number of an action, with its tick and signal."""
        signal = self.signals[column] if column < len(self.signals) else found.signal
        words = f"{what}: {signal}: {found.what}"
        return dataclasses.replace(found, what=words, tick=tick, t_s=tick / self._control_hz, signal=signal)


def other_file(old: Files, new: Files, actions: Actions) -> Divergence | None:
    """The first file of an incident in which a record and its replay differ."""
    for incident in sorted({*old, *new}):
        was, now = old.get(incident, {}), new.get(incident, {})
        for name in sorted({*was, *now}):
            path = _path(incident, name)
            if name not in was or name not in now:
                return Divergence(f"{path}: {'missing in the record' if name not in was else 'the replay has none'}")
            before, after = (dict(leaves(replayed(document[name]))) for document in (was, now))
            found = other_leaf(before, after)
            if found is None:
                continue
            if name == SNAPSHOT and (place := _ACTION.fullmatch(found.signal or "")):
                return actions.placed(found, int(place[1]), int(place[2]), f"{path}: snapshot.recipe_actions")
            return found.within(path)
    return None


def lost_file(record: Record) -> Divergence | None:
    """The first file that the log or the result tells of, and the folder does not hold."""
    there = {incident: record.folder.incident_files(incident) for incident in record.folder.incident_ids()}
    for incident, name in _told(record):
        if name not in there.get(incident, ()):
            return Divergence(f"{_path(incident, name)}: missing in the record")
    return None


def other_in_log(record: Record, actions: Actions, *, until: str | None = None) -> Divergence | None:
    """The first field in which a snapshot, up to that of the incident `until`, is not what the log has of it."""
    messages = record.log.messages
    for at, event in enumerate(map(_event, messages)):
        if event.get("event") != "incident" or event.get("id") not in record.folder.incident_ids():
            continue
        incident = str(event["id"])
        was = dict(leaves(record.folder.read_incident(incident, SNAPSHOT)))
        found = _other_words(was, event, _path(incident, SNAPSHOT))
        found = found or _other_action(was, messages[:at], actions, _path(incident, SNAPSHOT))
        if found is not None or incident == until:
            return found
    return None


def _other_words(was: Mapping[str, Any], event: Mapping[str, Any], path: str) -> Divergence | None:
    logged = {key: event.get(key) for key in _OF_EVENT}
    logged |= {"snapshot.tick": event.get("tick"), "snapshot.state_hash": event.get("state_hash")}
    found = other_leaf({key: was[key] for key in logged if key in was}, logged, "the log has")
    return found and found.within(path)


def _other_action(
    was: Mapping[str, Any], before: Sequence[LogMessage], actions: Actions, path: str
) -> Divergence | None:
    """The first action of a snapshot that the log has otherwise; rows that a cut took are passed over."""
    flight = Flight.of(m for m in before if BRANCH.sub("", m.topic) in (_COMMAND, "/event"))
    for tick, row in sorted(flight.rows.items()):
        logged = dict(leaves(row.topics[_COMMAND].get("values", {})))
        for column, signal in enumerate(actions.signals):
            recorded = was.get(f"snapshot.recipe_actions[{tick}][{column}]", NOTHING)
            if not same(recorded, logged.get(signal, NOTHING)):
                found = other_leaf({"": recorded}, {"": logged.get(signal, NOTHING)}, "the log has")
                return found and actions.placed(found, tick, column, f"{path}: snapshot.recipe_actions")
    return None


def _told(record: Record) -> Iterator[tuple[str, str]]:
    """The files that must be there, each written before the log tells of it: incident, name."""
    incidents, patched = list[str](), dict[str, bool]()
    for event in map(_event, record.log.messages):
        kind, number = event.get("event"), event.get("number")
        incident = event.get("id" if kind == "incident" else "incident")
        if not isinstance(incident, str):
            continue
        if kind == "incident":
            incidents.append(incident)
            yield incident, SNAPSHOT
        elif kind == "attempt" and isinstance(number, int):
            yield incident, f"attempt-{number:02d}.json"
        elif kind == "approval" and isinstance(number, int) and event.get("decision") != "pending":
            yield incident, approval.file_of(number)
        if kind in ("approval", "swap", "probation_failed"):
            patched[incident] = kind != "probation_failed" and event.get("decision") != REJECTED
    if record.result is None:  # files of a patch that was taken back may be gone before the log says so
        return
    waits = record.result.get("outcome") == Outcome.AWAITING_APPROVAL.value
    for incident in incidents:
        if not (waits and incident == incidents[-1]):
            yield incident, "ending.json"
        if patched.get(incident):
            yield from ((incident, name) for name in PATCH_FILES)


def _event(message: LogMessage) -> Mapping[str, Any]:
    return content_of(message) if message.topic == "/event" else {}


def _path(incident: str, name: str) -> str:
    return f"incidents/{incident}/{name}"
