"""What the log says about what may be wrong."""

import numpy as np
import pytest

from healing_runtime.brains.embedded.incident import suspects
from healing_runtime.brains.embedded.judge import Judge
from healing_runtime.brains.embedded.rollout import Draws, Rollout
from healing_runtime.brains.embedded.task import task_of


@pytest.fixture(scope="module")
def compiled(hopper):
    task = task_of(hopper.request(hopper.too_fast), hopper.robot)
    draws = Draws(task.twin)
    return task, draws, Rollout(task, draws, task.original), Judge(task)


def logged(hopper, compiled, seed, strength):
    """A request whose log is one flight of the twin."""
    task, _, rollout, judge = compiled
    ticks = np.arange(5, 36)
    _, seen = rollout.recall(judge, task.parsed.params, np.array([seed]), np.array([strength]), ticks)
    log = {name: tuple(map(float, seen[0, :, i])) for i, name in enumerate(task.table.observed.columns)}
    return hopper.request(hopper.too_fast, log_ticks=tuple(map(int, ticks)), log=log, trip_tick=35)


@pytest.mark.parametrize("seed", [3, 4])
def test_suspects_weigh_what_the_logged_robot_weighed(hopper, compiled, seed):
    task, draws, rollout, judge = compiled
    mass = draws.draw(np.array([seed]), np.array([1.0]))[0][0]
    found = suspects(logged(hopper, compiled, seed, 1.0), task, rollout, judge, draws=1536, keep=8)
    masses, _ = draws.draw(found.seeds, found.strengths)
    prior = hopper.mass_kg * 0.1 * 0.5
    assert len(found.seeds) == 8
    assert np.median(np.abs(masses - mass)) < 0.5 * max(prior, abs(mass - hopper.mass_kg))


def test_without_a_log_nobody_is_suspected(hopper, compiled):
    task, _, rollout, judge = compiled
    assert len(suspects(hopper.request(hopper.too_fast), task, rollout, judge, draws=192, keep=8).seeds) == 0


def test_halves_are_apart(hopper, compiled):
    task, _, rollout, judge = compiled
    found = suspects(logged(hopper, compiled, 3, 1.0), task, rollout, judge, draws=192, keep=8)
    searched, validated = found.every(0, 2), found.every(1, 2)
    assert not set(searched.seeds) & set(validated.seeds)
    assert set(searched.window(1, 3).seeds) <= set(searched.seeds)
