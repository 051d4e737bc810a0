"""What stands behind an accepted patch."""

from __future__ import annotations

from collections.abc import Mapping

from healing_runtime.core import codec
from healing_runtime.core.records import Decision, Evidence, Incident, Json, Proposal, Source
from healing_runtime.gate.records import Context


def evidence(
    decision: Decision,
    context: Context,
    incident: Incident,
    proposal: Proposal,
    flying: Source,
    *,
    brain: str,
    confinement: str,
    fingerprint: Mapping[str, Json],
) -> Evidence:
    """The record of an acceptance: what was run, with what, by whom it was written.

    The stages hold counts, margins and bounds. The seeds are the run's and the key of the held-out draws, from which
    the neighbours can be drawn again.
    """
    scenario = context.course.scenario
    after = codec.digest(proposal.source.encode())
    examined = decision.stages[-1].facts.get("neighbourhood") if decision.stages else None
    versions = ("python", "jax", "jaxlib", "numpy", "pybullet", "healing_runtime")
    return Evidence(
        policy=decision.policy,
        brain=brain,
        controller_before=flying.sha256,
        controller_after=after,
        assertions={file.name: file.sha256 for file in context.course.files},
        scenario=codec.digest(scenario),
        stages=decision.stages,
        seeds={
            "run": scenario.seed,
            "neighbourhood": [scenario.seed, incident.id, after, examined["number"]] if examined else None,
        },
        versions={name: str(fingerprint.get(name)) for name in versions},
        fingerprint=dict(fingerprint),
        confinement=confinement,
        valid_until_tick=_valid_until(decision),
    )


def _valid_until(decision: Decision) -> int | None:
    """The last tick of the whole scenario's flight; None where it was not flown (a controller tried on a record)."""
    flown = decision.stages[-1].facts.get("scenario") if decision.stages else None
    if flown is None:
        return None
    tick = flown.get("last_tick") if isinstance(flown, Mapping) else None
    return tick if isinstance(tick, int) else 0
