"""In the trace worker: a traced controller becomes StableHLO over flat vectors, and is never Python again."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export
from jax.extend.core import jaxpr_as_fun

from healing_runtime.compile import devices
from healing_runtime.compile import tick as ticks
from healing_runtime.compile.interface import ControllerInterface
from healing_runtime.compile.promises import Promises, must_keep_what_is_judged
from healing_runtime.compile.vectors import Vectors, packing_of
from healing_runtime.core.margins import Margin
from healing_runtime.language import harvest as harvesting
from healing_runtime.language.syntax.asserts import AssertStatement
from healing_runtime.language.trace import Traced


@dataclasses.dataclass(frozen=True)
class ExportedController:
    """A controller as two StableHLO programs over flat vectors, and its starting memory and parameters.

    Where the controller is a patch that was exported without the asserts it does not own, `promises` are those; in the
    interface they come first.
    """

    control: bytes
    contract: bytes
    interface: ControllerInterface
    params: np.ndarray
    state: Vectors
    promises: Promises | None = None


def export_controller(
    traced: Traced, original: Traced | None, control_hz: int, platform: str = "cpu", owned: Collection[str] = ()
) -> ExportedController:
    """Harvest and export a traced controller for a kind of device, which need not be in this machine.

    Contract asserts come from `original` (the controller the scenario names) with the original's parameters, and from
    the patch only where it adds labels of its own. The patch's `obs`, `state`, `action` and `next_state` are handed
    to them. Those whose slugs are `owned` are left out: they come from elsewhere (`promises.py`).

    Raises:
        SubsetError: the patch no longer offers what a contract assert of the original names.
    """
    devices.run_in_calling_thread()  # exporting starts the backend, and a program may be loaded in this process next
    table = traced.table
    step, interface, params, state = flatten(traced, original, control_hz, owned)
    dtype = jnp.dtype(interface.dtype)
    spec = jax.ShapeDtypeStruct
    vectors = Vectors(spec(state.floats.shape, dtype), spec(state.ints.shape, jnp.int32))
    observed, action = spec((table.observed.size,), dtype), spec((table.action.size,), dtype)
    with no_locations():
        control = jax_export.export(jax.jit(step.control), platforms=[platform])(
            spec(params.shape, dtype), vectors, observed
        )
        contract = jax_export.export(jax.jit(step.contract), platforms=[platform])(observed, vectors, action, vectors)
    return ExportedController(bytes(control.serialize()), bytes(contract.serialize()), interface, params, state)


@contextlib.contextmanager
def no_locations() -> Iterator[None]:
    """Leave out of a program where its Python stood: equal programs are then equal bytes, and name no path."""
    before = jax.config._read("jax_traceback_in_locations_limit")
    jax.config.update("jax_traceback_in_locations_limit", 0)
    try:
        yield
    finally:
        jax.config.update("jax_traceback_in_locations_limit", before)


def flatten(
    traced: Traced, original: Traced | None, control_hz: int, owned: Collection[str] = ()
) -> tuple[ticks.Step, ControllerInterface, np.ndarray, Vectors]:
    """A traced controller as a `Step` over flat vectors, with its interface and starting values.

    Nothing is compiled.
    """
    original, table = original or traced, traced.table
    dtype = np.dtype(traced.dtype)
    state_packing, params_packing = packing_of(traced.state0), packing_of(traced.params)
    dt = np.asarray(1.0 / control_hz, dtype)
    diagnostics = traced.diagnostic_labels
    own, added = _asserts(traced, original, owned)
    contracts = _contracts(traced, original, own, added)

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
        contract=tuple(a.slug for a in (*own, *added)),
        diagnostics=diagnostics,
    )
    return ticks.Step(control, contract), interface, params, state


def _asserts(
    traced: Traced, original: Traced, owned: Collection[str]
) -> tuple[tuple[AssertStatement, ...], tuple[AssertStatement, ...]]:
    """The original's contract asserts, and those that the patch brings on its own; without those owned elsewhere."""
    own = tuple(a for a in original.controller.parsed.contract if a.slug not in owned)
    taken = {a.slug for a in original.controller.parsed.contract} | set(owned)
    return own, tuple(a for a in traced.controller.parsed.contract if a.slug not in taken)


def _contracts(
    traced: Traced, original: Traced, own: tuple[AssertStatement, ...], added: tuple[AssertStatement, ...]
) -> list[Callable[..., list[Any]]]:
    """Evaluators of the original's contract asserts and of those the patch adds, in this order."""
    was, now = (packing_of(t.state0).leaves for t in (original, traced))
    must_keep_what_is_judged(original.controller.parsed, was, now)

    def of_original(obs: Any, state: Any, action: Any, next_state: Any) -> list[Any]:
        margins = original.controller.contract(obs, state, action, next_state, original.params)
        return [margins[a.label] for a in own]

    def of_patch(obs: Any, state: Any, action: Any, next_state: Any) -> list[Any]:
        arguments = jax.tree.leaves((obs, state, action, next_state, traced.params))
        flat = jaxpr_as_fun(traced.contract_jaxpr)(*arguments)
        margins = dict(zip(traced.contract_labels, map(Margin, flat[::2], flat[1::2]), strict=True))
        return [margins[a.label] for a in added]

    return [evaluate for evaluate, asserts in ((of_original, own), (of_patch, added)) if asserts]
