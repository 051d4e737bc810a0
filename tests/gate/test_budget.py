"""The wall budget only aborts: a judgement that it cuts off is neither an acceptance nor a refusal."""

from __future__ import annotations

import time

import gate_kit as kit
import pytest

from healing_runtime.compile.cache import Cache
from healing_runtime.core.errors import BudgetSpent
from healing_runtime.core.status import Stage
from healing_runtime.gate import neighbourhood
from healing_runtime.gate.build import ask_build
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import candidate_of, full
from healing_runtime.gate.records import Resume
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

    def hanging(scenario, rng):
        return tuple(kit.troubled(neighbour, "hangs") for neighbour in drawn(scenario, rng))

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
