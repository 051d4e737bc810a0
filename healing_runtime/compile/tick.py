"""The tick: controller, contract asserts and all monitors as one pure function with one packed output.

`tick(params, carry, observed, true) -> (carry, packed)`. Vectors are flat: `observed` and `true` follow the signal
table, `carry` is
`Vectors` (the controller's memory, then the monitors', then the running worst of the contract asserts). `true`
reaches only the monitors: the controller is an exported program that is called with `observed` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from healing_runtime import stl
from healing_runtime.compile.interface import ControllerInterface, ProgramInterface, Requirement
from healing_runtime.compile.vectors import Packing, Vectors, packing_of
from healing_runtime.core.signals import SignalTable
from healing_runtime.core.status import Severity, Status


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


def judge(requirements: Sequence[Any], table: SignalTable, control_hz: int, dtype: Any) -> Judge:
    """The monitors of bound requirements as one function over flat vectors."""
    monitor = stl.online_all(requirements, table, control_hz)
    start = monitor.init()
    packing = packing_of(start)

    def update(vectors: Vectors, true: Any, observed: Any) -> tuple[Vectors, Any]:
        state, out = monitor.update(packing.unpack(vectors), true, observed)
        return packing.pack(state, dtype), out

    return Judge(packing.pack_values(start, dtype), packing, update)


def compose(
    step: Step, controller: ControllerInterface, requirements: Sequence[Any], table: SignalTable, control_hz: int
) -> Tick:
    """Controller, contract and monitors -> the tick. Pure; nothing is compiled here."""
    dtype = jnp.dtype(controller.dtype)
    monitors = judge(requirements, table, control_hz, dtype)
    state_floats = sum(leaf.size for leaf in controller.state if leaf.floating)
    state_ints = sum(leaf.size for leaf in controller.state if not leaf.floating)
    contracts = len(controller.contract)
    monitor_floats = monitors.packing.sizes[0]
    trips = np.array([r.mission or r.severity == Severity.CRITICAL for r in requirements], bool)
    columns: dict[str, tuple[int, int]] = {}

    def function(params: Any, carry: Vectors, observed: Any, true: Any) -> tuple[Vectors, Any]:
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
            "state_floats": next_state.floats,
            "state_ints": next_state.ints,
        }
        packed = _concatenate(blocks, columns, dtype)
        floats = jnp.concatenate([next_state.floats, memory.floats, worst])
        return Vectors(floats, jnp.concatenate([next_state.ints, memory.ints])), packed

    start = Vectors(np.concatenate([monitors.start.floats, np.full(contracts, np.inf, dtype)]), monitors.start.ints)
    atoms = _measure(function, controller, table, state_floats, state_ints, start, dtype)
    interface = ProgramInterface(
        controller=controller,
        control_hz=control_hz,
        requirements=tuple(Requirement(r.id, r.severity, r.mission, float(r.scale), r.text) for r in requirements),
        atoms=atoms,
        columns=dict(columns),
        packed_size=max(stop for _, stop in columns.values()),
    )
    return Tick(function, start, interface)


def _concatenate(blocks: dict[str, Any], columns: dict[str, tuple[int, int]], dtype: Any) -> Any:
    """Lay the blocks one after the other and note where each lies (the same at every trace)."""
    parts, at = [], 0
    for name, value in blocks.items():
        flat = jnp.ravel(value).astype(dtype)
        columns[name] = (at, at + flat.size)
        at += flat.size
        parts.append(flat)
    return jnp.concatenate(parts)


def _measure(
    function: Callable[..., Any],
    controller: ControllerInterface,
    table: SignalTable,
    state_floats: int,
    state_ints: int,
    start: Vectors,
    dtype: Any,
) -> tuple[str, ...]:
    """Trace the tick's shapes once, which fills the columns; returns a name for each atom value."""
    import jax

    params = sum(leaf.size for leaf in controller.params)
    shapes = (
        jax.ShapeDtypeStruct((params,), dtype),
        Vectors(
            jax.ShapeDtypeStruct((state_floats + start.floats.size,), dtype),
            jax.ShapeDtypeStruct((state_ints + start.ints.size,), jnp.int32),
        ),
        jax.ShapeDtypeStruct((table.observed.size,), dtype),
        jax.ShapeDtypeStruct((table.true.size,), dtype),
    )
    jax.eval_shape(function, *shapes)
    return ()
