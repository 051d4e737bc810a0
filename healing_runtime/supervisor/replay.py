"""Re-execution of a recorded run: closed-loop, from its manifest and its recorded proposals alone.

The gate runs again, the physics runs again, and the log that comes out must be the recorded log: message by message on
the platform of the run, within a stated tolerance on another one. No brain is asked.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from healing_runtime import workspace
from healing_runtime.brains.brain import Brain
from healing_runtime.core.codec import plain
from healing_runtime.core.errors import InputError, RecordError, ReplayDivergence
from healing_runtime.core.platform import fingerprint
from healing_runtime.language import source as sources
from healing_runtime.supervisor import agreement, comparing, incident_files
from healing_runtime.supervisor.approval import by_record
from healing_runtime.supervisor.comparing import Divergence, content_of
from healing_runtime.supervisor.places import LEDGER
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.supervisor.recall import HandingOver, Recall, SnapshotDiffers
from healing_runtime.supervisor.record import Record, RecordedBrain, recorded_evidence
from healing_runtime.supervisor.result import RunResult
from healing_runtime.supervisor.runtime import Runtime
from healing_runtime.supervisor.settings import Settings
from healing_runtime.supervisor.sources import sim_hash
from healing_runtime.telemetry.mcap import LogMessage, digest_of, read_log
from healing_runtime.telemetry.record import RunFolder

Narrate = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class ReplayResult:
    """What a replay found. `exit_code`: 0 equal (or, without `verify`, the outcome's own), 3 diverged."""

    document: Mapping[str, Any]
    exit_code: int


@dataclasses.dataclass(frozen=True)
class Flown:
    """A finished re-execution: what it wrote, and with `from_incident` where it began, if not at t = 0."""

    result: RunResult
    log: tuple[LogMessage, ...]
    files: Mapping[str, Mapping[str, Any]]
    from_incident: Mapping[str, Any] | None = None


def replay(
    run: str | Path,
    *,
    verify: bool = False,
    controller: str | Path | None = None,
    from_incident: str | None = None,
    progress: Narrate | None = None,
    home: Any = None,
) -> ReplayResult:
    """Fly a recorded run again.

    Args:
        run: the run folder.
        verify: demand the recorded log and the recorded result.
        controller: fly this controller instead of the recorded one, without a brain and without the gate.
        from_incident: begin at the snapshot of this incident; `controller` takes over there.
        progress: told what happens, one line a time.
        home: the workspace to find the robot in; by default the one around the current folder.

    Raises:
        RecordError: the record cannot be read, or is not one run's.
        InputError: the robot is not here, `controller` is wrong, or there is no such incident.
        ReplayDivergence: without `verify`, that incident did not happen again.
    """
    if verify and controller is not None:
        raise InputError("--verify compares with the recorded controller; leave --controller out.")
    record = Record.open(Path(run))
    if verify and not record.log.messages:
        raise RecordError(f"{record.folder.path}: log.mcap holds no row, so there is nothing to compare.")
    home, narrate = home or workspace.open(), progress or (lambda _: None)
    prepared = record.prepared(home, controller if from_incident is None else None)
    here = conditions(record.manifest, prepared)
    with tempfile.TemporaryDirectory(prefix="healing-replay-") as scratch:
        settings = _settings(record, Path(scratch), verify=verify, asked=controller is None)
        if from_incident is None:
            flown = _flown(prepared, settings, narrate)
        else:
            recall = _recall(record, prepared, from_incident, None if controller is None else str(controller))
            if verify and not _from_incident_on(record.log.messages, from_incident):
                where = record.folder.path
                raise RecordError(f"{where}: the log was cut off before {from_incident}; there is nothing to compare.")
            flown = _from_incident(record, prepared, settings, recall, narrate)
    if verify:
        return compare(record, prepared, flown, here)
    document = {**flown.result.document, **here}
    if flown.from_incident is not None:
        if not flown.from_incident["reached"]:
            raise ReplayDivergence(f"{from_incident} did not happen when the run was executed again; see --verify.")
        document["from_incident"] = dict(flown.from_incident)
    return ReplayResult(document, flown.result.exit_code)


def conditions(manifest: Mapping[str, Any], prepared: Prepared) -> dict[str, Any]:
    """Whether the replay runs on what the run ran on. Only then is equality to the last bit promised."""
    then, now = manifest["fingerprint"], plain(fingerprint())
    names = [key for key in {**now, **then} if then.get(key) != now.get(key)]
    return {
        "same_fingerprint": not names,
        "same_simulation": manifest["robot"].get("sim_sha256") == sim_hash(prepared.sim_root),
        "fingerprint_differences": {key: {"recorded": then.get(key), "here": now.get(key)} for key in names},
    }


# ---------------------------------------------------------------- flying
def _settings(record: Record, scratch: Path, *, verify: bool, asked: bool) -> Settings:
    """A run without wall budget and memory; `asked` says whether the recorded proposals are judged again."""
    brain = str(record.manifest["brain"]) if asked else "none"
    return Settings(
        brain=brain,
        out=scratch,
        make_brain=None if brain == "none" else lambda _: RecordedBrain(record.folder),
        wall_budget=False,
        remember=False,
        evidence=recorded_evidence(record.folder),
        until_tick=_cut_at(record) if verify else None,
        executables=record.folder.path.parent / LEDGER,
        decide=by_record(record.folder),
    )


def _cut_at(record: Record) -> int | None:
    """Where the replay of a run without a result may stop: a little after its last row. None for a run that ended."""
    if not record.cut_off:
        return None
    ticks = [content_of(m).get("tick") for m in record.log.messages]
    return max((tick for tick in ticks if isinstance(tick, int)), default=0) + 2


def _flown(prepared: Prepared, settings: Settings, narrate: Narrate) -> Flown:
    result = Runtime(prepared, progress=narrate, settings=settings).run()
    folder = RunFolder.open(result.folder)
    return Flown(result, read_log(folder.log_path).messages, incident_files.read_files(folder))


def _recall(record: Record, prepared: Prepared, incident: str, controller: str | None) -> Recall:
    other = None if controller is None else prepared.workspace.controller(controller)
    if other is not None:
        sources.parse(other.text, name=other.name, path=other.path)
    recall = Recall.of(record, incident, prepared.table.action.size, other)
    if other is not None and recall.tick >= prepared.scenario.duration_ticks:
        raise InputError(
            f"the incident '{incident}' is at the end of the flight: nothing is left to fly there; leave "
            "--from-incident out to fly the controller from the start."
        )
    return recall


def _from_incident(record: Record, prepared: Prepared, settings: Settings, recall: Recall, narrate: Narrate) -> Flown:
    """Begin at the incident's snapshot; where that does not come out, re-execute the recipe from t = 0."""

    def attempt(recall: Recall) -> Flown:
        chosen = dataclasses.replace(settings, recall=recall)
        if recall.other is not None:
            brain: Brain = HandingOver(RecordedBrain(record.folder), recall)
            chosen = dataclasses.replace(chosen, brain="recorded", make_brain=lambda _: brain)
        return _flown(prepared, chosen, narrate)

    began: dict[str, Any] = {
        "id": recall.incident,
        "tick": recall.tick,
        "t_s": recall.tick / prepared.scenario.control_hz,
        "start": "snapshot",
        "reason": None,
    }
    try:
        flown = attempt(recall)
        if not recall.reached:
            raise SnapshotDiffers(f"{recall.incident} did not happen")
    except SnapshotDiffers as differs:
        narrate(f"{differs}: re-executing the recipe from t = 0")
        began |= {"start": "recipe", "reason": str(differs)}
        recall = recall.by_recipe()
        flown = attempt(recall)
    return dataclasses.replace(flown, from_incident={**began, "reached": recall.reached})


# ---------------------------------------------------------------- comparing
def compare(record: Record, prepared: Prepared, flown: Flown, here: Mapping[str, Any]) -> ReplayResult:
    """Compare what is there, then the logs, then the results, then the files of incidents.

    A truncated log is compared to its last whole message, and that is said. On another platform numbers are compared
    with a tolerance, and that is said too; files are then only held against the log beside them.
    """
    exact = bool(here["same_fingerprint"] and here["same_simulation"])
    log, result, fresh = record.log, record.result, flown.result.document
    old, new = log.messages, flown.log
    document: dict[str, Any] = {
        "run_id": record.manifest["run_id"],
        "complete": log.complete and result is not None,
        "outcome": fresh["outcome"],
        "digest": fresh["digest"],
        "recorded_digest": None if result is None else result.get("digest"),
        "compared": "bits" if exact else "tolerance",
        **here,
    }
    if flown.from_incident is not None:
        document["from_incident"] = dict(flown.from_incident)
        old, new = (_from_incident_on(messages, str(flown.from_incident["id"])) for messages in (old, new))
    document["messages"] = len(old)
    truncated = result is None or not log.complete
    first = comparing.first_difference(old, new, truncated=truncated)
    found = incident_files.lost_file(record)
    if flown.from_incident is not None and not flown.from_incident["reached"]:
        found = found or Divergence(f"the incident {flown.from_incident['id']} did not happen in the replay")
    elif exact:
        found = found or first
    else:
        tolerance = agreement.Tolerance(prepared.table, {r.id: float(r.scale) for r in prepared.requirements})
        agreed = agreement.agreement(old, new, tolerance, truncated=truncated)
        found = found or agreed.divergence
        contact = agreed.contact
        document |= {
            "tolerance": tolerance.document(),
            "rows_within_tolerance": agreed.rows,
            "contact": contact and {"tick": content_of(contact).get("tick"), "t_s": contact.t_ns / 1e9},
            "same_bits": first is None,
        }
    if found is None:
        found = comparing.broken_row(log, old, new, ended=result is not None)
    if found is None and result is not None:
        found = _other_result(record, result, fresh, exact=exact, whole=flown.from_incident is None)
    document["files"] = None
    if found is None:
        found, document["files"] = _other_file(record, prepared, flown, exact=exact)
    document |= {"verified": found is None, "divergence": None if found is None else found.document()}
    return ReplayResult(document, 0 if found is None else ReplayDivergence.exit_code)


def _other_result(
    record: Record, result: Mapping[str, Any], fresh: Mapping[str, Any], *, exact: bool, whole: bool
) -> Divergence | None:
    if digest_of(record.log.messages) != result.get("digest"):
        return Divergence("the log does not have the digest of result.json")
    try:
        if exact:
            return comparing.other_result(result, fresh, whole=whole)
        return agreement.other_outcome(result, plain(fresh))
    except (KeyError, TypeError, AttributeError, ValueError):
        raise RecordError(f"{record.folder.path}: result.json is not one of this version.") from None


def _other_file(
    record: Record, prepared: Prepared, flown: Flown, *, exact: bool
) -> tuple[Divergence | None, int | None]:
    """The first difference in the files of incidents, and how many were compared with those of the replay."""
    since = None if flown.from_incident is None else str(flown.from_incident["id"])
    actions = incident_files.Actions(prepared.table.action, prepared.scenario.control_hz)
    found, files = None, None
    if exact:
        ended = record.result is not None
        old, new = incident_files.read_files(record.folder), flown.files
        old, new = incident_files.to_compare(old, new, since=since, ended=ended)
        found, files = incident_files.other_file(old, new, actions), sum(map(len, old.values()))
    return found or incident_files.other_in_log(record, actions, until=since), files


def _from_incident_on(messages: Sequence[LogMessage], incident: str) -> tuple[LogMessage, ...]:
    """The messages from the row of an incident's tick on; none where it is not there."""
    at = next((i for i, m in enumerate(messages) if m.topic == "/event" and _tells_of(m, incident)), len(messages))
    while 0 < at < len(messages) and messages[at - 1].t_ns == messages[at].t_ns:
        at -= 1
    return tuple(messages[at:])


def _tells_of(message: LogMessage, incident: str) -> bool:
    event = content_of(message)
    return event.get("event") == "incident" and event.get("id") == incident
