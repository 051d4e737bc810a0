"""Frozen records that rooms hand to one another.

Everything here is plain data (numbers, text, tuples, mappings, NumPy arrays where said) and crosses process and file
borders through `codec`. Quantities are SI; times are ticks of the control rate unless a name says otherwise.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BeforeValidator

from healing_runtime.core.errors import Location
from healing_runtime.core.status import Severity, Stage, Status

Json = Any


Measured = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A float that may be NaN: what was measured or computed in flight, as opposed to what somebody configured."""


# ---------------------------------------------------------------- scenario, resolved to SI
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


# ---------------------------------------------------------------- assertion files, parsed as YAML, not yet as formulas
@dataclasses.dataclass(frozen=True)
class AssertionText:
    """One assertion or mission as written. `where` is the first character of the formula."""

    id: str
    formula: str
    where: Location
    severity: Severity = Severity.CRITICAL
    mission: bool = False
    requirement: str = ""
    rationale: str = ""
    scale: Mapping[str, float] = dataclasses.field(default_factory=dict)
    tolerance: str | None = None


@dataclasses.dataclass(frozen=True)
class AssertionFile:
    """One file of the safety engineers. Constants are quantities as text; definitions map a head to a body."""

    name: str
    path: str
    sha256: str
    robot: str
    assertions: tuple[AssertionText, ...]
    constants: Mapping[str, str] = dataclasses.field(default_factory=dict)
    definitions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    definition_where: Mapping[str, Location] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Source:
    """A controller's source text as found; its identity is the hash of its bytes."""

    name: str
    path: str
    text: str
    sha256: str


# ---------------------------------------------------------------- flying
class Verdict(NamedTuple):
    """Verdict of one formula at one instant: `rho` in [rho_lo, rho_hi]; scalars or arrays, NumPy or JAX."""

    status: Any
    rho: Any
    rho_lo: Any
    rho_hi: Any


