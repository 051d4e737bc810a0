"""What stands behind an accepted patch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from healing_runtime.core.records.repair import StageResult
from healing_runtime.core.records.values import Json


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
