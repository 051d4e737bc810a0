"""Whatever comes out of the mutator is refused or behaves: in time, in words, in silence, and leaves nothing behind."""

from __future__ import annotations

import time
from pathlib import Path

import gate_kit as kit
import mutator
import pytest
import sources
from refusals import INTERNALS, is_tensorlang

from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate, candidate_of, decide, full
from healing_runtime.gate.records import Resume

ROOT = Path(__file__).parents[2]
SHIPPED = [path.read_text() for path in sorted((ROOT / "controllers").glob("*/*.py"))]
ATTACKS = [sources.written(case)[0] for case in sources.cases().values() if case.get("form") in ("inside", "control")]
OURS = [kit.GOOD, sources.OWNED, sources.inside("y = 2.0 * x\nreturn y")]
EVERYWHERE = [*SHIPPED * 4, *OURS * 10, *ATTACKS]


@pytest.fixture(scope="module")
def judge(sandbox):
    context = kit.context(original=sources.OWNED, samples=0)
    gate = Gate(sandbox, context, KeptPrograms.none())
    stages = full(sandbox, context, KeptPrograms.none())

    def judge(text, *, flown):
        """The refusal, if there is one, of all stages or of those before the export."""
        if flown:
            return gate.judge(kit.proposal(text), kit.incident(), (Resume(0),)).refusal
        candidate = candidate_of(kit.proposal(text), kit.incident(), (Resume(0),), context.original)
        return decide("full", stages[:5], candidate)[0].refusal

    return judge


def must_behave(judge, texts, capfd, *, flown, limit_s):
    before = sorted(ROOT.iterdir())
    for text in texts:
        started = time.monotonic()
        refusal = judge(text, flown=flown)
        assert time.monotonic() - started < limit_s, text
        assert refusal is None or not INTERNALS.search(refusal.reason), (refusal.reason, text)
    assert capfd.readouterr() == ("", "")
    assert sorted(ROOT.iterdir()) == before


def test_mutants_are_told_apart_by_their_syntax(capfd):
    mutants = mutator.mutants(1, EVERYWHERE, 150)
    verdicts = [is_tensorlang(text) for text in mutants]
    assert 10 < sum(verdicts) < 140, "the mutator makes both kinds"
    assert mutants == mutator.mutants(1, EVERYWHERE, 150)
    assert capfd.readouterr() == ("", "")


def test_mutants_that_are_tensorlang_are_traced_or_refused(judge, capfd):
    living = [text for text in mutator.mutants(2, OURS, 60) if is_tensorlang(text)]
    assert len(living) > 6
    must_behave(judge, living[:6], capfd, flown=False, limit_s=30)


@pytest.mark.slow
def test_many_mutants_are_told_apart_by_their_syntax(capfd):
    for seed in range(10, 30):
        for text in mutator.mutants(seed, EVERYWHERE, 500):
            is_tensorlang(text)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_many_mutants_are_judged_by_every_stage(judge, capfd):
    living = [text for text in mutator.mutants(3, [*OURS * 9, *ATTACKS], 3000) if is_tensorlang(text)]
    assert len(living) > 80
    must_behave(judge, living, capfd, flown=True, limit_s=120)
