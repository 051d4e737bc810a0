"""Freezing, forking and rolling back, on the loop's small plant."""

import numpy as np
import pytest

from healing_runtime.compile.vectors import Vectors
from healing_runtime.supervisor.deck import Deck
from healing_runtime.supervisor.journal import Journal
from tests.loop.integrator import SCENARIO, TABLE, Integrator, program


@pytest.fixture
def written():
    return []


@pytest.fixture
def deck(written):
    journal = Journal(SCENARIO, TABLE, lambda *message: written.append(message), period_s=0.005)
    deck = Deck(Integrator(), SCENARIO, program(0.5, trip_below=0.7), journal)
    yield deck
    journal.close()


def rows(written, topic):
    return [message["tick"] for t, _, message in written if t == topic]


def test_a_snapshot_holds_the_recipe_and_the_memory_before_the_trip(deck):
    stop = deck.fly()
    snapshot = deck.freeze()
    assert stop.tripped and snapshot.tick == stop.tick
    assert snapshot.recipe_actions.shape == (stop.tick, 1) and np.isfinite(snapshot.recipe_actions).all()
    assert snapshot.carry[0][0] == stop.tick, "one tick fewer than were judged"
    assert snapshot.state_hash == deck.plant.state_hash()


def test_a_swap_forks_the_record_and_the_new_program_flies_from_there(deck, written):
    stop = deck.fly()
    resume = stop.tick - 3
    deck.swap_in(program(0.5), resume, deck.carry_before(resume)[1])
    after = deck.fly()
    assert not after.tripped and after.tick == SCENARIO.duration_ticks
    assert deck.final_branch == 1
    deck.journal.flush()
    assert rows(written, "/sim/state") == list(range(stop.tick + 1))
    assert rows(written, "/branch/1/sim/state") == list(range(resume, SCENARIO.duration_ticks + 1))
    assert np.isfinite(deck.trace().observed).all()


def test_the_old_rows_before_the_fork_stay(deck):
    stop = deck.fly()
    before = deck.trace().observed[: stop.tick - 3].copy()
    deck.swap_in(program(0.5), stop.tick - 3, deck.carry_before(stop.tick - 3)[1])
    deck.fly()
    np.testing.assert_array_equal(deck.trace().observed[: stop.tick - 3], before)


def test_rolling_back_restores_program_rows_and_plant(deck):
    stop = deck.fly()
    checkpoint, live, hash_then = deck.checkpoint(), deck.slot.live, deck.plant.state_hash()
    deck.swap_in(program(0.9, trip_below=0.8), 2, deck.carry_before(2)[1])
    assert deck.fly().tripped
    deck.roll_back(checkpoint)
    assert deck.slot.live is live and deck.tick == stop.tick and deck.final_branch == 0
    assert deck.plant.state_hash() == hash_then
    np.testing.assert_array_equal(deck.trace().observed, checkpoint.observed[: stop.tick + 1])
    # And it can be repaired again from there.
    deck.swap_in(program(0.1), 4, deck.carry_before(4)[1])
    assert deck.fly().tick == SCENARIO.duration_ticks and deck.final_branch == 2


def test_a_pause_for_the_end_of_probation_changes_nothing(deck, written):
    stop = deck.fly()
    deck.swap_in(program(0.5), stop.tick - 3, deck.carry_before(stop.tick - 3)[1])
    paused = deck.fly(pause_at=stop.tick + 5)
    assert paused.paused and paused.tick == stop.tick + 5
    end = deck.fly()
    assert deck.fly() is end, "a flight that has ended is not flown again"
    deck.journal.flush()
    assert rows(written, "/branch/1/sim/state") == list(range(stop.tick - 3, SCENARIO.duration_ticks + 1))


def test_events_stand_after_the_rows_they_follow(deck, written):
    stop = deck.fly()
    deck.journal.event(stop.tick, "seen", margin=float("nan"))
    topics = [topic for topic, _, _ in written]
    assert topics.index("/event") > max(i for i, t in enumerate(topics) if t == "/sim/state")
    assert written[-1][2] == {"tick": stop.tick, "event": "seen", "margin": None}


def test_the_command_of_a_tripped_tick_is_not_in_the_log(deck, written):
    stop = deck.fly()
    deck.journal.flush()
    assert rows(written, "/control/cmd_applied") == list(range(stop.tick))


def test_a_carry_given_to_a_program_is_not_kept(deck):
    deck.fly()
    _, carry = deck.carry_before(5)
    assert isinstance(carry, Vectors)
    carry.floats[:] = 99.0
    assert deck.carry_before(5)[1].floats[0] == 5


def test_memory_below_a_fork_is_of_the_program_that_flew_there(deck):
    stop = deck.fly()
    one, fork = deck.slot.live, stop.tick - 3
    two = program(0.5)
    deck.swap_in(two, fork, Vectors(np.array([100.0]), np.zeros(0, np.int32)))
    deck.fly()
    assert deck.carry_before(fork - 1)[0] is one and deck.carry_before(fork - 1)[1].floats[0] == fork - 1
    assert deck.carry_before(fork)[0] is two and deck.carry_before(fork)[1].floats[0] == 100
    assert deck.carry_before(fork + 5)[1].floats[0] == 105


def test_rolling_back_does_not_write_old_rows_into_a_branch(deck, written):
    stop = deck.fly()
    checkpoint = deck.checkpoint()
    deck.swap_in(program(0.9, trip_below=0.8), 2, deck.carry_before(2)[1])
    tripped = deck.fly().tick
    deck.roll_back(checkpoint)
    deck.journal.flush()
    assert rows(written, "/branch/1/sim/state") == list(range(2, tripped + 1))
    assert rows(written, "/sim/state") == list(range(stop.tick + 1))
