from __future__ import annotations

from typing import Any

import gate_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_runtime.core import codec
from healing_runtime.core.errors import InputError, WorkerFailed
from healing_runtime.core.status import Stage
from healing_runtime.gate import neighbourhood
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.neighbourhood import decide, generator, must_be_provable, neighbours
from healing_runtime.gate.records import Candidate
from healing_runtime.gate.trials import Trials


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.data())
def test_the_early_verdict_is_the_late_one(results, data):
    needed = data.draw(st.integers(0, len(results) + 1))
    flown, passed = decide(iter(results), len(results), needed)
    assert passed == sum(results[:flown])
    assert (passed >= needed) == (sum(results) >= needed)


@given(st.lists(st.booleans(), min_size=40, max_size=40), st.integers(1, 7))
def test_results_do_not_depend_on_the_number_of_workers(results, workers):
    def start(chunk):
        return lambda: [results[i] for i in chunk]

    in_order = list(neighbourhood._in_order(start, range(40), workers))
    assert in_order == results


def test_no_more_is_flown_than_is_needed():
    started = []

    def start(chunk):
        started.extend(chunk)
        return lambda: [False for _ in chunk]

    flown, passed = decide(neighbourhood._in_order(start, range(96), 2), 96, 93)
    assert (flown, passed) == (4, 0)
    assert len(started) <= 3 * neighbourhood.CHUNK


def test_draws_are_fresh_for_everything_that_should_make_them_so():
    scenario = kit.scenario(samples=3)

    def drawn(*key):
        return [s.initial["altitude_m"] for s in neighbours(scenario, generator(*key))]

    base = (7, "i-1", "sha256:a", 1)
    assert drawn(*base) == drawn(*base)
    others = [drawn(8, *base[1:]), drawn(7, "i-2", *base[2:]), drawn(7, "i-1", "sha256:b", 1), drawn(*base[:3], 2)]
    assert all(other != drawn(*base) for other in others)
    assert len(set(drawn(*base))) == 3


def test_an_acceptance_nobody_can_pass_is_said_to_be_one():
    assert must_be_provable(kit.scenario(samples=96, confidence=0.95).acceptance) == ""
    assert must_be_provable(kit.scenario(samples=0).acceptance) == ""
    assert "use at least 36" in must_be_provable(kit.scenario(samples=32, confidence=0.95).acceptance)
    assert "below 1" in must_be_provable(kit.scenario(min_pass_rate=1.0).acceptance)


@pytest.mark.parametrize("samples", [0, 5])
def test_neighbours_are_as_many_as_asked_for(samples):
    assert len(neighbours(kit.scenario(samples=samples), generator(1, "i", "c", 1))) == samples


def test_neighbours_are_such_as_the_robot_bears(monkeypatch):
    """A world that cannot be set up says nothing of a patch."""
    flown = []
    monkeypatch.setattr(neighbourhood, "examine", lambda _, __, drawn, *rest: flown.extend(drawn) or 1 / 0)
    source = kit.source(kit.GOOD)
    candidate = Candidate(kit.proposal(kit.GOOD), source, source, kit.incident(), ()).passed(Stage.FLIGHTS)
    nobody: Any = None
    with pytest.raises(ZeroDivisionError):
        Trials(nobody, kit.context(trouble="low roof"), KeptPrograms.none())._held_out(candidate, nobody)
    altitudes = [scenario.initial["altitude_m"] for scenario in flown]
    assert len(altitudes) == 40 and 2.0199 < max(altitudes) <= 2.02 and min(altitudes) < 1.98


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (WorkerFailed("killed by SIGABRT", "altitude -0.31415"), "killed by SIGABRT"),
        (WorkerFailed("timed out", "fly_job took more than 120 s"), "timed out"),
        (WorkerFailed("fly_job raised", "ValueError: altitude -0.31415"), "it failed"),
        (WorkerFailed("killed by SIGABRT at altitude -0.31415"), "it failed"),
        (InputError("altitude -0.31415"), "it failed"),
    ],
)
def test_a_held_out_flight_that_ends_badly_tells_nothing_of_the_neighbour(monkeypatch, error, end):
    """A worker's last words may hold what it flew: none of them reaches a record or a brain."""

    def examine(*_):
        raise error

    monkeypatch.setattr(neighbourhood, "examine", examine)
    source = kit.source(kit.GOOD)
    candidate = Candidate(kit.proposal(kit.GOOD), source, source, kit.incident(), ()).passed(Stage.FLIGHTS)
    nobody: Any = None
    found = Trials(nobody, kit.context(), KeptPrograms.none())._held_out(candidate, nobody).stages[-1]
    assert not found.accepted and f"did not end well ({end})" in found.reason
    assert "31415" not in codec.canonical(found).decode()
    assert found.facts == {"flight": "neighbourhood", "examinations_left": 1}
