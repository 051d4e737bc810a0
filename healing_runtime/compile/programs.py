"""Exported controllers and executables: from a trace to bytes, and from bytes to something the loop can call.

Three processes share the work. A trace worker turns a source into an `ExportedController` (StableHLO, never Python
again); a builder
composes the tick around it, compiles ahead of time and returns a `ProgramBlob`; the loop loads only a blob whose hash
it was told.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export
from jax.experimental import serialize_executable
from jax.extend.core import jaxpr_as_fun

from healing_runtime.compile import tick as ticks
from healing_runtime.compile.interface import ControllerInterface, ProgramInterface
from healing_runtime.compile.vectors import Packing, Vectors, packing_of
from healing_runtime.core.codec import plain, read
from healing_runtime.core.errors import SubsetError, WorkerFailed
from healing_runtime.core.margins import Margin
from healing_runtime.core.signals import SignalTable
from healing_runtime.language import harvest as harvesting
from healing_runtime.language.trace import Traced

_CUSTOM_CALL = re.compile(r"stablehlo\.custom_call\"?[ (]*@?(\w*)")

COMPILER_OPTIONS: dict[str, str | bool] = {"xla_cpu_use_fusion_emitters": False}
"""Half the compile time of a quadrotor's tick, and the same time per tick (measured on jax 0.10.2)."""


@dataclasses.dataclass(frozen=True)
class ExportedController:
    """A controller as two StableHLO programs over flat vectors, and its starting memory and parameters."""

    control: bytes
    contract: bytes
    interface: ControllerInterface
    params: np.ndarray
    state: Vectors


@dataclasses.dataclass(frozen=True)
class ProgramBlob:
    """An executable as bytes. `sha256` covers the executable, the interface and the starting values."""

    executable: bytes
    interface: ProgramInterface
    params: np.ndarray
    carry: Vectors
    sha256: str


@dataclasses.dataclass(frozen=True)
class Program:
    """A loaded executable.

    `tick(params, carry, observed, true) -> (carry, packed)`; the carry given in is donated. `start()` is a fresh carry.
    """

    tick: Callable[..., Any]
    interface: ProgramInterface
    params: np.ndarray
    carry: Vectors
    sha256: str

    def start(self) -> Vectors:
        """The carry at trace begin: the controller's `init` and fresh monitors."""
        return Vectors(self.carry.floats.copy(), self.carry.ints.copy())


# ---------------------------------------------------------------- trace worker
def export_controller(
    traced: Traced, original: Traced | None, table: SignalTable, control_hz: int
) -> ExportedController:
    """Harvest and export a traced controller.

    Contract asserts come from `original` (the controller the scenario names) with the original's parameters, and from
    the patch only where it adds labels of its own. The patch's `obs`, `state`, `action` and `next_state` are handed
    to them.

    Raises:
        SubsetError: the patch no longer offers what a contract assert of the original names.
    """
    step, interface, params, state = flatten(traced, original, table, control_hz)
    dtype = jnp.dtype(interface.dtype)
    spec = jax.ShapeDtypeStruct
    vectors = Vectors(spec(state.floats.shape, dtype), spec(state.ints.shape, jnp.int32))
    observed, action = spec((table.observed.size,), dtype), spec((table.action.size,), dtype)
    with _no_locations():
        control = jax_export.export(jax.jit(step.control), platforms=["cpu"])(
            spec(params.shape, dtype), vectors, observed
        )
        contract = jax_export.export(jax.jit(step.contract), platforms=["cpu"])(observed, vectors, action, vectors)
    return ExportedController(bytes(control.serialize()), bytes(contract.serialize()), interface, params, state)


@contextlib.contextmanager
def _no_locations() -> Iterator[None]:
    """Leave out of a program where its Python stood: equal programs are then equal bytes, and name no path."""
    before = jax.config._read("jax_traceback_in_locations_limit")
    jax.config.update("jax_traceback_in_locations_limit", 0)
    try:
        yield
    finally:
        jax.config.update("jax_traceback_in_locations_limit", before)


