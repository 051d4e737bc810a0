"""Faults: one file each, found by themselves.

A fault *acts* on the plant's `Condition`, a small mutable record of what is wrong with the robot. Nothing is asked of a
fault in a physics step in which nothing changes: the `Schedule` knows the next step at which some fault begins, grows
or ends; there the condition is made afresh and every fault that is on acts on it again. So a fault ends by itself.

A fault with a formula waits until it is told to begin; from then on it is a fault with a `start`.

A robot takes every fault whose `needs` its condition has; one file here is all that a new fault takes.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import itertools
import math
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from healing_runtime.core.errors import InputError, Location
from healing_runtime.core.records import FaultSpec, Scenario
from healing_runtime.core.signals import Layout

from .base import NEVER, BodyFault, Course, Parameters, SensorFault, ticks_late

LOOKS = 10_000
"""So many times it is looked at most whether a fault changes something; one that may do so later is not idle."""
__all__ = ["NEVER", "BodyFault", "Parameters", "Schedule", "SensorFault", "SensorFaults", "faults_for"]

AnyFault = BodyFault | SensorFault


def faults_for(condition: type, observed: Layout) -> Mapping[str, type[AnyFault]]:
    """Fault kind -> class, of all faults a robot with this condition and these sensors can take.

    Raises:
        InputError: a class has no effect; with its place.
    """
    slots = {slot for base in condition.__mro__ for slot in getattr(base, "__slots__", ())}
    found: dict[str, type[AnyFault]] = {}
    for module_name in sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "base"):
        module = importlib.import_module(f".{module_name}", __name__)
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ != module.__name__ or not issubclass(cls, BodyFault | SensorFault):
                continue
            if lacks := cls.lacks():
                where = Location(inspect.getsourcefile(cls) or module_name, inspect.getsourcelines(cls)[1])
                raise InputError(f"the fault {cls.__name__} does nothing; give it {lacks}.", where=where)
            if issubclass(cls, BodyFault):
                if slots.issuperset(cls.needs):
                    found[cls.kind] = cls.bound_to(condition)
            elif cls.fits(observed):
                found[cls.kind] = cls.bound_to(observed)
    return found


class SensorFaults(NamedTuple):
    """Sensor faults that are on, with how much of each (0 … 1): those that hold, and the others as they act in turn."""

    holding: tuple[tuple[SensorFault, float], ...]
    changing: tuple[tuple[SensorFault, float], ...]


class Schedule:
    """The scenario's faults in time. Steps are physics steps since t = 0.

    Attributes:
        next_step: the next physics step at which something changes; a plant's inner loop compares with this alone.
        sensing: the sensor faults that are on now.
    """

    def __init__(self, specs: Sequence[FaultSpec], kinds: Mapping[str, type[AnyFault]], robot: str) -> None:
        self._faults: list[tuple[FaultSpec, AnyFault]] = []
        for spec in specs:
            if spec.kind not in kinds:
                known = ", ".join(sorted(kinds))
                raise InputError(f"{robot} cannot take the fault '{spec.kind}'; it takes {known}.")
            cls = kinds[spec.kind]
            self._faults.append((spec, cls(cls.Parameters.model_validate(dict(spec.parameters)))))
        self._onsets: tuple[tuple[int, int], ...] = ()
        self.sensing = SensorFaults((), ())
        self.next_step = 0

    @property
    def longest_delay_s(self) -> float:
        """How far back the sensors' faults together may reach."""
        return sum(fault.delay_s(1.0) for _, fault in self._faults if isinstance(fault, SensorFault))

    def prepare(self, scenario: Scenario, seed: int) -> None:
        """Draw all noise of the run in advance: a tick's noise depends on the seed and the tick alone."""
        self._scenario, self._seed = scenario, seed
        for index in range(len(self._faults)):
            self._prepare(index)

    def _prepare(self, index: int) -> None:
        (spec, fault), scenario = self._faults[index], self._scenario
        start_s, ticks = spec.start_step / scenario.physics_hz, scenario.duration_ticks + 1
        until_step = NEVER if spec.until_step is None else spec.until_step
        fault.prepare(Course(self._seed, index, ticks, scenario.dt_s, start_s, scenario.substeps, until_step))

    def begin(self, index: int, step: int) -> None:
        """The fault of this number, which waits, begins at `step`; `act` is due."""
        self._onsets = (*self._onsets, (index, step))
        spec, fault = self._faults[index]
        self._faults[index] = dataclasses.replace(spec, start_step=step, when=None), fault
        self._prepare(index)  # what it draws is the same; what depends on its start is not

    def save(self) -> tuple[tuple[int, int], ...]:
        """Which of the waiting faults have begun, and at which step."""
        return self._onsets

    def restore(self, saved: tuple[tuple[int, int], ...]) -> None:
        """Return to what `save` gave; `act` is due."""
        if saved == self._onsets:
            return
        for index, _ in self._onsets:
            self._faults[index] = self._scenario.faults[index], self._faults[index][1]
        self._onsets = ()
        for index, step in saved:
            self.begin(index, step)

    def act(self, condition: Any, step: int) -> None:
        """Apply every fault that is on at `step` to a fresh condition, and look up when the next change is."""
        sensing: list[tuple[SensorFault, float]] = []
        next_step = NEVER
        for spec, fault in self._faults:
            amount = _amount(spec, step)
            if amount > 0.0:
                if isinstance(fault, SensorFault):
                    sensing.append((fault, amount))
                else:
                    next_step = min(next_step, fault.act_at(condition, amount, step, spec.start_step))
            next_step = min(next_step, _next_change(spec, step))
        sensing.sort(key=lambda one: not one[0].turns)  # what turns the frame comes before what adds an error
        holding = tuple(one for one in sensing if one[0].holds)
        self.sensing = SensorFaults(holding, tuple(one for one in sensing if not one[0].holds))
        self.next_step = next_step


    def idle(self, condition: Callable[[], Any], felt: Callable[[Any], Any], columns: int) -> tuple[int, ...]:
        """The faults that, each alone, change nothing at any step, or not for as long as anybody looks.

        `felt` is what a plant makes of a condition, and `columns` how many numbers its sensors give.
        """
        healthy, end = felt(condition()), self._scenario.duration_ticks * self._scenario.substeps
        found: list[int] = []
        for index, (waiting, fault) in enumerate(self._faults):
            spec = dataclasses.replace(waiting, when=None)
            if isinstance(fault, SensorFault):
                changes = self._disturbs(spec, fault, columns)
            else:
                changes = (felt(c) != healthy for c in _conditions(spec, fault, condition, end))
            if not any(itertools.islice(changes, LOOKS)) and next(changes, None) is None:
                found.append(index)
        return tuple(found)

    def _disturbs(self, spec: FaultSpec, fault: SensorFault, columns: int) -> Iterator[bool]:
        """For every tick at which a sensor's fault is on, whether a reading comes out otherwise than it went in."""
        substeps, dt_s = self._scenario.substeps, self._scenario.dt_s
        measured, before = [math.sqrt(2.0 + i) for i in range(columns)], [math.sqrt(0.5 + i) for i in range(columns)]
        for tick in range(-(-spec.start_step // substeps), self._scenario.duration_ticks + 1):
            amount = _amount(spec, tick * substeps)
            if amount == 0.0:
                return  # it is over
            reading = list(measured)
            fresh = fault.sense(reading, before, tick, amount)
            yield not fresh or reading != measured or ticks_late(fault.delay_s(amount), dt_s) > 0


def _conditions(spec: FaultSpec, fault: BodyFault, condition: Callable[[], Any], end: int) -> Iterator[Any]:
    """What a fault makes of a fresh condition, whenever that changes while it is on."""
    step = spec.start_step
    while step < end and (amount := _amount(spec, step)) > 0.0:
        one = condition()
        step = min(fault.act_at(one, amount, step, spec.start_step), _next_change(spec, step))
        yield one


def _amount(spec: FaultSpec, step: int) -> float:
    """How much of the fault is on: 0 before and after, growing linearly over the ramp, else 1."""
    if spec.when is not None or step < spec.start_step or (spec.until_step is not None and step >= spec.until_step):
        return 0.0
    return min((step - spec.start_step + 1) / spec.ramp_steps, 1.0) if spec.ramp_steps else 1.0


def _next_change(spec: FaultSpec, step: int) -> int:
    if spec.when is not None:
        return NEVER
    if step < spec.start_step:
        return spec.start_step
    if spec.until_step is not None and step >= spec.until_step:
        return NEVER
    if step < spec.start_step + spec.ramp_steps - 1:
        return step + 1
    return NEVER if spec.until_step is None else spec.until_step
