"""`perturb:` of a scenario -> core.Perturbation, checked against what the robot declares.

    perturb: {position_m: {normal: 0.02}, pad: {friction: {uniform: [-0.1, 0.1]}},
              faults: {value: {uniform: [-0.05, 0.05]}, start: {uniform: [0 s, 8 s]}}}

`normal: sigma` and `uniform: [low, high]` are added to the nominal value; a `uniform` fault onset replaces it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from healing_runtime.core.errors import FileFormatError
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import Distribution, FaultSpec, Perturbation
from healing_runtime.workspace.document import Document, KeyPath, suggestion
from healing_runtime.workspace.sections import in_unit, limits_of, unit_of_key
from healing_runtime.workspace.validation import dotted

Sections = tuple[Mapping[str, Any], Mapping[str, Any]]


def read_perturbation(
    document: Document, robot: Robot, nominal: Sections, faults: tuple[FaultSpec, ...], duration_s: float
) -> Perturbation:
    """The scenario's own perturbation, or the robot's default with the fault onset over the whole flight.

    `nominal` holds the resolved `initial` and `environment`.
    """
    if document.value.get("perturb") is None:
        written = _default(robot, faults, duration_s)
    else:
        written = _written(document, nominal, faults)
    return _limited(written, robot, faults)


def _default(robot: Robot, faults: tuple[FaultSpec, ...], duration_s: float) -> Perturbation:
    parameters = {name for fault in faults for name in fault.parameters}
    chosen = {k: d for k, d in robot.perturb.faults.items() if k.rpartition(".")[2] in parameters | {"start"}}
    if faults and "start" not in chosen:
        chosen["start"] = Distribution("uniform", low=0.0, high=duration_s, absolute=True)
    return dataclasses.replace(robot.perturb, faults=chosen)


def _written(document: Document, nominal: Sections, faults: tuple[FaultSpec, ...]) -> Perturbation:
    initial, environment = nominal
    out: dict[str, dict[str, Distribution]] = {"initial": {}, "environment": {}, "faults": {}}
    section = document.value["perturb"]
    for key, entry in section.items():
        at: KeyPath = ("perturb", key)
        if key == "faults":
            out["faults"] = _fault_distributions(document, entry, faults)
            continue
        name, values = ("initial", initial) if key in initial else ("environment", environment)
        if key not in values:
            known = {*initial, *environment, "faults"}
            hint = suggestion(key, known, what="Known keys")
            raise FileFormatError(f"perturb: unknown key '{key}'.{hint}", where=document.where_key(at))
        out[name] |= dict(_leaves(document, entry, values[key], key, at))
    return Perturbation(**out)


def _leaves(document: Document, entry: Any, nominal: Any, path: str, at: KeyPath) -> Iterator[tuple[str, Distribution]]:
    if not isinstance(nominal, Mapping):
        if not _numeric(nominal):
            raise FileFormatError(f"{dotted(at)} is not a number; remove it.", where=document.where_key(at))
        yield path, _distribution(document, entry, unit_of_key(path), at)
        return
    for key, inner in _mapping(document, entry, at).items():
        if key not in nominal:
            hint = suggestion(key, nominal, what="Known keys")
            raise FileFormatError(f"{dotted(at)}: unknown key '{key}'.{hint}", where=document.where_key((*at, key)))
        yield from _leaves(document, inner, nominal[key], f"{path}.{key}", (*at, key))


def _fault_distributions(document: Document, entry: Any, faults: tuple[FaultSpec, ...]) -> dict[str, Distribution]:
    at: KeyPath = ("perturb", "faults")
    names = {name for fault in faults for name, value in fault.parameters.items() if _numeric(value)} | {"start"}
    pairs = {(f.kind, n) for f in faults for n in (*f.parameters, "start")}
    out = {}
    for key, inner in _mapping(document, entry, at).items():
        kind, _, name = key.rpartition(".")
        if name not in names or (kind and (kind, name) not in pairs):
            hint = suggestion(key, names, what="Known keys")
            message = f"{dotted(at)}: no fault of this scenario has a number '{key}'.{hint}"
            raise FileFormatError(message, where=document.where_key((*at, key)))
        out[key] = _distribution(document, inner, "s" if name == "start" else unit_of_key(name), (*at, key))
        if name == "start" and out[key].kind == "uniform":
            out[key] = dataclasses.replace(out[key], absolute=True)
    return out


def _distribution(document: Document, entry: Any, unit: str, at: KeyPath) -> Distribution:
    fields = _mapping(document, entry, at)
    form = "write {normal: SIGMA} or {uniform: [LOW, HIGH]}"
    if len(fields) != 1 or not set(fields) <= {"normal", "uniform"}:
        raise FileFormatError(f"{dotted(at)}: {form}.", where=document.where(at))
    if "normal" in fields:
        sigma = _number(document, fields["normal"], unit, (*at, "normal"))
        if sigma < 0:
            raise FileFormatError(f"{dotted(at)}: a sigma is never negative.", where=document.where((*at, "normal")))
        return Distribution("normal", scale=sigma)
    bounds = fields["uniform"]
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise FileFormatError(f"{dotted(at)}: {form}.", where=document.where((*at, "uniform")))
    low, high = (_number(document, b, unit, (*at, "uniform", i)) for i, b in enumerate(bounds))
    if low > high:
        message = f"{dotted(at)}: the lower bound is above the upper one; swap them."
        raise FileFormatError(message, where=document.where((*at, "uniform")))
    return Distribution("uniform", low=low, high=high)


def _number(document: Document, value: Any, unit: str, at: KeyPath) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise FileFormatError(f"{dotted(at)}: write a number.", where=document.where(at))
    return in_unit(document, value, unit, at)


def _mapping(document: Document, entry: Any, at: KeyPath) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        raise FileFormatError(f"{dotted(at)}: write a mapping.", where=document.where(at))
    return entry


def _numeric(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_numeric(entry) for entry in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _limited(perturb: Perturbation, robot: Robot, faults: tuple[FaultSpec, ...]) -> Perturbation:
    """Limits of the robot's models on every distribution; a fault parameter gets one entry a kind."""
    by_kind: dict[str, Distribution] = {}
    for key, distribution in perturb.faults.items():
        kind, _, name = key.rpartition(".")
        if name == "start":
            by_kind[key] = distribution
            continue
        for fault in faults:
            if kind in ("", fault.kind) and name in fault.parameters:
                model = robot.faults[fault.kind].Parameters
                by_kind[f"{fault.kind}.{name}"] = _clamped(distribution, model, name)
    return Perturbation(
        {k: _clamped(d, robot.initial, k) for k, d in perturb.initial.items()},
        {k: _clamped(d, robot.environment, k) for k, d in perturb.environment.items()},
        by_kind,
    )


def _clamped(distribution: Distribution, model: Any, path: str) -> Distribution:
    limits = limits_of(model, path)
    return dataclasses.replace(distribution, floor=limits.floor, ceiling=limits.ceiling)
