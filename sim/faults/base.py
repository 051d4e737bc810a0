"""What every fault is: a kind, what it touches, its parameters, and one method that does the damage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from healing_runtime.core.signals import Layout


class Parameters(BaseModel):
    """Base of all fault parameters: unknown keys are errors; units are in the names, or SI."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _in_plane(value: Any) -> Any:
    if isinstance(value, int | float) and value:
        raise ValueError(f"the robot moves along x and z alone, not by {value:g} along y; write 0")
    return value


Nought = Annotated[float, Field(ge=0.0, le=0.0), BeforeValidator(_in_plane)]
"""The part along y of what acts on a robot that moves in a vertical plane."""
LARGEST_ERROR = 1e6
Error = Annotated[float, Field(ge=-LARGEST_ERROR, le=LARGEST_ERROR)]
"""An error of a sensor, in its SI unit."""
NEVER = 2**62
"""A physics step that no run reaches."""


class BodyFault:
    """A fault that changes the plant's condition: actuation, body or environment.

    `needs` names the slots of the condition that it changes; a robot without them cannot take it. `example` are
    parameters that visibly hurt, for the catalogue and the contract test. A fault that `holds` is on or off: it does
    not grow. One that acts `at_ticks` alone, on what is commanded there, does nothing in a time that holds none.

    Most faults do the same while they are on: they `act`. One that changes by itself (gusts, a shove that is over)
    overrides `act_at` instead; a class that does neither is refused when a robot is loaded.
    """

    kind: ClassVar[str]
    touches: ClassVar[Literal["actuation", "body", "environment"]]
    needs: ClassVar[tuple[str, ...]]
    holds: ClassVar[bool] = False
    at_ticks: ClassVar[bool] = False
    Parameters: ClassVar[type[Parameters]]
    example: ClassVar[Mapping[str, Any]]

    @classmethod
    def lacks(cls) -> str:
        """The methods of which a class needs one to have an effect; empty where it has."""
        return "`act` or `act_at`" if cls.act is BodyFault.act and cls.act_at is BodyFault.act_at else ""

    def __init__(self, parameters: Any) -> None:
        self.parameters = parameters

    @classmethod
    def bound_to(cls, condition: type) -> type[BodyFault]:
        """The class a robot with this condition lists; one whose limits are the robot's binds its model to them."""
        return cls

    @classmethod
    def limited(cls, **fields: Any) -> type[BodyFault]:
        """The same fault with other limits on some parameters; `fields` are (type, pydantic field)."""
        parameters = create_model("Parameters", __base__=cls.Parameters, **fields)
        return type(cls.__name__, (cls,), {"Parameters": parameters, "__doc__": cls.__doc__})

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """What it takes for itself alone, by valid parameters; one that adds up with its like takes nothing.

        Two faults with a common claim must not overlap in time.
        """
        return frozenset()

    @classmethod
    def rounded(cls, parameters: Mapping[str, Any], control_hz: int, physics_hz: int) -> Mapping[str, str]:
        """Parameter -> what its value is rounded to at these rates, in words; none where nothing is rounded."""
        return {}

    @classmethod
    def lasting(cls, parameters: Mapping[str, Any], physics_hz: int) -> Mapping[str, int]:
        """Parameter -> for how many physics steps it acts, if it is over by itself; none of one that stays."""
        return {}

    def prepare(self, course: Course) -> None:
        """Draw what is random in the run, and note its rates."""

    def act_at(self, condition: Any, amount: float, step: int, start_step: int) -> int:
        """Act at a physics step; `start_step` is its first. Returns the next step at which it changes by itself."""
        self.act(condition, amount)
        return NEVER

    def act(self, condition: Any, amount: float) -> None:
        """Change a fresh condition in place; `amount` in (0, 1] is how far a ramp has come."""


class Course(NamedTuple):
    """The run that a fault is part of: `place` is the fault's in the scenario, `ticks` count the samples.

    At the physics step `until_step` the fault is over.
    """

    seed: int
    place: int
    ticks: int
    dt_s: float
    start_s: float
    substeps: int
    until_step: int = NEVER


