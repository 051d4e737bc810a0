"""The tick: controller, contract asserts and all monitors as one pure function with one packed output.

`tick(params, memory, sample) -> (memory, packed)`. Vectors are flat: `sample` is what was observed and then what is
true, as the signal table has them; `memory` is the carry, `Vectors` joined (the controller's memory, then the
monitors', then the running worst of the contract asserts). What is true reaches only the monitors: the controller is an
exported program that is called with what was observed alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime import stl
from healing_runtime.compile.interface import ControllerInterface, ProgramInterface, Requirement
from healing_runtime.compile.vectors import Packing, Vectors, join, packing_of, part
from healing_runtime.core.signals import SignalTable
from healing_runtime.core.status import Severity, Status
from healing_runtime.stl.formula import atoms as atoms_of


class Step(NamedTuple):
    """A controller over flat vectors, as `export` hands it out or as it is traced for a search.

    Attributes:
        control: (params, state vectors, observed) -> (state vectors, action vector, diagnostics vector).
        contract: (observed, state vectors, action vector, next state vectors) -> (rho vector, ok vector).
    """

    control: Callable[..., Any]
    contract: Callable[..., Any]


class Tick(NamedTuple):
    """A tick and what is needed to start and to read it."""

    function: Callable[..., Any]
    monitor_start: Vectors
    interface: ProgramInterface


class Judge(NamedTuple):
    """All monitors over flat vectors: `update(vectors, true, observed) -> (vectors, MonitorOut)`."""

    start: Vectors
    packing: Packing
    update: Callable[..., Any]
    atoms: tuple[str, ...]
    restarts: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]


def judge(
    requirements: Sequence[Any], table: SignalTable, control_hz: int, dtype: Any, conditions: Sequence[Any] = ()
) -> Judge:
    """The monitors of bound requirements as one function over flat vectors, for a tick that is called by itself."""
    monitor = stl.online_all(requirements, table, control_hz, dtype, alone=True, conditions=conditions)
    start = monitor.init()
    packing = packing_of(start)

    def update(vectors: Vectors, true: Any, observed: Any) -> tuple[Vectors, Any]:
        state, out = monitor.update(packing.unpack(vectors), true, observed)
        return packing.pack(state, dtype), out

    restarts = tuple(_slots(packing, jax.tree.leaves(mask)) for mask in monitor.restarts)
    return Judge(packing.pack_values(start, dtype), packing, update, monitor.atoms, restarts)


def _slots(packing: Packing, marked: Sequence[bool]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where the marked leaves lie in the float and in the integer vector."""
    slots: dict[bool, list[int]] = {True: [], False: []}
    at = {True: 0, False: 0}
    for leaf, mark in zip(packing.leaves, marked, strict=True):
        start = at[leaf.floating]
        at[leaf.floating] = start + leaf.size
        if mark:
            slots[leaf.floating] += range(start, start + leaf.size)
    return tuple(slots[True]), tuple(slots[False])


