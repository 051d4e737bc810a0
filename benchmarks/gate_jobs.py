"""What P10 lets workers do besides the gate's own jobs: the least that a gate must do, and that up to the passes."""

from __future__ import annotations

import dataclasses

from healing_runtime.compile import programs
from healing_runtime.core.codec import read
from healing_runtime.core.records import Source
from healing_runtime.core.signals import SignalTable
from healing_runtime.language import controller, passes, source, trace
from healing_runtime.sandbox.messages import Message

HZ, DTYPE = 50, "float32"


@dataclasses.dataclass(frozen=True)
class Request:
    """Header of the jobs."""

    source: Source
    table: SignalTable


def traced(message: Message) -> trace.Traced:
    """Parse and trace."""
    request = read(Request, message.header)
    programs.use_dtype(DTYPE)
    parsed = source.parse(request.source.text, name=request.source.name, path=request.source.path)
    return trace.trace(controller.load(parsed), request.table, 1.0 / HZ, DTYPE)


def to_trace(message: Message) -> Message:
    """The bare thing."""
    traced(message)
    return Message()


def to_passes(message: Message) -> Message:
    """And the passes; how many findings are errors."""
    findings = passes.run(traced(message))
    return Message({"errors": sum(f.severity == "error" for f in findings)})
