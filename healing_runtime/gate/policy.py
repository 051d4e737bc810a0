"""The policies of the gate: which stages a patch passes, composed once."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future

from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core import codec
from healing_runtime.core.errors import FileFormatError, Location, SubsetError
from healing_runtime.core.records import Decision, Incident, Proposal, Source
from healing_runtime.core.signals import SignalTable
from healing_runtime.core.status import GatePolicy, Stage
from healing_runtime.gate import contract, neighbourhood, ownership, regressions, syntax
from healing_runtime.gate.build import Garage, ask_build, ask_trace, check_passes, exporter, tracer
from healing_runtime.gate.flights import Leg, ask_flights
from healing_runtime.gate.flown_again import FlownAgain
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.records import Candidate, Context, Course, Resume
from healing_runtime.gate.standing import Find, Standing, nothing_kept, same_program, standing
from healing_runtime.gate.trials import Trials
from healing_runtime.language import source as language_source
from healing_runtime.sandbox.messages import Message
from healing_runtime.sandbox.zygote import Sandbox

Check = Callable[[Candidate], Candidate]
Stages = tuple[tuple[Stage, Check], ...]

PATCH_PATH = "patch"
"""What stands for the file in messages about a proposed source."""

_PHASE: Mapping[Stage, str] = {Stage.EXPORT: "compile", Stage.FLIGHTS: "validate"}


def full(sandbox: Sandbox, context: Context, kept: KeptPrograms) -> Stages:
    """Every stage, in order: the policy for a patch nothing is known about."""
    course, original, table = context.course, context.original, context.table
    return (
        (Stage.CONTRACT, contract.check),
        (Stage.SYNTAX, syntax.check),
        (Stage.OWNERSHIP, ownership.checker(original)),
        (Stage.TRACE, tracer(sandbox, original, course, table)),
        (Stage.PASSES, check_passes),
        (Stage.EXPORT, exporter(sandbox, course, table, kept)),
        (Stage.FLIGHTS, Trials(sandbox, context, kept)),
    )


def remembered(sandbox: Sandbox, context: Context, kept: KeptPrograms) -> Stages:
    """Every stage for a patch whose `standing` is known: of the flights the incident, the scenario and its repetition.

    Regressions and neighbours are those of the evidence.
    """
    course, original, table = context.course, context.original, context.table
    return (
        (Stage.CONTRACT, contract.check),
        (Stage.SYNTAX, syntax.check),
        (Stage.OWNERSHIP, ownership.checker(original)),
        (Stage.TRACE, tracer(sandbox, original, course, table)),
        (Stage.PASSES, check_passes),
        (Stage.EXPORT, same_program(exporter(sandbox, course, table, kept, tried=False))),
        (Stage.FLIGHTS, FlownAgain(sandbox, context)),
    )


class Gate:
    """The gate of one run.

    A proposal that names the evidence of an earlier acceptance is judged by `remembered` where everything that the
    verdict hangs on is equal, and by `full` wherever anything is not; all others by `full`.

    Args:
        sandbox: where candidates are traced, compiled and flown.
        context: the run.
        kept: programs of earlier runs, used instead of building them again.
        evidence: what finds evidence by its hash. It may be anybody's: what it gives is checked.
        regressions: what finds those of the context, when they are first needed; the context's own if left out.

    Raises:
        FileFormatError: the scenario's acceptance is one that no patch could pass.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        context: Context,
        kept: KeptPrograms,
        evidence: Find = nothing_kept,
        regressions: Callable[[], tuple[Course, ...]] | None = None,
    ) -> None:
        unprovable = neighbourhood.must_be_provable(context.course.scenario.acceptance)
        if unprovable:
            raise FileFormatError(unprovable, where=Location(context.course.scenario.name))
        self._sandbox, self._context, self._kept = sandbox, context, kept
        self._evidence, self._regressions = evidence, regressions
        self._remembered = remembered(sandbox, context, kept)
        self.program: ProgramBlob | None = None
        """The executable of the patch that `judge` accepted last; None after a refusal."""

    def judge(
        self, proposal: Proposal, incident: Incident, resumes: Sequence[Resume], flying: Source | None = None
    ) -> Decision:
        """Send a proposal through the stages.

        Args:
            proposal: what a brain wrote.
            incident: what it is meant to mend; its snapshot holds the actions flown so far.
            resumes: where it may take over, in the order to try (`trials.resume_ticks`).
            flying: the controller that failed; the run's original if left out.

        Raises:
            SandboxFailed: no worker could be had. A worker that the candidate killed is a refusal.
        """
        candidate = candidate_of(proposal, incident, resumes, flying or self._context.original)
        decision, candidate = self._decided(candidate)
        self.program = candidate.program if decision.accepted else None
        return decision

    def _decided(self, candidate: Candidate) -> tuple[Decision, Candidate]:
        if not candidate.proposal.stands_on:
            return decide(GatePolicy.FULL, self._full, candidate)
        stood = standing(candidate, self._context, self._evidence)
        if isinstance(stood, Standing):
            decision, judged = decide(
                GatePolicy.REMEMBERED, self._remembered, dataclasses.replace(candidate, standing=stood)
            )
            if not judged.unequal:
                return decision, judged
            stood = judged.unequal
        decision, judged = decide(GatePolicy.FULL, self._full, candidate)
        return dataclasses.replace(decision, not_remembered=stood), judged

    @functools.cached_property
    def _full(self) -> Stages:
        """Composed when a patch first needs it: it may take flights to find the regressions, and the memory none."""
        found = self._context.regressions if self._regressions is None else self._regressions()
        return full(self._sandbox, dataclasses.replace(self._context, regressions=found), self._kept)

    def qualify(self, courses: Iterable[Course]) -> tuple[Course, ...]:
        """Those of other scenarios of the robot which the original controller passes: the run's regressions.

        At most ten, in the order given. Put them into the context of the gate that judges patches.
        """
        garage = Garage(self._sandbox, self._context, self._context.original, self._kept)

        def ask(program: ProgramBlob, legs: Sequence[Leg]) -> Future[Message]:
            return ask_flights(self._sandbox, program, legs, self._context.sim_root)

        return regressions.qualify(garage, ask, courses)


