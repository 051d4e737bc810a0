"""What a robot can be set up in, and what becomes of a draw that it cannot.

A limit on one quantity holds a draw by itself (`perturb`). Some hold several quantities together: the slope of a pad
with what a fault adds to it, a start that must not lie inside the pad. Only the plant knows those, so it is asked.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from healing_runtime.core.errors import InputError
from healing_runtime.core.plant import Plant, Robot
from healing_runtime.core.records import FaultSpec, Scenario

BISECTIONS = 16
"""How nearly the edge of what a robot bears is found: to one part in 2 to the power of this."""

Bears = Callable[[Scenario], bool]
"""Whether a robot can be set up so."""


def bears_of(plant: Plant) -> Bears:
    """What a plant bears. It is reset to find out, so nothing may be in flight on it."""

    def bears(scenario: Scenario) -> bool:
        try:
            plant.reset(scenario, scenario.seed)
        except InputError:
            return False
        return True

    return bears


@contextlib.contextmanager
def bearing(robot: Robot) -> Iterator[Bears]:
    """What a robot bears, asked of a plant of its own that is closed in the end."""
    plant = robot.make()
    try:
        yield bears_of(plant)
    finally:
        plant.close()


def brought_back(nominal: Scenario, drawn: Scenario, bears: Bears) -> Scenario:
    """The drawn scenario where the robot bears it, else the farthest on the way to it that is found to be borne.

    All that was drawn goes back in the same proportion; the seed stays the drawn one's. The robot has to bear the
    nominal scenario.
    """
    if bears(drawn):
        return drawn
    found, borne, too_far = _between(nominal, drawn, 0.0), 0.0, 1.0
    for _ in range(BISECTIONS):
        share = 0.5 * (borne + too_far)
        tried = _between(nominal, drawn, share)
        if bears(tried):
            found, borne = tried, share
        else:
            too_far = share
    return found


def _between(nominal: Scenario, drawn: Scenario, share: float) -> Scenario:
    return dataclasses.replace(
        drawn,
        initial=_mixed(nominal.initial, drawn.initial, share),
        environment=_mixed(nominal.environment, drawn.environment, share),
        faults=tuple(_fault(one, other, share) for one, other in zip(nominal.faults, drawn.faults, strict=True)),
    )


def _fault(nominal: FaultSpec, drawn: FaultSpec, share: float) -> FaultSpec:
    return dataclasses.replace(
        drawn,
        parameters=_mixed(nominal.parameters, drawn.parameters, share),
        start_step=_mixed(nominal.start_step, drawn.start_step, share),
        until_step=_mixed(nominal.until_step, drawn.until_step, share),
    )


def _mixed(nominal: Any, drawn: Any, share: float) -> Any:
    """Every number between the two; what is none was not drawn."""
    if isinstance(drawn, Mapping):
        return {key: _mixed(nominal[key], inner, share) for key, inner in drawn.items()}
    if isinstance(drawn, tuple):
        return tuple(_mixed(one, other, share) for one, other in zip(nominal, drawn, strict=True))
    if nominal == drawn or isinstance(drawn, bool) or not isinstance(drawn, int | float):
        return drawn
    value = nominal + share * (drawn - nominal)
    return round(value) if isinstance(drawn, int) else value
