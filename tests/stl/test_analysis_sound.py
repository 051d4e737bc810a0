"""Whatever the analysis calls impossible is held against every short trace over a small domain."""

from __future__ import annotations

import itertools
import random

import pytest

from healing_runtime import stl
from healing_runtime.stl.analysis.search import Claim, Search
from healing_runtime.stl.ticks import exact_period, in_ticks

VALUES = (-0.5, 0.0, 0.5, 1.0, 1.5)


def traces(signals, seed):
    """Every trace of up to three samples over `x`; with `y`, every one of one sample; and some longer ones."""
    rng = random.Random(seed)
    for length in range(1, 4 if signals == "x" else 2):
        for rows in itertools.product(itertools.product(VALUES, repeat=len(signals)), repeat=length):
            yield {name: [row[i] for row in rows] for i, name in enumerate(signals)} | (
                {"y": [0.0] * length} if signals == "x" else {}
            )
    for _ in range(80):
        length = rng.randint(2, 9)
        yield {name: [rng.choice(VALUES) for _ in range(length)] for name in "xy"}


def generator(brute, seed, signals):
    """The oracle's formulas, with few signals and thresholds, so that contradictions are common."""

    class Few(brute.Formulas):
        def predicate(self):
            relation = self.random.choice(["<", "<=", ">", ">="])
            return ("pred", self.random.choice(signals), relation, self.random.choice([0.0, 1.0]))

        def window(self, widest=2):
            return super().window(widest)

    return Few(seed)


def bound(brute, formula):
    return in_ticks(stl.parse(brute.text(formula)), exact_period(0.1))


@pytest.mark.parametrize("signals", ["x", "xy"])
def test_what_is_called_impossible_happens_in_no_trace(brute, signals):
    formulas = generator(brute, 5, signals)
    told = {"true": 0, "false": 0, "together": 0}
    every = list(traces(signals, 1))
    for number in range(1500):
        one, other = (formulas.online(2) if number % 2 else formulas.bounded(2) for _ in range(2))
        search = Search()
        parsed, another = bound(brute, one), bound(brute, other)
        impossible = {
            "true": not search.in_a_run([Claim(parsed, True)]),
            "false": not search.in_a_run([Claim(parsed, False)]),
            "together": not search.in_a_run([Claim(parsed, True), Claim(another, True)]),
        }
        for kind, found in impossible.items():
            told[kind] += found
        if not any(impossible.values()):
            continue
        for data in every:
            for end in ("ended", "running"):
                lo, hi = brute.bounds(one, data, 0, end)
                assert not (impossible["true"] and lo > 0), (brute.text(one), data)
                assert not (impossible["false"] and hi < 0), (brute.text(one), data)
                if impossible["together"] and lo > 0:
                    assert not brute.bounds(other, data, 0, end)[0] > 0, (one, other, data)
    assert min(told.values()) > 10, told


@pytest.mark.parametrize("signals", ["x", "xy"])
def test_a_trigger_that_is_called_forbidden_comes_true_in_no_trace(brute, signals):
    formulas = generator(brute, 7, signals)
    told = 0
    every = list(traces(signals, 2))
    for _ in range(1500):
        trigger, *kept = formulas.past(1), formulas.bounded(2), formulas.past(2)
        claims = [Claim(bound(brute, formula), True) for formula in kept]
        if Search().at_a_sample([Claim(bound(brute, trigger), True)], claims):
            continue
        told += 1
        for data in every:
            if all(brute.bounds(("always", None, formula), data, 0, "ended")[0] > 0 for formula in kept):
                for t in range(len(data["x"])):
                    assert brute.bounds(trigger, data, t, "ended")[0] < 0, (trigger, kept, data)
    assert told > 50, told


def test_without_time_nothing_impossible_is_missed(brute):
    """Not promised, but worth keeping: of formulas without time over one signal, all are found."""
    formulas = generator(brute, 11, "x")
    samples = [{"x": [value], "y": [0.0]} for value in VALUES]
    told = 0
    for _ in range(600):
        formula = formulas.boolean(lambda depth: formulas.boolean(lambda depth: formulas.predicate(), 1), 1)
        for holds in (True, False):
            possible = any((brute.bounds(formula, data, 0, "ended")[0] > 0) == holds for data in samples)
            assert Search().at_a_sample([Claim(bound(brute, formula), holds)]) == possible, formula
            told += not possible
    assert told > 50
