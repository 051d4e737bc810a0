"""The document that `--json` prints and `result.json` holds (product.md); field names are stable."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from healing_runtime.core.codec import plain
from healing_runtime.core.records import Attempt, FaultSpec, FinalVerdict, Incident, Scenario
from healing_runtime.core.status import Outcome, Status

PHASES = ("propose", "verify", "compile", "validate", "swap")
ABORTED = "aborted"
"""Ending of an incident during whose repair something outside failed."""


@dataclasses.dataclass
class IncidentStory:
    """What became of one incident, gathered while it is handled."""

    incident: Incident
    attempts: list[tuple[Attempt, bool]] = dataclasses.field(default_factory=list)
    healed: bool = False
    patch: str | None = None
    resume_tick: int | None = None
    bracket: tuple[int, int | None] | None = None
    ending: str = ""
    detail: str = ""
    notes: list[str] = dataclasses.field(default_factory=list)
    breakdown_s: dict[str, float] = dataclasses.field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    time_to_heal_s: float | None = None
    lost: dict[str, str] = dataclasses.field(default_factory=dict)

    def document(self, scenario: Scenario) -> dict[str, Any]:
        """The incident as product.md shows it."""
        i = self.incident
        return {
            "id": i.id,
            "assertion": i.assertion,
            "t_s": i.tick / scenario.control_hz,
            "tick": i.tick,
            "robustness": plain(i.robustness),
            "status": i.status.word,
            "lost_signals": dict(self.lost),
            "attempts": [_attempt(a, accepted) for a, accepted in self.attempts],
            "healed": self.healed,
            "patch": self.patch,
            "resume_tick": self.resume_tick,
            "bracket": plain(self.bracket),
            "ending": self.ending,
            "detail": self.detail,
            "notes": list(self.notes),
            "time_to_heal_s": self.time_to_heal_s,
            "breakdown_s": {k: round(v, 6) for k, v in self.breakdown_s.items()},
        }


@dataclasses.dataclass(frozen=True)
class RunResult:
    """A finished run."""

    document: Mapping[str, Any]
    outcome: Outcome
    folder: Path
    strict: bool = False

    @property
    def exit_code(self) -> int:
        """Exit code of `heal run`.

        With `strict`, what ends unknown or vacuous, a broken warning and a fault whose formula was never true are 1.
        """
        code = self.outcome.exit_code
        loose = any(
            a["status"] in ("unknown", "vacuous") or (a["severity"] == "warning" and a["status"] != "true")
            for a in self.document["assertions"]
        )
        waits = any(fault["when"] and fault["onset"] is None for fault in self.document["faults"])
        return 1 if code == 0 and self.strict and (loose or waits) else code


def document(
    run_id: str,
    scenario: Scenario,
    outcome: Outcome,
    verdicts: Sequence[FinalVerdict],
    incidents: Sequence[IncidentStory],
    onsets: Mapping[int, int],
    controllers: tuple[str, str],
    ticks: int,
    final_branch: int,
    digest: str,
    wall_time_s: float,
) -> dict[str, Any]:
    """The result document."""
    missions = [v for v in verdicts if v.mission]
    mission = None
    if missions:
        satisfied = all(v.status == Status.TRUE for v in missions)
        mission = {
            "id": missions[0].id,
            "satisfied": satisfied,
            "status": next((v.status for v in missions if v.status != Status.TRUE), Status.TRUE).word,
            "robustness": plain(float(np.min([v.robustness for v in missions]))),  # NaN wherever one is
        }
    return {
        "run_id": run_id,
        "scenario": scenario.name,
        "outcome": outcome.value,
        "mission": mission,
        "assertions": [_assertion(v, scenario) for v in verdicts if not v.mission],
        "incidents": [story.document(scenario) for story in incidents],
        "faults": [_fault(fault, i, onsets, scenario, ticks) for i, fault in enumerate(scenario.faults)],
        "controller": {"initial": controllers[0], "final": controllers[1]},
        "ticks": ticks,
        "sim_time_s": ticks / scenario.control_hz,
        "final_branch": final_branch,
        "digest": digest,
        "wall_time_s": round(wall_time_s, 3),
    }


def _fault(fault: FaultSpec, number: int, onsets: Mapping[int, int], scenario: Scenario, ticks: int) -> dict[str, Any]:
    """A fault and when it began in the final branch: at a physics step, in the control period after a tick's sample."""
    begun, step = onsets.get(number), fault.start_step
    if fault.when is not None:
        step = None if begun is None else begun * scenario.substeps
    elif step >= ticks * scenario.substeps:
        step = None  # the run had ended
    onset = None
    if step is not None:
        onset = {"tick": step // scenario.substeps, "step": step, "t_s": step / scenario.physics_hz}
    return {"kind": fault.kind, "when": fault.when and " ".join(fault.when.split()), "onset": onset}


def _assertion(v: FinalVerdict, scenario: Scenario) -> dict[str, Any]:
    return {
        "id": v.id,
        "status": v.status.word,
        "severity": v.severity.value,
        "robustness": plain(v.robustness),
        "robustness_scaled": plain(v.robustness_scaled),
        "worst_t_s": None if v.worst_tick is None else v.worst_tick / scenario.control_hz,
        "violated_t_s": None if v.violated_tick is None else v.violated_tick / scenario.control_hz,
    }


def _attempt(attempt: Attempt, accepted: bool) -> dict[str, Any]:
    last = attempt.stages[-1]
    return {
        "brain": attempt.brain,
        "verdict": "accepted" if accepted else "refused",
        "stage": last.stage.value,
        "reason": last.reason,
        "line": last.line,
        "counterexample": plain(last.counterexample),
        "diagnosis": attempt.proposal.diagnosis,
    }
