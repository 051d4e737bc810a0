"""`perturb:` of a scenario -> core.Perturbation, checked against what the robot declares.

    perturb: {position_m: {normal: 0.02}, pad: {friction: {uniform: [-0.1, 0.1]}},
              faults: {value: {uniform: [-0.05, 0.05]}, start: {uniform: [0 s, 8 s]}}}

`normal: sigma` and `uniform: [low, high]` are added to the nominal value; a `uniform` fault onset replaces it.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from healing_runtime.core import perturb
from healing_runtime.core.errors import FileFormatError
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import Distribution, FaultSpec, Perturbation, Scenario
from healing_runtime.workspace.document import Document, KeyPath, suggestion
from healing_runtime.workspace.faults import Written, claims
from healing_runtime.workspace.gathering import Gathering
from healing_runtime.workspace.sections import in_unit, limits_of, unit_of_key
from healing_runtime.workspace.validation import dotted

Sections = tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]


def read_perturbation(
    document: Document,
    robot: Robot,
    nominal: Sections,
    faults: tuple[FaultSpec, ...] | None,
    time: Written | None,
    notes: list[str],
    gathering: Gathering,
) -> Perturbation | None:
    """The scenario's own perturbation, or the robot's default with the fault onset over the whole flight.

    `nominal` holds the resolved `initial` and `environment`. What rests on something wrong is not looked at.
    """
    if document.value.get("perturb") is None:
        return None if faults is None or time is None else _default(robot, faults, time)
    return _Reader(document, robot, nominal, faults, time, notes, gathering).perturbation()


def _default(robot: Robot, faults: tuple[FaultSpec, ...], time: Written) -> Perturbation:
    parameters = {name for fault in faults for name in fault.parameters}
    drawn = any(fault.when is None for fault in faults) and rivals_of(faults, robot) is None
    drawn = drawn and not any(_may_miss_the_ticks(fault, robot, time) for fault in faults)
    chosen = {
        key: distribution
        for key, distribution in robot.perturb.faults.items()
        if key.rpartition(".")[2] in (parameters | {"start"} if drawn else parameters)
    }
    if drawn and "start" not in chosen:
        length_s = time.end_step / time.rates.physics_hz
        chosen["start"] = Distribution("uniform", low=0.0, high=length_s, absolute=True)
    by_kind: dict[str, Distribution] = {}
    for key, distribution in chosen.items():
        by_kind |= dict(_by_kind(key, distribution, robot, faults))
    initial, environment = (
        {key: _clamped(distribution, model, key) for key, distribution in section.items()}
        for section, model in ((robot.perturb.initial, robot.initial), (robot.perturb.environment, robot.environment))
    )
    return Perturbation(initial, environment, by_kind)


def perturbation_notes(scenario: Scenario) -> tuple[str, ...]:
    """Flights that are all alike show little, however many there are."""
    if perturb.drawn(scenario):
        return ()
    flights = "a patch's neighbours"
    if scenario.policy.fallback is not None:
        flights += " and the flights of the fallback before take-off"
    return (f"perturb: nothing is drawn; {flights} differ in their noise alone",)


def rivals_of(faults: tuple[FaultSpec, ...], robot: Robot) -> tuple[int, int] | None:
    """Two faults that may not overlap, and so begin when the file says: a draw of their onsets could make them."""
    for (i, one), (j, other) in itertools.combinations(enumerate(faults), 2):
        if claims(one, robot) & claims(other, robot):
            return i, j
    return None


def _may_miss_the_ticks(fault: FaultSpec, robot: Robot, time: Written) -> bool:
    """Whether a fault that acts at ticks alone is so short that one drawn elsewhere might meet none."""
    at_ticks = getattr(robot.faults[fault.kind], "at_ticks", False)
    short = fault.until_step is not None and fault.until_step - fault.start_step < time.substeps
    return at_ticks and short and fault.when is None


def _by_kind(
    key: str, distribution: Distribution, robot: Robot, faults: tuple[FaultSpec, ...]
) -> Iterator[tuple[str, Distribution]]:
    """A fault parameter's distribution gets one entry a kind, with the limits of that kind's model."""
    kind, _, name = key.rpartition(".")
    if name == "start":
        yield key, distribution
        return
    for fault in faults:
        if kind in ("", fault.kind) and name in fault.parameters:
            model = robot.faults[fault.kind].Parameters
            yield f"{fault.kind}.{name}", _clamped(distribution, model, name)


def _clamped(distribution: Distribution, model: Any, path: str) -> Distribution:
    limits = limits_of(model, path)
    return dataclasses.replace(distribution, floor=limits.floor, ceiling=limits.ceiling)


@dataclasses.dataclass(frozen=True)
class _Reader:
    """Reads the section; every mistake in it is gathered."""

    document: Document
    robot: Robot
    nominal: Sections
    faults: tuple[FaultSpec, ...] | None
    time: Written | None
    notes: list[str]
    gathering: Gathering

    def perturbation(self) -> Perturbation:
        models: tuple[Any, Any] = (self.robot.initial, self.robot.environment)
        found: tuple[dict[str, Distribution], dict[str, Distribution]] = {}, {}
        by_kind: dict[str, Distribution] = {}
        for key, entry in self.document.value["perturb"].items():
            at: KeyPath = ("perturb", key)
            place = next((i for i, model in enumerate(models) if key in model.model_fields), None)
            if key == "faults":
                if self.faults is not None and self.time is not None:
                    by_kind |= self._of_faults(entry, self.faults, self.time)
            elif place is None:
                known = {*models[0].model_fields, *models[1].model_fields, "faults"}
                message = f"perturb: unknown key '{key}'.{suggestion(key, known, what='Known keys')}"
                self.gathering.add(FileFormatError(message, where=self.document.where_key(at)))
            elif (nominal := self.nominal[place]) is not None:
                found[place].update(self._leaves(entry, nominal[key], models[place], key, at))
        return Perturbation(*found, by_kind)

    def _leaves(
        self, entry: Any, nominal: Any, model: Any, path: str, at: KeyPath
    ) -> Iterator[tuple[str, Distribution]]:
        if not isinstance(nominal, Mapping):
            found = self.gathering.attempt(functools.partial(self._leaf, entry, nominal, model, path, at))
            if found is not None:
                yield path, found
            return
        fields = self.gathering.attempt(lambda: _mapping(self.document, entry, at))
        for key, inner in (fields or {}).items():
            here = (*at, key)
            if key in nominal:
                yield from self._leaves(inner, nominal[key], model, f"{path}.{key}", here)
                continue
            hint = suggestion(key, nominal, what="Known keys")
            message = f"{dotted(at)}: unknown key '{key}'.{hint}"
            self.gathering.add(FileFormatError(message, where=self.document.where_key(here)))

    def _leaf(self, entry: Any, nominal: Any, model: Any, path: str, at: KeyPath) -> Distribution:
        if not is_numeric(nominal):
            raise FileFormatError(f"{dotted(at)} is not a number; remove it.", where=self.document.where_key(at))
        found = _clamped(_distribution(self.document, entry, unit_of_key(path), at), model, path)
        _refuse_impossible(self.document, found, nominal, at)
        return found

    def _of_faults(self, entry: Any, faults: tuple[FaultSpec, ...], time: Written) -> dict[str, Distribution]:
        at: KeyPath = ("perturb", "faults")
        if not faults:
            message = f"{dotted(at)}: this scenario has no fault that could vary; leave 'faults' out."
            self.gathering.add(FileFormatError(message, where=self.document.where_key(at)))
            return {}
        names = {name for fault in faults for name, value in fault.parameters.items() if is_numeric(value)} | {"start"}
        pairs = {(f.kind, n) for f in faults for n in (*f.parameters, "start")}
        out: dict[str, Distribution] = {}
        fields = self.gathering.attempt(lambda: _mapping(self.document, entry, at))
        for key, inner in (fields or {}).items():
            kind, _, name = key.rpartition(".")
            here = (*at, key)
            if name not in names or (kind and (kind, name) not in pairs):
                hint = suggestion(key, names, what="Known keys")
                message = f"{dotted(at)}: no fault of this scenario has a number '{key}'.{hint}"
                self.gathering.add(FileFormatError(message, where=self.document.where_key(here)))
                continue
            concerned = tuple(f for f in faults if kind in ("", f.kind))
            read = self._onset if name == "start" else self._parameter
            out |= self.gathering.attempt(lambda r=read, i=inner, k=key, c=concerned: r(i, k, c, time)) or {}
        return out

    def _parameter(self, entry: Any, key: str, faults: tuple[FaultSpec, ...], time: Written) -> dict[str, Distribution]:
        name, at = key.rpartition(".")[2], ("perturb", "faults", key)
        found = dict(_by_kind(key, _distribution(self.document, entry, unit_of_key(name), at), self.robot, faults))
        for fault in faults:
            if f"{fault.kind}.{name}" in found:
                _refuse_impossible(self.document, found[f"{fault.kind}.{name}"], fault.parameters[name], at)
        return found

    def _onset(self, entry: Any, key: str, faults: tuple[FaultSpec, ...], time: Written) -> dict[str, Distribution]:
        at: KeyPath = ("perturb", "faults", key)
        if all(fault.when is not None for fault in faults):
            message = f"{dotted(at)}: a fault with 'when' begins when its formula is true; leave '{key}' out."
            raise FileFormatError(message, where=self.document.where_key(at))
        rivals = rivals_of(self.faults or (), self.robot)
        if rivals is not None:
            message = (
                f"{dotted(at)}: faults[{rivals[0]}] and faults[{rivals[1]}] may not overlap, and drawn onsets could "
                f"make them; leave '{key}' out."
            )
            raise FileFormatError(message, where=self.document.where_key(at))
        for fault in faults:
            if _may_miss_the_ticks(fault, self.robot, time):
                message = (
                    f"{dotted(at)}: {fault.kind} acts at ticks alone, and elsewhere so short a one might meet none"
                )
                raise FileFormatError(
                    f"{message}; let it last a tick, or leave '{key}' out.", where=self.document.where_key(at)
                )
        found = _distribution(self.document, entry, "s", at)
        if found.kind == "normal":
            return {key: found}
        found = dataclasses.replace(found, absolute=True)
        length_s = time.end_step / time.rates.physics_hz
        if found.low < 0:
            where = self.document.where((*at, "uniform", 0))
            raise FileFormatError(f"{dotted(at)}: a time is never negative; begin at 0 s.", where=where)
        if found.low >= length_s:
            message = f"{dotted(at)}: every draw lies after the end of the flight, {time.duration}; write earlier ones."
            raise FileFormatError(message, where=self.document.where((*at, "uniform", 0)))
        if found.high > length_s:
            end = f"the end of the flight, {time.duration}"
            self.notes.append(f"{dotted(at)}: {found.high:g} s is after {end}; what is drawn there begins at it")
        return {key: found}


def _refuse_impossible(document: Document, distribution: Distribution, nominal: Any, at: KeyPath) -> None:
    """Draws outside what is possible are put to its edge: a distribution wholly outside would draw that alone."""
    if distribution.kind == "normal":
        return
    middle = np.asarray(nominal, np.float64)
    below = bool(np.any(middle + distribution.high < distribution.floor))
    if below or np.any(middle + distribution.low > distribution.ceiling):
        edge = f"below {_shown(distribution.floor)}" if below else f"above {_shown(distribution.ceiling)}"
        message = (
            f"{dotted(at)}: it is added to {_shown(nominal)}, and every draw lies {edge}, which is not possible; write "
            "offsets that stay within."
        )
        raise FileFormatError(message, where=document.where((*at, "uniform")))


def _shown(value: Any) -> str:
    return "[" + ", ".join(map(_shown, value)) + "]" if isinstance(value, tuple) else f"{value:g}"


def _distribution(document: Document, entry: Any, unit: str, at: KeyPath) -> Distribution:
    form = "write {normal: SIGMA} or {uniform: [LOW, HIGH]}"
    fields = entry if isinstance(entry, dict) else {}
    if len(fields) != 1 or not set(fields) <= {"normal", "uniform"}:
        raise FileFormatError(f"{dotted(at)}: {form}.", where=document.where(at))
    if "normal" in fields:
        sigma = _number(document, fields["normal"], unit, (*at, "normal"))
        if sigma < 0:
            raise FileFormatError(
                f"{dotted(at)}: a sigma is never negative; write its size.", where=document.where((*at, "normal"))
            )
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
        raise FileFormatError(f"{dotted(at)}: {json.dumps(value)} is no number; write one.", where=document.where(at))
    return in_unit(document, value, unit, at)


def _mapping(document: Document, entry: Any, at: KeyPath) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        what = f"{dotted(at)}: must be a mapping; write {{normal: SIGMA}}, {{uniform: [LOW, HIGH]}} or keys with such."
        raise FileFormatError(what, where=document.where(at))
    return entry


def is_numeric(value: Any) -> bool:
    """Whether a value is a number, or nothing but numbers: what can be drawn."""
    if isinstance(value, tuple):
        return all(is_numeric(entry) for entry in value)
    return isinstance(value, int | float) and not isinstance(value, bool)
