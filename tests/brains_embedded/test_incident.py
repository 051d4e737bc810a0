"""What the log says about what may be wrong."""

import numpy as np
import pytest

from healing_runtime.brains.embedded.budget import Budget
from healing_runtime.brains.embedded.draws import Draws
from healing_runtime.brains.embedded.incident import suspects
from healing_runtime.brains.embedded.judge import Judge
from healing_runtime.brains.embedded.rollout import Rollout
from healing_runtime.brains.embedded.task import task_of
from healing_runtime.language import controller


@pytest.fixture(scope="module")
def compiled(hopper):
    task = task_of(hopper.request(hopper.too_fast), hopper.robot)
    draws = Draws(task.twin)
    return task, draws, Rollout(task, draws, controller.load(task.opened.parsed)), Judge(task)


def logged(hopper, compiled, seed, strength):
    """A request whose log is one flight of the twin."""
    task, draws, rollout, judge = compiled
    ticks = np.arange(5, 36)
    start = draws.draw(np.array([seed]), np.array([strength]))
    _, seen = rollout.recall(judge, task.opened.parsed.params, start, ticks)
    log = {name: tuple(map(float, seen[0, :, i])) for i, name in enumerate(task.table.observed.columns)}
    return hopper.request(hopper.too_fast, log_ticks=tuple(map(int, ticks)), log=log, trip_tick=35)


@pytest.mark.parametrize("seed", [3, 4])
def test_suspects_weigh_what_the_logged_robot_weighed(hopper, compiled, seed):
    task, draws, rollout, judge = compiled
    mass = draws.draw(np.array([seed]), np.array([1.0]))[0].plant[0]
    found = suspects(logged(hopper, compiled, seed, 1.0), task, rollout, judge, draws, Budget(draws=1536, suspects=8))
    masses = found.starts[0].plant
    prior = hopper.mass_kg * 0.1 * 0.5
    assert found.size == 8
    assert np.median(np.abs(masses - mass)) < 0.5 * max(prior, abs(mass - hopper.mass_kg))


def test_without_a_log_nobody_is_suspected(hopper, compiled):
    task, draws, rollout, judge = compiled
    assert (
        suspects(hopper.request(hopper.too_fast), task, rollout, judge, draws, Budget(draws=192, suspects=8)).size == 0
    )


def test_halves_are_apart(hopper, compiled):
    task, draws, rollout, judge = compiled
    found = suspects(logged(hopper, compiled, 3, 1.0), task, rollout, judge, draws, Budget(draws=192, suspects=8))
    searched, validated = found.every(0, 2), found.every(1, 2)
    masses = [set(map(float, part.starts[0].plant)) for part in (searched, validated, searched.window(1, 3))]
    assert masses[0] and masses[1] and not masses[0] & masses[1]
    assert masses[2] <= masses[0]


def test_a_load_far_beyond_the_prior_is_found(hopper, compiled):
    task, draws, rollout, judge = compiled
    mass, start = draws.draw(np.array([0]), np.array([0.0]))
    ticks = np.arange(5, 36)
    _, seen = rollout.recall(judge, task.opened.parsed.params, (mass._replace(plant=1.9 * mass.plant), start), ticks)
    log = {name: tuple(map(float, seen[0, :, i])) for i, name in enumerate(task.table.observed.columns)}
    request = hopper.request(hopper.too_fast, log_ticks=tuple(map(int, ticks)), log=log, trip_tick=35)
    found = suspects(request, task, rollout, judge, draws, Budget(draws=192, suspects=8))
    np.testing.assert_allclose(found.starts[0].plant, 1.9 * mass.plant[0], rtol=0.05)


def test_beyond_the_prior_one_thing_is_that_many_times_worse(compiled):
    _, draws, *_ = compiled
    seeds = np.arange(400)
    prior, beyond = (
        draw(seeds, np.full(400, strength))[0].plant for draw, strength in ((draws.draw, 1.0), (draws.beyond, 4.0))
    )
    furthest = [np.abs(masses - draws.nominal[0].plant).max() for masses in (prior, beyond)]
    assert 2.0 < furthest[1] / furthest[0] < 6.0
