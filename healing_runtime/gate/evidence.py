"""What stands behind an accepted patch: put together, sealed with a hash, and flown again from the record alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healing_runtime.core import codec
from healing_runtime.core.bearing import Bears
from healing_runtime.core.errors import RecordError
from healing_runtime.core.records import Decision, Evidence, Incident, Json, Proposal, Scenario, Source
from healing_runtime.core.signals import SignalTable
from healing_runtime.gate import neighbourhood
from healing_runtime.gate.build import BUILD_LIMITS, LOAD_LIMITS, TRACE_LIMITS
from healing_runtime.gate.flights import FLIGHT_LIMITS
from healing_runtime.gate.records import Context
from healing_runtime.gate.trials import MAX_REGRESSIONS
from healing_runtime.sandbox.messages import Limits

SEAL = "evidence_sha256"

_VERSIONS = ("python", "jax", "jaxlib", "numpy", "pybullet", "healing_runtime")
_WORKERS: Mapping[str, Limits] = {
    "trace": TRACE_LIMITS,
    "build": BUILD_LIMITS,
    "load": LOAD_LIMITS,
    "flights": FLIGHT_LIMITS,
}


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
    the neighbours can be drawn again (`held_out`).

    Raises:
        RecordError: the decision does not say how far the whole scenario was flown (a run that goes on read it so).
    """
    scenario = context.course.scenario
    after = codec.digest(proposal.source)
    limits = limits_of(context.table)
    regressions = context.regressions[:MAX_REGRESSIONS] if scenario.acceptance.regressions else ()
    flights = decision.stages[-1].facts if decision.stages else {}
    step = next((f["action_step"] for f in reversed(flights.get("incident") or ()) if f["kept"]), {})
    return Evidence(
        policy=decision.policy,
        brain=brain,
        edit_kind=proposal.edit_kind,
        diagnosis=proposal.diagnosis,
        changed_assumptions=tuple(proposal.changed_assumptions),
        controller=flying.name,
        controller_before=flying.sha256,
        controller_after=after,
        program_sha256=decision.program_sha256,
        robot=scenario.robot,
        incident={"id": incident.id, "assertion": incident.assertion, "tick": incident.tick},
        assertions={file.name: file.sha256 for file in context.course.files},
        mission=scenario.mission,
        scenario=codec.digest(scenario),
        scenario_document=codec.plain(scenario),
        limits=limits,
        limits_sha256=codec.digest(limits),
        regressions=tuple({"scenario": c.scenario.name, "sha256": c.sha256} for c in regressions),
        stages=decision.stages,
        seeds={
            "run": scenario.seed,
            "neighbourhood": _key(flights, scenario.seed, incident.id, after),
        },
        takeover={"resume_tick": decision.resume_tick, "bracket": decision.bracket, "action_step": step},
        versions={name: str(fingerprint.get(name)) for name in _VERSIONS},
        fingerprint=dict(fingerprint),
        confinement=confinement,
        workers={job: _figures(limits) for job, limits in _WORKERS.items()},
        latency=decision.latency,
        bound_to=context.bound_to,
        stands_on=str(flights.get("stands_on", "")),
        valid_until_tick=_valid_until(decision),
    )


def _key(flights: Mapping[str, Any], seed: int, incident: str, patch: str) -> list[Json] | None:
    """The key of the held-out draws; those that a remembered patch stands on were made for the incident of then."""
    if (examined := flights.get("neighbourhood")) is None:
        return None
    return [seed, flights.get("drawn_for", incident), patch, examined["number"]]


def _valid_until(decision: Decision) -> int | None:
    """The last tick of the whole scenario's flight; None where it was not flown (a controller tried on a record).

    None does not limit a patch, so what is not of that form may not become it.
    """
    facts = decision.stages[-1].facts if decision.stages else {}
    if "scenario" not in facts:
        return None
    flown = facts["scenario"]
    tick = flown.get("last_tick") if isinstance(flown, Mapping) else None
    if type(tick) is not int or tick < 0:
        raise RecordError("the accepted patch does not say up to which tick its flight of the whole scenario went.")
    return tick


def limits_of(table: SignalTable) -> dict[str, dict[str, float]]:
    """What a robot's actuators can do: key of an action -> its limits and its rate."""
    return {s.key: {"low": s.low, "high": s.high, "rate_per_s": s.rate_per_s} for s in table.action}


def _figures(limits: Limits) -> dict[str, float]:
    return {name: value for name, value in vars(limits).items() if name not in ("readable", "scratch")}


# ---------------------------------------------------------------- sealed
def sealed(record: Evidence) -> dict[str, Any]:
    """The evidence as JSON with its own hash, by which others refer to it."""
    document = codec.plain(record)
    return {SEAL: seal_of(document), **document}


def unsealed(document: Any) -> Evidence:
    """The record that `sealed` gave as JSON. ValueError where it is no evidence, or not what its hash was made of."""
    if not isinstance(document, Mapping) or document.get(SEAL) != seal_of(document):
        raise ValueError("evidence that does not have its hash")
    return codec.read(Evidence, {key: value for key, value in document.items() if key != SEAL})


def seal_of(document: Any) -> str:
    """The hash of an evidence document: over the canonical JSON of all that it says, with no value for its latency.

    So equal work has equal hashes, and it is the hash by which the patch memory keeps the record (`ledger/sealed.py`).
    Empty where it is no document at all.
    """
    if not isinstance(document, Mapping):
        return ""
    return codec.digest({key: value for key, value in document.items() if key != SEAL} | {"latency": None})


# ---------------------------------------------------------------- drawn again
def held_out(document: Mapping[str, Any], bears: Bears | None = None) -> tuple[Scenario, ...]:
    """The neighbours that an evidence document counts, drawn again from what it says; none where none were flown.

    `bears` is what the robot of its scenario bears; without it, a draw that the robot does not is another one's.
    """
    key = document["seeds"]["neighbourhood"]
    if key is None:
        return ()
    scenario = codec.read(Scenario, document["scenario_document"])
    return neighbourhood.neighbours(scenario, neighbourhood.generator(*key), bears)
