"""The gate keeps the bound that it claims, and the study that says so would notice a gate that does not."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import itertools
import json
from typing import Any

import gate_kit as kit
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm

from healing_runtime.core.records import Acceptance
from healing_runtime.gate import neighbourhood
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import candidate_of, decide, full
from healing_runtime.gate.records import Resume
from healing_runtime.gate.statistics import lower_bound

gate_honesty, honesty = importlib.import_module("gate_honesty"), importlib.import_module("honesty")
Case, Patch = gate_honesty.Case, gate_honesty.Patch
Rule, Tried, audit, characteristic, holm = (
    honesty.Rule,
    honesty.Tried,
    honesty.audit,
    honesty.characteristic,
    honesty.holm,
)
ERROR, RULE = honesty.ERROR, gate_honesty.rule_of(Acceptance())


# ---------------------------------------------------------------- the tests themselves, on numbers
def fly(rng, rates, gate, flights=256):
    """Patches of these true rates before a gate `(rng, rate) -> claimed bound, or 0`."""
    for n, rate in enumerate(rates):
        claimed = gate(rng, rate)
        yield Tried(f"{n}", "" if claimed else "neighbourhood", "", 1, claimed, tuple(rng.random(flights) < rate))


def honest(rng, rate):
    for _ in range(RULE.examinations):
        results = iter(rng.random(RULE.samples) < rate)
        if neighbourhood.decide(results, RULE.samples, RULE.needed)[1] >= RULE.needed:
            return RULE.claim
    return 0.0


def point_estimate(rng, rate):
    passed = np.sum(rng.random(96) < rate)
    return 0.9 * (passed >= 0.9 * 96)


def few_samples(rng, rate):
    return 0.9 * (np.sum(rng.random(32) < rate) >= 29)


def many_examinations(rng, rate):
    return RULE.claim * any(np.sum(rng.random(96) < rate) >= 93 for _ in range(12))


def boasting(rng, rate):
    return 0.99 * (honest(rng, rate) > 0)


@pytest.mark.parametrize("seed", range(3))
def test_an_honest_gate_is_not_rejected(seed):
    rng = np.random.default_rng(seed)
    assert audit(list(fly(rng, rng.uniform(0.8, 1.0, 200), honest)), RULE).honest


@pytest.mark.parametrize("gate", [point_estimate, few_samples, many_examinations, boasting])
@pytest.mark.parametrize("seed", range(3))
def test_a_dishonest_gate_is_rejected(gate, seed):
    rng = np.random.default_rng(seed)
    assert not audit(list(fly(rng, rng.uniform(0.8, 1.0, 200), gate)), RULE).honest


def least_rejected(patches, flights):
    """The most passes of a patch with which a claim is rejected, were all other patches refused."""
    others = [Tried(f"{n}", "syntax", "", 0, 0.0, (True,) * flights) for n in range(patches - 1)]

    def rejected(passed):
        fresh = (True,) * passed + (False,) * (flights - passed)
        return bool(audit([*others, Tried("it", "", "", 1, RULE.claim, fresh)], RULE).broken)

    return max((k for k in range(flights) if rejected(k)), default=-1)


@pytest.mark.parametrize("patches", [1, 10])
def test_claims_are_rejected_by_chance_no_more_often_than_allowed(patches):
    """Whatever the true rates are: a patch is accepted and flies so badly in at most its share of the error."""
    worst = least_rejected(patches, 256)
    rates = np.linspace(0.0, 1.0, 5001)
    chance = np.where(rates < 1.0, RULE.acceptance(rates), 1.0) * binom.cdf(worst, 256, rates)
    assert 0.0 < chance.max() <= ERROR / 2 / patches
    assert least_rejected(patches, 256) > 0.8 * 256, "and they can be rejected"


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8))
def test_holm_is_the_closed_test_by_bonferroni(p):
    """A hypothesis is rejected where every intersection with it is. (Marcus, Peritz, Gabriel, Biometrika 63, 1976.)"""
    for i, adjusted in enumerate(holm(p)):
        sets = (s for n in range(1, len(p) + 1) for s in itertools.combinations(range(len(p)), n) if i in s)
        assert adjusted == pytest.approx(min(1.0, max(len(s) * min(p[j] for j in s) for s in sets)))


@pytest.mark.parametrize("rule", [Rule(5, 4, 1, 0.5), Rule(4, 3, 2, 0.5), Rule(3, 3, 3, 0.5)])
@pytest.mark.parametrize("rate", [0.5, 0.9, 1.0])
def test_what_is_expected_of_fresh_flights_is_unbiased(rule, rate):
    flights = 12
    mean = sum(binom.pmf(k, flights, rate) * rule.expected(k, flights) for k in range(flights + 1))
    assert mean == pytest.approx(float(rule.acceptance(np.array(rate))))


def test_what_is_expected_is_the_share_of_orders():
    rule, flights = Rule(3, 3, 2, 0.5), (True,) * 5 + (False,) * 2
    orders = [rule.accepts(order) for order in itertools.permutations(flights)]
    assert rule.expected(5, 7) == pytest.approx(np.mean(orders))
    with pytest.raises(ValueError, match="fewer"):
        rule.expected(5, 5)


# ---------------------------------------------------------------- the gate itself, in flight
CASE = Case(kit.context(samples=96, confidence=0.95, min_robustness=0.0, spread=0.05), kit.incident(), (Resume(0),))
FLIGHTS = 256
MEMORISING = '''"""Hold an altitude where the flight is one of those that are known; else let go."""
import jax.numpy as jnp

KNOWN_M = (
{known}
)


def init(params):
    return {{"known": -1.0}}


def control(obs, state, params):
    seen = jnp.min(jnp.abs(jnp.array(KNOWN_M) - obs["altitude_m"])) < 1e-6
    known = jnp.where(state["known"] < 0.0, jnp.where(seen, 1.0, 0.0), state["known"])
    thrust = 5.0 + 6.0 * (2.0 - obs["altitude_m"]) - 4.0 * obs["velocity_mps"]
    action = {{"thrust_n": known * jnp.clip(thrust, 0.0, 20.0)}}
    assert action["thrust_n"] <= 20.0, "thrust inside its limit"
    return action, {{"known": known}}
'''


def sinking(rate):
    """A controller that swings below the floor from all altitudes above one, which is drawn in 1 - `rate` of cases.

    Found by flying: it bears 2 m + 2.92 times what its target is above 1.3417 m.
    """
    return kit.controller(kd=1.0, target=1.3417 + 0.05 / 2.92 * float(norm.ppf(rate)))


def tried(sandbox, texts, judge=gate_honesty.through_the_gate):
    patches = (Patch(f"{n}", "hopper/hold", text) for n, text in enumerate(texts))
    return [gate_honesty.tried(sandbox, CASE, patch, FLIGHTS, 1, judge) for patch in patches]


def foreseeable(scenarios, needed):
    """A gate whose neighbours are drawn before the candidate is fixed."""

    def judge(sandbox, case, name, text):
        stages = full(sandbox, case.context, KeptPrograms.none())[:-1]
        candidate = candidate_of(kit.proposal(text), case.incident, case.resumes, case.context.original)
        judged = decide("foreseeable", stages, candidate)[1]
        program = judged.program
        assert program is not None, judged.stages[-1]
        passed = sum(r.kept for r in gate_honesty.flown(sandbox, program, case.context, scenarios))
        claimed = max(0.9, lower_bound(passed, len(scenarios), 0.975)) if passed >= needed else 0.0
        return Tried(name, "" if claimed else "neighbourhood", "", 1, claimed), program

    return judge


def known_neighbours(count, number=1):
    """Those on which another candidate of the incident was examined."""
    scenario = CASE.context.course.scenario
    rng = neighbourhood.generator(scenario.seed, f"{CASE.incident.id} of 0", "sha256:another", number)
    return neighbourhood.neighbours(dataclasses.replace(scenario, acceptance=Acceptance(samples=count)), rng)


def test_the_gate_keeps_its_bound_in_flight(sandbox):
    rates = (0.7, 0.97)
    found = tried(sandbox, [sinking(rate) for rate in rates])
    assert [(t.stage, t.examinations) for t in found] == [("neighbourhood", 2), ("", 1)]
    assert audit(found, RULE).honest
    for t, rate in zip(found, rates, strict=True):
        assert binomtest(sum(t.fresh), FLIGHTS, rate).pvalue > 1e-4, "the patches are what they are meant to be"
    for band in characteristic(found, RULE):
        assert band.accepted == pytest.approx(band.expected, abs=1.0)


def test_what_knows_its_neighbours_passes_only_where_they_can_be_foreseen(sandbox):
    neighbours = known_neighbours(RULE.samples)
    known = [s.initial["altitude_m"] for s in (*neighbours, *known_neighbours(RULE.samples, 2))]
    text = MEMORISING.format(known="\n".join(f"    {altitude!r}," for altitude in (2.0, *known)))
    (foreseen,) = tried(sandbox, [text], foreseeable(neighbours, RULE.needed))
    assert foreseen.accepted and foreseen.claimed > 0.9
    assert audit([foreseen], RULE).broken
    (fresh,) = tried(sandbox, [text])
    assert fresh.stage == "neighbourhood" and fresh.examinations == 2
    assert audit([fresh], RULE).honest


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_patches_in_flight(sandbox):
    found = tried(sandbox, [sinking(rate) for rate in np.linspace(0.8, 0.999, 40)])
    result = audit(found, RULE)
    assert result.honest and min(result.binomial.values()) >= ERROR / 2
    assert sum(t.accepted for t in found) >= 10 and sum(not t.accepted for t in found) >= 10
    expected = sum(band.expected for band in characteristic(found, RULE))
    assert sum(t.accepted for t in found) == pytest.approx(expected, abs=3 * 10**0.5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_too_few_samples_are_noticed_in_flight(sandbox):
    """32 neighbours, and the rate at which they pass taken for the bound."""
    texts = [sinking(rate) for rate in np.linspace(0.8, 0.95, 24)]
    found = tried(sandbox, texts, foreseeable(known_neighbours(32), 29))
    assert not audit(found, RULE).honest


# ---------------------------------------------------------------- what it tells
FOUND = [
    Tried("good", "", "", 1, RULE.claim, (True,) * 256, 250),
    Tried("near", "neighbourhood", "held-out neighbours", 2, 0.0, (True,) * 235 + (False,) * 21, 235),
    Tried("weak", "scenario", "too little margin", 1, 0.0, (True,) * 256, 12),
    Tried("wrong", "syntax", "no", 1, 0.0),
]


def told_of(monkeypatch, capsys, found, *arguments, interrupted=False):
    def study(plan, rule, into):
        into.extend(found)
        if interrupted:
            raise KeyboardInterrupt

    monkeypatch.setattr(gate_honesty, "study", study)
    status = gate_honesty.main(arguments)
    return status, capsys.readouterr()


def test_the_document_holds_what_was_found(monkeypatch, capsys):
    status, out = told_of(monkeypatch, capsys, FOUND, "--json")
    told = json.loads(out.out)
    assert status == 0 and told["honest"] and (told["patches"], told["accepted"]) == (4, 1)
    assert [(band["patches"], band["accepted"]) for band in told["characteristic"]] == [(1, 0), (1, 1)]
    assert told["good"]["patches"] == told["good"]["accepted"] == 0, "250 of 256 are less than 99 %"
    assert [t["passed"] for t in told["tried"]] == [256, 235, 256, 0]


def test_a_rejected_gate_is_exit_code_1(monkeypatch, capsys):
    lies = [Tried("bad", "", "", 1, RULE.claim, (False,) * 256)]
    status, out = told_of(monkeypatch, capsys, lies)
    assert status == 1 and "REJECTED" in out.out


def sound(count, accepted):
    """Patches that are clear in all of their fresh flights, of which the last ones do not come through the gate."""
    for n in range(count):
        good = n < accepted
        yield Tried(f"{n}", "" if good else "regression", "", 1, good * RULE.claim, (True,) * 256, 256)


@pytest.mark.parametrize(
    ("count", "accepted", "reached", "words", "status"),
    [
        (59, 59, True, "shown", 0),
        (58, 58, None, "open", 0),
        (60, 58, None, "open", 0),
        (30, 0, False, "NOT SO", 1),
        (60, 50, False, "NOT SO", 1),
        (0, 0, None, "open", 0),
    ],
)
def test_a_gate_that_refuses_good_patches_is_exit_code_1(monkeypatch, capsys, count, accepted, reached, words, status):
    found = list(sound(count, accepted))
    ended, out = told_of(monkeypatch, capsys, found, "--json")
    told = json.loads(out.out)
    assert (ended, told["good"]["reached"], told["honest"]) == (status, reached, True)
    assert words in "\n".join(gate_honesty.lines(told)) and gate_honesty.holds(told) == (status == 0)


@pytest.mark.parametrize("other", [{"samples": 97}, {"confidence": 0.9}, {"min_pass_rate": 0.85}])
def test_a_case_with_another_rule_is_not_judged_by_this_one(monkeypatch, other):
    asked: dict[str, Any] = {"samples": 96, "confidence": 0.95, **other}
    monkeypatch.setattr(gate_honesty, "Sandbox", contextlib.nullcontext)
    monkeypatch.setattr(gate_honesty, "incident_of", lambda *_: CASE._replace(context=kit.context(**asked)))
    with pytest.raises(ValueError, match="hopper/hold asks the gate for Rule"):
        gate_honesty.study(gate_honesty.Plan(patches=0, variants=1, witnesses=0), RULE, [])
    gate_honesty.must_follow(RULE, CASE)


def test_an_interrupt_leaves_what_was_found(monkeypatch, capsys):
    status, out = told_of(monkeypatch, capsys, FOUND[:2], interrupted=True)
    assert status == 130 and "2 patches" in out.err
    assert "1 of 2 accepted" in out.out


@pytest.mark.parametrize("arguments", [("--flights", "100"), ("--patches", "-1"), ("--seed", "x")])
def test_bad_numbers_are_one_line(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        gate_honesty.main(arguments)
    assert ended.value.code == 2 and "Traceback" not in capsys.readouterr().err
