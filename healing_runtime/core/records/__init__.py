"""Frozen records that rooms hand to one another.

Everything here is plain data (numbers, text, tuples, mappings, NumPy arrays where said) and crosses process and file
borders through `codec`. Quantities are SI; times are ticks of the control rate unless a name says otherwise.
"""

from __future__ import annotations

from healing_runtime.core.records.evidence import Evidence
from healing_runtime.core.records.flight import FinalVerdict, Snapshot, Trace, Verdict
from healing_runtime.core.records.repair import (
    Attempt,
    Decision,
    Incident,
    Proposal,
    RepairRequest,
    Sensitivity,
    StageResult,
)
from healing_runtime.core.records.scenario import Acceptance, Distribution, FaultSpec, Perturbation, Policy, Scenario
from healing_runtime.core.records.texts import AssertionFile, AssertionText, Source
from healing_runtime.core.records.values import Json, Measured

__all__ = [
    "Acceptance",
    "AssertionFile",
    "AssertionText",
    "Attempt",
    "Decision",
    "Distribution",
    "Evidence",
    "FaultSpec",
    "FinalVerdict",
    "Incident",
    "Json",
    "Measured",
    "Perturbation",
    "Policy",
    "Proposal",
    "RepairRequest",
    "Scenario",
    "Sensitivity",
    "Snapshot",
    "Source",
    "StageResult",
    "Trace",
    "Verdict",
]
