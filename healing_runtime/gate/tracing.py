"""Asking for a trace: a patch in one worker, and what its original promised in another that never sees the patch."""

from __future__ import annotations

import dataclasses
import math
import re
from concurrent.futures import Future

import jax
import numpy as np

from healing_runtime.compile import wire
from healing_runtime.compile.export import ExportedController
from healing_runtime.compile.promises import Promises, must_keep_what_is_judged
from healing_runtime.compile.vectors import Packing, packing_of
from healing_runtime.core.codec import read
from healing_runtime.core.errors import SandboxFailed, SubsetError, WorkerFailed
from healing_runtime.core.records import Source
from healing_runtime.core.signals import SignalTable
from healing_runtime.gate.answers import in_the_schema
from healing_runtime.gate.records import MAX_REASON, Course, Traced
from healing_runtime.language import controller
from healing_runtime.language import source as language_source
from healing_runtime.language.findings import Finding
from healing_runtime.language.passes.cost import Cost
from healing_runtime.language.trace import MAX_STATE_ELEMENTS
from healing_runtime.sandbox.messages import Job, Limits, Message
from healing_runtime.sandbox.zygote import Sandbox

MAX_FINDINGS = 1_000
_PATH = re.compile(r"[a-z][a-z0-9_]{0,63}(\.[a-z][a-z0-9_]{0,63})*\Z")
"""Of a value in memory: keys of dictionaries within dictionaries."""
_DTYPES = frozenset({"bool", "int32", "uint32", "float32", "float64"})
TRACE_LIMITS = Limits(wall_s=10.0, cpu_s=15.0, memory_bytes=4 << 30)


@dataclasses.dataclass(frozen=True)
class TraceRequest:
    """Header of `trace_job`. `owned` are slugs of contract asserts that belong to another source and are left out."""

    source: Source
    table: SignalTable
    control_hz: int
    dtype: str
    owned: tuple[str, ...] = ()


class Promised:
    """The contract asserts of an original as programs: one a rate and dtype, each exported once.

    The worker that does it is told the original and nothing else, so no patch has a hand in what it is judged by.
    """

    def __init__(self, sandbox: Sandbox, original: Source, table: SignalTable) -> None:
        self._sandbox, self._original, self._table = sandbox, original, table
        self._parsed = language_source.parse(original.text, name=original.name, path=original.path)
        self._asked: dict[tuple[int, str], Future[Message]] = {}
        self.slugs = tuple(statement.slug for statement in self._parsed.contract)

    def ask(self, course: Course) -> None:
        """Have it made for a course's rate and dtype, if it is not yet or that went wrong, and do not wait."""
        clock = course.scenario.control_hz, course.scenario.dtype
        asked = self._asked.get(clock)
        went_wrong = asked is not None and asked.done() and (asked.cancelled() or asked.exception() is not None)
        if self.slugs and (asked is None or went_wrong):
            self._asked[clock] = self._sandbox.submit(_job(self._original, course, self._table))

    def joined(self, patch: ExportedController, course: Course) -> ExportedController:
        """A patch that was exported without these asserts, with them.

        Raises:
            SubsetError: the patch no longer offers what one of them reads.
            WorkerFailed: the original does not trace any more, which is a fault of this machine.
        """
        self.ask(course)
        if not self.slugs:
            return patch
        clock = course.scenario.control_hz, course.scenario.dtype
        try:
            owner = _read(self._asked[clock].result(), self._original, course.scenario.dtype, ()).exported
        except SandboxFailed:
            raise
        except WorkerFailed as failure:
            raise WorkerFailed("the asserts of the original were not had", str(failure)) from None
        if owner is None:
            raise WorkerFailed("the asserts of the original were not had", "it does not export")
        must_keep_what_is_judged(self._parsed, owner.interface.state, patch.interface.state)
        interface = dataclasses.replace(patch.interface, contract=(*self.slugs, *patch.interface.contract))
        promises = Promises(owner.contract, owner.interface.state, self.slugs)
        return dataclasses.replace(patch, interface=interface, promises=promises)


