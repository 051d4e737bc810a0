"""A recorded run as a replay needs it: read whole, checked to be one run's, and turned into what was flown.

Code comes from the installed catalogue or workspace, never from the run folder; of the folder only texts are taken, and
those only with the hashes that the manifest holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from healing_runtime.core.codec import digest, read
from healing_runtime.core.errors import InputError, Location, RecordError, RunAborted
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import AssertionFile, Proposal, RepairRequest, Scenario, Source
from healing_runtime.gate.neighbourhood import must_be_provable
from healing_runtime.gate.records import Course, Surroundings
from healing_runtime.language import source as sources
from healing_runtime.repair.repair import Reason, RecordedRefusal
from healing_runtime.supervisor import surroundings
from healing_runtime.supervisor.incident_writer import STANDS_ON
from healing_runtime.supervisor.manifest import MANIFEST_FORMAT, inputs_of
from healing_runtime.supervisor.preparation import Prepared, judged_by, refuse_bad_triggers
from healing_runtime.supervisor.regressions import recorded
from healing_runtime.supervisor.result import ABORTED
from healing_runtime.telemetry.mcap import LogContents, read_log
from healing_runtime.telemetry.record import RunFolder
from healing_runtime.workspace import must_be_legal, must_be_written


@dataclasses.dataclass(frozen=True)
class Record:
    """The files of one run. `result` is None for a run that did not end."""

    folder: RunFolder
    manifest: Mapping[str, Any]
    result: Mapping[str, Any] | None
    log: LogContents

    @classmethod
    def open(cls, path: Path) -> Record:
        """Read a run folder.

        Raises:
            RecordError: a file cannot be read, is of another run, or is of another version.
        """
        folder = RunFolder.open(path)
        manifest, result = folder.read_manifest(), folder.read_result(missing_ok=True)
        log = read_log(folder.log_path)
        _must_be_ours(folder, manifest)
        run = str(manifest.get("run_id"))
        if result is not None and result.get("run_id") != run:
            other = str(result.get("run_id"))[:128]
            raise RecordError(f"{folder.path}: result.json is of the run {other}, the manifest of {run}.")
        cut_before_its_name = log.run is None and log.truncated and not log.messages
        if log.run != run and not cut_before_its_name:
            of = f"of the run {log.run}" if log.run else "of no run that it names"
            raise RecordError(f"{folder.path}: log.mcap is {of}, the manifest of {run}.")
        return cls(folder, manifest, result, log)

    @property
    def cut_off(self) -> bool:
        """Whether the run did not end, so that its log may end anywhere."""
        return self.result is None

    def must_be_unchanged(self) -> None:
        """RecordError unless the manifest is what the run wrote: its texts have their hashes, and it has its own."""
        manifest, path = self.manifest, self.folder.path
        try:
            texts = {"controller": manifest["controller"], "scenario": manifest["scenario_file"]}
            texts |= {} if manifest["fallback"] is None else {"fallback": manifest["fallback"]}
            other = [what for what, of in texts.items() if of["sha256"] not in _hashes(of["text"])]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise _other_version(manifest, error) from None
        if other:
            raise RecordError(f"{path}: the {other[0]}'s text in manifest.json does not have its hash.")
        if manifest.get("inputs_sha256") != inputs_of(manifest):
            raise RecordError(f"{path}: manifest.json was changed after the run; it is no longer that run's record.")

    def prepared(self, home: Any, controller: str | Path | None = None) -> Prepared:
        """What was flown, with another controller where one is given.

        Raises:
            RecordError: the manifest is not one of this version, or was changed.
            InputError: the robot is not here, or `controller` is wrong.
        """
        manifest = self.manifest
        try:
            scenario = read(Scenario, manifest["scenario"])
            files = tuple(read(AssertionFile, f) for f in manifest["assertion_files"])
            source = read(Source, manifest["controller"])
            fallback = None if manifest["fallback"] is None else read(Source, manifest["fallback"])
            loaded = RecordedScenario.of(manifest, scenario, recorded(self.folder, scenario.acceptance.regressions))
            courses = tuple(read(Course, course) for course in loaded.regressions or ())
            texts = ("scenario", "scenario_file", "assertion_files", "controller", "fallback")
            _must_be_unicode([manifest[key] for key in texts])
            _must_be_unicode(loaded.regressions)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _other_version(manifest, error) from None
        self.must_be_unchanged()
        robot = home.robot(scenario.robot)
        requirements = _judged(self.folder.path / "manifest.json", Course(scenario, files), robot)
        for course in courses:
            if course.scenario.robot != scenario.robot:
                raise RecordError(f"{self.folder.path}: regressions.json has a scenario of another robot.")
            _judged(self.folder.path / "regressions.json", course, robot)
        if (fallback is None) != (scenario.policy.fallback is None):
            raise RecordError(f"{self.folder.path}: the scenario and manifest.json do not name the same fallback.")
        if controller is not None:
            source = home.controller(str(controller))
        sim_root = home.sim_root(scenario.robot)
        return Prepared(
            workspace=home,
            loaded=dataclasses.replace(loaded, surroundings=surroundings.recorded(manifest, sim_root)),
            scenario=scenario,
            robot=robot,
            sim_root=sim_root,
            files=files,
            requirements=requirements,
            source=source,
            parsed=sources.parse(source.text, name=source.name, path=source.path),
            fallback=fallback,
        )


def _hashes(text: str) -> tuple[str, str]:
    """What the hash of a text's file may be: the file may begin with a mark."""
    return digest(text), digest(b"\xef\xbb\xbf" + text.encode())


