"""What a robot is to the runtime: a plant that flies, faults that hurt it, a twin to search on.

`sim/` implements these; the runtime finds them through the catalogue and knows nothing else about a robot.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np

from healing_runtime.core.records import Perturbation, Scenario
from healing_runtime.core.signals import SignalTable


class Plant(Protocol):
    """A simulated (or real) robot, one control period at a time.

    Vectors are float64 in the order of the signal table's layouts. Between `reset` and the first `step` the plant is at
    tick 0. `apply` sets the command held during the next `step`; the caller has clamped it to limits and rates.

    A plant that can tell may have `idle_faults() -> tuple[int, ...]`, too: the numbers of the scenario's faults that
    change nothing in the flight that it was reset for.
    """

    signals: SignalTable

    def reset(self, scenario: Scenario, seed: int) -> None:
        """Build the world of `scenario` at t = 0. Noise comes from `seed` alone."""
        ...

    def observe(self) -> np.ndarray:
        """Sensed values, layout `signals.observed`. Calling it twice in a tick gives the same values."""
        ...

    def truth(self) -> np.ndarray:
        """True values, layout `signals.true`; what happened between ticks is accumulated at the physics rate."""
        ...

    def sample(self) -> np.ndarray:
        """What was sensed and then what is true, as a program reads it: `observe` and `truth` in one vector."""
        ...

    def apply(self, action: np.ndarray) -> None:
        """Command for the next control period, layout `signals.action`."""
        ...

    def step(self) -> None:
        """Advance one control period."""
        ...

    def begin(self, fault: int) -> None:
        """The scenario's fault of this number, which waits for its formula, begins with the next physics step."""
        ...

    def snapshot(self) -> Any:
        """All state, in this process (a keyframe); opaque, given back through `restore` or `release`."""
        ...

    def restore(self, snapshot: Any) -> None:
        """Return to a snapshot taken by this plant since its last reset."""
        ...

    def release(self, snapshot: Any) -> None:
        """Free a snapshot that is no longer needed."""
        ...

    def state_hash(self) -> str:
        """sha256 over the float64 state, Bullet's and our own; equal states hash equal."""
        ...

    def close(self) -> None:
        """Free the world."""
        ...


class Fault(Protocol):
    """One way in which a robot breaks. `Parameters` is a pydantic model with unknown keys forbidden.

    All methods are of the class, and are given valid parameters.
    """

    kind: ClassVar[str]
    touches: ClassVar[Literal["actuation", "sensing", "body", "environment"]]
    Parameters: ClassVar[type]

    @classmethod
    def claims(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """What the fault takes for itself alone; two faults with a common claim must not overlap in time."""
        ...

    @classmethod
    def rounded(cls, parameters: Mapping[str, Any], control_hz: int, physics_hz: int) -> Mapping[str, str]:
        """Parameter -> what its value is rounded to at these rates, in words; none where nothing is rounded."""
        ...

    @classmethod
    def lasting(cls, parameters: Mapping[str, Any], physics_hz: int) -> Mapping[str, int]:
        """Parameter -> for how many physics steps it acts, if it is over by itself; none of one that stays."""
        ...


class Twin(NamedTuple):
    """The plant's dynamics as pure JAX functions, used only to search; PyBullet alone decides.

    One twin is built for one scenario without faults. `disturbance` is a pytree drawn from the twin's fixed prior
    over what may be wrong with such a robot (it never sees a scenario's faults). All functions may be vmapped.

    Attributes:
        draw: (key, strength in 0 … 1) -> disturbance; strength 0 is the nominal robot.
        init: (key, disturbance) -> state; the scenario's initial state, perturbed with the key's randomness
            in proportion to the disturbance's strength.
        step: (state, action vector, disturbance) -> state one control period later.
        observe: (state, disturbance) -> sensed vector, layout `signals.observed`.
        truth: (state) -> true vector, layout `signals.true`.
    """

    draw: Callable[[Any, Any], Any]
    init: Callable[[Any, Any], Any]
    step: Callable[[Any, Any, Any], Any]
    observe: Callable[[Any, Any], Any]
    truth: Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Constant:
    """One figure that a robot is made of, and where it comes from: for people. `unit` is for display."""

    name: str
    value: float | tuple[float, ...]
    unit: str
    source: str


@dataclasses.dataclass(frozen=True)
class Robot:
    """What `sim/robots/<name>.py` exports as `ROBOT`.

    Attributes:
        signals: the signal table.
        initial, environment, reference: pydantic models (unknown keys forbidden, defaults filled in) of those
        sections of a
            scenario file; fields carry SI suffixes (`_deg` allowed in `initial`).
        faults: kind -> fault class this robot can take.
        perturb: default perturbation for scenarios that name none.
        make: a new plant (its own Bullet client).
        make_twin: scenario -> twin, or None.
        ground_truth: False for plants on which truth and observation are the same.
        constants: what it is made of and where the figures come from.
    """

    name: str
    description: str
    signals: SignalTable
    initial: type
    environment: type
    reference: type
    faults: Mapping[str, type]
    perturb: Perturbation
    make: Callable[[], Plant]
    make_twin: Callable[[Scenario], Twin] | None = None
    ground_truth: bool = True
    constants: tuple[Constant, ...] = ()
