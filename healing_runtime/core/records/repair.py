"""A repair: what went wrong, what a brain is asked and answers, what the gate says of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from healing_runtime.core.records.flight import Snapshot
from healing_runtime.core.records.texts import AssertionFile
from healing_runtime.core.records.values import Json, Measured
from healing_runtime.core.status import Severity, Stage, Status


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
