"""The asserts of an original are made where no patch has run, and nothing that a patch's worker says moves them."""

from __future__ import annotations

import copy
import dataclasses

import gate_kit as kit
import numpy as np
import pytest

from healing_runtime.compile import export, programs
from healing_runtime.compile.promises import Promises
from healing_runtime.core import codec
from healing_runtime.core.errors import WorkerFailed
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate
from healing_runtime.gate.records import Resume
from healing_runtime.gate.tracing import Promised, ask_trace
from healing_runtime.language import controller, trace
from healing_runtime.language import source as language_source
from healing_runtime.sandbox.messages import Message

COURSE = kit.course(samples=0)
LIMIT = '    assert action["thrust_n"] <= 20.0, "thrust inside its limit"\n'
BREAKING = kit.controller(hover=25.0, output="thrust").replace(LIMIT, "")
"""Neither repeats the assert nor keeps to it."""


class Watched:
    """A sandbox that keeps what trace workers were told, and whose answers to patches may be edited."""

    workers = 2

    def __init__(self, sandbox, edit=None):
        self.sandbox, self.edit, self.told = sandbox, edit, []

    def submit(self, job):
        if job.function.endswith("trace_job"):
            self.told.append(codec.plain(job.message.header))
        return self.sandbox.submit(job)

    def run(self, job):
        answer = self.submit(job).result()
        if self.edit is None or not job.function.endswith("trace_job"):
            return answer
        header = copy.deepcopy(dict(codec.plain(answer.header)))
        return Message(header, self.edit(header, answer.blobs))


def traced(text):
    parsed = language_source.parse(text, name="hopper/hold", path="hold.py")
    return trace.trace(controller.load(parsed), kit.TABLE, 1 / 50, np.float32)


def test_the_original_is_traced_apart_from_every_patch_and_once(sandbox):
    watched = Watched(sandbox)
    original = kit.source(kit.DROPS)
    owner = Promised(watched, original, kit.TABLE)
    for kp in (6.0, 7.0):
        assert ask_trace(watched, kit.source(kit.controller(kp=kp)), original, COURSE, kit.TABLE, owner).exported
    texts = [told["source"]["text"] for told in watched.told]
    assert sorted(texts) == sorted([kit.DROPS, kit.controller(kp=6.0), kit.controller(kp=7.0)])
    for told in watched.told:
        mine = told["source"]["text"] == kit.DROPS
        assert told["owned"] == ([] if mine else ["thrust-inside-its-limit"])
        assert codec.canonical(told).count(b"def control") == 1, "one source a worker"


def test_an_original_without_asserts_costs_no_worker(sandbox):
    watched, bare = Watched(sandbox), kit.source(kit.DROPS.replace(LIMIT, ""))
    found = ask_trace(watched, kit.source(kit.GOOD), bare, COURSE, kit.TABLE).exported
    assert len(watched.told) == 1
    assert found.promises is None and found.interface.contract == ("thrust-inside-its-limit",)


def adds_promises(header, blobs):
    header["exported"]["promises"] = [[], ["thrust-inside-its-limit"]]
    return (*blobs, blobs[1])


def claims_the_contract(header, blobs):
    header["exported"]["interface"]["contract"] = ["thrust-inside-its-limit"]
    return blobs


@pytest.mark.parametrize("edit", [adds_promises, claims_the_contract])
def test_a_patchs_worker_makes_no_promises(sandbox, edit):
    with pytest.raises(WorkerFailed, match="answered outside the schema"):
        ask_trace(Watched(sandbox, edit), kit.source(kit.GOOD), kit.source(kit.DROPS), COURSE, kit.TABLE)


def test_whatever_a_patchs_worker_exports_the_original_judges(sandbox):
    """It exports no contract at all here, and the assert that the patch left out trips all the same."""
    exported = []

    def edit(header, blobs):
        exported.append(header["exported"]["interface"]["contract"])
        return blobs

    gate = Gate(Watched(sandbox, edit), kit.context(samples=0), KeptPrograms.none())
    refusal = gate.judge(kit.proposal(BREAKING), kit.incident(), (Resume(0),)).refusal
    assert exported == [[]], "the patch has no contract of its own to export"
    assert refusal is not None and "controller/thrust-inside-its-limit" in refusal.reason


OWNER = """
import jax.numpy as jnp

PARAMS = {"most_m": 1.5}

def init(params):
    return {"deep": {"n": 0}, "last_m": jnp.zeros(2), "mode": 0.0}

def control(obs, state, params):
    assert jnp.sum(next_state["last_m"]) < params["most_m"], "remembered altitude is low"
    assert next_state["deep"]["n"] < 3, "not for ever"
    deep, last_m = {"n": state["deep"]["n"] + 1}, state["last_m"] + obs["altitude_m"]
    after = {"deep": deep, "last_m": last_m, "mode": state["mode"]}
    return {"thrust_n": state["mode"] + 0.0 * jnp.sum(state["last_m"])}, after
"""
PATCH = (
    OWNER.replace('{"most_m": 1.5}', '{"most_m": 99.0}')
    .replace('return {"deep": {"n": 0}, "last', 'return {"a": 7.0, "deep": {"n": 0}, "i": 5, "last')
    .replace(', "mode": 0.0}', "}")
    .replace('"mode": state["mode"]}', '"a": state["a"], "i": state["i"] + 1}')
    .replace('state["mode"] + 0.0', 'state["a"] + 0.0 * state["i"] + 0.0')
)
"""Other parameters, more memory in front of the original's and between, and some of it gone."""


def joined(owner, patch):
    was, now = traced(owner), traced(patch)
    mine = export.export_controller(was, None, 50)
    theirs = export.export_controller(now, None, 50, owned=mine.interface.contract)
    interface = dataclasses.replace(theirs.interface, contract=mine.interface.contract)
    promises = Promises(mine.contract, mine.interface.state, mine.interface.contract)
    return dataclasses.replace(theirs, interface=interface, promises=promises)


def test_promises_find_their_memory_by_name_and_keep_their_parameters():
    program = programs.load(programs.build(joined(OWNER, PATCH), (), kit.TABLE, 50))

    def after(ticks, altitude):
        memory, sample = program.start().joined(), np.tile(np.array([altitude, 0.0], np.float32), 2)
        for _ in range(ticks):
            memory, packed = program.tick(program.params, memory, sample)
        return program.interface.violated(np.array(packed))

    assert after(1, 0.5) == ()
    assert after(1, 1.0) == ("controller/remembered-altitude-is-low",)
    assert after(3, 0.1) == ("controller/not-for-ever",)


def test_a_contract_that_takes_the_memory_whole_keeps_all_of_it(sandbox):
    owner = kit.DROPS.replace(LIMIT, '    assert {**state}["previous_m"] < 9.0, "low"\n')
    patch = kit.GOOD.replace("previous_m", "last_m")
    original = kit.source(owner)
    found = ask_trace(sandbox, kit.source(patch), original, COURSE, kit.TABLE)
    assert found.exported is None and "dropped 'previous_m'" in found.export_error
