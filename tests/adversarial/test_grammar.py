"""Programs composed from the grammar: refused with a stage and a reason in time, or what flies is what was written."""

from __future__ import annotations

import os
import time
from collections import Counter

import gate_kit as kit
import grammar
import numpy as np
import pytest
import sources
from hypothesis import Phase, given, settings
from refusals import INTERNALS, is_tensorlang

from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import candidate_of, decide, full
from healing_runtime.sandbox.messages import Job, Limits, Message

AT = ((2.0, 0.0, 2.0), (1.25, -0.5, 0.75), (3.5, 2.25, -1.0))
"""Altitude, velocity and memory at which both readings are taken."""


def composed(count):
    """The same programs on every run."""
    found = []

    @settings(max_examples=count, phases=[Phase.generate])
    @given(grammar.programs())
    def collect(text):
        found.append(text)

    collect()
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def some():
    return composed(60)


@pytest.fixture(scope="module")
def stages(sandbox):
    """Contract, syntax, ownership, trace and passes."""
    return full(sandbox, kit.context(original=sources.ORIGINAL, samples=0), KeptPrograms.none())[:5]


def judged(stages, texts):
    """The programs that every static stage accepts, with what they export to; and which stages refused how many."""
    through, refused = [], Counter()
    for text in texts:
        candidate = candidate_of(kit.proposal(text), kit.incident(), (), kit.source(sources.ORIGINAL))
        started = time.monotonic()
        decision, candidate = decide("full", stages, candidate)
        assert time.monotonic() - started < 30, text
        if decision.refusal is None:
            through.append((text, candidate.traced))
            continue
        refused[decision.refusal.stage.value] += 1
        assert decision.refusal.reason and not INTERNALS.search(decision.refusal.reason), (decision.refusal, text)
    return through, refused


def must_fly_what_was_written(sandbox, through):
    """Two readings of each program agree, at every observation: Python's own, and the exported program's."""
    exported = [(text, traced.exported) for text, traced in through if traced.exported is not None]
    for at in range(0, len(exported), 20):
        part = exported[at : at + 20]
        header = {"sources": [text for text, _ in part], "at": AT}
        message = Message(header, tuple(program.control for _, program in part))
        answer = sandbox.run(Job("reading:both", message, Limits(wall_s=240, cpu_s=240))).header["values"]
        for (text, _), values in zip(part, answer, strict=True):
            for plain, flown in values:
                close = [[float(v) for v in side] for side in (flown, plain)]
                np.testing.assert_allclose(*close, rtol=2e-4, atol=1e-4, err_msg=text)
    return len(exported)


def check(sandbox, stages, texts, capfd):
    zygote, around = sandbox.zygote_pid, sorted(os.listdir("."))
    through, refused = judged(stages, texts)
    flown = must_fly_what_was_written(sandbox, through)
    assert capfd.readouterr() == ("", "")
    assert sandbox.zygote_pid == zygote and sorted(os.listdir(".")) == around
    return flown, refused


def test_composed_programs_are_told_apart_by_their_syntax(some, capfd):
    good = sum(is_tensorlang(text) for text in some)
    assert 5 < good < len(some) - 5, "the grammar makes both kinds"
    assert composed(8) == composed(8), "the same on every run"
    assert capfd.readouterr() == ("", "")


def test_a_few_composed_programs_are_refused_or_fly_as_they_are_written(sandbox, stages, some, capfd):
    living = [text for text in some if is_tensorlang(text)][:7]
    flown, _ = check(sandbox, stages, living, capfd)
    assert flown >= 3


@pytest.mark.slow
def test_many_composed_programs_are_refused_or_fly_as_they_are_written(sandbox, stages, capfd):
    texts = composed(300)
    flown, refused = check(sandbox, stages, texts, capfd)
    assert flown > 40 and refused["syntax"] > 50 and refused["trace"] > 0
