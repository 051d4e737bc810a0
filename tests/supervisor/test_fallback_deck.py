"""The fallback takes over on the loop's small plant: memory, rates, validity, and what ends its own flight."""

import dataclasses

import numpy as np
import pytest

from healing_runtime.core.records import Source
from healing_runtime.supervisor.deck import Deck
from healing_runtime.supervisor.fallback import Fallback, fly_on
from healing_runtime.supervisor.journal import Journal
from tests.loop.integrator import SCENARIO, TABLE, Integrator, program


@pytest.fixture
def deck():
    journal = Journal(SCENARIO, TABLE, lambda *_: None, period_s=0.005)
    deck = Deck(Integrator(), SCENARIO, program(0.5, trip_below=0.7), journal)
    yield deck
    journal.close()


def hold(chosen):
    return Fallback(Source("r/hold", "hold.py", "", "sha256:0"), chosen)


def test_it_goes_on_where_it_would_trip_in_every_tick(deck):
    tick = deck.fly().tick
    taken = fly_on(deck, hold(program(0.5, trip_below=np.inf)), "i", "no_brain", lambda _: None)
    assert (taken.tick, taken.stopped, deck.tick) == (tick, "", SCENARIO.duration_ticks)
    assert deck.segments[-1].carry.floats[0] == tick, "its memory is that of before the tripped tick"


def test_the_step_is_bounded_by_the_rate_limit(deck):
    tick, told = deck.fly().tick, []
    before = deck.recorder.action[tick - 1][0]
    taken = fly_on(deck, hold(program(-5.0)), "i", "no_brain", told.append)
    assert taken.action_step == {"velocity_mps": pytest.approx(0.2)} and told[0].action_step == taken.action_step
    assert deck.recorder.action[tick][0] == before + 0.2


def test_an_action_of_its_own_that_is_not_finite_is_not_applied_and_ends_the_flight(deck):
    tick = deck.fly().tick
    plain = program(0.5)

    def late(params, memory, sample):
        memory, packed = plain.tick(params, memory, sample)
        if plain.carried(memory).floats[0] > tick + 3:
            packed[0], packed[1], packed[2] = np.nan, 1.0, 0.0
        return memory, packed

    taken = fly_on(deck, hold(dataclasses.replace(plain, tick=late)), "i", "no_brain", lambda _: None)
    assert taken.stopped == f"the action of the fallback is not finite at tick {tick + 3}"
    assert deck.tick == tick + 3 and np.isnan(deck.recorder.action[tick + 3]).all()


def test_a_program_is_not_flown_beyond_its_validity(deck):
    stop = deck.fly()
    resume, live = stop.tick - 3, deck.slot.live
    checkpoint = deck.checkpoint()
    deck.swap_in(program(0.4), resume, deck.carry_before(resume)[1], valid_until=resume + 5)
    assert deck.fly(pause_at=resume + 2).tick == resume + 2 and not deck.expired
    for pause in (-1, resume + 9):
        assert deck.fly(pause_at=pause).paused and deck.tick == resume + 5 and deck.expired
    assert np.isnan(deck.recorder.action[resume + 5]).all()
    deck.roll_back(checkpoint)
    assert deck.slot.live is live and deck.valid_until is None and not deck.expired


def test_a_program_that_is_valid_to_the_end_judges_the_last_sample(deck):
    stop = deck.fly()
    last = SCENARIO.duration_ticks
    deck.swap_in(program(0.4), stop.tick - 3, deck.carry_before(stop.tick - 3)[1], valid_until=last)
    end = deck.fly()
    assert (end.tick, end.paused, deck.expired) == (last, False, False)
    assert deck.recorder.count == last + 1
