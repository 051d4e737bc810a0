"""Re-execution of a recorded run: closed-loop, from its manifest and its recorded proposals alone.

The gate runs again, the physics runs again, and the log that comes out must be the recorded log, message by message.
No brain is asked.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from healing_runtime import workspace
from healing_runtime.brains.brain import BrainContext
from healing_runtime.core.codec import digest, plain, read
from healing_runtime.core.errors import InputError, Location, RecordError, ReplayDivergence, RunAborted
from healing_runtime.core.platform import fingerprint
from healing_runtime.core.records import AssertionFile, Proposal, RepairRequest, Scenario, Source
from healing_runtime.language import source as sources
from healing_runtime.repair.repair import Reason, RecordedRefusal
from healing_runtime.supervisor.memoir import LEDGER, MANIFEST_FORMAT
from healing_runtime.supervisor.preparation import Prepared, judged_by
from healing_runtime.supervisor.result import RunResult
from healing_runtime.supervisor.run import ABORTED
from healing_runtime.supervisor.runtime import Runtime, Settings
from healing_runtime.supervisor.sources import sim_hash
from healing_runtime.telemetry.mcap import LogMessage, digest_of, read_log
from healing_runtime.telemetry.record import RunFolder


@dataclasses.dataclass(frozen=True)
class ReplayResult:
    """What a replay found. `exit_code`: 0 equal (or, without `verify`, the outcome's own), 3 diverged."""

    document: Mapping[str, Any]
    exit_code: int


class RecordedBrain:
    """Plays back the proposals judged in a recorded run, one at a time, under the names of those who wrote them."""

    def __init__(self, folder: RunFolder) -> None:
        self.name = "recorded"
        self._folder = folder
        self._waiting: dict[str, Iterator[Mapping[str, Any]]] = {}

    def propose(self, request: RepairRequest) -> tuple[Proposal, ...]:
        """The next recorded proposal of this incident; raises what ended it where it ended without a patch."""
        incident = request.incident_id
        if incident not in self._waiting:
            self._waiting[incident] = iter(self._folder.read_attempts(incident))
        attempt = next(self._waiting[incident], None)
        if attempt is None:
            return self._ended(self._folder.read_ending(incident))
        self.name = str(attempt["brain"])
        return (read(Proposal, attempt["proposal"]),)

    def _ended(self, recorded: Mapping[str, Any]) -> tuple[Proposal, ...]:
        """End the repair as it ended then; a record that was cut off before that has nothing more to offer."""
        ending, detail = str(recorded.get("ending") or ""), str(recorded.get("detail") or "")
        if ending == ABORTED:
            raise RunAborted(detail)
        if ending in set(Reason):
            raise RecordedRefusal(Reason(ending), detail)
        return ()

    def close(self) -> None:
        """Nothing to let go of."""


def replay(
    run: str | Path,
    *,
    verify: bool = False,
    controller: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
    home: Any = None,
) -> ReplayResult:
    """Fly a recorded run again.

    Args:
        run: the run folder.
        verify: demand the recorded log, message by message, and the recorded digest.
        controller: fly this controller instead of the recorded one, without a brain.
        progress: told what happens, one line a time.
        home: the workspace to find the robot in; by default the one around the current folder.

    Raises:
        RecordError: the manifest cannot be read.
        InputError: the robot is not here, or `controller` is wrong.
    """
    if verify and controller is not None:
        raise InputError("--verify compares with the recorded controller; leave --controller out.")
    folder = RunFolder.open(Path(run))
    manifest = folder.read_manifest()
    prepared = prepared_from(manifest, home or workspace.open(), controller)
    brain = "none" if controller is not None else str(manifest.get("brain", "none"))
    with tempfile.TemporaryDirectory(prefix="healing-replay-") as scratch:
        settings = Settings(
            brain=brain,
            out=Path(scratch),
            make_brain=None if brain == "none" else _brain_of(folder),
            wall_budget=False,
            remember=False,
            until_tick=_cut_at(folder) if verify else None,
            executables=folder.path.parent / LEDGER,
        )
        result = Runtime(prepared, progress=progress, settings=settings).run()
        if not verify:
            return ReplayResult(dict(result.document), result.exit_code)
        compared = compare(folder, result)
        document = {**compared.document, **conditions(manifest, prepared)}
        return ReplayResult(document, compared.exit_code)


def conditions(manifest: Mapping[str, Any], prepared: Prepared) -> dict[str, bool]:
    """Whether the replay ran on what the run ran on. Only then is equality to the last bit promised."""
    return {
        "same_fingerprint": manifest.get("fingerprint") == plain(fingerprint()),
        "same_simulation": manifest.get("robot", {}).get("sim_sha256") == sim_hash(prepared.sim_root),
    }


def _cut_at(folder: RunFolder) -> int | None:
    """Where the replay of a run without a result may stop: a little after its last row. None for a run that ended."""
    if folder.read_result(missing_ok=True) is not None:
        return None
    ticks = [_content(m).get("tick", 0) for m in read_log(folder.log_path).messages]
    return max(ticks, default=0) + 2


def _brain_of(folder: RunFolder) -> Callable[[BrainContext], Any]:
    return lambda _: RecordedBrain(folder)


def prepared_from(manifest: Mapping[str, Any], home: Any, controller: str | Path | None) -> Prepared:
    """What a run was, from its manifest.

    Code comes from the installed catalogue or workspace, never from the run folder.
    """
    try:
        if manifest["format"] != MANIFEST_FORMAT:
            raise ValueError(f"format {manifest['format']}, expected {MANIFEST_FORMAT}")
        scenario = read(Scenario, manifest["scenario"])
        files = tuple(read(AssertionFile, f) for f in manifest["assertion_files"])
        source = read(Source, manifest["controller"])
        loaded = RecordedScenario.of(manifest, scenario)
        if digest(source.text) != source.sha256:
            raise ValueError("the controller's text does not have its hash")
    except (KeyError, TypeError, ValueError) as error:
        run = manifest.get("run_id", "this run")
        raise RecordError(f"the manifest of {run} is not one of this version: {error}.") from None
    if controller is not None:
        source = home.controller(str(controller))
    robot = home.robot(scenario.robot)
    return Prepared(
        workspace=home,
        loaded=loaded,
        scenario=scenario,
        robot=robot,
        sim_root=home.sim_root(scenario.robot),
        files=files,
        requirements=judged_by(scenario, files, robot, loaded.location),
        source=source,
        parsed=sources.parse(source.text, name=source.name, path=source.path),
    )


# ---------------------------------------------------------------- comparing
def compare(recorded: RunFolder, fresh: RunResult) -> ReplayResult:
    """Compare logs message by message, then the digests.

    A truncated log is compared to its last whole message, and that is said.
    """
    old, new = read_log(recorded.log_path), read_log(fresh.folder / "log.mcap")
    result = recorded.read_result(missing_ok=True)
    document: dict[str, Any] = {
        "run_id": recorded.run_id,
        "verified": True,
        "messages": len(old.messages),
        "complete": old.complete and result is not None,
        "outcome": fresh.document["outcome"],
        "digest": fresh.document["digest"],
        "divergence": None,
    }
    # Without a result the run was cut off (killed, interrupted, or repaired later): its log may end anywhere.
    divergence = first_difference(old.messages, new.messages, truncated=result is None or not old.complete)
    if divergence is None and not old.complete and result is not None:
        # A finished run has a whole log: what cannot be read was damaged after the run, at the row after the last
        # whole one.
        at = new.messages[len(old.messages)] if len(old.messages) < len(new.messages) else new.messages[-1]
        divergence = {**_place(at), "what": f"the recorded log is broken here ({old.broken_at})"}
    if divergence is None and result is not None:
        if digest_of(old.messages) != result.get("digest"):
            divergence = {"tick": None, "topic": None, "what": "the log does not have the digest of result.json"}
        else:
            divergence = _other_result(result, fresh.document)
    document["verified"], document["divergence"] = divergence is None, divergence
    return ReplayResult(document, 0 if divergence is None else ReplayDivergence.exit_code)


NOT_REPLAYED = {"run_id", "wall_time_s", "time_to_heal_s", "breakdown_s", "notes", "detail", "reason"}
"""Fields of a result that name the run, measure the wall clock, or tell what happened outside."""


def _other_result(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any] | None:
    """The first field in which two results differ, as a divergence."""
    was, now = (dict(_leaves(_replayed(document))) for document in (old, plain(new)))
    for field in [*now, *(f for f in was if f not in now)]:
        if was.get(field) != now.get(field):
            what = f"result.json: {field}: recorded {was.get(field)}, replayed {now.get(field)}"
            return {"tick": None, "topic": None, "what": what}
    return None


def _replayed(value: Any) -> Any:
    """A result without the fields that a replay does not reproduce."""
    if isinstance(value, Mapping):
        return {k: _replayed(v) for k, v in value.items() if k not in NOT_REPLAYED}
    return [_replayed(v) for v in value] if isinstance(value, list | tuple) else value


def first_difference(old: Sequence[LogMessage], new: Sequence[LogMessage], *, truncated: bool) -> dict[str, Any] | None:
    """The first message in which two logs differ, with its tick, topic and signal; None if there is none."""
    for a, b in zip(old, new, strict=False):
        if a != b:
            return {**_place(b), "what": _difference(a, b)}
    if len(new) < len(old):
        return {**_place(old[len(new)]), "what": "the record goes on where the replay ends"}
    if len(new) > len(old) and not truncated:
        return {**_place(new[len(old)]), "what": "a row is missing in the record"}
    return None


def _place(message: LogMessage) -> dict[str, Any]:
    return {"tick": _content(message).get("tick"), "topic": message.topic}


def _content(message: LogMessage) -> Mapping[str, Any]:
    try:
        content = json.loads(message.data)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _difference(old: LogMessage, new: LogMessage) -> str:
    """In words: which field, what was recorded, what came out."""
    if (old.topic, old.t_ns) != (new.topic, new.t_ns):
        return f"recorded {old.topic} at {old.t_ns} ns, replayed {new.topic} at {new.t_ns} ns"
    was, now = _content(old), _content(new)
    if not was:
        return "the recorded row is not readable"
    for key, value in _leaves(now):
        before = dict(_leaves(was)).get(key)
        if before != value:
            return f"{key}: recorded {before}, replayed {value}"
    return "the recorded row has other bytes"


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [leaf for k, v in value.items() for leaf in _leaves(v, f"{path}.{k}" if path else str(k))]
    if isinstance(value, list):
        return [leaf for i, v in enumerate(value) for leaf in _leaves(v, f"{path}[{i}]")]
    return [(path, value)]


@dataclasses.dataclass(frozen=True)
class RecordedScenario:
    """Stands where a loaded scenario file stands, with what the manifest kept of it."""

    scenario: Scenario
    path: Path
    text: str
    sha256: str
    notes: tuple[str, ...] = ()
    regressions: tuple[Mapping[str, Any], ...] = ()

    @property
    def location(self) -> Location:
        """Where errors about this scenario point."""
        return Location(str(self.path))

    @classmethod
    def of(cls, manifest: Mapping[str, Any], scenario: Scenario) -> RecordedScenario:
        """From a manifest."""
        file = manifest["scenario_file"]
        return cls(
            scenario, Path(file["path"]), file["text"], file["sha256"], (), tuple(manifest.get("regressions", ()))
        )