def compose(
    step: Step,
    controller: ControllerInterface,
    requirements: Sequence[Any],
    table: SignalTable,
    control_hz: int,
    triggers: Sequence[Any] = (),
) -> Tick:
    """Controller, contract and monitors -> the tick. Pure; nothing is compiled here.

    `triggers` are the conditions that the scenario's faults wait for. They trip nothing and have no verdict.
    """
    dtype = jnp.dtype(controller.dtype)
    monitors = judge(requirements, table, control_hz, dtype, triggers)
    state_floats = sum(leaf.size for leaf in controller.state if leaf.floating)
    state_ints = sum(leaf.size for leaf in controller.state if not leaf.floating)
    contracts = len(controller.contract)
    monitor_floats = monitors.packing.sizes[0]
    trips = np.array([r.mission or r.severity == Severity.CRITICAL for r in requirements], bool)
    count, memory_size = len(requirements), (state_floats, state_ints)
    columns = _columns(table.action.size, count, controller, len(monitors.atoms), len(triggers), memory_size)
    carried_floats, sensed = state_floats + monitor_floats + contracts, table.observed.size

    def function(params: Any, carried: Any, sample: Any) -> tuple[Any, Any]:
        carry, observed, true = part(carried, carried_floats, dtype), sample[:sensed], sample[sensed:]
        state = Vectors(carry.floats[:state_floats], carry.ints[:state_ints])
        memory = Vectors(carry.floats[state_floats : state_floats + monitor_floats], carry.ints[state_ints:])
        next_state, action, diagnostics = step.control(params, state, observed)
        rho, ok = step.contract(observed, state, action, next_state)
        memory, out = monitors.update(memory, true, observed)
        # The running worst of each contract assert; NaN stays, so that an invalid margin is latched.
        worst = jnp.minimum(carry.floats[state_floats + monitor_floats :], rho)
        broken = jnp.logical_or(ok <= 0, jnp.isnan(rho))
        finite = jnp.all(jnp.isfinite(action))
        status = out.now.status
        violated = jnp.logical_or(status == int(Status.FALSE), status == int(Status.INVALID))
        tripped = jnp.any(jnp.logical_and(violated, trips)) | jnp.any(broken) | ~finite
        blocks = {
            "action": action,
            "tripped": tripped,
            "finite": finite,
            "status": status,
            "rho": out.now.rho,
            "rho_lo": out.now.rho_lo,
            "rho_hi": out.now.rho_hi,
            "ended_status": out.ended.status,
            "ended_rho": out.ended.rho,
            "contract_rho": worst,
            "contract_ok": ~broken,
            "diagnostics": diagnostics,
            "atoms": out.atoms,
            "triggers": out.conditions,
            "state_floats": next_state.floats,
            "state_ints": next_state.ints,
        }
        packed = jnp.concatenate([jnp.ravel(blocks[name]).astype(dtype) for name in columns])
        floats = jnp.concatenate([next_state.floats, memory.floats, worst])
        return join(Vectors(floats, jnp.concatenate([next_state.ints, memory.ints]))), packed

    start = Vectors(np.concatenate([monitors.start.floats, np.full(contracts, np.inf, dtype)]), monitors.start.ints)
    interface = ProgramInterface(
        controller=controller,
        control_hz=control_hz,
        requirements=tuple(map(_reading, requirements, [monitors.atoms] * count, monitors.restarts)),
        atoms=monitors.atoms,
        columns=columns,
        packed_size=max(stop for _, stop in columns.values()),
        inputs=(table.observed.size, table.true.size),
    )
    return Tick(function, start, interface)


def _reading(requirement: Any, atoms: tuple[str, ...], restart: tuple[tuple[int, ...], tuple[int, ...]]) -> Requirement:
    """A bound requirement without its formula, with the atoms it rests on."""
    own = dict.fromkeys(atoms.index(atom.text) for atom in atoms_of(requirement.formula))
    r = requirement
    return Requirement(r.id, r.severity, r.mission, float(r.scale), r.text, tuple(own), restart)


def _columns(
    action: int, requirements: int, controller: ControllerInterface, atoms: int, triggers: int, memory: tuple[int, int]
) -> dict[str, tuple[int, int]]:
    """Where each block of the packed array lies."""
    verdict = ("status", "rho", "rho_lo", "rho_hi", "ended_status", "ended_rho")
    sizes = {
        "action": action,
        "tripped": 1,
        "finite": 1,
        **dict.fromkeys(verdict, requirements),
        "contract_rho": len(controller.contract),
        "contract_ok": len(controller.contract),
        "diagnostics": len(controller.diagnostics),
        "atoms": atoms,
        "triggers": triggers,
        "state_floats": memory[0],
        "state_ints": memory[1],
    }
    stops = itertools.accumulate(sizes.values())
    return {name: (stop - size, stop) for (name, size), stop in zip(sizes.items(), stops, strict=True)}
