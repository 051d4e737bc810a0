"""Commands that arrive late, around any twin."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime.brains.embedded.draws import BEYOND, Draws
from healing_runtime.brains.embedded.task import scenario_of
from healing_runtime.brains.embedded.wires import LONGEST, Disturbance, are_slow, wired

TICKS = 40
COMMANDS = np.linspace(5.0, 40.0, TICKS, dtype=np.float32)[:, None]


@pytest.fixture(scope="module")
def twin(hopper):
    return hopper.robot.make_twin(scenario_of(hopper.request(hopper.too_fast)))


def flown(twin, commands, disturbance):
    """The true signals of an open-loop flight, [ticks, columns]."""

    def tick(state, command):
        return twin.step(state, command, disturbance), twin.truth(state)

    return np.asarray(jax.lax.scan(tick, twin.init(jax.random.key(1), disturbance), jnp.asarray(commands))[1])


def late(hopper, ticks, since):
    return Disturbance(jnp.float32(hopper.mass_kg), jnp.float32(ticks), jnp.float32(since))


def test_within_the_prior_nothing_is_late(hopper, twin):
    slow = wired(twin, 1, TICKS)
    for strength in (0.0, 0.5, 1.0):
        disturbance = slow.draw(jax.random.key(3), strength)
        np.testing.assert_array_equal(flown(slow, COMMANDS, disturbance), flown(twin, COMMANDS, disturbance.plant))


def test_wires_that_are_not_slow_are_none(twin):
    prompt = wired(twin, 1, TICKS, slow=False)
    disturbance = prompt.draw(jax.random.key(3), 1.0)
    np.testing.assert_array_equal(flown(prompt, COMMANDS, disturbance), flown(twin, COMMANDS, disturbance.plant))


def test_one_late_command_among_many_flights_makes_wires_slow(hopper):
    rows = [late(hopper, ticks, 0) for ticks in (0.0, 0.9, 1.0)]
    many = jax.tree.map(lambda *leaves: np.stack(leaves), *rows)
    assert are_slow(many) and not are_slow(jax.tree.map(lambda leaf: leaf[:2], many))


@pytest.mark.parametrize("ticks", [1, 4, LONGEST])
def test_a_late_command_is_one_given_earlier(hopper, twin, ticks):
    slow = wired(twin, 1, TICKS)
    shifted = COMMANDS[np.maximum(np.arange(TICKS) - ticks, 0)]
    expected = flown(twin, shifted, jnp.float32(hopper.mass_kg))
    np.testing.assert_array_equal(flown(slow, COMMANDS, late(hopper, ticks + 0.9, 0)), expected)
    assert not np.array_equal(expected, flown(twin, COMMANDS, jnp.float32(hopper.mass_kg)))


def test_it_begins_at_its_tick(hopper, twin):
    slow = wired(twin, 1, TICKS)
    since = np.arange(TICKS) >= 12
    shifted = COMMANDS[np.where(since, np.arange(TICKS) - 4, np.arange(TICKS))]
    expected = flown(twin, shifted, jnp.float32(hopper.mass_kg))
    np.testing.assert_array_equal(flown(slow, COMMANDS, late(hopper, 4, 12)), expected)


def test_beyond_the_prior_commands_are_late_in_some_draws(twin):
    drawn = Draws(wired(twin, 1, TICKS)).beyond(np.arange(400), np.full(400, BEYOND))[0]
    assert 0.2 < np.mean(drawn.late_ticks >= 1.0) < 0.8
    assert np.max(drawn.late_ticks) <= LONGEST
