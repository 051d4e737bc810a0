"""What the gate's stages hand to one another."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from healing_runtime.compile.carry import migrate
from healing_runtime.compile.export import ExportedController
from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core import codec
from healing_runtime.core.records import AssertionFile, Incident, Proposal, Scenario, Source, StageResult
from healing_runtime.core.signals import SignalTable
from healing_runtime.core.status import Stage
from healing_runtime.gate.latency import Latency
from healing_runtime.language.findings import Finding
from healing_runtime.language.source import Parsed

MAX_REASON = 4_000
"""Characters of a reason."""


@dataclasses.dataclass(frozen=True)
class Course:
    """A scenario and the assertion files that judge it."""

    scenario: Scenario
    files: tuple[AssertionFile, ...]

    @property
    def judges(self) -> str:
        """Identity of what a program for this course holds besides the controller.

        Courses with equal judges share executables.
        """
        s = self.scenario
        return codec.digest([[f.sha256 for f in self.files], s.mission, s.control_hz, s.dtype, s.triggers])

    @property
    def sha256(self) -> str:
        """Identity of what is flown and of what judges it."""
        return codec.digest([self.scenario, {f.name: f.sha256 for f in self.files}])


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What a verdict hangs on besides the texts that were flown.

    Attributes:
        runtime: hash of the runtime's own code that judges and flies.
        simulation: hash of the robot's `sim/` folder.
        others: hash of the robot's other scenarios and of all assertion files, of which the regressions are made.
        fingerprint: the platform.
        exact: whether this is where the gate stands, so that the same flight gives the same bits. A replay elsewhere
            holds a patch against what was there when it was recorded.

    A hash that is not known is empty and is equal to nothing.
    """

    runtime: str = ""
    simulation: str = ""
    others: str = ""
    fingerprint: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    exact: bool = True

    @property
    def hashes(self) -> dict[str, str]:
        """The hashes by name."""
        return {"runtime": self.runtime, "simulation": self.simulation, "others": self.others}


@dataclasses.dataclass(frozen=True)
class Standing:
    """Evidence by `full` that was found to hold for a remembered patch, as far as that can be said before it flies.

    Attributes:
        sha256: hash of the evidence.
        exported: digest of the program that was judged then.
        flown: digests of the flights of the incident, and of that of the scenario.
        neighbourhood: the counts of the held-out examination, its bound calculated from them here; None where the
            scenario asks for none.
        drawn_for: id of the incident that was mended then; it is in the key of the neighbours that were counted.
    """

    sha256: str
    exported: str
    flown: tuple[tuple[str, ...], str]
    neighbourhood: Mapping[str, Any] | None
    drawn_for: str


@dataclasses.dataclass(frozen=True)
class Context:
    """What stays the same over a run.

    Attributes:
        course: the scenario being flown (its `seed` is the run's) and its assertion files.
        original: the controller the scenario names; it owns the contract asserts.
        table: the robot's signals.
        sim_root: the `sim/` folder of the robot, for workers.
        regressions: scenarios of the same robot that the original passes (`Gate.qualify`).
        surroundings: what else a verdict hangs on.
        examined: examinations on held-out neighbours that incidents have spent before this gate was made.
    """

    course: Course
    original: Source
    table: SignalTable
    sim_root: str
    regressions: tuple[Course, ...] = ()
    surroundings: Surroundings = dataclasses.field(default_factory=Surroundings)
    examined: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def bound_to(self) -> dict[str, str]:
        """Hashes of what a verdict hangs on, besides those of scenario, assertions, and the two controllers."""
        return {"original": self.original.sha256, **self.surroundings.hashes}


@dataclasses.dataclass(frozen=True)
class Resume:
    """A tick from which a patch could take over, and the flying program's memory before that tick.

    Without a carry the patch starts as at trace begin (tick 0). What is `pardoned` was broken in this very tick and is
    closed: it begins anew after it, as after a `freeze`; every other obligation goes on.
    """

    tick: int
    carry: Vectors | None = None
    interface: ProgramInterface | None = None
    pardoned: tuple[str, ...] = ()

    def carry_for(self, program: ProgramBlob) -> Vectors | None:
        """The memory with which `program` would start here."""
        if self.carry is None or self.interface is None:
            return None
        return migrate(self.interface, program.interface, self.carry, program.carry)


@dataclasses.dataclass(frozen=True)
class Traced:
    """What came back from a trace worker.

    Findings, the static bounds on one tick, and the exported controller or the reason why there is none.
    """

    findings: tuple[Finding, ...]
    exported: ExportedController | None
    export_error: str = ""
    export_line: int | None = None
    cost: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A proposal on its way through the stages; each stage returns it with what it found.

    `standing` is the evidence that a remembered patch stands on; `unequal` says what was found to differ from it.
    """

    proposal: Proposal
    source: Source
    flying: Source
    incident: Incident
    resumes: tuple[Resume, ...]
    parsed: Parsed | None = None
    traced: Traced | None = None
    program: ProgramBlob | None = None
    resume_tick: int | None = None
    bracket: tuple[int, int | None] | None = None
    latency: Latency | None = None
    stages: tuple[StageResult, ...] = ()
    standing: Standing | None = None
    unequal: str = ""

    @property
    def refused(self) -> bool:
        """True once a stage has refused."""
        return bool(self.stages) and not self.stages[-1].accepted

    def passed(self, stage: Stage, facts: Mapping[str, Any] | None = None, **found: Any) -> Candidate:
        """The candidate after a stage that accepts it, with what the stage found."""
        result = StageResult(stage, True, facts=codec.plain(facts or {}))
        return dataclasses.replace(self, stages=(*self.stages, result), **found)

    def stopped(
        self, stage: Stage, reason: str, line: int | None = None, facts: Mapping[str, Any] | None = None
    ) -> Candidate:
        """The candidate after a stage that refuses it; the reason is one line of bounded size, whoever wrote it."""
        told = "".join(c if c.isprintable() else "?" for c in " ".join(reason.split()))
        result = StageResult(stage, False, told[:MAX_REASON], line or None, codec.plain(facts or {}))
        return dataclasses.replace(self, stages=(*self.stages, result))

    def differing(self, stage: Stage, what: str) -> Candidate:
        """The candidate after a stage at which it is not what its evidence says; `full` has to judge it."""
        return dataclasses.replace(self.stopped(stage, what), unequal=what)
