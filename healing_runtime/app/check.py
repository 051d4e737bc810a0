"""Static checks: everything that can be known of a file before anything flies.

A scenario brings in all it names. Controllers are parsed here and traced in confined workers, at the rate and the
number format of every scenario that flies them; assertion files are bound at every rate that is in use.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

from healing_runtime import workspace
from healing_runtime.app.findings import Report
from healing_runtime.app.formulas import Formulas
from healing_runtime.app.targets import targets
from healing_runtime.core.codec import read
from healing_runtime.core.errors import InputError, Location, WorkerFailed
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import Scenario, Source
from healing_runtime.gate.build import TRACE_LIMITS, TraceRequest
from healing_runtime.gate.fallback import may_not_fly
from healing_runtime.language import ownership
from healing_runtime.language import source as sources
from healing_runtime.language.findings import Finding
from healing_runtime.sandbox.messages import Job, Message
from healing_runtime.sandbox.zygote import Sandbox
from healing_runtime.supervisor.preparation import fallback_at, fallback_of, judged_by, unfit_fallback

DEFAULT_HZ, DEFAULT_DTYPE = 48, "float32"
"""For a file that no scenario uses."""


@dataclasses.dataclass(frozen=True)
class Use:
    """A controller as something flies it."""

    source: Source
    robot: str
    control_hz: int
    dtype: str


def check(names: Sequence[str] = ()) -> Report:
    """Check files by path or catalogue name; the whole workspace if none is given.

    Raises:
        InputError: a name that nothing has, or a workspace with nothing in it.
    """
    start = time.perf_counter()
    examination = _Examination(workspace.open())
    found, mistakes = targets(examination.home, names)
    for name, mistake in mistakes.items():
        examination.report.mistake(mistake, Location(name))
    for kind, name in found:
        examination.look(kind, name)
    examination.trace()
    examination.report.elapsed_s = time.perf_counter() - start
    return examination.report


class _Examination:
    """Gathers findings; every check goes on to the next file after an error."""

    def __init__(self, home: workspace.Workspace) -> None:
        self.home, self.report = home, Report()
        self._formulas = Formulas(home, self.report)
        self._uses: dict[Use, list[Location | None]] = {}

    def look(self, kind: str, name: str) -> None:
        """One file; an `InputError` of any reader is a finding, at its place."""
        check: Callable[[str], None] = getattr(self, f"_{kind}")
        try:
            check(name)
        except InputError as error:
            self.report.mistake(error, Location(name))

    # ------------------------------------------------------------ kinds of files
    def _scenario(self, name: str) -> None:
        reading, loaded = self.home.scenario_reading(name)
        where = Location(reading.path)
        self.report.looked_at(where.path)
        for mistake in reading.mistakes:
            self.report.mistake(mistake, where)
        if reading.robot is not None:
            self._formulas.triggers(reading.triggers, reading.robot.signals, reading.control_hz)
        if loaded is None:
            return
        for note in loaded.notes:
            self.report.add("note", f"{note}.", where)
        scenario = loaded.scenario
        files = [self.home.assertion_file(n, loaded.path.parent) for n in scenario.assertions]
        for file in files:
            self._formulas.file(file, scenario.control_hz)
        robot = self.home.robot(scenario.robot)
        self._start(scenario, robot, where)
        self._formulas.flight(judged_by(scenario, files, robot, where), scenario, robot.signals, where.path)
        source = self.home.controller(scenario.controller, loaded.path.parent)
        self._use(source, scenario.robot, scenario.control_hz, scenario.dtype)
        named = fallback_at(loaded)
        fallback = fallback_of(scenario, source, self.home.controller, named)
        if fallback is not None:
            self._use(fallback, scenario.robot, scenario.control_hz, scenario.dtype, named)

    def _start(self, scenario: Scenario, robot: Robot, where: Location) -> None:
        """Set the scenario up as a flight would: only the plant knows which starts and surroundings it bears."""
        try:
            workspace.set_up(robot, scenario).close()
        except InputError as error:
            self.report.mistake(error, where)

    def _assertions(self, name: str) -> None:
        reading = self.home.assertion_reading(name)
        file = reading.file
        if reading.mistakes or file is None:
            self._formulas.rest(reading, Location(name))
            return
        rates = {s.control_hz for s in self._scenarios(file.robot) if file.name in s.assertions}
        for rate in sorted(rates or {DEFAULT_HZ}):
            self._formulas.file(file, rate)

    def _controller(self, name: str) -> None:
        source = self.home.controller(name)
        flown = {
            (s.robot, s.control_hz, s.dtype)
            for s in self._scenarios()
            if source.name in (s.controller, s.policy.fallback)
        }
        robot = source.name.partition("/")[0]
        if not flown and robot in self.home.robot_names():
            flown = {(robot, DEFAULT_HZ, DEFAULT_DTYPE)}
        if not flown:
            self._parse(source)
            self.report.add(
                "warning",
                "no scenario flies it and its folder names no robot: only parsed; put it in controllers/<robot>/.",
                Location(source.path),
            )
        for use in sorted(flown):
            self._use(source, *use)

    def _scenarios(self, robot: str | None = None) -> Iterator[Scenario]:
        """The scenarios that can be read; those that cannot are findings of their own when they are looked at."""
        return (s for s in self._readable if robot is None or s.robot == robot)

    @functools.cached_property
    def _readable(self) -> tuple[Scenario, ...]:
        """Read once: every controller asks which of them fly it."""
        found: list[Scenario] = []
        for name in self.home.scenario_names():
            with contextlib.suppress(InputError):
                found.append(self.home.scenario(name).scenario)
        return tuple(found)

    # ------------------------------------------------------------ controllers
    def _use(self, source: Source, robot: str, control_hz: int, dtype: str, named: Location | None = None) -> None:
        """A controller to trace; `named` is the place of the scenario that has it for its fallback."""
        if self._parse(source):
            places = self._uses.setdefault(Use(source, robot, control_hz, dtype), [])
            if named not in places:
                places.append(named)

    def _parse(self, source: Source) -> bool:
        self.report.looked_at(source.path)
        try:
            parsed = sources.parse(source.text, name=source.name, path=source.path)
        except InputError as error:
            self.report.add("error", error.message, error.where or Location(source.path))
            return False
        for remark in ownership.remarks(parsed):
            self.report.add(remark.severity, remark.message, Location(source.path, remark.line, remark.column))
        return True

    def trace(self) -> None:
        """Trace every use in a confined worker and run the verification passes there."""
        if not self._uses:
            return
        with Sandbox() as sandbox:
            jobs = [(use, self._submit(sandbox, use)) for use in self._uses]
            for use, job in jobs:
                self._take(use, job)

    def _submit(self, sandbox: Sandbox, use: Use) -> Future[Message]:
        table = self.home.robot(use.robot).signals
        request = TraceRequest(use.source, table, use.control_hz, use.dtype)
        return sandbox.submit(Job("healing_runtime.gate.build:trace_job", Message(vars(request)), TRACE_LIMITS))

    def _wrong(self, use: Use, message: str, where: Location) -> None:
        """An error of a controller, where it stands; that of a fallback is one of the scenario that names it."""
        for named in self._uses[use]:
            if named is None:
                self.report.add("error", message, where)
            else:
                self.report.mistake(unfit_fallback(may_not_fly(use.source, use.robot, message, where), named), named)

    def _take(self, use: Use, job: Future[Message]) -> None:
        path = use.source.path
        try:
            header = job.result().header
        except InputError as error:
            self._wrong(use, error.message, error.where or Location(path))
            return
        except WorkerFailed as error:
            advice = "; make it smaller." if _too_large(error) else "; run it again, and report it if it stays so."
            self._wrong(use, f"tracing it did not end well: {error}{advice}", Location(path))
            return
        findings = read(tuple[Finding, ...], header["findings"])  # pyright: ignore[reportArgumentType]
        for finding in findings:
            place = Location(path, finding.line, finding.column)
            message = f"{finding.pass_name}: {finding.message}"
            if finding.severity == "error":
                self._wrong(use, message, place)
            else:
                self.report.add(finding.severity, message, place)
        if "exported" not in header and not any(f.severity == "error" for f in findings):
            self._wrong(use, str(header["error"]), Location(path, header["line"] or 0))


def _too_large(error: WorkerFailed) -> bool:
    """Whether a worker ended for want of time or memory (`sandbox.replies.status_in_words`)."""
    text = str(error)
    return error.reason in ("timed out", "spent its CPU time", "killed by SIGKILL") or "memory" in text.lower()
