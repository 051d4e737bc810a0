"""Stages 4 to 6: trace, passes, export. The worker jobs that do them, and the stages that judge their answers.

A trace worker turns a source into StableHLO and findings, once; the asserts of the original come from a worker that
saw nothing else. A builder never sees source: it gets the exported controller and the assertion files, and returns an
executable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from healing_runtime import stl
from healing_runtime.compile import export, key, programs, wire
from healing_runtime.compile.export import ExportedController
from healing_runtime.compile.interface import ControllerInterface
from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core.codec import digest, make_ready, read
from healing_runtime.core.errors import BudgetSpent, HealingError, InputError, SandboxFailed, SubsetError, WorkerFailed
from healing_runtime.core.records import AssertionFile, Source
from healing_runtime.core.signals import SignalTable
from healing_runtime.core.status import Stage
from healing_runtime.gate import warming
from healing_runtime.gate.answers import in_the_schema
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.records import Candidate, Context, Course, Traced
from healing_runtime.gate.tracing import TRACE_LIMITS, Promised, TraceRequest, ask_trace
from healing_runtime.language import controller, passes, trace
from healing_runtime.language import source as language_source
from healing_runtime.language.passes import cost
from healing_runtime.sandbox.messages import Job, Limits, Message
from healing_runtime.sandbox.zygote import Sandbox

__all__ = [
    "TRACE_LIMITS",
    "BuildRequest",
    "Garage",
    "TraceRequest",
    "ask_build",
    "ask_trace",
    "build_job",
    "check_passes",
    "exporter",
    "load_job",
    "trace_job",
    "tracer",
    "warm_up",
]

BUILD_LIMITS = Limits(wall_s=30.0, cpu_s=60.0, memory_bytes=6 << 30)
LOAD_LIMITS = Limits(wall_s=10.0, cpu_s=15.0, memory_bytes=6 << 30)
_NOT_EMITTED = ("SIGABRT", "JaxRuntimeError")
"""How XLA ends where it cannot emit a program as one kernel: it aborts, or it says so (of a sort, for one)."""


@dataclasses.dataclass(frozen=True)
class BuildRequest:
    """Header of `build_job`, beside the exported controller's own."""

    files: tuple[AssertionFile, ...]
    mission: str | None
    table: SignalTable
    control_hz: int
    dtype: str
    triggers: tuple[str, ...] = ()
    one_kernel: bool = True


# ---------------------------------------------------------------- in the worker
def warm_up() -> None:
    """In the zygote: what every trace and every build does and is read with."""
    warming.warm_up()
    make_ready(TraceRequest, BuildRequest, ControllerInterface)


def trace_job(message: Message) -> Message:
    """Source -> findings and, where it can be had, the exported controller.

    Raises:
        SubsetError: the source does not trace; with its line.
    """
    request = read(TraceRequest, message.header)
    programs.use_dtype(request.dtype)
    source = request.source
    parsed = language_source.parse(source.text, name=source.name, path=source.path)
    traced = trace.trace(controller.load(parsed), request.table, 1.0 / request.control_hz, request.dtype)
    priced = cost.estimate(traced.jaxpr)
    header: dict[str, Any] = {"findings": passes.run(traced), "cost": priced._asdict()}
    try:
        exported = export.export_controller(traced, None, request.control_hz, owned=request.owned)
    except SubsetError as error:
        return Message(header | {"error": error.message, "line": error.where.line if error.where else None})
    except Exception as error:
        # What the passes refuse may not lower either; the findings say why, so they must arrive.
        return Message(header | {"error": f"{type(error).__name__}: {error}"[:2000], "line": None})
    interface, blobs = wire.exported_message(exported)
    return Message(header | {"exported": interface}, blobs)


def build_job(message: Message) -> Message:
    """Exported controller and assertion files -> executable."""
    request = read(BuildRequest, message.header["request"])
    programs.use_dtype(request.dtype)
    exported = wire.read_exported_message(message.header["exported"], message.blobs)
    bound = stl.bind(request.files, request.table, request.control_hz)
    judging = stl.judging(bound, request.mission)
    triggers = [stl.condition(text, request.table, request.control_hz) for text in request.triggers]
    program = programs.build(
        exported, judging, request.table, request.control_hz, triggers=triggers, one_kernel=request.one_kernel
    )
    header, blobs = wire.blob_message(program)
    return Message(header, blobs)


def load_job(message: Message) -> Message:
    """Load a program and let it run, for nothing but to see that it does."""
    program = wire.read_blob(message.header, message.blobs)
    programs.use_dtype(program.interface.controller.dtype)
    programs.load(program)
    return Message()


# ---------------------------------------------------------------- asking for it
def ask_build(
    sandbox: Sandbox,
    exported: ExportedController,
    course: Course,
    table: SignalTable,
    kept: KeptPrograms,
    *,
    tried: bool = True,
) -> ProgramBlob:
    """The program of an earlier run, if one was kept for this build and loads; else compile it in a worker.

    Whoever asks gets a program that some process here has run: the loop and the flights load it without a second
    thought. Only who flies it in workers next, and takes it for no fault of the patch if that goes wrong, may have a
    kept one that was not `tried`.

    SubsetError if the worker's re-check refuses, WorkerFailed if it did not survive it.
    """
    interface, blobs = wire.exported_message(exported)

    def built(one_kernel: bool) -> ProgramBlob:
        s = course.scenario
        request = BuildRequest(course.files, s.mission, table, s.control_hz, s.dtype, s.triggers, one_kernel)
        message = Message({"request": request, "exported": interface}, blobs)
        known = key.key_of(message.header, message.blobs, key.machine())
        if (program := _kept_and_loads(sandbox, kept, known) if tried else kept.find(known)) is not None:
            return program
        answer = sandbox.run(Job("healing_runtime.gate.build:build_job", message, BUILD_LIMITS))
        with in_the_schema():
            program = wire.read_blob(answer.header, answer.blobs)
            if program.interface.controller != exported.interface or program.interface.control_hz != s.control_hz:
                raise ValueError("a program of another controller")
        kept.keep(known, program)
        return program

    try:
        return built(one_kernel=True)
    except SandboxFailed:
        raise
    except WorkerFailed as failure:
        if not any(sign in str(failure) for sign in _NOT_EMITTED):
            raise
        # The quick way leans on XLA's internals, and what it cannot emit so it does not compile: take the usual way.
        return built(one_kernel=False)