def candidate_of(proposal: Proposal, incident: Incident, resumes: Sequence[Resume], flying: Source) -> Candidate:
    """A proposal, ready for the first stage."""
    text = proposal.source if isinstance(proposal.source, str) else ""
    encoded = text.encode(errors="surrogatepass")
    source = Source(flying.name, PATCH_PATH, text, codec.digest(encoded))
    return Candidate(proposal, source, flying, incident, tuple(resumes))


def decide(policy: str, stages: Stages, candidate: Candidate) -> tuple[Decision, Candidate]:
    """Run the stages up to the first refusal."""
    wall_s = {"verify": 0.0, "compile": 0.0, "validate": 0.0}
    stage_s: dict[str, float] = {}
    for stage, check in stages:
        start = time.perf_counter()
        candidate = check(candidate)
        stage_s[stage.value] = round(time.perf_counter() - start, 6)
        wall_s[_PHASE.get(stage, "verify")] += stage_s[stage.value]
        if candidate.refused:
            break
    accepted = not candidate.refused
    decision = Decision(
        policy=str(policy),
        accepted=accepted,
        stages=candidate.stages,
        resume_tick=candidate.resume_tick if accepted else None,
        bracket=candidate.bracket if accepted else None,
        program_sha256=candidate.program.sha256 if accepted and candidate.program else None,
        wall_s=wall_s,
        stage_s=stage_s,
        latency=None if candidate.latency is None else vars(candidate.latency),
    )
    return decision, candidate


def admit(
    sandbox: Sandbox,
    source: Source,
    course: Course,
    table: SignalTable,
    kept: KeptPrograms,
    original: Source | None = None,
) -> ProgramBlob:
    """Build the program of an initial controller: syntax, trace, passes, export. It is the user's own file.

    With `original` it is that of a patch which was accepted before, with the asserts of its original.

    Raises:
        SubsetError: a stage refuses it; with file, line and column.
        WorkerFailed: a worker did not survive it.
    """
    language_source.parse(source.text, name=source.name, path=source.path)
    traced = ask_trace(sandbox, source, original or source, course, table)
    for finding in traced.findings:
        if finding.severity == "error":
            where = Location(source.path, finding.line, finding.column)
            raise SubsetError(f"{finding.pass_name}: {finding.message}", where=where)
    if traced.exported is None:
        raise SubsetError(traced.export_error, where=Location(source.path, traced.export_line or 0))
    return ask_build(sandbox, traced.exported, course, table, kept)
