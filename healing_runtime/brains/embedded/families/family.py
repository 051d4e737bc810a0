"""What a family is told, and what it answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from healing_runtime.brains.embedded.identify import Effect
from healing_runtime.core.signals import SignalTable


@dataclasses.dataclass(frozen=True)
class Brief:
    """What a family may know: the signal table, the measured effects, the flight's frame and what must be kept.

    Attributes:
        table: the robot's signals.
        effect: trim, effectiveness and lag, measured on the twin.
        dt_s: control period.
        duration_s: length of the flight.
        height_m: height above ground at the start.
        title: first line of the new controller's docstring (what it replaces, and why).
        asserts: contract asserts of the original as source lines, to be kept.
    """

    table: SignalTable
    effect: Effect
    dt_s: float
    duration_s: float
    height_m: float
    title: str
    asserts: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Draft:
    """A controller whose numbers are a first guess.

    Attributes:
        text: TensorLang source.
        tuned: names of the PARAMS that the search may move; the others were measured.
        summary: what the structure is, for the diagnosis.
    """

    text: str
    tuned: tuple[str, ...]
    summary: str


class Family(NamedTuple):
    """A controller structure.

    Attributes:
        name: as it stands in diagnoses (`vertical-pd`).
        fits: whether the robot has the signals this structure needs.
        design: the controller with first gains.
    """

    name: str
    fits: Callable[[SignalTable], bool]
    design: Callable[[Brief], Draft]
