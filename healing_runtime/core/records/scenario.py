"""A scenario, resolved to SI."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal


@dataclasses.dataclass(frozen=True)
class FaultSpec:
    """One fault of a scenario. Times are physics steps since t = 0, rounded once when the file is resolved.

    With `when`, a formula as written, the fault begins after the first sample from `start_step` on at which the formula
    is true, and then stays begun; `until_step` is when it ends all the same, and the ramp counts from where it began.
    """

    kind: str
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    start_step: int = 0
    until_step: int | None = None
    ramp_steps: int = 0
    when: str | None = None


@dataclasses.dataclass(frozen=True)
class Distribution:
    """A perturbation added to a nominal value: `normal` with `scale` as sigma, or `uniform` on [low, high].

    With `absolute` the draw replaces the nominal value instead (fault onset over the whole flight). Where the robot
    declares what is physically possible, `floor` and `ceiling` hold it (one number, or one an entry) and draws are
    clamped to it.
    """

    kind: Literal["normal", "uniform"]
    scale: float = 0.0
    low: float = 0.0
    high: float = 0.0
    absolute: bool = False
    floor: float | tuple[float, ...] = -math.inf
    ceiling: float | tuple[float, ...] = math.inf


@dataclasses.dataclass(frozen=True)
class Perturbation:
    """What the gate's neighbourhood and campaigns draw.

    Keys of `initial` and `environment` as in the scenario, with a dot into a group (`pad.friction`); keys of `faults`
    are fault parameters or `start` (in seconds), for every fault that has one, or for one kind (`wind.speed_mps`). The
    onset of a fault that waits for a formula follows from the flight and is never drawn.
    """

    initial: Mapping[str, Distribution] = dataclasses.field(default_factory=dict)
    environment: Mapping[str, Distribution] = dataclasses.field(default_factory=dict)
    faults: Mapping[str, Distribution] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Policy:
    """What happens on a violation."""

    on_violation: Literal["freeze", "rewind", "failsafe"] = "rewind"
    fallback: str | None = None
    probation_ticks: int = 96
    max_attempts: int = 8
    wall_budget_s: float = 60.0
    confinement: Literal["required", "preferred"] = "preferred"
    approval: Literal["auto", "human"] = "auto"


@dataclasses.dataclass(frozen=True)
class Acceptance:
    """What the gate's flights ask of a patch. `min_robustness` is scaled (dimensionless)."""

    min_robustness: float = 0.02
    samples: int = 96
    min_pass_rate: float = 0.9
    confidence: float = 0.95
    regressions: bool = True


@dataclasses.dataclass(frozen=True)
class Scenario:
    """What to fly, resolved: names looked up, units gone, times in ticks, defaults filled in.

    `initial` and `environment` hold every key the robot declares (scalars or tuples of floats).
    """

    name: str
    robot: str
    controller: str
    assertions: tuple[str, ...]
    mission: str | None
    duration_ticks: int
    control_hz: int
    physics_hz: int
    seed: int
    initial: Mapping[str, Any]
    environment: Mapping[str, Any]
    faults: tuple[FaultSpec, ...] = ()
    perturb: Perturbation = dataclasses.field(default_factory=Perturbation)
    policy: Policy = dataclasses.field(default_factory=Policy)
    acceptance: Acceptance = dataclasses.field(default_factory=Acceptance)
    reference: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    dtype: Literal["float32", "float64"] = "float32"
    healable: Literal["yes", "no", "unknown"] = "unknown"
    healable_reason: str = ""

    @property
    def triggers(self) -> tuple[str, ...]:
        """The formulas that faults wait for, in the order of the faults."""
        return tuple(fault.when for fault in self.faults if fault.when is not None)

    @property
    def dt_s(self) -> float:
        """Length of a control period."""
        return 1.0 / self.control_hz

    @property
    def substeps(self) -> int:
        """Physics steps in a control period."""
        return self.physics_hz // self.control_hz

    def t_ns(self, tick: int) -> int:
        """Nanoseconds since t = 0 of a tick; never accumulated."""
        return tick * 10**9 // self.control_hz
