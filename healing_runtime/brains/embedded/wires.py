"""What may be wrong between any controller and any robot: commands that arrive late.

A twin knows its own body; that its commands are late is no part of it. Here it is put around the twin. Within the prior
a command is late by less than a control period, which is nothing; only what lies beyond (`draws`) is felt.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime.brains.embedded.draws import BEYOND
from healing_runtime.core.plant import Twin

LONGEST = int(BEYOND)
"""Ticks by which a command can be late."""


class Disturbance(NamedTuple):
    """The twin's own, and by how many ticks commands are late (rounded down) from which tick on."""

    plant: Any
    late_ticks: Any
    since_tick: Any


class State(NamedTuple):
    """The twin's own, the tick, and the last commands, the latest first."""

    plant: Any
    tick: Any
    commands: Any


def are_slow(disturbances: Disturbance) -> bool:
    """Whether in one of these disturbances, a row each, a command is late."""
    return bool(np.any(np.asarray(disturbances.late_ticks) >= 1.0))


def wired(twin: Twin, actions: int, ticks: int, *, slow: bool = True) -> Twin:
    """The twin behind wires that may be slow; `actions` columns of command, a flight of so many `ticks`.

    If not `slow`, for disturbances in which no wire is: the past commands are left alone, which spares a search most of
    what wires cost.
    """

    def draw(key: Any, strength: Any) -> Disturbance:
        late, start, when = jax.random.uniform(jax.random.fold_in(key, 3), (3,))
        since = jnp.where(start < 0.25, 0.0, when * ticks)
        return Disturbance(twin.draw(key, strength), late * strength, since)

    def init(key: Any, disturbance: Disturbance) -> State:
        plant = twin.init(key, disturbance.plant)
        return State(plant, jnp.zeros(()), jnp.zeros((LONGEST, actions)))

    def at_once(state: State, action: Any, disturbance: Disturbance) -> State:
        return state._replace(plant=twin.step(state.plant, action, disturbance.plant))

    def late(state: State, action: Any, disturbance: Disturbance) -> State:
        # Before the first command there is none that could be late: it takes the place of all earlier ones.
        past = jnp.where(state.tick == 0.0, jnp.broadcast_to(action, state.commands.shape), state.commands)
        known = jnp.concatenate([action[None], past])
        ticks_late = jnp.where(state.tick >= disturbance.since_tick, jnp.floor(disturbance.late_ticks), 0.0)
        arrived = jnp.sum(jnp.where(jnp.arange(LONGEST + 1)[:, None] == ticks_late, known, 0.0), axis=0)
        return State(twin.step(state.plant, arrived, disturbance.plant), state.tick + 1.0, known[:-1])

    def observe(state: State, disturbance: Disturbance) -> Any:
        return twin.observe(state.plant, disturbance.plant)

    def truth(state: State) -> Any:
        return twin.truth(state.plant)

    return Twin(draw, init, late if slow else at_once, observe, truth)
