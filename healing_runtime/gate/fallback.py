"""What a fallback controller must show before take-off: the static stages, and flights from drawn states.

It need not keep the scenario's assertions, nor its mission: it flies when those are lost. It keeps what makes it fit to
take over from anywhere: an action in every tick that is finite, within limits and rates, values that stay finite, no
NaN in its memory, and whatever its own source asserts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import numpy as np

from healing_runtime.compile import key
from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core import perturb
from healing_runtime.core.bearing import Bears, bearing
from healing_runtime.core.codec import digest, plain
from healing_runtime.core.errors import InputError, Location, SandboxFailed, WorkerFailed
from healing_runtime.core.records import Scenario, Source
from healing_runtime.core.signals import SignalTable
from healing_runtime.gate import neighbourhood, policy
from healing_runtime.gate.answers import in_the_schema
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.records import MAX_REASON, Context
from healing_runtime.gate.report import NAN_IN_MEMORY, OUTSIDE_LIMITS, TOO_FAST, nan_in_memory, within_rates
from healing_runtime.gate.whole_flights import jobs, opened
from healing_runtime.loop.rollout import Flight, FlightPlan, fly
from healing_runtime.sandbox.leash import call_off
from healing_runtime.sandbox.messages import Message
from healing_runtime.sandbox.zygote import Sandbox
from healing_runtime.workspace.plants import load_robot

STATES = 32
"""How many states are drawn."""
CHUNK = 8
"""Flights a worker gets at a time."""
_ADVICE = "mend it, name another one, or leave policy.fallback out."


class Admitted(NamedTuple):
    """A fallback that may fly.

    `draws` is the key of the drawn states, from which they can be drawn again; `remembered` says that these bytes were
    flown from them in an earlier run.
    """

    program: ProgramBlob
    draws: tuple[Any, ...]
    remembered: bool

    def document(self) -> dict[str, Any]:
        """What a manifest holds of it, the same whether it was remembered or not."""
        return {"program_sha256": self.program.sha256, "states": STATES, "draws": plain(list(self.draws))}


# ---------------------------------------------------------------- in the worker
def fallback_job(message: Message) -> Message:
    """Fly the program through the scenarios in order, up to the first flight with a fault."""
    scenarios, interface, program, _, plant = opened(message)
    faults: list[str] = []
    for scenario in scenarios:
        flight = fly(plant, program, FlightPlan(scenario, scenario.seed, trips=False))
        faults.append(fault_of(flight, interface, plant.signals))
        if faults[-1]:
            break
    plant.close()
    return Message({"faults": faults})


def fault_of(flight: Flight, interface: ProgramInterface, table: SignalTable) -> str:
    """In words what unfits a fallback in a flight that no violation stopped; empty if nothing does."""
    rows, at = flight.trace.packed, interface.slices
    commands = rows[:, at["action"]].astype(np.float64)
    columns = np.asarray(table.action.columns)
    wrong = ~np.isfinite(commands)
    if wrong.any():
        tick = int(np.argmax(wrong.any(axis=1)))
        return f"its action is not finite at tick {tick} ({', '.join(columns[wrong[tick]])})"
    if not np.isfinite(flight.trace.true).all():
        tick = int(np.argmax(~np.isfinite(flight.trace.true).all(axis=1)))
        return f"the robot's state is not finite at tick {tick}"
    lost = nan_in_memory(rows, interface)
    if lost.any():
        return f"{NAN_IN_MEMORY} (tick {int(np.argmax(lost))})"
    if not flight.within_limits:
        return OUTSIDE_LIMITS
    if not within_rates(commands, table.action, flight.trace.control_hz).all():
        return TOO_FAST
    broken = ~(rows[:, at["contract_ok"]] > 0.0)
    if broken.any():
        tick = int(np.argmax(broken.any(axis=1)))
        slugs = np.asarray(interface.controller.contract)[broken[tick]]
        return f"its own assertion {', '.join(f'controller/{slug}' for slug in slugs)} is violated at tick {tick}"
    return ""


# ---------------------------------------------------------------- asking for it
def admit(sandbox: Sandbox, source: Source, context: Context, kept: KeptPrograms) -> Admitted:
    """The program of a fallback that passed syntax, trace, passes, export, and a flight from each drawn state.

    The states are the scenario's neighbours (`perturb`), keyed by the run's seed and the fallback. That these bytes
    flew from these states is remembered in the user's cache: the next run with the same hashes does not fly them again.

    Raises:
        InputError: it does not pass; with the reason.
        SandboxFailed: no worker could be had.
    """
    scenario = context.course.scenario
    try:
        program = policy.admit(sandbox, source, context.course, context.table, kept)
        draws = (scenario.seed, "fallback", source.sha256, STATES)
        known = _key(program, context, draws)
        remembered = known is not None and kept.admitted(known)
        if not remembered:
            with bearing(load_robot(scenario.robot, context.sim_root)) as bears:
                flights = drawn(scenario, draws, bears)
            _examine(sandbox, program, flights, context.sim_root)
            if known is not None:
                kept.admit(known)
    except SandboxFailed:
        raise
    except WorkerFailed as error:
        raise may_not_fly(source, scenario.robot, f"examining it did not end well: {error}; {_ADVICE}") from None
    except _Unfit as error:
        raise may_not_fly(source, scenario.robot, f"{error}; {_ADVICE}") from None
    except InputError as error:
        raise may_not_fly(source, scenario.robot, error.message, error.where) from None
    return Admitted(program, draws, remembered)


def may_not_fly(source: Source, robot: str, why: str, where: Location | None = None) -> InputError:
    """The line that says why a fallback may not fly."""
    told = "".join(c if c.isprintable() else "?" for c in " ".join(why.split()))[:MAX_REASON]
    where = where or Location(source.path)
    return InputError(f"the fallback '{source.name}' may not fly the {robot}: {told}", where=where)


def drawn(scenario: Scenario, draws: Sequence[Any], bears: Bears | None = None) -> tuple[Scenario, ...]:
    """The scenarios from which a fallback is flown: state, environment, faults and noise as `perturb` draws them.

    `bears` says within what.
    """
    seed, what, sha256, states = draws
    rng = neighbourhood.generator(seed, what, sha256, states)
    return tuple(perturb.draw(scenario, rng, bears) for _ in range(states))


class _Unfit(Exception):
    """A flight showed that a fallback is not fit to fly."""


def _examine(sandbox: Sandbox, program: ProgramBlob, flights: Sequence[Scenario], sim_root: str) -> None:
    """Fly all; the first with a fault in the order of the draws refuses, however many workers fly them."""
    lists = [flights[first : first + CHUNK] for first in range(0, len(flights), CHUNK)]
    futures: list[Future[Message]] = []
    try:
        for job in jobs("healing_runtime.gate.fallback:fallback_job", program, sim_root, lists):
            futures.append(sandbox.submit(job))
        flown = 0
        for some, future in zip(lists, futures, strict=True):
            faults = faults_in(future.result().header, len(some))
            flown += len(faults)
            if faults[-1]:
                raise _Unfit(f"flight {flown} of {len(flights)} from drawn states: {faults[-1]}")
    finally:  # what is still flying after a refusal flies for nothing
        call_off(futures)


def faults_in(header: Mapping[str, Any], flights: int) -> list[str]:
    """What a worker found in each flight, up to the first fault. WorkerFailed where it is no answer to that."""
    with in_the_schema():
        faults = header["faults"]
        whole = isinstance(faults, list) and all(isinstance(fault, str) for fault in faults)
        if not whole or not 1 <= len(faults) <= flights or any(faults[:-1]):
            raise ValueError("no list of faults")
        if len(faults) < flights and not faults[-1]:
            raise ValueError("flights are missing")
    return faults


def _key(program: ProgramBlob, context: Context, draws: Sequence[Any]) -> str | None:
    """Everything on which the outcome of the flights rests; None where some of it is not known."""
    course, around = context.course, context.surroundings
    if not (around.runtime and around.simulation and around.exact):
        return None
    told = [program.sha256, course.scenario, [file.sha256 for file in course.files], list(draws)]
    return digest(plain(["fallback", *told, around.runtime, around.simulation, key.machine()]))
