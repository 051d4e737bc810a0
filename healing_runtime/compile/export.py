"""In the trace worker: a traced controller becomes StableHLO over flat vectors, and is never Python again."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export
from jax.extend.core import jaxpr_as_fun

from healing_runtime.compile import devices
from healing_runtime.compile import tick as ticks
from healing_runtime.compile.interface import ControllerInterface
from healing_runtime.compile.vectors import Vectors, packing_of
from healing_runtime.core.errors import SubsetError
from healing_runtime.core.margins import Margin
from healing_runtime.language import harvest as harvesting
from healing_runtime.language import ownership
from healing_runtime.language.trace import Traced


@dataclasses.dataclass(frozen=True)
class ExportedController:
    """A controller as two StableHLO programs over flat vectors, and its starting memory and parameters."""

    control: bytes
    contract: bytes
    interface: ControllerInterface
    params: np.ndarray
    state: Vectors


def export_controller(
    traced: Traced, original: Traced | None, control_hz: int, platform: str = "cpu"
) -> ExportedController:
    """Harvest and export a traced controller for a kind of device, which need not be in this machine.

    Contract asserts come from `original` (the controller the scenario names) with the original's parameters, and from
    the patch only where it adds labels of its own. The patch's `obs`, `state`, `action` and `next_state` are handed
    to them.

    Raises:
        SubsetError: the patch no longer offers what a contract assert of the original names.
    """
    devices.run_in_calling_thread()  # exporting starts the backend, and a program may be loaded in this process next
    table = traced.table
    step, interface, params, state = flatten(traced, original, control_hz)
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
    traced: Traced, original: Traced | None, control_hz: int
) -> tuple[ticks.Step, ControllerInterface, np.ndarray, Vectors]:
    """A traced controller as a `Step` over flat vectors, with its interface and starting values.

    Nothing is compiled.
    """
    original, table = original or traced, traced.table
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


def _must_keep_what_is_judged(traced: Traced, original: Traced) -> None:
    """The memory that the original's contract reads is still built as it was: an empty array breaks no promise."""
    for key in ownership.state_keys(original.controller.parsed):
        was, now = (t.state0.get(key) for t in (original, traced))
        if was is None:  # the original's own mistake, told where its contract is traced
            continue
        if now is None:
            raise SubsetError(f"the patch dropped {key!r}, which an assert of the original controller names; keep it.")
        if jax.tree.structure(was) != jax.tree.structure(now) or any(
            (a.shape, a.dtype) != (b.shape, b.dtype)
            for a, b in zip(jax.tree.leaves(was), jax.tree.leaves(now), strict=True)
        ):
            raise SubsetError(
                f'the patch changes the shape or dtype of state["{key}"], which an assert of the original controller'
                " reads; keep it as it was."
            )


def _contracts(traced: Traced, original: Traced) -> list[Callable[..., list[Any]]]:
    """Evaluators of the original's contract asserts and of those the patch adds, in the order of the slugs."""
    _must_keep_what_is_judged(traced, original)

    def of_original(obs: Any, state: Any, action: Any, next_state: Any) -> list[Any]:
        margins = original.controller.contract(obs, state, action, next_state, original.params)
        return [margins[a.label] for a in original.controller.parsed.contract]

    def of_patch(obs: Any, state: Any, action: Any, next_state: Any) -> list[Any]:
        arguments = jax.tree.leaves((obs, state, action, next_state, traced.params))
        flat = jaxpr_as_fun(traced.contract_jaxpr)(*arguments)
        margins = dict(zip(traced.contract_labels, map(Margin, flat[::2], flat[1::2]), strict=True))
        return [margins[a.label] for a in traced.controller.parsed.contract if a.label in added]

    added = _added(traced, original)
    return [of_original, of_patch] if added else [of_original]