def flatten(
    traced: Traced, original: Traced | None, table: SignalTable, control_hz: int
) -> tuple[ticks.Step, ControllerInterface, np.ndarray, Vectors]:
    """A traced controller as a `Step` over flat vectors, with its interface and starting values.

    Nothing is compiled.
    """
    original = original or traced
    dtype = np.dtype(traced.dtype)
    state_packing, params_packing = packing_of(traced.state0), packing_of(traced.params)
    dt = np.asarray(1.0 / control_hz, dtype)
    diagnostics = traced.diagnostic_labels
    contracts = _contracts(traced, original)

    def observation(observed: Any) -> dict[str, Any]:
        return {**table.observed.unpack(observed), "dt_s": jnp.asarray(dt)}

    def control(params: Any, state: Vectors, observed: Any) -> tuple[Vectors, Any, Any]:
        arguments = (params_packing.unpack(Vectors(params, jnp.zeros(0, jnp.int32))), state_packing.unpack(state))
        flat, asserts = harvesting.harvest_jaxpr(traced.jaxpr, *jax.tree.leaves((*arguments, observation(observed))))
        actions = traced.action_tree.num_leaves
        action = jax.tree.unflatten(traced.action_tree, flat[:actions])
        next_state = jax.tree.unflatten(state_packing.treedef, flat[actions:])
        command = jnp.concatenate([jnp.ravel(action[s.key]).astype(dtype) for s in table.action])
        margins = [jnp.asarray(asserts[label].rho, dtype) for label in diagnostics]
        return state_packing.pack(next_state, dtype), command, jnp.stack(margins) if margins else jnp.zeros(0, dtype)

    def contract(observed: Any, state: Vectors, action: Any, next_state: Vectors) -> tuple[Any, Any]:
        obs, before, after = observation(observed), state_packing.unpack(state), state_packing.unpack(next_state)
        margins = [m for evaluate in contracts for m in evaluate(obs, before, table.action.unpack(action), after)]
        if not margins:
            return jnp.zeros(0, dtype), jnp.zeros(0, dtype)
        rho = jnp.stack([jnp.asarray(m.rho, dtype) for m in margins])
        return rho, jnp.stack([jnp.asarray(m.ok, dtype) for m in margins])

    state = state_packing.pack_values(traced.state0, dtype)
    params = params_packing.pack_values(traced.params, dtype).floats
    interface = ControllerInterface(
        source_sha256=traced.controller.parsed.source.sha256,
        dtype=dtype.name,
        params=params_packing.leaves,
        state=state_packing.leaves,
        contract=_contract_slugs(traced, original),
        diagnostics=diagnostics,
    )
    return ticks.Step(control, contract), interface, params, state


def _added(traced: Traced, original: Traced) -> set[str]:
    """Labels of contract asserts that the patch brings on its own."""
    theirs = {a.label for a in original.controller.parsed.contract}
    return {a.label for a in traced.controller.parsed.contract} - theirs


def _contract_slugs(traced: Traced, original: Traced) -> tuple[str, ...]:
    own = [a.slug for a in original.controller.parsed.contract]
    added = _added(traced, original)
    return (*own, *(a.slug for a in traced.controller.parsed.contract if a.label in added))


def _contracts(traced: Traced, original: Traced) -> list[Callable[..., list[Any]]]:
    """Evaluators of the original's contract asserts and of those the patch adds, in the order of the slugs."""

    def of_original(obs: Any, state: Any, action: Any, next_state: Any) -> list[Any]:
        try:
            margins = original.controller.contract(obs, state, action, next_state, original.params)
        except KeyError as error:
            raise SubsetError(
                f"the patch dropped {error.args[0]!r}, which an assert of the original controller names; keep it."
            ) from None
        return [margins[a.label] for a in original.controller.parsed.contract]

    def of_patch(obs: Any, state: Any, action: Any, next_state: Any) -> list[Any]:
        arguments = jax.tree.leaves((obs, state, action, next_state, traced.params))
        flat = jaxpr_as_fun(traced.contract_jaxpr)(*arguments)
        margins = dict(zip(traced.contract_labels, map(Margin, flat[::2], flat[1::2]), strict=True))
        return [margins[a.label] for a in traced.controller.parsed.contract if a.label in added]

    added = _added(traced, original)
    return [of_original, of_patch] if added else [of_original]


# ---------------------------------------------------------------- builder
def build(
    exported: ExportedController, requirements: Sequence[Any], table: SignalTable, control_hz: int
) -> ProgramBlob:
    """Compose the tick, compile it ahead of time, run it once on zeros, and serialise the executable.

    Raises:
        WorkerFailed: the StableHLO holds a custom call, whatever the trace said.
    """
    control, contract = (jax_export.deserialize(bytearray(b)) for b in (exported.control, exported.contract))
    for program in (control, contract):
        refuse_custom_calls(program.mlir_module())
    step = ticks.Step(control.call, contract.call)
    composed = ticks.compose(step, exported.interface, requirements, table, control_hz)
    carry = Vectors(
        np.concatenate([exported.state.floats, composed.monitor_start.floats]),
        np.concatenate([exported.state.ints, composed.monitor_start.ints]),
    )
    dtype = np.dtype(exported.interface.dtype)
    observed, true = np.zeros(table.observed.size, dtype), np.zeros(table.true.size, dtype)
    lowered = jax.jit(composed.function, donate_argnums=(1,)).lower(exported.params, carry, observed, true)
    compiled = lowered.compile(compiler_options=COMPILER_OPTIONS)
    executable, _, _ = serialize_executable.serialize(compiled)
    compiled(exported.params, Vectors(carry.floats.copy(), carry.ints.copy()), observed, true)
    return blob(executable, composed.interface, exported.params, carry)


