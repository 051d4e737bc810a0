"""Keyframes of a real plant only accelerate: whatever becomes of them, the rows are the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from healing_runtime.core.records import Scenario
from healing_runtime.loop.recorder import KEYFRAMES_KEPT, Recorder
from healing_runtime.loop.rollout import advance, bring_to
from healing_runtime.loop.slot import Slot
from healing_runtime.workspace.plants import load_robot
from tests.loop.integrator import program

CARTPOLE = load_robot("cartpole", Path(__file__).parents[2] / "sim")
TICKS = 3500
SCENARIO = Scenario(
    name="cartpole/test", robot="cartpole", controller="", assertions=(), mission=None, duration_ticks=TICKS,
    control_hz=50, physics_hz=250, seed=1, initial=CARTPOLE.initial(pole_angle_deg=170.0).model_dump(),
    environment=CARTPOLE.environment().model_dump(), reference=CARTPOLE.reference().model_dump(),
)  # fmt: skip


@pytest.fixture(scope="module")
def plant():
    plant = CARTPOLE.make()
    yield plant
    plant.close()


@pytest.fixture
def flight(plant):
    """A flight with more keyframes than are kept: its recorder, and its rows."""
    recorder = Recorder(SCENARIO, plant.signals, plant.release)
    plant.reset(SCENARIO, 1)
    swinging = program(3.0)
    advance(plant, Slot(swinging), recorder, swinging.start(), 0, TICKS)
    yield recorder, recorder.trace()
    recorder.forget_keyframes()


def flown_again(plant, recorder, tick, until):
    """Fly on from `tick`, where the plant stands, with a memory that the program does not use."""
    recorder.rewind(tick)
    swinging = program(3.0)
    advance(plant, Slot(swinging), recorder, swinging.start(), tick, until)
    return recorder.trace()


def test_the_first_keyframe_and_the_newest_are_kept(flight):
    recorder, _ = flight
    ticks = list(recorder.keyframes)
    assert len(ticks) == KEYFRAMES_KEPT < TICKS // recorder.every
    assert ticks[0] == 0 and ticks[-1] == TICKS // recorder.every * recorder.every
    assert np.diff(ticks[1:]).tolist() == [recorder.every] * (KEYFRAMES_KEPT - 2)


@pytest.mark.parametrize("tick", [30, 3000])
def test_an_older_tick_is_re_executed_and_a_newer_one_is_near(tick, plant, flight):
    recorder, trace = flight
    nearest = recorder.before(tick)
    assert nearest is not None and (nearest.tick == 0) is (tick == 30)
    assert bring_to(plant, recorder, SCENARIO, 1, tick) == "keyframe"
    again = flown_again(plant, recorder, tick, tick + 100)
    np.testing.assert_array_equal(again.true, trace.true[: tick + 101])
    np.testing.assert_array_equal(again.action[:-1], trace.action[: tick + 100])


@pytest.mark.parametrize("broken", ["state", "hash"])
def test_a_broken_keyframe_is_noticed_and_the_recipe_gives_the_same_rows(broken, plant, flight):
    recorder, trace = flight
    frame, other = recorder.before(3000), recorder.before(2000)
    spoilt = {"state": {"plant": other.plant}, "hash": {"state_hash": other.state_hash}}[broken]
    recorder.keyframes[frame.tick] = dataclasses.replace(frame, **spoilt)
    assert bring_to(plant, recorder, SCENARIO, 1, 3000) == "recipe"
    again = flown_again(plant, recorder, 3000, 3100)
    np.testing.assert_array_equal(again.true, trace.true[:3101])
