"""What a search may vary: the scenario's own perturbation, as a cube.

Each number that the perturbation names is an axis. A `uniform` one spans its bounds, a `normal` one some sigmas to
either side of the nominal value; what the robot declares impossible is cut off. Coordinate 0 is an axis' low end and 1
its high end. What cannot vary (a sigma of zero, equal bounds) is no axis.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from healing_runtime.core import perturb
from healing_runtime.core.bearing import Bears, brought_back
from healing_runtime.core.records import Distribution, Scenario

SIGMAS = 3.0
"""How far a `normal` quantity is searched, in standard deviations."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """One number of the scenario, in the unit of its key; `nominal` may lie outside an onset's or a fault's range."""

    name: str
    low: float
    high: float
    nominal: float


class Space:
    """The cube around a scenario.

    Args:
        scenario: the nominal one, with its perturbation.
        sigmas: half the width of a `normal` axis, in standard deviations.
        bears: what the robot bears; a point that it does not is brought back towards the nominal scenario.
    """

    def __init__(self, scenario: Scenario, sigmas: float = SIGMAS, bears: Bears | None = None) -> None:
        self.scenario, self._sigmas, self._bears = scenario, sigmas, bears
        self._spans: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        axes: list[Axis] = []

        def note(name: str, distribution: Distribution, nominal: Any) -> np.ndarray:
            middle = np.asarray(nominal, np.float64)
            low, high = self._span(distribution, middle)
            self._spans[name] = (low, high)
            for label, place in self._labels(name):
                axes.append(Axis(label, float(low[place]), float(high[place]), float(middle[place])))
            return middle if distribution.absolute else np.zeros(middle.shape)

        perturb.place(scenario, note)
        self.axes = tuple(axes)

    @property
    def size(self) -> int:
        """Number of axes."""
        return len(self.axes)

    @property
    def lines(self) -> tuple[str, ...]:
        """The axes for people."""
        return tuple(f"{a.name}: {a.low:.6g} … {a.high:.6g}, nominal {a.nominal:.6g}" for a in self.axes)

    @property
    def nominal(self) -> np.ndarray:
        """Coordinates of the nominal scenario; outside [0, 1] where its range does not hold it."""
        return np.array([(a.nominal - a.low) / (a.high - a.low) for a in self.axes])

    def scenario_at(self, point: np.ndarray, seed: int) -> Scenario:
        """The scenario at a point of the cube, with a seed for its noise."""
        coordinates = iter(point)

        def choose(name: str, distribution: Distribution, nominal: Any) -> np.ndarray:
            middle = np.asarray(nominal, np.float64)
            low, high = self._spans[name]
            value = low.copy()
            for _, place in self._labels(name):
                value[place] = low[place] + next(coordinates) * (high[place] - low[place])
            return value if distribution.absolute else value - middle

        placed = dataclasses.replace(perturb.place(self.scenario, choose), seed=seed)
        return placed if self._bears is None else brought_back(self.scenario, placed, self._bears)

    def values_of(self, scenario: Scenario) -> Mapping[str, float]:
        """What the axes are in a scenario of this space, by name, as it is flown: onsets on a step, whole numbers."""
        values: dict[str, float] = {}

        def read(name: str, distribution: Distribution, nominal: Any) -> np.ndarray:
            own = np.asarray(nominal, np.float64)
            values.update({label: float(own[place]) for label, place in self._labels(name)})
            return own if distribution.absolute else np.zeros(own.shape)

        perturb.place(scenario, read)
        return values

    def _labels(self, name: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The axes of a quantity, each with its place in it."""
        low, high = self._spans[name]
        for place in np.ndindex(low.shape):
            if low[place] < high[place]:
                yield name + "".join(f"[{i}]" for i in place), place

    def _span(self, distribution: Distribution, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if distribution.kind == "normal":
            low, high = -self._sigmas * distribution.scale, self._sigmas * distribution.scale
        else:
            low, high = distribution.low, distribution.high
        origin = np.zeros(middle.shape) if distribution.absolute else middle
        floor, ceiling = distribution.floor, distribution.ceiling
        return np.array(np.clip(origin + low, floor, ceiling)), np.array(np.clip(origin + high, floor, ceiling))
