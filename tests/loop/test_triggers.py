"""When faults begin that wait for a formula: in flight, after a rewind, and when a flight is executed again."""

import dataclasses

import numpy as np
import pytest

from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.records import FaultSpec
from healing_runtime.loop.recorder import Recorder
from healing_runtime.loop.rollout import FlightPlan, advance, bring_to, fly
from healing_runtime.loop.slot import Slot
from tests.loop.integrator import SCENARIO, TABLE, Integrator, program


class Leaky(Integrator):
    """Every fault that has begun takes a tenth of the position away in each period."""

    def reset(self, scenario, seed):
        super().reset(scenario, seed)
        self.begun = []

    def begin(self, fault):
        self.begun.append((fault, round(self.t / 0.1)))

    def step(self):
        super().step()
        self.x -= 0.1 * len(self.begun) * self.x

    def snapshot(self):
        return (*super().snapshot(), list(self.begun))

    def restore(self, snapshot):
        *rest, begun = snapshot
        super().restore(tuple(rest))
        self.begun = list(begun)


def waits(*thresholds, **times):
    """A scenario, and a program that says which of its formulas, `position < threshold`, are true."""
    faults = tuple(FaultSpec("leak", when=f"position < {t} m", **times) for t in thresholds)
    plain = program(0.5)
    columns = {**plain.interface.columns, "triggers": (4, 4 + len(thresholds))}
    interface = dataclasses.replace(plain.interface, columns=columns, packed_size=4 + len(thresholds))

    def tick(params, memory, sample):
        memory, packed = plain.tick(params, memory, sample)
        return memory, np.concatenate([packed, [float(sample[1] < t) for t in thresholds]])

    return dataclasses.replace(SCENARIO, faults=faults), dataclasses.replace(plain, tick=tick, interface=interface)


def flown(scenario, live, plant=None, **kw):
    plant = plant or Leaky()
    recorder = Recorder(scenario, TABLE)
    plant.reset(scenario, 3)
    advance(plant, Slot(live), recorder, live.start(), 0, scenario.duration_ticks, **kw)
    return plant, recorder


def first_below(recorder, threshold):
    return int(np.argmax(recorder.true[:, 0] < threshold))


def test_a_fault_begins_with_the_first_sample_at_which_its_formula_is_true_and_only_once():
    plant, recorder = flown(*waits(0.8, 0.3))
    expected = [(0, first_below(recorder, 0.8)), (1, first_below(recorder, 0.3))]
    assert plant.begun == expected and recorder.onsets == dict(expected)
    assert expected[0][1] < expected[1][1] < 40


def test_a_formula_that_is_never_true_begins_nothing():
    plant, recorder = flown(*waits(-5.0))
    assert plant.begun == [] and recorder.onsets == {}


@pytest.mark.parametrize(("start_step", "tick"), [(0, 0), (20, 10), (21, 11)])
def test_the_formula_is_looked_at_from_the_start_on(start_step, tick):
    plant, _ = flown(*waits(2.0, start_step=start_step))
    assert plant.begun == [(0, tick)], "a sample before the start does not count, not even by half a period"


def test_from_its_end_on_a_fault_does_not_begin_any_more():
    assert flown(*waits(0.3, until_step=4))[0].begun == []
    assert flown(*waits(2.0, start_step=3, until_step=4))[0].begun == [], "there is no sample between them"


def test_what_is_not_a_number_begins_nothing():
    scenario, live = waits(2.0)

    def tick(params, memory, sample):
        memory, packed = live.tick(params, memory, sample)
        packed[-1] = np.nan
        return memory, packed

    assert flown(scenario, dataclasses.replace(live, tick=tick))[0].begun == []


def test_the_sample_at_the_end_of_the_flight_begins_nothing():
    scenario, live = waits(2.0, start_step=80)
    assert flown(scenario, live)[0].begun == []


@pytest.mark.parametrize("skew", [0.0, 0.25])
@pytest.mark.parametrize("tick", [3, 4, 5, 12, 13, 30])
def test_going_back_before_an_onset_forgets_it_and_after_it_keeps_it(tick, skew):
    scenario, live = waits(0.8)
    plant, recorder = flown(scenario, live, Leaky(skew))
    ((fault, begun),) = recorder.onsets.items()
    whole = recorder.observed.copy()
    way = bring_to(plant, recorder, scenario, 3, tick)
    assert way == ("recipe" if skew else "keyframe")
    assert plant.begun == ([(fault, begun)] if tick > begun else [])
    assert plant.x == whole[tick, 0]
    recorder.rewind(tick)
    assert recorder.onsets == ({fault: begun} if tick > begun else {})
    # And flown on from there it is the flight that it was.
    plant.skew = 0.0
    carry = Vectors(np.array([float(tick)]), np.zeros(0, np.int32))
    advance(plant, Slot(live), recorder, carry, tick, scenario.duration_ticks)
    assert recorder.onsets == {fault: begun}
    np.testing.assert_array_equal(recorder.observed, whole)


def test_a_keyframe_of_the_very_tick_is_from_before_the_onset():
    scenario, live = waits(0.8)
    recorder = flown(scenario, live)[1]
    begun = recorder.onsets[0]
    at = recorder.keyframes.get(begun)
    for keyframe in recorder.keyframes.values():
        assert bool(keyframe.plant[-1]) is (keyframe.tick > begun), "see the plant's snapshot"
    assert at is None or at.plant[-1] == []


@pytest.mark.parametrize("tick", [2, 15])
def test_a_plan_takes_the_onsets_of_its_recipe_and_none_of_what_comes_after(tick):
    scenario, live = waits(0.8, 0.3)
    whole = fly(Leaky(), live, FlightPlan(scenario, 3))
    onsets = tuple(sorted(flown(scenario, live)[1].onsets.items()))
    carry = Vectors(np.array([float(tick)]), np.zeros(0, np.int32))
    late = fly(Leaky(), live, FlightPlan(scenario, 3, tick, whole.trace.action, carry, onsets=onsets))
    np.testing.assert_array_equal(late.trace.true, whole.trace.true[tick:])


def test_without_the_onsets_the_recipe_is_another_flight():
    scenario, live = waits(0.8)
    whole = fly(Leaky(), live, FlightPlan(scenario, 3))
    carry = Vectors(np.array([15.0]), np.zeros(0, np.int32))
    late = fly(Leaky(), live, FlightPlan(scenario, 3, 15, whole.trace.action, carry))
    assert not np.array_equal(late.trace.true, whole.trace.true[15:])


def test_a_pause_between_keeps_what_waits_waiting():
    scenario, live = waits(0.8, 0.3)
    whole = flown(scenario, live)[1]
    plant, recorder = Leaky(), Recorder(scenario, TABLE)
    plant.reset(scenario, 3)
    carry, tick = live.start(), 0
    while tick < scenario.duration_ticks:
        stop = advance(plant, Slot(live), recorder, carry, tick, 40, pause_at=min(tick + 7, 41))
        carry, tick = stop.carry, stop.tick
    assert recorder.onsets == whole.onsets
    np.testing.assert_array_equal(recorder.observed, whole.observed)
