"""The files people write, as pydantic models: unknown keys are errors, nothing is coerced.

These say what a file may hold. What its words mean (units, names, ticks) is resolved in `scenario` and `assertions`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from healing_runtime.core.status import Severity

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
ID_PATTERN = r"^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$"

RobotName = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Identifier = Annotated[str, StringConstraints(pattern=ID_PATTERN, max_length=64)]
Text = Annotated[str, StringConstraints(min_length=1)]
# A quantity as written ("12 s", 0.5): text keeps its unit and its exact digits until it is resolved.
Quantity = Annotated[str, BeforeValidator(lambda v: str(v) if type(v) in (int, float) else v)]


class FileModel(BaseModel):
    """Base of all file models. `times` names durations, written `start: 3 s` or `start_s: 3`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    times: ClassVar[tuple[str, ...]] = ()


class Rates(FileModel):
    """Control and physics rate; the first divides the second."""

    control_hz: int = Field(default=48, ge=1, le=10_000)
    physics_hz: int = Field(default=240, ge=1, le=100_000)


class FaultEntry(FileModel):
    """One fault: times as quantities, a formula to wait for, and parameters that the fault's own model checks."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    times = ("start", "until", "ramp")

    kind: RobotName
    start: Quantity = "0 s"
    until: Quantity | None = None
    ramp: Quantity | None = None
    when: Text | None = None


class PolicySection(FileModel):
    """What happens on a violation."""

    times = ("probation",)

    on_violation: Text = "rewind"
    fallback: Text | None = None
    probation: Quantity = "2 s"
    max_attempts: int = Field(default=8, ge=1, le=1000)
    wall_budget_s: float = Field(default=60.0, gt=0.0)
    approval: Literal["auto", "human"] = "auto"
    confinement: Literal["required", "preferred"] = "preferred"


class Neighbourhood(FileModel):
    """How many perturbed flights, and what rate they must certify."""

    samples: int = Field(default=96, ge=1, le=100_000)
    min_pass_rate: float = Field(default=0.9, gt=0.0, lt=1.0)
    confidence: float = Field(default=0.95, gt=0.0, lt=1.0)


class AcceptanceSection(FileModel):
    """What the gate's flights ask of a patch."""

    min_robustness: float = Field(default=0.02, ge=0.0)
    neighbourhood: Neighbourhood = Neighbourhood()
    regressions: bool = True


class Healable(FileModel):
    """The catalogue's label: yes, no and unknown are words; a claim comes with its reason."""

    label: Literal["yes", "no", "unknown"]
    reason: str = ""

    @model_validator(mode="after")
    def _with_reason(self) -> Healable:
        if self.label != "unknown" and not self.reason.strip():
            raise ValueError(f"the label '{self.label}' is a claim; write why under 'reason'")
        return self


class ScenarioFile(FileModel):
    """`scenarios/<robot>/<name>.yaml`."""

    times = ("duration",)

    robot: RobotName
    controller: Text
    assertions: tuple[Text, ...] = ()
    mission: Identifier | None = None
    duration: Quantity
    rates: Rates = Rates()
    seed: int = Field(default=0, ge=0, lt=2**31)
    initial: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    reference: dict[str, Any] = {}
    faults: tuple[FaultEntry, ...] = ()
    perturb: dict[str, Any] | None = None
    policy: PolicySection = PolicySection()
    acceptance: AcceptanceSection = AcceptanceSection()
    dtype: Literal["float32", "float64"] = "float32"
    healable: Healable = Healable(label="unknown")


class MissionEntry(FileModel):
    """A formula that says what the flight is for."""

    id: Identifier
    formula: Text
    requirement: str = ""
    rationale: str = ""


class AssertionEntry(MissionEntry):
    """A formula that must hold; `scale` gives a nominal range a unit, `tolerance` belongs to `==`."""

    severity: Severity = Severity.CRITICAL
    scale: dict[str, Annotated[float, Field(gt=0.0)]] = {}
    tolerance: Quantity | None = None


class AssertionsFile(FileModel):
    """`assertions/<robot>/<subject>.yaml`."""

    robot: RobotName
    constants: dict[str, Quantity] = {}
    definitions: dict[str, Text] = {}
    assertions: tuple[AssertionEntry, ...] = ()
    mission: tuple[MissionEntry, ...] = ()
