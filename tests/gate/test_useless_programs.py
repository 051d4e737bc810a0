"""Kept programs that do not load, or that fly: what comes of them is what a fresh build gives."""

from __future__ import annotations

import os
import pickle

import gate_kit as kit
import pytest
from kept_kit import COURSE, NoBuilders, ask, kept_in

from healing_runtime.compile import programs, wire
from healing_runtime.compile.cache import Cache
from healing_runtime.core.errors import SandboxFailed
from healing_runtime.core.plant import Plant
from healing_runtime.gate.build import ask_build
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate
from healing_runtime.gate.records import Resume
from healing_runtime.ledger.store import Ledger
from healing_runtime.loop.rollout import FlightPlan, fly
from healing_runtime.workspace.plants import load_robot


class Killer:
    """Pickles to what kills the process that unpickles it."""

    def __reduce__(self):
        return os.abort, ()


USELESS = {
    "cut short": lambda program: program.executable[:-1000],
    "no executable": lambda program: pickle.dumps("no executable"),
    "kills": lambda program: pickle.dumps(Killer()),
}


def spoil(home, useless):
    """Put under every key that was kept a program whose hashes are right and which does not load; their hashes."""
    cache, hashes = Cache(home / "cache"), []
    with Ledger(home / "runs/ledger.sqlite3") as ledger:
        for sha256, key_ in ledger.executables():
            program = wire.read_blob_file(cache.fetch(sha256), key_)
            spoiled = programs.blob(useless(program), program.interface, program.params, program.carry)
            hashes.append(cache.store(wire.blob_file(spoiled, key_)))
            ledger.record_executable(hashes[-1], key_)
    return hashes


@pytest.mark.parametrize("useless", USELESS.values(), ids=USELESS)
def test_a_kept_program_that_does_not_load_is_discarded_and_built_again(sandbox, exported, home, useless):
    ask(sandbox, exported, home)
    (spoiled,), cache = spoil(home, useless), Cache(home / "cache")
    assert cache.fetch(spoiled)
    told = []
    with kept_in(home, narrate=told.append) as kept:
        program = ask_build(sandbox, exported, COURSE, kit.TABLE, kept)
    assert len(told) == 1 and "does not load" in told[0] and "\n" not in told[0]
    assert programs.load(program).interface == program.interface
    again = ask(NoBuilders(sandbox), exported, home)
    assert again.sha256 == program.sha256, "what was built takes the place of what was of no use"
    assert cache.fetch(spoiled) is None, "it is gone"


def test_a_good_patch_is_not_refused_for_what_was_kept_of_it(sandbox, home):
    """Its own program and those of its regressions: each is flown by a worker that loads it."""
    other = kit.course(name="hopper/higher", altitude=2.1, files=kit.assertions(ceiling="3.5 m"))
    context = kit.context(regressions=[other], samples=0)
    proposal, resumes = kit.proposal(kit.GOOD), (Resume(0),)
    for expected in (0, 2):
        told = []
        with kept_in(home, narrate=told.append) as kept:
            decision = Gate(sandbox, context, kept).judge(proposal, kit.incident(), resumes)
        assert decision.accepted, decision.refusal
        assert len(told) == expected
        if not told:
            assert len(spoil(home, USELESS["cut short"])) == 2


def test_no_worker_to_be_had_says_nothing_of_what_was_kept(sandbox, exported, home):
    ask(sandbox, exported, home)

    class Closed:
        def run(self, job):
            raise SandboxFailed("the sandbox is closed")

    with pytest.raises(SandboxFailed):
        ask(Closed(), exported, home)
    assert ask(NoBuilders(sandbox), exported, home)


def test_a_kept_program_flies_as_a_fresh_one(sandbox, exported, home):
    plant: Plant = load_robot("hopper", kit.SIM).make()
    fresh = ask_build(sandbox, exported, COURSE, kit.TABLE, KeptPrograms.none())
    ask(sandbox, exported, home)
    kept = ask(NoBuilders(sandbox), exported, home)
    flights = [
        fly(plant, programs.load(blob), FlightPlan(COURSE.scenario, COURSE.scenario.seed)) for blob in (fresh, kept)
    ]
    assert flights[0].digest == flights[1].digest and len(flights[0].trace.packed) > 50
    plant.close()