def _must_be_ours(folder: RunFolder, manifest: Mapping[str, Any]) -> None:
    if manifest.get("format") != MANIFEST_FORMAT:
        known = f"format {manifest['format']!r}, expected {MANIFEST_FORMAT}" if "format" in manifest else "no format"
        raise _other_version(manifest, ValueError(known))
    for key in ("run_id", "brain"):
        if not isinstance(manifest.get(key), str):
            raise _other_version(manifest, KeyError(key))
    for key in ("fingerprint", "robot"):
        if not isinstance(manifest.get(key), dict):
            raise _other_version(manifest, KeyError(key))


def _judged(path: Path, course: Course, robot: Robot) -> tuple[Any, ...]:
    """What judges a course that a file of a record holds; RecordError where no files of a workspace could say it."""
    scenario = course.scenario
    try:
        must_be_legal(scenario, robot, path)
        for file in course.files:
            must_be_written(file, path)
        refuse_bad_triggers(scenario, (), robot)
        if unprovable := must_be_provable(scenario.acceptance):
            raise InputError(unprovable)
        return judged_by(scenario, course.files, robot, Location(str(path)))
    except (InputError, ValueError, OverflowError) as error:
        what = error.message if isinstance(error, InputError) else cause(error)
        said = what.partition("\n")[0].removeprefix(f"{path}: ")[:200]
        raise RecordError(f"{path}: {scenario.name[:64]}: {said}") from None


def _must_be_unicode(value: Any) -> None:
    """ValueError for text that no file can hold; names of files may be any bytes."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            key.encode()
            if key != "path":
                _must_be_unicode(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _must_be_unicode(inner)
    elif isinstance(value, str):
        value.encode()


def _other_version(manifest: Mapping[str, Any], error: Exception) -> RecordError:
    run = str(manifest.get("run_id", "this run"))[:128]
    return RecordError(f"the manifest of {run} is not one of this version: {cause(error)[:200]}.")


def cause(error: Exception) -> str:
    """Why a document of a record does not do, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{error.title}.{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    if isinstance(error, UnicodeError):
        return "a text in it is not UTF-8"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


@dataclasses.dataclass(frozen=True)
class RecordedScenario:
    """Stands where a loaded scenario file stands, with what the manifest kept of it.

    `regressions` are the courses that the run qualified; None where they have yet to be read, of those `listed`.
    """

    scenario: Scenario
    path: Path
    text: str
    sha256: str
    notes: tuple[str, ...] = ()
    regressions: tuple[Mapping[str, Any], ...] | None = ()
    listed: tuple[Mapping[str, str], ...] | None = None
    surroundings: Surroundings = dataclasses.field(default_factory=Surroundings)
    fallback_at: Location | None = None

    @classmethod
    def of(
        cls, manifest: Mapping[str, Any], scenario: Scenario, regressions: tuple[Mapping[str, Any], ...]
    ) -> RecordedScenario:
        """From a manifest, and the courses that the run qualified."""
        file = manifest["scenario_file"]
        return cls(scenario, Path(file["path"]), str(file["text"]), str(file["sha256"]), (), regressions)


def recorded_evidence(folder: RunFolder) -> Callable[[str], Any]:
    """What finds the evidence that came with the remembered patches of a record, by its hash."""
    found: dict[str, Any] = {}
    for incident in folder.incident_ids():
        for name in folder.incident_files(incident):
            if name.endswith(STANDS_ON):
                document = folder.read_incident(incident, name)
                found[digest(document)] = document
    return found.get


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
        try:
            self.name = str(attempt["brain"])
            return (read(Proposal, attempt["proposal"]),)
        except (KeyError, ValueError):
            raise RecordError(f"{self._folder.path}: an attempt of {incident} is damaged.") from None

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
