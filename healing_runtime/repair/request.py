"""What a brain is told about an incident: everything a good engineer would ask for, nothing that lets it cheat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.core.codec import digest
from healing_runtime.core.records import AssertionFile, Attempt, Incident, RepairRequest, Scenario, Trace
from healing_runtime.core.signals import SignalTable

LOG_WINDOW_S = 3.0
"""How much of the flight before the trip a brain is shown."""


def request_for(
    incident: Incident,
    scenario: Scenario,
    source: str,
    files: Sequence[AssertionFile],
    table: SignalTable,
    interface: ProgramInterface,
    trace: Trace,
    attempts: Sequence[Attempt] = (),
) -> RepairRequest:
    """The request for an incident. Faults of the scenario, its perturbations and its truth signals stay out of it.

    The log holds what a real robot would have logged: the sensed signals and the commands of the last seconds.
    """
    stop = incident.tick - trace.first_tick + 1
    start = max(0, stop - 1 - round(LOG_WINDOW_S * scenario.control_hz))
    rows = slice(start, stop)
    log = {name: _column(trace.observed[rows, i]) for i, name in enumerate(table.observed.columns)}
    log |= {f"command.{name}": _column(trace.action[rows, i]) for i, name in enumerate(table.action.columns)}
    return RepairRequest(
        incident_id=incident.id,
        robot=scenario.robot,
        controller=scenario.controller,
        source=source,
        assertion=incident.assertion,
        clause=incident.clause,
        english=incident.english,
        trip_tick=incident.tick,
        robustness=incident.robustness,
        control_hz=scenario.control_hz,
        physics_hz=scenario.physics_hz,
        duration_ticks=scenario.duration_ticks,
        dtype=scenario.dtype,
        mission=scenario.mission,
        initial=scenario.initial,
        environment=scenario.environment,
        reference=scenario.reference,
        files=tuple(files),
        log_ticks=tuple(range(trace.first_tick + start, trace.first_tick + stop)),
        log=log,
        margin_history=_margins(incident, interface, trace, rows),
        localisation=(),
        attempts=tuple(attempts),
        seed=brain_seed(scenario),
        min_robustness=scenario.acceptance.min_robustness,
    )


def brain_seed(scenario: Scenario) -> int:
    """A brain's seed: from the run's, and of no use in guessing it, since the gate's held-out draws hang on that."""
    return int(digest(f"brain of {scenario.name} with seed {scenario.seed}").removeprefix("sha256:")[:7], 16)


def _margins(incident: Incident, interface: ProgramInterface, trace: Trace, rows: slice) -> tuple[float, ...]:
    """The upper bound of the violated assertion's robustness, tick by tick; empty for contract asserts."""
    for i, requirement in enumerate(interface.requirements):
        if requirement.id == incident.assertion:
            return _column(trace.packed[rows, interface.slices["rho_hi"]][:, i])
    return ()


def _column(values: np.ndarray) -> tuple[float, ...]:
    """One column; NaN where nothing was (the command of the tripped tick was never applied)."""
    return tuple(float(v) for v in values)
