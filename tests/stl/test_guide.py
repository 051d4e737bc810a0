"""What docs/assertions.md says of begin, end, edges and bounds ("What is judged when"), claim by claim."""

from __future__ import annotations

import itertools
from pathlib import Path

import jax
import numpy as np
import pytest
from pages import formulas_in_passing

from healing_runtime import stl, workspace
from healing_runtime.core.errors import AssertionSyntaxError
from healing_runtime.core.status import Status

CLAIMS = [
    # (formula, p, q, words at every sample when the run has ended)
    # the begin: windows are cut short, empty ones are true or false
    ("historically[0 ticks, 2 ticks] p", "1101", "0000", "true true false false"),
    ("historically[1 ticks, 2 ticks] p", "0000", "0000", "true false false false"),
    ("once[1 ticks, 2 ticks] p", "1111", "0000", "false true true true"),
    ("p since q", "1111", "0000", "false false false false"),
    ("held_for[2 ticks](p)", "1111", "0000", "false false true true"),
    ("prev(p)", "0100", "0000", "true false true false"),
    ("rise(p)", "1101", "0000", "true false false true"),
    ("fall(p)", "0100", "0000", "true false true false"),
    # a trigger at the first sample: what looks one sample back is true there, and what to write instead is not
    ("always (prev(p) implies q)", "0000", "0000", "false vacuous vacuous vacuous"),
    ("always (fall(p) implies q)", "0000", "0000", "false vacuous vacuous vacuous"),
    ("always (fall(p) implies q)", "0000", "1000", "true vacuous vacuous vacuous"),
    ("always (not fall(p))", "0000", "0000", "false true true true"),
    ("always (not ((once p) and fall(p)))", "0000", "0000", "true true true true"),
    ("(once[1 ticks, 1 ticks] p) implies q", "0100", "1101", "vacuous vacuous false vacuous"),
    ("(once[1 ticks, 1 ticks] p) implies q", "1100", "0010", "vacuous false true vacuous"),
    ("((once p) and fall(p)) implies q", "0101", "0000", "vacuous vacuous false vacuous"),
    ("((once p) and fall(p)) implies q", "1001", "0100", "vacuous true vacuous vacuous"),
    ("((once not p) and rise(p)) implies q", "1101", "0000", "vacuous vacuous vacuous false"),
    # the end: what was not seen is unknown, unless what was seen decides
    ("always[0 ticks, 2 ticks] p", "1111", "0000", "true true unknown unknown"),
    ("always[0 ticks, 2 ticks] p", "1110", "0000", "true false false false"),
    ("eventually[0 ticks, 2 ticks] p", "0001", "0000", "false true true true"),
    ("always p", "1111", "0000", "true true true true"),
    ("eventually p", "0010", "0000", "true true true false"),
    # until: p before the sample of q, not in it; q has to come
    ("p until q", "1100", "0010", "true true true false"),
    ("p until q", "1000", "0010", "false false true false"),
    ("p until q", "1111", "0000", "false false false false"),
    # since: p after the sample of q, not in it; q must have come
    ("p since q", "0011", "0100", "false true true true"),
    ("p since q", "0001", "0100", "false true false false"),
    # an implication without `always` speaks of its own sample
    ("p implies eventually[0 ticks, 1 ticks] q", "1000", "0100", "true vacuous vacuous vacuous"),
]


IN_A_TRIGGER = [
    ("prev(p)", "once[1 ticks, 1 ticks] p"),
    ("fall(p)", "(once p) and fall(p)"),
    ("rise(p)", "(once not p) and rise(p)"),
]


def flags(text):
    return np.array([float(character) for character in text], np.float32)


def words(status):
    return [Status(int(code)).word for code in np.atleast_1d(status)]


@pytest.mark.parametrize(("text", "p", "q", "expected"), CLAIMS, ids=[f"{c[0]} on {c[1]} {c[2]}" for c in CLAIMS])
def test_a_claim_about_a_recording(text, p, q, expected):
    verdict = stl.verdicts(stl.parse(text), {"p": flags(p), "q": flags(q)}, 1.0)
    assert words(verdict.status) == expected.split()


@pytest.mark.parametrize(("weak", "strict"), IN_A_TRIGGER)
def test_a_trigger_that_cannot_be_true_at_the_first_sample_is_the_same_from_the_second_on(weak, strict):
    seen = np.array(list(itertools.product((0.0, 1.0), repeat=5)), np.float32)
    for p in seen:
        one, other = (stl.verdicts(stl.parse(text), {"p": p}, 1.0).status for text in (weak, strict))
        assert words(other)[0] == "false"
        assert words(other)[1:] == words(one)[1:]


def monitored(text, **signals):
    """Words while running and if the run ended, at every sample."""
    monitor = stl.online(stl.parse(text), 1.0)
    update, state, running, ended = jax.jit(monitor.update), monitor.init(), [], []
    for row in zip(*signals.values(), strict=True):
        state, verdict = update(state, dict(zip(signals, row, strict=True)))
        running += words(verdict.status)
        ended += words(monitor.ended(state).status)
    return running, ended


def test_a_violation_is_declared_in_its_tick_and_an_always_is_unknown_until_the_end():
    running, ended = monitored("always (x < 40)", x=[10.0, 39.0, 40.0, 10.0])
    assert running == ["unknown", "unknown", "false", "false"]
    assert ended == ["true", "true", "false", "false"]
    running, _ = monitored("always[0 ticks, 3 ticks] (x < 40)", x=[10.0, 41.0, 10.0, 10.0])
    assert running == ["unknown", "false", "false", "false"]


def test_strict_and_weak_differ_at_the_bound_though_robustness_is_zero():
    for relation, word in (("<", "false"), ("<=", "true")):
        verdict = stl.verdicts(stl.parse(f"x {relation} 40"), {"x": np.array([40.0], np.float32)}, 1.0)
        assert (words(verdict.status), float(verdict.rho[0])) == ([word], 0.0)


def test_what_is_not_a_number_is_invalid_and_a_decided_verdict_stays():
    assert monitored("always (x < 40)", x=[10.0, np.nan, 10.0])[1] == ["true", "invalid", "invalid"]
    assert monitored("eventually (x > 5)", x=[10.0, np.nan])[1] == ["true", "true"]


def test_vacuous_is_a_trigger_that_never_came_true():
    assert monitored("always (x > 5 implies x < 40)", x=[1.0, 6.0])[1] == ["vacuous", "true"]


# ---------------------------------------------------------------- formulas in the text
ROOT = Path(__file__).parents[2]
FORMULAS = formulas_in_passing((ROOT / "docs" / "assertions.md").read_text())


@pytest.fixture(scope="module")
def signals():
    """The quadrotor's, and p and q for what stands for any formula."""
    table = workspace.open(ROOT).robot("quadrotor").signals
    return {**table.true.by_name, "p": "", "q": ""}


def test_the_guide_has_formulas_in_its_text():
    assert len(FORMULAS) > 12 and any(refused for _, refused in FORMULAS)


@pytest.mark.parametrize(("text", "refused"), FORMULAS, ids=[text for text, _ in FORMULAS])
def test_a_formula_in_the_text_is_read_or_refused_as_the_guide_says(text, refused, signals):
    if refused:
        with pytest.raises(AssertionSyntaxError, match="two ways"):
            stl.parse(text, signals=signals)
    else:
        stl.parse(text, signals=signals)
