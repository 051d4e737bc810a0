"""Programs that are kept between runs: a builder that counts, one that builds nothing, and a cache to ask."""

from __future__ import annotations

import dataclasses
import json

import gate_kit as kit

from healing_runtime.compile import programs, wire
from healing_runtime.compile.cache import Cache
from healing_runtime.compile.interface import ControllerInterface
from healing_runtime.gate.build import ask_build, load_job
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.sandbox.messages import Message

COURSE = kit.course()


class Builders:
    """Stands where a sandbox stands: counts the builds, and answers every time with the same executable.

    What is said of it is what was asked for, or the gate would take it for another controller's.
    """

    def __init__(self, program):
        self.jobs, self.program = [], program

    def run(self, job):
        if job.function == "healing_runtime.gate.build:load_job":
            return load_job(received(job.message))
        self.jobs.append(job)
        header, program = received(job.message).header, self.program
        controller = kit.codec.read(ControllerInterface, header["exported"]["interface"])
        hz = header["request"]["control_hz"]
        interface = dataclasses.replace(program.interface, controller=controller, control_hz=hz)
        said = programs.blob(program.executable, interface, program.params, program.carry)
        return received(Message(*wire.blob_message(said)))


def received(message):
    """A message as it comes out of a pipe."""
    return dataclasses.replace(message, header=json.loads(json.dumps(kit.codec.plain(message.header))))


class NoBuilders:
    """A sandbox that compiles nothing."""

    def __init__(self, sandbox):
        self.sandbox = sandbox

    def run(self, job):
        assert not job.function.endswith(":build_job")
        return self.sandbox.run(job)


def kept_in(home, **kwargs):
    return KeptPrograms(home / "runs/ledger.sqlite3", Cache(home / "cache"), **kwargs)


def ask(builders, exported, home, course=COURSE, table=kit.TABLE):
    with kept_in(home) as kept:
        return ask_build(builders, exported, course, table, kept)
