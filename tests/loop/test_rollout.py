"""The loop's mechanics, on a plant of one line and a program of a few: an integrator and a proportional controller."""

import dataclasses
import itertools

import numpy as np
import pytest

from healing_runtime.compile.interface import FINITE_ACTION, Requirement
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.status import Severity, Status
from healing_runtime.loop.recorder import Recorder, keyframe_every
from healing_runtime.loop.rollout import FlightPlan, advance, bring_to, evaluate, fly
from healing_runtime.loop.slot import Slot
from tests.loop.integrator import SCENARIO, TABLE, Integrator, program


def flight(plant, live, **kw):
    recorder = Recorder(SCENARIO, TABLE)
    plant.reset(SCENARIO, 3)
    stop = advance(plant, Slot(live), recorder, live.start(), 0, SCENARIO.duration_ticks, **kw)
    return recorder, stop


def test_n_ticks_give_n_plus_one_samples_and_the_last_action_is_not_applied():
    recorder, stop = flight(Integrator(), program(0.5))
    assert (stop.tick, stop.tripped, recorder.count) == (40, False, 41)
    assert np.isfinite(recorder.action[:40]).all() and np.isnan(recorder.action[40])
    assert float(stop.carry.floats[0]) == 41


def test_a_trip_stops_in_its_own_tick_and_its_action_is_not_applied():
    plant = Integrator()
    recorder, stop = flight(plant, program(0.5, trip_below=0.7))
    assert stop.tripped and recorder.observed[stop.tick, 0] < 0.7 <= recorder.observed[stop.tick - 1, 0]
    assert np.isnan(recorder.action[stop.tick]) and plant.x == recorder.observed[stop.tick, 0]


def test_commands_are_clamped_to_limits_and_rates():
    recorder, _ = flight(Integrator(), program(50.0))
    applied = recorder.action[:40, 0]
    assert applied.min() >= -1.0 and applied.max() <= 1.0
    assert np.abs(np.diff(applied)).max() <= 0.2 + 1e-12
    assert np.nanmax(np.abs(recorder.packed[:40, 0])) > 1.0, "the raw command must have asked for more"


def test_a_pause_leaves_the_memory_before_the_tick():
    recorder, stop = flight(Integrator(), program(0.5), pause_at=12)
    assert (stop.tick, stop.paused, recorder.count) == (12, True, 12)
    assert float(stop.carry.floats[0]) == 12


def test_flying_in_two_pieces_is_flying_in_one():
    whole, _ = flight(Integrator(), program(0.7))
    plant, live = Integrator(), program(0.7)
    recorder = Recorder(SCENARIO, TABLE)
    plant.reset(SCENARIO, 3)
    first = advance(plant, Slot(live), recorder, live.start(), 0, 40, pause_at=17)
    advance(plant, Slot(live), recorder, first.carry, first.tick, 40)
    np.testing.assert_array_equal(whole.observed, recorder.observed)
    np.testing.assert_array_equal(whole.action, recorder.action)


@pytest.mark.parametrize(("skew", "way"), [(0.0, "keyframe"), (0.25, "recipe")])
def test_bringing_the_plant_back_trusts_a_keyframe_only_if_its_hash_agrees(skew, way):
    plant = Integrator(skew)
    recorder, _ = flight(plant, program(0.5))
    resets = plant.resets
    assert bring_to(plant, recorder, SCENARIO, 3, 23) == way
    assert plant.x == recorder.observed[23, 0]
    assert plant.resets == resets + (way == "recipe")


def test_the_memory_before_a_tick_is_re_executed_from_recorded_samples():
    live = program(0.5)
    recorder, _ = flight(Integrator(), live)
    keyframe = recorder.before(23)
    carry = evaluate(live, recorder, keyframe.carry, keyframe.tick, 23)
    assert float(carry.floats[0]) == 23


def test_a_flight_plan_takes_over_after_its_recipe():
    whole = fly(Integrator(), program(0.5), FlightPlan(SCENARIO, 3))
    carry = Vectors(np.array([15.0]), np.zeros(0, np.int32))
    late = fly(Integrator(), program(0.5), FlightPlan(SCENARIO, 3, 15, whole.trace.action, carry))
    np.testing.assert_array_equal(late.trace.observed, whole.trace.observed[15:])
    assert late.trace.first_tick == 15 and late.kept


def test_digests_tell_flights_apart():
    a, b = (fly(Integrator(), program(0.5), FlightPlan(SCENARIO, 3)) for _ in range(2))
    assert a.digest == b.digest
    assert fly(Integrator(), program(0.5 + 1e-15), FlightPlan(SCENARIO, 3)).digest != a.digest


