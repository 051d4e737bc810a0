"""Whatever a worker answers is a refusal, never an exception of another kind: it may be in hostile hands."""

from __future__ import annotations

import copy

import gate_kit as kit
import numpy as np
import pytest

from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.compile.programs import blob
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core import codec
from healing_runtime.core.errors import WorkerFailed
from healing_runtime.core.status import Stage
from healing_runtime.gate.build import ask_build, ask_trace, tracer
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.records import Candidate
from healing_runtime.sandbox.messages import Message

COURSE = kit.course()
EDITS = {
    "dtype": lambda header, blobs: (header["exported"]["interface"].update(dtype="object"), blobs)[1],
    "no findings": lambda header, blobs: (header.pop("findings"), blobs)[1],
    "bad finding": lambda header, blobs: (header.update(findings=[{"pass_name": 3}]), blobs)[1],
    "no export, no error": lambda header, blobs: (header.pop("exported"), ())[1],
    "a blob less": lambda header, blobs: blobs[:-1],
    "odd bytes": lambda header, blobs: (*blobs[:2], blobs[2] + b"x", *blobs[3:]),
    "no contract": lambda header, blobs: (header["exported"]["interface"].update(contract=[]), blobs)[1],
    "other parameters": lambda header, blobs: (*blobs[:2], blobs[2][::-1], *blobs[3:]),
    "memory of another size": lambda header, blobs: (*blobs[:3], blobs[3] + b"1234", *blobs[4:]),
    "memory that no source names": lambda header, blobs: (
        header["exported"]["interface"]["state"][0].update(path="\x1b[2J"),
        blobs,
    )[1],
    "memory of less than nothing": lambda header, blobs: (
        header["exported"]["interface"]["state"].extend(
            [{"path": "a", "shape": [-3], "dtype": "float32"}, {"path": "b", "shape": [3], "dtype": "float32"}]
        ),
        blobs,
    )[1],
    "memory of objects": lambda header, blobs: (
        header["exported"]["interface"]["state"][0].update(dtype="object"),
        blobs,
    )[1],
    "asserts that nobody wrote": lambda header, blobs: (
        header["exported"]["interface"].update(diagnostics=["all is well"]),
        blobs,
    )[1],
    "findings without end": lambda header, blobs: (
        header.update(findings=[{"pass_name": "a", "severity": "warning", "message": "b"}] * 2000),
        blobs,
    )[1],
    "another dtype": lambda header, blobs: (header["exported"]["interface"].update(dtype="float64"), blobs)[1],
    "another source": lambda header, blobs: (
        header["exported"]["interface"].update(source_sha256="sha256:" + "0" * 64),
        blobs,
    )[1],
    "interface": lambda header, blobs: (header["exported"].update(interface=[1, 2]), blobs)[1],
}


def forged(_, header, blobs):
    """An edited program whose hash is right."""
    executable, params, floats, ints = blobs
    interface = codec.read(ProgramInterface, header["interface"])
    dtype = np.dtype(interface.controller.dtype)
    carry = Vectors(np.frombuffer(floats, dtype), np.frombuffer(ints, np.int32))
    header["sha256"] = blob(executable, interface, np.frombuffer(params, dtype), carry).sha256
    return blobs


class Editing:
    """A sandbox whose real answers are changed on the way."""

    def __init__(self, sandbox, edit):
        self.sandbox, self.edit = sandbox, edit

    def run(self, job):
        answer = self.sandbox.run(job)
        header = copy.deepcopy(dict(codec.plain(answer.header)))
        return Message(header, self.edit(header, answer.blobs))


@pytest.mark.parametrize("name", EDITS)
def test_a_trace_that_answers_nonsense_is_refused(sandbox, name):
    source = kit.source(kit.GOOD)
    with pytest.raises(WorkerFailed, match="answered outside the schema"):
        ask_trace(Editing(sandbox, EDITS[name]), source, source, COURSE, kit.TABLE)
    candidate = Candidate(kit.proposal(kit.GOOD), source, source, kit.incident(), ())
    judged = tracer(Editing(sandbox, EDITS[name]), source, COURSE, kit.TABLE)(candidate)
    assert judged.refused and judged.stages[-1].stage is Stage.TRACE


@pytest.mark.parametrize(
    "edit",
    [
        lambda header, blobs: blobs[:-1],
        lambda header, blobs: (header.pop("interface"), blobs)[1],
        lambda header, blobs: (header["interface"]["controller"].update(dtype="object"), blobs)[1],
        lambda header, blobs: (header.pop("sha256"), blobs)[1],
        lambda header, blobs: forged(header["interface"].update(control_hz=1), header, blobs),
        lambda header, blobs: forged(header["interface"]["controller"].update(contract=[]), header, blobs),
    ],
)
def test_a_build_that_answers_nonsense_has_failed(sandbox, edit):
    source = kit.source(kit.GOOD)
    exported = ask_trace(sandbox, source, source, COURSE, kit.TABLE).exported
    with pytest.raises(WorkerFailed, match="answered outside the schema"):
        ask_build(Editing(sandbox, edit), exported, COURSE, kit.TABLE, KeptPrograms.none())


def test_what_a_trace_remarks_is_text_that_moves_no_terminal(sandbox):
    source = kit.source(kit.GOOD)

    def edit(header, blobs):
        message = "\x1b[2J" + "x" * 100_000
        header["findings"] = [{"pass_name": "finite", "severity": "warning", "message": message}]
        return blobs

    (finding,) = ask_trace(Editing(sandbox, edit), source, source, COURSE, kit.TABLE).findings
    assert finding.message.startswith("?[2Jxxx") and len(finding.message) <= 4000
