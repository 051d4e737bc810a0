"""Drawing a neighbour of a scenario: other initial state, environment, fault magnitude, fault onset, noise.

The gate's neighbourhood, campaigns and fallback admission all draw here, so that they mean the same thing by
"perturbed". A draw depends on the scenario and the generator alone: keys are visited in sorted order, whatever order a
file or a pipe brought them in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from healing_runtime.core.records import Distribution, FaultSpec, Scenario

_SEEDS = 2**31


def draw(scenario: Scenario, rng: np.random.Generator) -> Scenario:
    """A scenario drawn from `scenario.perturb`, clamped to what is physically possible, with a seed of its own."""
    perturb = scenario.perturb
    return dataclasses.replace(
        scenario,
        initial=_draw_section(scenario.initial, perturb.initial, rng),
        environment=_draw_section(scenario.environment, perturb.environment, rng),
        faults=tuple(_draw_fault(fault, perturb.faults, scenario, rng) for fault in scenario.faults),
        seed=int(rng.integers(_SEEDS)),
    )


def _draw_section(
    values: Mapping[str, Any], distributions: Mapping[str, Distribution], rng: np.random.Generator
) -> Mapping[str, Any]:
    for path in sorted(distributions):
        values = _replaced(values, path.split("."), distributions[path], rng)
    return values


def _replaced(
    values: Mapping[str, Any], path: list[str], distribution: Distribution, rng: np.random.Generator
) -> Mapping[str, Any]:
    head, *rest = path
    inner = values[head]
    return {**values, head: _replaced(inner, rest, distribution, rng) if rest else _drawn(inner, distribution, rng)}


def _draw_fault(
    fault: FaultSpec, distributions: Mapping[str, Distribution], scenario: Scenario, rng: np.random.Generator
) -> FaultSpec:
    parameters, start_step = dict(fault.parameters), fault.start_step
    for key in sorted(distributions):
        kind, _, name = key.rpartition(".")
        if kind not in ("", fault.kind):
            continue
        if name == "start":
            start_s = _drawn(fault.start_step / scenario.physics_hz, distributions[key], rng)
            last_step = scenario.duration_ticks * scenario.substeps
            start_step = min(max(round(start_s * scenario.physics_hz), 0), last_step)
        elif name in parameters:
            parameters[name] = _drawn(parameters[name], distributions[key], rng)
    until_step = None if fault.until_step is None else fault.until_step + start_step - fault.start_step
    return dataclasses.replace(fault, parameters=parameters, start_step=start_step, until_step=until_step)


def _drawn(nominal: Any, distribution: Distribution, rng: np.random.Generator) -> Any:
    shape = np.shape(nominal)
    if distribution.kind == "normal":
        offset = rng.normal(0.0, distribution.scale, shape)
    else:
        offset = rng.uniform(distribution.low, distribution.high, shape)
    value = offset if distribution.absolute else np.asarray(nominal, dtype=np.float64) + offset
    value = np.clip(value, distribution.floor, distribution.ceiling)
    return round(float(value)) if isinstance(nominal, int) else _plain(value)


def _plain(value: np.ndarray) -> Any:
    """Scalars to float, arrays to nested tuples, as scenarios hold them."""
    return float(value) if np.ndim(value) == 0 else tuple(_plain(entry) for entry in value)
