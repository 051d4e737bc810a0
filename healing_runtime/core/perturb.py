"""A neighbour of a scenario: other initial state, environment, fault magnitude, fault onset, noise.

The gate's neighbourhood, campaigns and fallback admission draw here, and a search for a counterexample places its
flights here, so that all mean the same thing by "perturbed". What comes out depends on the scenario and the choices
alone: keys are visited in sorted order, whatever order a file or a pipe brought them in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from healing_runtime.core.bearing import Bears, brought_back
from healing_runtime.core.records import Distribution, FaultSpec, Scenario

SEEDS = 2**31
"""Seeds are below this."""

Choose = Callable[[str, Distribution, Any], np.ndarray]
"""(name, distribution, nominal value) -> offset of the nominal's shape, or the value itself for `absolute`.

Names are those of the scenario file: `position_m`, `pad.friction`, `faults[0].value`, `faults[0].start` (in seconds).
"""


def draw(scenario: Scenario, rng: np.random.Generator, bears: Bears | None = None) -> Scenario:
    """A scenario drawn from `scenario.perturb`, clamped to what is physically possible, with a seed of its own.

    What the robot does not bear, if that is given, is brought back towards the scenario; `rng` gives the same all the
    same.
    """

    def choose(name: str, distribution: Distribution, nominal: Any) -> np.ndarray:
        shape = np.shape(nominal)
        if distribution.kind == "normal":
            return np.asarray(rng.normal(0.0, distribution.scale, shape))
        return np.asarray(rng.uniform(distribution.low, distribution.high, shape))

    drawn = dataclasses.replace(place(scenario, choose), seed=int(rng.integers(SEEDS)))
    return drawn if bears is None else brought_back(scenario, drawn, bears)


def drawn(scenario: Scenario) -> tuple[str, ...]:
    """The names of what a draw moves; none where the neighbours of a scenario differ in their noise alone."""
    found: list[str] = []

    def choose(name: str, distribution: Distribution, nominal: Any) -> np.ndarray:
        width = distribution.scale if distribution.kind == "normal" else distribution.high - distribution.low
        if width > 0.0:
            found.append(name)
        return np.full(np.shape(nominal), distribution.low if distribution.absolute else 0.0)

    place(scenario, choose)
    return tuple(found)


def place(scenario: Scenario, choose: Choose) -> Scenario:
    """The scenario with everything that `scenario.perturb` names where `choose` puts it, clamped to what is possible.

    The seed of the noise stays. A fault begins before the last physics step: one that began later would be none.
    """
    perturb = scenario.perturb
    return dataclasses.replace(
        scenario,
        initial=_place_section(scenario.initial, perturb.initial, choose),
        environment=_place_section(scenario.environment, perturb.environment, choose),
        faults=tuple(
            _place_fault(fault, f"faults[{i}]", perturb.faults, scenario, choose)
            for i, fault in enumerate(scenario.faults)
        ),
    )


def _place_section(
    values: Mapping[str, Any], distributions: Mapping[str, Distribution], choose: Choose
) -> Mapping[str, Any]:
    for path in sorted(distributions):
        values = _replaced(values, path, path.split("."), distributions[path], choose)
    return values


def _replaced(
    values: Mapping[str, Any], name: str, path: list[str], distribution: Distribution, choose: Choose
) -> Mapping[str, Any]:
    head, *rest = path
    inner = values[head]
    new = _replaced(inner, name, rest, distribution, choose) if rest else _placed(inner, name, distribution, choose)
    return {**values, head: new}


def _place_fault(
    fault: FaultSpec, name: str, distributions: Mapping[str, Distribution], scenario: Scenario, choose: Choose
) -> FaultSpec:
    parameters, start_step = dict(fault.parameters), fault.start_step
    last_step = scenario.duration_ticks * scenario.substeps - 1
    for key in sorted(distributions):
        kind, _, parameter = key.rpartition(".")
        if kind not in ("", fault.kind) or (not kind and f"{fault.kind}.{parameter}" in distributions):
            continue  # another kind's, or one that this kind has of its own
        label = f"{name}.{parameter}"
        if parameter == "start" and fault.when is not None:
            continue  # it begins when the flight says so
        if parameter == "start":
            onset = dataclasses.replace(distributions[key], floor=0.0, ceiling=last_step / scenario.physics_hz)
            start_s = _placed(fault.start_step / scenario.physics_hz, label, onset, choose)
            start_step = round(start_s * scenario.physics_hz)
        elif parameter in parameters:
            parameters[parameter] = _placed(parameters[parameter], label, distributions[key], choose)
    until_step = None if fault.until_step is None else fault.until_step + start_step - fault.start_step
    return dataclasses.replace(fault, parameters=parameters, start_step=start_step, until_step=until_step)


def _placed(nominal: Any, name: str, distribution: Distribution, choose: Choose) -> Any:
    offset = choose(name, distribution, nominal)
    value = offset if distribution.absolute else np.asarray(nominal, dtype=np.float64) + offset
    value = np.clip(value, distribution.floor, distribution.ceiling)
    return round(float(value)) if isinstance(nominal, int) else _plain(value)


def _plain(value: np.ndarray) -> Any:
    """Scalars to float, arrays to nested tuples, as scenarios hold them."""
    return float(value) if np.ndim(value) == 0 else tuple(_plain(entry) for entry in value)