def test_raw_commands_beyond_the_limits_are_told():
    assert fly(Integrator(), program(0.5), FlightPlan(SCENARIO, 3)).within_limits
    assert not fly(Integrator(), program(5.0), FlightPlan(SCENARIO, 3)).within_limits


@pytest.mark.parametrize(("control_hz", "every"), [(48, 12), (50, 12), (10, 2), (2, 1), (240, 60)])
def test_keyframes_are_a_quarter_of_a_second_apart(control_hz, every):
    assert keyframe_every(control_hz) == every


def test_the_ring_keeps_the_first_keyframe_and_the_newest():
    long = dataclasses.replace(SCENARIO, duration_ticks=800, control_hz=4)
    recorder, plant, live = Recorder(long, TABLE), Integrator(), program(0.1)
    advance(plant, Slot(live), recorder, live.start(), 0, 800)
    assert len(recorder.keyframes) == 256
    assert min(recorder.keyframes) == 0 and max(recorder.keyframes) == 800


def test_a_swap_takes_effect_at_the_next_tick_and_can_be_taken_back():
    one, two = program(0.1), program(0.2)
    slot = Slot(one)
    slot.offer(two)
    assert slot.live is one
    assert slot.swap() >= 0.0 and slot.live is two and slot.previous is one
    slot.roll_back()
    assert slot.live is one
    with pytest.raises(RuntimeError):
        slot.roll_back()
    with pytest.raises(RuntimeError):
        slot.swap()


def test_rewinding_twice_after_a_keyframe_that_lied():
    plant = Integrator(skew=0.25)
    recorder, _ = flight(plant, program(0.5))
    assert bring_to(plant, recorder, SCENARIO, 3, 23) == "recipe"
    assert recorder.keyframes == {}
    assert bring_to(plant, recorder, SCENARIO, 3, 11) == "recipe"
    assert plant.x == recorder.observed[11, 0]


# ---------------------------------------------------------------- NaN
def judging(robustnesses):
    """Commands -x / 2 and ends with one warning of each of these robustnesses, shown from the third tick on."""
    plain = program(0.5)
    names, start = ("status", "rho", "rho_lo", "rho_hi", "ended_status", "ended_rho"), plain.interface.packed_size
    columns, size = dict(plain.interface.columns), len(robustnesses)
    for i, name in enumerate(names):
        columns[name] = (start + i * size, start + (i + 1) * size)
    statuses = [Status.INVALID if np.isnan(r) else Status.TRUE for r in robustnesses]
    block = np.array([statuses, *[robustnesses] * 3, statuses, robustnesses], float)

    def tick(params, memory, sample):
        memory, packed = plain.tick(params, memory, sample)
        shown = block if plain.carried(memory).floats[0] > 2 else np.zeros_like(block)
        return memory, np.concatenate([packed, shown.ravel()])

    requirements = tuple(Requirement(f"r{i}", Severity.WARNING, False, 1.0) for i in range(size))
    interface = dataclasses.replace(
        plain.interface, requirements=requirements, columns=columns, packed_size=start + len(names) * size
    )
    return dataclasses.replace(plain, tick=tick, interface=interface)


@pytest.mark.parametrize("order", list(itertools.permutations([0.5, np.nan, 2.0])))
def test_one_nan_among_the_verdicts_is_the_robustness_in_any_order(order):
    flight = fly(Integrator(), judging(order), FlightPlan(SCENARIO, 3))
    assert np.isnan(flight.robustness) and not flight.kept and flight.trip_tick is None
    assert [v.worst_tick for v in flight.verdicts][:3] == [2, 2, 2]


def test_without_a_nan_the_smallest_counts():
    flight = fly(Integrator(), judging([0.5, 0.25, 2.0]), FlightPlan(SCENARIO, 3))
    assert flight.robustness == 0.25 and flight.kept


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_an_action_that_is_not_finite_is_never_applied_whatever_is_pardoned(wrong):
    plain, applied = program(0.5), []

    def tick(params, memory, sample):
        memory, packed = plain.tick(params, memory, sample)
        if plain.carried(memory).floats[0] == 1:
            packed[:3] = wrong, 1.0, 0.0
        return memory, packed

    class Watched(Integrator):
        def apply(self, action):
            applied.append(action)
            super().apply(action)

    flight = fly(Watched(), dataclasses.replace(plain, tick=tick), FlightPlan(SCENARIO, 3, pardoned=(FINITE_ACTION,)))
    assert applied == [] and flight.trip_tick == 0 and flight.tripped == (FINITE_ACTION,) and not flight.kept