def _kept_and_loads(sandbox: Sandbox, kept: KeptPrograms, known: str) -> ProgramBlob | None:
    """The program kept under a key, tried in a worker.

    Bytes that are what was kept may still not load here, and may kill the process that loads them or runs them.
    """
    program = kept.find(known)
    if program is None:
        return None
    try:
        sandbox.run(Job("healing_runtime.gate.build:load_job", Message(*wire.blob_message(program)), LOAD_LIMITS))
    except (BudgetSpent, SandboxFailed):
        raise
    except HealingError as error:
        why = error.reason if isinstance(error, WorkerFailed) else " ".join(str(error).split())
        kept.discard(known, f"it does not load ({why})")
        return None
    return program


class Garage:
    """Programs of one source for several courses: traced once a rate and dtype, compiled once for equal judges."""

    def __init__(self, sandbox: Sandbox, context: Context, source: Source, kept: KeptPrograms) -> None:
        self._sandbox, self._context, self._source, self._kept = sandbox, context, source, kept
        self._traced: dict[tuple[int, str], Traced] = {}
        self._built: dict[str, ProgramBlob] = {}
        self._promised = Promised(sandbox, context.original, context.table)

    def keep(self, course: Course, traced: Traced | None, program: ProgramBlob) -> None:
        """Put in what has been made already."""
        if traced is not None:
            self._traced[_clock(course)] = traced
        self._built[course.judges] = program

    def program(self, course: Course) -> ProgramBlob:
        """The program for a course. SubsetError or WorkerFailed if it cannot be made."""
        if course.judges not in self._built:
            sandbox, context, clock = self._sandbox, self._context, _clock(course)
            if clock not in self._traced:
                self._traced[clock] = ask_trace(
                    sandbox, self._source, context.original, course, context.table, self._promised
                )
            exported = self._traced[clock].exported
            if exported is None:
                raise SubsetError(self._traced[clock].export_error)
            self._built[course.judges] = ask_build(sandbox, exported, course, context.table, self._kept)
        return self._built[course.judges]


def _clock(course: Course) -> tuple[int, str]:
    return course.scenario.control_hz, course.scenario.dtype


# ---------------------------------------------------------------- the stages
def tracer(sandbox: Sandbox, original: Source, course: Course, table: SignalTable) -> Callable[[Candidate], Candidate]:
    """Stage 4: it traces, in time and memory, to the signatures that the robot's signals ask for."""
    promised = Promised(sandbox, original, table)

    def check(candidate: Candidate) -> Candidate:
        try:
            traced = ask_trace(sandbox, candidate.source, original, course, table, promised)
        except InputError as error:  # a SubsetError, or whatever a worker says it is
            return candidate.stopped(Stage.TRACE, error.message, error.where.line if error.where else None)
        except SandboxFailed:
            raise
        except WorkerFailed as error:
            return candidate.stopped(Stage.TRACE, f"tracing did not end well: {error}")
        return candidate.passed(Stage.TRACE, traced=traced)

    return check


def check_passes(candidate: Candidate) -> Candidate:
    """Stage 5: the verification passes found no error; one of them holds the static cost inside the control period."""
    traced = candidate.traced
    findings = traced.findings if traced else ()
    priced = {"cost": dict(traced.cost)} if traced and traced.cost else {}
    for finding in findings:
        if finding.severity == "error":
            reason = f"{finding.pass_name}: {finding.message}"
            return candidate.stopped(Stage.PASSES, reason, finding.line, facts={"pass": finding.pass_name, **priced})
    warnings = [{"pass": f.pass_name, "message": f.message, "line": f.line} for f in findings]
    return candidate.passed(Stage.PASSES, {"warnings": warnings, **priced})


def exporter(
    sandbox: Sandbox, course: Course, table: SignalTable, kept: KeptPrograms, *, tried: bool = True
) -> Callable[[Candidate], Candidate]:
    """Stage 6: it exports, and compiles into an executable together with the monitors (`ask_build`)."""

    def check(candidate: Candidate) -> Candidate:
        traced = candidate.traced
        if traced is None or traced.exported is None:
            reason, line = (traced.export_error, traced.export_line) if traced else ("nothing was traced", None)
            return candidate.stopped(Stage.EXPORT, reason, line)
        try:
            program = ask_build(sandbox, traced.exported, course, table, kept, tried=tried)
        except SandboxFailed:
            raise
        except InputError as error:
            return candidate.stopped(Stage.EXPORT, error.message)
        except WorkerFailed as error:
            return candidate.stopped(Stage.EXPORT, f"compiling did not end well: {error}")
        # The executable's own bytes differ from one compilation to the next; what it was compiled from does not.
        promised = traced.exported.promises
        parts = (traced.exported.control, traced.exported.contract, promised.program if promised else b"")
        exported = digest([digest(part) for part in parts])
        return candidate.passed(Stage.EXPORT, {"stablehlo": exported}, program=program)

    return check