class SensorFault:
    """A fault of one sensor, applied to every reading while it is on.

    `columns` are the sensor's columns in the observed vector; an `additive` fault does not touch quantities without a
    unit (adding to a quaternion gives no rotation). A fault that `holds` repeats an old value: it acts before
    the others, and it does not grow; one that `turns` the frame acts next. `Parameters.signal` is one of the robot's
    sensors: the class that a robot lists is bound to its names, so that a misspelt one is refused where the file is
    read. Every fault has a `sense` of its own; a class without one is an error where it is written.
    """

    kind: ClassVar[str]
    touches: ClassVar[Literal["sensing"]] = "sensing"
    at_ticks: ClassVar[bool] = True
    additive: ClassVar[bool] = False
    holds: ClassVar[bool] = False
    turns: ClassVar[bool] = False
    Parameters: ClassVar[type[Parameters]]
    example: ClassVar[Mapping[str, Any]]
    observed: ClassVar[Layout]

    @classmethod
    def lacks(cls) -> str:
        """See `BodyFault.lacks`."""
        return "`sense`" if cls.sense is SensorFault.sense else ""

    def __init__(self, parameters: Any) -> None:
        self.parameters = parameters
        self.columns = self.observed.slices[parameters.signal]

    @classmethod
    def fits(cls, observed: Layout) -> bool:
        """Whether a robot with these sensors can take it."""
        return True

    @classmethod
    def bound_to(cls, observed: Layout) -> type[SensorFault]:
        """The class a robot with the given sensors lists; where it lacks the example's sensor, its first is taken."""
        names = tuple(s.name for s in observed if not s.name.startswith("reference_") and (s.unit or not cls.additive))
        signal: Any = (Literal[names], ...)
        parameters = create_model("Parameters", __base__=cls.Parameters, signal=signal)
        example = dict(cls.example) if cls.example["signal"] in names else {**cls.example, "signal": names[0]}
        bound = {"Parameters": parameters, "observed": observed, "example": example, "__doc__": cls.__doc__}
        return type(cls.__name__, (cls,), bound)

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """What it takes for itself alone (see `BodyFault.claims`): a sensor can hold but one value."""
        return frozenset({f"sensor {parameters['signal']}"}) if cls.holds else frozenset()

    @classmethod
    def rounded(cls, parameters: Mapping[str, Any], control_hz: int, physics_hz: int) -> Mapping[str, str]:
        """See `BodyFault.rounded`."""
        return {}

    @classmethod
    def lasting(cls, parameters: Mapping[str, Any], physics_hz: int) -> Mapping[str, int]:
        """See `BodyFault.lasting`."""
        return {}

    def prepare(self, course: Course) -> None:
        """Draw what is random in the run, and note what depends on its time."""

    def delay_s(self, amount: float) -> float:
        """How long what the sensor measures is on its way."""
        return 0.0

    def sense(self, reading: list[float], last: Sequence[float], tick: int, amount: float) -> bool:
        """Change `reading` in place; `last` is the raw reading a tick ago. Returns whether a value was delivered."""
        return True


def pushing(condition: Any) -> Any:
    """The type of a force or an impulse on a robot: so much a part, and none out of a planar robot's plane."""
    most = condition.most_force_n
    part = Annotated[float, Field(ge=-most, le=most)]
    return tuple[part, Nought if condition.planar else part, part]


def ticks_late(delay_s: float, dt_s: float) -> int:
    """The first tick at which a delayed value is there; what misses it by a millionth has not missed it."""
    return math.ceil(delay_s / dt_s - 1e-6)


def in_whole(name: str, value_s: float, count: int, hz: int, unit: str) -> Mapping[str, str]:
    """What `rounded` says of a time that is worth `count` of a unit; nothing where that is the time itself."""
    if abs(value_s * hz - count) < 1e-6:
        return {}
    return {name: f"{count} {unit}{'' if count == 1 else 's'}, {count / hz:g} s"}
