"""The wall budget only aborts: a judgement that it cuts off is neither an acceptance nor a refusal."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from concurrent.futures import Future

import gate_kit as kit
import pytest

from healing_runtime.compile.cache import Cache
from healing_runtime.core.errors import BudgetSpent, SandboxFailed, WorkerFailed
from healing_runtime.core.status import Stage
from healing_runtime.gate import fallback, neighbourhood
from healing_runtime.gate.build import ask_build
from healing_runtime.gate.flown_again import FlownAgain
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import candidate_of, full
from healing_runtime.gate.records import Resume, Standing
from healing_runtime.gate.trials import Trials
from healing_runtime.ledger.store import Ledger


@pytest.fixture(scope="module")
def exported(sandbox):
    """The good patch, ready to fly."""
    context = kit.context(samples=0)
    candidate = candidate_of(kit.proposal(kit.GOOD), kit.incident(), (Resume(0),), context.original)
    for _, check in full(sandbox, context, KeptPrograms.none())[:-1]:
        candidate = check(candidate)
    assert candidate.program is not None
    return candidate


def flights(sandbox, **kwargs):
    return full(sandbox, kit.context(**kwargs), KeptPrograms.none())[-1][1]


@pytest.mark.parametrize("stage", ["trace", "export", "flights"])
def test_no_stage_that_needs_a_worker_says_anything_after_the_budget(sandbox, exported, stage):
    stages = dict(full(sandbox, kit.context(samples=0), KeptPrograms.none()))
    with sandbox.until(time.monotonic()), pytest.raises(BudgetSpent, match="was not begun"):
        stages[stage](exported)


def test_flights_that_outlast_the_budget_are_killed_and_say_nothing(sandbox, exported):
    stage = flights(sandbox, samples=0, trouble="hangs")
    with sandbox.until(time.monotonic() + 1.0), pytest.raises(BudgetSpent):
        stage(exported)
    assert not flights(sandbox, samples=0)(exported).refused, "both workers are free again"


def test_an_examination_that_outlasts_the_budget_says_nothing(sandbox, exported, monkeypatch):
    """The nominal flights were over in time, the neighbours are not."""
    drawn = neighbourhood.neighbours

    def hanging(scenario, rng, bears):
        return tuple(kit.troubled(neighbour, "hangs") for neighbour in drawn(scenario, rng, bears))

    monkeypatch.setattr(neighbourhood, "neighbours", hanging)
    flown = exported.passed(Stage.FLIGHTS)
    with sandbox.until(time.monotonic() + 1.0), pytest.raises(BudgetSpent):
        flights(sandbox)._held_out(flown, exported.program)


def test_flights_that_count_no_more_are_called_off(sandbox, exported):
    """The incident is refused at once; the regressions that hang are not waited for, and free their workers."""
    endless = kit.course(name="hopper/endless", trouble="hangs")
    stage = flights(sandbox, samples=0, min_robustness=5.0, regressions=(endless,) * 3)
    assert stage(exported).refused
    with sandbox.until(time.monotonic() + 60.0):  # what hangs does so for 100 s
        assert not flights(sandbox, samples=0)(exported).refused


def test_a_kept_program_is_not_blamed_for_a_budget_that_ends(sandbox, exported, tmp_path):
    Ledger(tmp_path / "ledger.sqlite3").close()
    (tmp_path / "cache").mkdir(mode=0o700)
    told = []
    with KeptPrograms(tmp_path / "ledger.sqlite3", Cache(tmp_path / "cache"), told.append) as kept:
        program = ask_build(sandbox, exported.traced.exported, kit.course(), kit.TABLE, kept)
        with sandbox.until(time.monotonic()), pytest.raises(BudgetSpent):
            ask_build(sandbox, exported.traced.exported, kit.course(), kit.TABLE, kept)
        assert told == []
        again = ask_build(sandbox, exported.traced.exported, kit.course(), kit.TABLE, kept)
    assert again.sha256 == program.sha256, "it was not compiled again"


class Breaking:
    """A sandbox that keeps every job waiting, but for one: the second cannot be had, or the first ends badly."""

    def __init__(self, what):
        self.what, self.asked = what, []

    def submit(self, job):
        if self.asked and self.what == "no second worker":
            raise SandboxFailed("the sandbox is closed")
        self.asked.append(Future())
        if len(self.asked) == 1 and self.what == "the first dies":
            self.asked[0].set_exception(WorkerFailed("killed by SIGKILL"))
        return self.asked[-1]


def fly_in_full(sandbox, candidate):
    Trials(sandbox, kit.context(), KeptPrograms.none())(candidate)


def fly_again(sandbox, candidate):
    standing = Standing("sha256:e", "sha256:p", (("sha256:i",), "sha256:s"), None, "")
    FlownAgain(sandbox, kit.context())(dataclasses.replace(candidate, standing=standing))


def fly_fallback(sandbox, candidate):
    fallback._examine(sandbox, candidate.program, (kit.scenario(),) * 32, str(kit.SIM))


@pytest.mark.parametrize("what", ["no second worker", "the first dies"])
@pytest.mark.parametrize("stage", [fly_in_full, fly_again, fly_fallback])
def test_nothing_stays_in_the_air_when_one_flight_ends_badly(exported, stage, what):
    sandbox = Breaking(what)
    with contextlib.suppress(SandboxFailed, WorkerFailed):
        stage(sandbox, exported)
    waiting = sandbox.asked[what == "the first dies" :]
    assert waiting and all(future.cancelled() for future in waiting)