def blob(executable: bytes, interface: ProgramInterface, params: np.ndarray, carry: Vectors) -> ProgramBlob:
    """A program blob with its identity computed."""
    hasher = hashlib.sha256(executable)
    for part in (interface.bytes(), params.tobytes(), carry.floats.tobytes(), carry.ints.tobytes()):
        hasher.update(hashlib.sha256(part).digest())
    return ProgramBlob(executable, interface, params, carry, "sha256:" + hasher.hexdigest())


def refuse_custom_calls(stablehlo: str) -> None:
    """Re-check of the exported text: no custom call may survive to the compiler.

    Raises:
        WorkerFailed: with the name of the call.
    """
    for name in _CUSTOM_CALL.findall(stablehlo):
        raise WorkerFailed("custom call in the exported program", name)


# ---------------------------------------------------------------- pipes
def exported_message(exported: ExportedController) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """A header and blobs for a pipe; `read_exported` is the inverse."""
    header = {"interface": plain(exported.interface)}
    arrays = (exported.params.tobytes(), exported.state.floats.tobytes(), exported.state.ints.tobytes())
    return header, (exported.control, exported.contract, *arrays)


def read_exported(header: Any, blobs: Sequence[bytes]) -> ExportedController:
    """The inverse of `exported_message`."""
    interface = read(ControllerInterface, header["interface"])
    dtype = np.dtype(interface.dtype)
    control, contract, params, floats, ints = blobs
    state = Vectors(np.frombuffer(floats, dtype), np.frombuffer(ints, np.int32))
    return ExportedController(control, contract, interface, np.frombuffer(params, dtype), state)


def blob_message(program: ProgramBlob) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """A header and blobs for a pipe or a file; `read_blob` is the inverse."""
    header = {"interface": plain(program.interface), "sha256": program.sha256}
    arrays = (program.params.tobytes(), program.carry.floats.tobytes(), program.carry.ints.tobytes())
    return header, (program.executable, *arrays)


def read_blob(header: Any, blobs: Sequence[bytes]) -> ProgramBlob:
    """The inverse of `blob_message`; the hash is computed again and must agree.

    Raises:
        WorkerFailed: the bytes do not have the hash they claim.
    """
    interface = read(ProgramInterface, header["interface"])
    dtype = np.dtype(interface.controller.dtype)
    executable, params, floats, ints = blobs
    carry = Vectors(np.frombuffer(floats, dtype), np.frombuffer(ints, np.int32))
    program = blob(executable, interface, np.frombuffer(params, dtype), carry)
    if program.sha256 != header["sha256"]:
        raise WorkerFailed("program hash differs", f"{program.sha256} instead of {header['sha256']}")
    return program


# ---------------------------------------------------------------- loop
def load(program: ProgramBlob) -> Program:
    """Load an executable for this process's device and warm it up; nothing is traced or compiled."""
    arguments = jax.tree.structure(((0, Vectors(0, 0), 0, 0), {}))
    results = jax.tree.structure((Vectors(0, 0), 0))
    compiled = serialize_executable.deserialize_and_load(program.executable, arguments, results)
    loaded = Program(compiled, program.interface, program.params, program.carry, program.sha256)
    dtype = np.dtype(program.interface.controller.dtype)
    sizes = [a.shape for a in compiled.in_avals[0][2:]] if hasattr(compiled, "in_avals") else []
    for _ in range(2):
        if len(sizes) == 2:
            np.asarray(compiled(loaded.params, loaded.start(), *(np.zeros(shape, dtype) for shape in sizes))[1])
    return loaded


def migrate(old: ProgramInterface, new: ProgramInterface, carry: Vectors, fresh: Vectors) -> Vectors:
    """A carry of the old program as a carry of the new one.

    Controller memory moves by name, shape and dtype; what the new controller does not share starts as its `init`
    says. Monitors judge the same requirements in both programs and move whole.
    """
    floats, ints = fresh.floats.copy(), fresh.ints.copy()
    before, after = _places(old), _places(new)
    for path, (leaf, place) in after.items():
        if path in before and before[path][0] == leaf:
            target, origin = (floats, carry.floats) if leaf.floating else (ints, carry.ints)
            target[place] = origin[before[path][1]]
    old_floats, old_ints = _state_sizes(old)
    new_floats, new_ints = _state_sizes(new)
    shared = min(carry.floats.size - old_floats, floats.size - new_floats)
    floats[new_floats : new_floats + shared] = carry.floats[old_floats : old_floats + shared]
    ints[new_ints:] = carry.ints[old_ints:]
    return Vectors(floats, ints)


def _state_sizes(interface: ProgramInterface) -> tuple[int, int]:
    return Packing(interface.controller.state, None).sizes


def _places(interface: ProgramInterface) -> dict[str, tuple[Any, slice]]:
    out, at_float, at_int = {}, 0, 0
    for leaf in interface.controller.state:
        if leaf.floating:
            out[leaf.path] = (leaf, slice(at_float, at_float + leaf.size))
            at_float += leaf.size
        else:
            out[leaf.path] = (leaf, slice(at_int, at_int + leaf.size))
            at_int += leaf.size
    return out