def ask_trace(
    sandbox: Sandbox,
    source: Source,
    original: Source,
    course: Course,
    table: SignalTable,
    promised: Promised | None = None,
) -> Traced:
    """Trace in a worker; a patch is joined to what its original promised (made now, unless it is given).

    SubsetError with the source's line, WorkerFailed if a worker did not survive it.
    """
    dtype = course.scenario.dtype
    if source.sha256 == original.sha256:
        return _read(sandbox.run(_job(source, course, table)), source, dtype, ())
    owner = promised or Promised(sandbox, original, table)
    owner.ask(course)
    traced = _read(sandbox.run(_job(source, course, table, owner.slugs)), source, dtype, owner.slugs)
    if traced.exported is None:
        return traced
    try:
        return dataclasses.replace(traced, exported=owner.joined(traced.exported, course))
    except SubsetError as error:
        return dataclasses.replace(traced, exported=None, export_error=error.message)


def _job(source: Source, course: Course, table: SignalTable, owned: tuple[str, ...] = ()) -> Job:
    request = TraceRequest(source, table, course.scenario.control_hz, course.scenario.dtype, owned)
    return Job("healing_runtime.gate.build:trace_job", Message(vars(request)), TRACE_LIMITS)


def _read(answer: Message, source: Source, dtype: str, owned: tuple[str, ...]) -> Traced:
    """A trace worker's answer. WorkerFailed where it is none, or one of another source."""
    with in_the_schema():
        findings = read(tuple[Finding, ...], answer.header["findings"])  # type: ignore[arg-type]
        if len(findings) > MAX_FINDINGS:
            raise ValueError(f"{len(findings)} findings")
        findings = tuple(dataclasses.replace(f, message=_printable(f.message)) for f in findings)
        priced = {name: _finite(answer.header["cost"][name]) for name in Cost._fields}
        if "exported" not in answer.header:
            return Traced(findings, None, str(answer.header["error"]), answer.header["line"], priced)
        exported = wire.read_exported_message(answer.header["exported"], answer.blobs)
        _must_be_of(exported, source, dtype, owned)
        return Traced(findings, exported, cost=priced)


def _must_be_of(exported: ExportedController, source: Source, dtype: str, owned: tuple[str, ...]) -> None:
    """ValueError unless a program says that it is of this source: its asserts, but for those owned, and its PARAMS."""
    parsed = language_source.parse(source.text, name=source.name, path=source.path)
    slugs = tuple(statement.slug for statement in parsed.contract if statement.slug not in owned)
    said = exported.interface
    if (said.source_sha256, said.dtype, said.contract) != (source.sha256, dtype, slugs):
        raise ValueError("a program of another controller")
    if exported.promises is not None:
        raise ValueError("promises are not for a worker to make that ran a patch")
    with np.errstate(over="ignore"):  # what is too large for the dtype is refused in the worker
        params = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), controller.arrays(parsed.params))
    packing = packing_of(params)
    if (
        said.params != packing.leaves
        or exported.params.tobytes() != packing.pack_values(params, dtype).floats.tobytes()
    ):
        raise ValueError("PARAMS that are not the source's")
    if not {*said.diagnostics} <= {statement.label for statement in parsed.diagnostics}:
        raise ValueError("asserts that are not the source's")
    if not all(_PATH.match(leaf.path) and leaf.dtype in _DTYPES for leaf in said.state):
        raise ValueError("memory with names that no source can write")
    if not all(0 <= size <= MAX_STATE_ELEMENTS for leaf in said.state for size in leaf.shape):
        raise ValueError("memory of a size that cannot be")
    if tuple(part.size for part in exported.state) != Packing(said.state, None).sizes:
        raise ValueError("memory of another size")


def _finite(figure: object) -> float:
    if isinstance(figure, bool) or not isinstance(figure, int | float) or not math.isfinite(figure):
        raise ValueError("a cost that is none")
    return float(figure)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_REASON])
