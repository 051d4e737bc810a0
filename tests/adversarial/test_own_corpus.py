"""Attacks of our own, by category, each written by somebody who has read the code: see `corpus/`."""

from __future__ import annotations

import re
import time

import gate_kit as kit
import pytest
import sources
from refusals import INTERNALS

from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate
from healing_runtime.gate.records import Resume

CASES = sources.cases()
STATIC = {"contract", "syntax", "ownership"}


def parameters():
    return [pytest.param(n, marks=[pytest.mark.slow] if case.get("slow") else []) for n, case in CASES.items()]


@pytest.fixture(scope="module")
def gate_of(sandbox):
    """The gate for patches of an original; the zygote's start is not the candidates' time."""
    assert sandbox.confinement
    gates = {}

    def gate_of(original, samples=0, spread=0.05):
        key = (original, samples, spread)
        if key not in gates:
            context = kit.context(original=original, samples=samples, spread=spread)
            gates[key] = Gate(sandbox, context, KeptPrograms.none())
        return gates[key]

    return gate_of


@pytest.mark.parametrize("name", parameters())
def test_every_attack_is_refused_where_and_why_it_should_be(gate_of, name, capfd):
    case = CASES[name]
    text, original = sources.written(case)
    gate = gate_of(original, case.get("samples", 0), case.get("spread", 0.05))
    started = time.monotonic()
    decision = gate.judge(kit.proposal(text, case.get("kind", "file")), kit.incident(), (Resume(0),))
    took_s = time.monotonic() - started
    assert decision.refusal is not None and gate.program is None, "accepted"
    stage, reason = decision.refusal.stage.value, decision.refusal.reason
    assert stage in case["stage"].split("|") and re.search(case["reason"], reason), decision.refusal
    assert not INTERNALS.search(reason), reason
    assert took_s < (2 if stage in STATIC else 60 if case.get("slow") else 15)
    assert capfd.readouterr() == ("", "")


def test_the_corpus_is_large_enough():
    """With the 45 that were given, and those that stand in `test_corpus`."""
    assert len({case["id"] for case in CASES.values()}) == len(CASES) >= 120
    assert {case["category"] for case in CASES.values()} == set(sources.CATEGORIES)


def test_what_the_attacks_on_ownership_are_edits_of_is_in_order(gate_of):
    """A good patch of it that repeats the asserts passes every stage before the flights, and leaves none out."""
    patch = sources.OWNED.replace('"kp": 6.0', '"kp": 6.5')
    decision = gate_of(sources.OWNED).judge(kit.proposal(patch, "parameters"), kit.incident(), (Resume(0),))
    assert decision.accepted, decision.refusal