@dataclasses.dataclass(frozen=True)
class FinalVerdict:
    """Verdict of one assertion over a whole run (the final branch).

    `worst_tick` is the first tick from which the robustness no longer changed, `violated_tick` the first one at which
    the verdict was false or invalid.
    """

    id: str
    status: Status
    robustness: Measured
    robustness_scaled: Measured
    severity: Severity
    mission: bool
    worst_tick: int | None = None
    violated_tick: int | None = None


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The world at a tick boundary, right after `stepSimulation`, with all that Bullet does not restore.

    `recipe_actions` are the float64 actions applied in ticks 0 … tick - 1: re-executing them is the truth, everything
    else only accelerates. `onsets` (fault, tick) belong to the recipe: faults that had begun because their formula was
    true at that tick. `carry` is the controller's and the monitors' memory *before* this tick.
    """

    tick: int
    state_hash: str
    recipe_actions: np.ndarray
    carry: tuple[np.ndarray, ...]
    onsets: tuple[tuple[int, int], ...] = ()


@dataclasses.dataclass(frozen=True)
class Trace:
    """A flight as arrays, one row a tick; columns as the layouts and the program say."""

    scenario: str
    control_hz: int
    first_tick: int
    observed: np.ndarray
    true: np.ndarray
    action: np.ndarray
    packed: np.ndarray


# ---------------------------------------------------------------- repair
@dataclasses.dataclass(frozen=True)
class Proposal:
    """What a brain answers. `source` is a whole controller file; for `parameters` only PARAMS may differ.

    `stands_on` is the patch memory's: the hash of the evidence of an earlier acceptance. It is a claim, which the gate
    checks; no brain's answer can hold one.
    """

    diagnosis: str
    edit_kind: Literal["parameters", "file"]
    source: str
    changed_assumptions: tuple[str, ...] = ()
    stands_on: str = ""


@dataclasses.dataclass(frozen=True)
class StageResult:
    """What one stage of the gate said. `facts` are JSON and hold no wall times (they are part of the digest)."""

    stage: Stage
    accepted: bool
    reason: str = ""
    line: int | None = None
    facts: Mapping[str, Json] = dataclasses.field(default_factory=dict)

    @property
    def counterexample(self) -> Mapping[str, Json] | None:
        """The first bad tick of the flight that refused, in numbers; None where no flight did, or none may be told."""
        return self.facts.get("counterexample") or None


@dataclasses.dataclass(frozen=True)
class Decision:
    """The composed outcome of the gate for one proposal.

    `resume_tick` is the tick from which an accepted patch takes over, `bracket` the keyframe ticks (kept from, not
    kept from). `wall_s` maps a phase to seconds, `stage_s` a stage; `latency` is what a tick took in a worker. None of
    these is ever part of a digest. `not_remembered` says why a patch that came with the evidence of an earlier
    acceptance was judged in full all the same.
    """

    policy: str
    accepted: bool
    stages: tuple[StageResult, ...]
    resume_tick: int | None = None
    bracket: tuple[int, int | None] | None = None
    program_sha256: str | None = None
    wall_s: Mapping[str, float] = dataclasses.field(default_factory=dict)
    stage_s: Mapping[str, float] = dataclasses.field(default_factory=dict)
    latency: Mapping[str, float] | None = None
    not_remembered: str = ""

    @property
    def refusal(self) -> StageResult | None:
        """The stage that refused, or None."""
        return next((s for s in self.stages if not s.accepted), None)


@dataclasses.dataclass(frozen=True)
class Attempt:
    """A proposal and what became of it; handed back to the brain as feedback."""

    brain: str
    proposal: Proposal
    stages: tuple[StageResult, ...]


@dataclasses.dataclass(frozen=True)
class Incident:
    """What went wrong, frozen at the trip tick."""

    id: str
    assertion: str
    clause: str
    english: str
    severity: Severity
    status: Status
    tick: int
    robustness: Measured
    snapshot: Snapshot


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """How the violated margin moves with one number of the source; the localisation is a ranked list of these."""

    name: str
    value: float
    gradient: Measured
    line: int


@dataclasses.dataclass(frozen=True)
class RepairRequest:
    """Everything a brain may know. Serialisable; never holds the scenario's faults or the held-out cases.

    `log` holds the last seconds, column names -> values, ending at the trip tick. `initial`, `environment` and
    `reference` are the nominal ones that the operator of a real robot knows. `files` are the assertion files.
    """

    incident_id: str
    robot: str
    controller: str
    source: str
    assertion: str
    clause: str
    english: str
    trip_tick: int
    robustness: Measured
    control_hz: int
    physics_hz: int
    duration_ticks: int
    dtype: str
    mission: str | None
    initial: Mapping[str, Any]
    environment: Mapping[str, Any]
    reference: Mapping[str, Any]
    files: tuple[AssertionFile, ...]
    log_ticks: tuple[int, ...]
    log: Mapping[str, tuple[Measured, ...]]
    margin_history: tuple[Measured, ...]
    localisation: tuple[Sensitivity, ...]
    attempts: tuple[Attempt, ...]
    seed: int
    min_robustness: float = 0.02


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What stands behind an accepted patch; written once, exported with it (`gate/evidence.py` seals and reads it).

    Attributes:
        policy, brain: which policy of the gate accepted; who or what wrote the patch, `brain[:model]`.
        edit_kind, diagnosis, changed_assumptions: the proposal's own words.
        controller, controller_before, controller_after: its name, and the sources by hash.
        program_sha256: the executable that flies, and no other.
        robot: its name.
        incident: `id`, `assertion` and `tick` of what the patch mends.
        assertions: file -> hash.
        mission: the id that was to be accomplished.
        scenario, scenario_document: the hash of what was flown, and all of it, resolved.
        limits, limits_sha256: what the actuators can do, and its hash.
        regressions: `scenario` and `sha256` (with what judges it) of each that had to stay as good.
        stages: what every stage said, with counts, margins and bounds.
        seeds: the run's, and the key of the held-out draws.
        takeover: `resume_tick`, `bracket` and the `action_step` there.
        versions, fingerprint: of packages, and of the machine.
        confinement: what workers were confined by.
        workers: kind of job -> what its worker might use.
        latency: what a tick took in a worker; the hash is over None in its place.
        bound_to: hashes of what else the verdict hangs on (`gate.records.Context.bound_to`).
        stands_on: hash of the evidence whose neighbourhood bound was taken over; empty where the neighbours were flown.
        valid_until_tick: the last tick that the flight of the whole scenario covered: beyond it the patch does not fly.
    """

    policy: str
    brain: str
    edit_kind: str
    diagnosis: str
    changed_assumptions: tuple[str, ...]
    controller: str
    controller_before: str
    controller_after: str
    program_sha256: str | None
    robot: str
    incident: Mapping[str, Json]
    assertions: Mapping[str, str]
    mission: str | None
    scenario: str
    scenario_document: Mapping[str, Json]
    limits: Mapping[str, Mapping[str, Json]]
    limits_sha256: str
    regressions: tuple[Mapping[str, str], ...]
    stages: tuple[StageResult, ...]
    seeds: Mapping[str, Json]
    takeover: Mapping[str, Json]
    versions: Mapping[str, str]
    fingerprint: Mapping[str, Json]
    confinement: str
    workers: Mapping[str, Mapping[str, Json]]
    latency: Mapping[str, float] | None
    bound_to: Mapping[str, str] = dataclasses.field(default_factory=dict)
    stands_on: str = ""
    valid_until_tick: int | None = None
