"""The evidence of an accepted patch as it stands in files: read back strictly, nothing missing and nothing odd.

`schema()` is what `docs/evidence.schema.json` holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from healing_runtime.core import codec
from healing_runtime.core.errors import RecordError
from healing_runtime.core.records import Scenario
from healing_runtime.core.status import AFTER_THE_GATE, Stage
from healing_runtime.gate.evidence import SEAL, seal_of
from healing_runtime.gate.statistics import EXAMINATIONS

Number = float | Literal["inf", "-inf"] | None
"""JSON has no infinities and no NaN: they are words, and null."""

_CHAIN = [stage.value for stage in Stage if stage not in AFTER_THE_GATE]
_HASH = r"^sha256:[0-9a-f]{64}$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Flown(_Strict):
    """One flight that was told: where it began and ended, and by how much it kept what was promised."""

    scenario: str | None = None
    sha256: str | None = Field(None, pattern=_HASH)
    from_tick: int = Field(ge=0)
    last_tick: int = Field(ge=0)
    kept: bool
    fault: str
    robustness: Number
    weakest: str
    margins: dict[str, Number]
    action_step: dict[str, Number]
    digest: str = Field(pattern=_HASH)


class Examined(_Strict):
    """Counts of the held-out examination, and the hash over the flights that were counted."""

    accepted: Literal[True]
    number: int = Field(ge=1, le=EXAMINATIONS)
    samples: int = Field(ge=1)
    flown: int = Field(ge=0)
    passed: int = Field(ge=0)
    needed: int = Field(ge=0)
    confidence: float = Field(gt=0, lt=1)
    lower_bound: float = Field(ge=0, le=1)
    digest: str = Field(pattern=_HASH)


class FlightsFacts(_Strict):
    """What was flown, and how it went. A policy may say more."""

    model_config = ConfigDict(extra="allow")

    incident: list[Flown] = Field(min_length=1)
    scenario: Flown
    repeated: bool = False
    regressions: list[Flown] | None = Field(default_factory=list)
    neighbourhood: Examined | None
    examinations_left: int | None = Field(None, ge=0)


class StageDocument(_Strict):
    """What a stage before the flights said."""

    stage: Literal["contract", "syntax", "ownership", "trace", "passes", "export"]
    accepted: Literal[True]
    reason: str
    line: int | None
    facts: dict[str, JsonValue]


class FlightsDocument(_Strict):
    """What the flights said."""

    stage: Literal["flights"]
    accepted: Literal[True]
    reason: str
    line: int | None
    facts: FlightsFacts


class IncidentDocument(_Strict):
    """What the patch mends."""

    id: str
    assertion: str
    tick: int = Field(ge=0)


class RegressionDocument(_Strict):
    """A scenario that had to stay as good; the hash is over it and what judges it."""

    scenario: str
    sha256: str = Field(pattern=_HASH)


class ActuatorDocument(_Strict):
    """Limits of one action, in its unit."""

    low: Number
    high: Number
    rate_per_s: Number


class SeedsDocument(_Strict):
    """The run's seed, and the key of the held-out draws: seed, incident, controller, number of the examination."""

    run: int
    neighbourhood: tuple[int, str, str, int] | None


class TakeoverDocument(_Strict):
    """Where the patch takes over; `bracket` is the tick from which it keeps every promise, and one from which not."""

    resume_tick: int | None
    bracket: tuple[int, int | None] | None
    action_step: dict[str, Number]


class WorkerDocument(_Strict):
    """What the worker of one kind of job might use."""

    wall_s: float
    cpu_s: float
    memory_bytes: int
    file_bytes: int
    open_files: int


class LatencyDocument(_Strict):
    """How long a tick took in a worker."""

    ticks: int
    p50_s: float
    p99_s: float
    max_s: float


class EvidenceDocument(_Strict):
    """What stands behind an accepted patch (`core.records.Evidence`), with its own hash."""

    evidence_sha256: str = Field(pattern=_HASH)
    policy: str
    brain: str
    edit_kind: Literal["parameters", "file"]
    diagnosis: str
    changed_assumptions: list[str]
    controller: str
    controller_before: str = Field(pattern=_HASH)
    controller_after: str = Field(pattern=_HASH)
    program_sha256: str = Field(pattern=_HASH)
    robot: str
    incident: IncidentDocument
    assertions: dict[str, str]
    mission: str | None
    scenario: str = Field(pattern=_HASH)
    scenario_document: dict[str, JsonValue]
    limits: dict[str, ActuatorDocument]
    limits_sha256: str = Field(pattern=_HASH)
    regressions: list[RegressionDocument]
    stages: list[Annotated[StageDocument | FlightsDocument, Field(discriminator="stage")]]
    seeds: SeedsDocument
    takeover: TakeoverDocument
    versions: dict[str, str]
    fingerprint: dict[str, JsonValue]
    confinement: str
    workers: dict[str, WorkerDocument]
    latency: LatencyDocument | None
    bound_to: dict[str, str]
    stands_on: str = Field(pattern=r"^$|" + _HASH)
    valid_until_tick: int | None = Field(ge=0)

    @model_validator(mode="after")
    def _holds_the_whole_chain(self) -> EvidenceDocument:
        """What the policy `full` asks for is there, all of it; other policies say themselves what they left out."""
        if self.policy != "full":
            return self
        if [stage.stage for stage in self.stages] != _CHAIN:
            raise ValueError("not every stage of the gate is there, in its order")
        flown = self.stages[-1].facts
        if not isinstance(flown, FlightsFacts) or not flown.repeated or not flown.scenario.kept:
            raise ValueError("the flights are not all there")
        if {r.scenario for r in self.regressions} != {f.scenario for f in flown.regressions or ()}:
            raise ValueError("not every regression was flown")
        if (flown.neighbourhood is None) != (self.seeds.neighbourhood is None):
            raise ValueError("the held-out examination and its seeds are not both there")
        return self


def read(document: Mapping[str, Any]) -> EvidenceDocument:
    """Read an evidence document strictly, and hold its hashes against what they are of.

    Raises:
        RecordError: something is missing, is of another kind, or does not have its hash.
    """
    try:
        found = EvidenceDocument.model_validate_json(codec.canonical(document))
        mission = codec.read(Scenario, document["scenario_document"]).mission
    except (TypeError, ValueError, OverflowError) as error:
        raise RecordError(f"this is no evidence of a patch: {_first(error)}.") from None
    hashes = {
        SEAL: seal_of(document),
        "scenario": codec.digest(document["scenario_document"]),
        "limits_sha256": codec.digest(document["limits"]),
    }
    for name, wanted in hashes.items():
        if document[name] != wanted:
            raise RecordError(f"the evidence was changed: {name} is {document[name]}, and what it is of has {wanted}.")
    if mission != found.mission:
        raise RecordError("the evidence was changed: its mission is not that of its scenario.")
    return found


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        at = ".".join(map(str, first["loc"]))
        return f"{at and f'{at}: '}{first['msg'].lower()}"
    return str(error).splitlines()[0]


def schema() -> dict[str, Any]:
    """The JSON Schema of an evidence document."""
    return EvidenceDocument.model_json_schema()
