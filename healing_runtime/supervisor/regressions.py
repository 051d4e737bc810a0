"""The other scenarios of a run's robot: named with their hashes when it begins, read when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from healing_runtime.core.codec import digest, plain, read
from healing_runtime.core.errors import InputError, Location, RecordError
from healing_runtime.core.status import GatePolicy
from healing_runtime.gate.records import Course
from healing_runtime.supervisor.preparation import Prepared, judged_by, refuse_bad_triggers
from healing_runtime.supervisor.surroundings import here
from healing_runtime.telemetry.record import RunFolder

_WITHOUT = (GatePolicy.REMEMBERED, "")
"""By what an attempt may have been judged without regressions; nothing is what refused a source for the second time."""
SHOWN = 5
"""So many names are told of scenarios that are left out; of others, how many they are."""


class Regressions:
    """What a run's patches may be held against, ordered by name.

    Attributes:
        listed: name and sha256 of each scenario file, for the manifest; read without resolving any.
    """

    def __init__(self, prepared: Prepared, narrate: Callable[[str], None]) -> None:
        self._prepared, self._narrate = prepared, narrate
        self._recorded: tuple[Mapping[str, Any], ...] | None = getattr(prepared.loaded, "regressions", None)
        listed: tuple[Mapping[str, str], ...] | None = getattr(prepared.loaded, "listed", None)
        self._began_earlier = listed is not None
        if listed is None:
            listed = () if self._recorded is not None else tuple(self._list())
        self.listed = listed

    def courses(self) -> Iterator[Course]:
        """Each with its assertion files, as it is asked for. A replay takes those that the run qualified.

        Unreadable ones, and those that were changed since the run began, are told at the end and left out.

        Raises:
            InputError: the run goes on, and one of them or an assertion file is not what it was when it began.
        """
        if self._recorded is not None:
            yield from (read(Course, recorded) for recorded in self._recorded)
            return
        if self._began_earlier and self._changed():
            raise InputError(
                "the run cannot go on: it has to fly its regressions again, and the robot's other scenarios or the "
                "assertion files are not what they were when it began. Restore them, or run the scenario anew."
            )
        left_out = []
        for entry in self.listed:
            course = self._course(entry["name"], entry["sha256"])
            if course is None:
                left_out.append(entry["name"])
            else:
                yield course
        if left_out:
            more = len(left_out) - SHOWN
            names = ", ".join(left_out[:SHOWN]) + (f" and {more} more" if more > 0 else "")
            self._narrate(f"left out as regressions, see heal check: {names}")

    def _changed(self) -> bool:
        """Left out without a word, a changed one would be lost by a patch that is remembered as if it had not been."""
        return here(self._prepared, tuple(self._list())).others != self._prepared.loaded.surroundings.others

    def _list(self) -> Iterator[Mapping[str, str]]:
        own, home = self._prepared.scenario, self._prepared.workspace
        if not own.acceptance.regressions:
            return
        for name in home.scenario_names(own.robot):
            if name != own.name:
                try:
                    yield {"name": name, "sha256": home.scenario_sha256(name)}
                except InputError:
                    yield {"name": name, "sha256": ""}  # no file has this hash: it will be left out

    def _course(self, name: str, sha256: str) -> Course | None:
        home, robot = self._prepared.workspace, self._prepared.robot
        try:
            loaded = home.scenario(name)
            if loaded.sha256 != sha256:
                return None
            refuse_bad_triggers(loaded.scenario, loaded.triggers, robot)
            files = tuple(home.assertion_file(a) for a in loaded.scenario.assertions)
            judged_by(loaded.scenario, files, robot, Location(name))
            return Course(loaded.scenario, files)
        except InputError:
            return None


def keep(folder: RunFolder, courses: tuple[Course, ...]) -> None:
    """Keep the courses that a run's controller passes, for its replay."""
    plain_courses = plain(list(courses))
    folder.write_regressions({"courses": plain_courses, "sha256": digest(plain_courses)})


def recorded(folder: RunFolder, wanted: bool) -> tuple[Mapping[str, Any], ...]:
    """What `keep` kept; nothing where the run never came to need any. RecordError if it is damaged or missing.

    `wanted` says whether the run's scenario asks for regressions at all.
    """
    document = folder.read_regressions()
    if document is None:
        judged = (attempt for incident in folder.incident_ids() for attempt in folder.read_attempts(incident))
        if wanted and any(attempt.get("policy") not in _WITHOUT for attempt in judged):
            raise RecordError(f"{folder.path}: regressions.json is missing, with which its patches were judged.")
        return ()
    courses = document.get("courses")
    if not isinstance(courses, list) or document.get("sha256") != digest(courses):
        raise RecordError(f"{folder.path}: regressions.json was changed after the run; it cannot be replayed.")
    return tuple(courses)
