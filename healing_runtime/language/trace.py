"""From a controller to jaxprs: one trace against a robot's signal table, with every mistake told at the user's line.

Runs the source's Python exactly once per function. Starts no XLA backend for ordinary controllers: the initial state is
computed with NumPy where it is made of simple operations.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.typing import DTypeLike

from healing_runtime.core.errors import SubsetError
from healing_runtime.core.margins import Margin
from healing_runtime.core.signals import SignalTable
from healing_runtime.language import fold, passes, results
from healing_runtime.language.controller import Controller
from healing_runtime.language.harvest import Harvested, harvest_jaxpr, labels
from healing_runtime.language.messages.blame import blaming, refusal
from healing_runtime.language.passes.program import Program

MAX_STATE_ELEMENTS = 65_536

Tree = Any


@dataclasses.dataclass(frozen=True)
class Traced:
    """A controller as programs over fixed shapes; the source's Python is not run again.

    Attributes:
        controller: what was traced.
        table, dt_s, dtype: for what.
        jaxpr: flat `(*params, *state, *obs) -> (*action, *next state)`, diagnostic asserts still inside. `obs` holds
            the keys of `table.observed` and `dt_s`; dictionaries flatten in the order of their sorted keys.
        init_jaxpr: flat `(*params) -> (*state)`.
        contract_jaxpr: flat `(*obs, *state, *action, *next state, *params) -> (rho, ok) per label`.
        params: PARAMS, NumPy leaves of the tick's dtype.
        state0: `init(params)`, NumPy leaves.
        obs_tree, action_tree: structures of the dictionaries.
        contract_labels: labels of the contract asserts, in the order of `contract_jaxpr`.
        diagnostic_labels: labels of the asserts inside `jaxpr`.
    """

    controller: Controller
    table: SignalTable
    dt_s: float
    dtype: np.dtype
    jaxpr: ClosedJaxpr
    init_jaxpr: ClosedJaxpr
    contract_jaxpr: ClosedJaxpr
    params: Tree
    state0: Tree
    obs_tree: Any
    action_tree: Any
    contract_labels: tuple[str, ...]
    diagnostic_labels: tuple[str, ...]

    @property
    def action_keys(self) -> tuple[str, ...]:
        """Keys of the action, in the table's order."""
        return tuple(s.key for s in self.table.action)

    @property
    def state_tree(self) -> Any:
        """Structure of the state."""
        return jax.tree.structure(self.state0)

    @property
    def out_tree(self) -> Any:
        """Structure of what `jaxpr` returns: `(action, next state)`."""
        return jax.tree.structure(
            (jax.tree.unflatten(self.action_tree, [0] * self.action_tree.num_leaves), self.state0)
        )

    @property
    def params_tree(self) -> Any:
        """Structure of the parameters."""
        return jax.tree.structure(self.params)

    def obs(self, vector: Any) -> dict[str, Any]:
        """A flat observed vector (layout `table.observed`) -> the `obs` of `step`, `dt_s` included."""
        values = {key: jnp.asarray(value, self.dtype) for key, value in self.table.observed.unpack(vector).items()}
        return values | {"dt_s": jnp.asarray(self.dt_s, self.dtype)}

    def step(self, params: Tree, state: Tree, obs: Mapping[str, Any]) -> tuple[Tree, Tree, dict[str, Harvested]]:
        """One tick: `(action, next state, diagnostics by label)`. Pure and traceable; evaluates `jaxpr`, harvested."""
        out, diagnostics = harvest_jaxpr(self.jaxpr, *jax.tree.leaves((params, state, dict(obs))))
        count = self.action_tree.num_leaves
        action = jax.tree.unflatten(self.action_tree, out[:count])
        return action, jax.tree.unflatten(self.state_tree, out[count:]), diagnostics

    def contract(
        self, obs: Mapping[str, Any], state: Tree, action: Tree, next_state: Tree, params: Tree
    ) -> dict[str, Margin]:
        """Worst margins of the contract asserts, by label. Pure and traceable; evaluates `contract_jaxpr`."""
        out = jaxpr_as_fun(self.contract_jaxpr)(*jax.tree.leaves((dict(obs), state, action, next_state, params)))
        return {label: Margin(*out[2 * i : 2 * i + 2]) for i, label in enumerate(self.contract_labels)}


def _params(controller: Controller, dtype: np.dtype) -> Tree:
    with np.errstate(over="ignore"):
        params = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), controller.params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if not np.isfinite(leaf).all():
            name = "PARAMS" + jax.tree_util.keystr(path).replace("'", '"')
            assigned = (s for s in controller.parsed.tree.body if isinstance(s, ast.Assign))
            place = next(s for s in assigned if _is_params(s.targets[0]))
            message = f"{name} is too large for {dtype}, in which this tick computes; write a smaller number"
            raise refusal(controller, "init", message, line=place.lineno, column=place.col_offset + 1)
    return params


def _is_params(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "PARAMS"


def trace(controller: Controller, table: SignalTable, dt_s: float, dtype: DTypeLike = np.float32) -> Traced:
    """Trace `init`, `control` and the contract of a controller.

    Args:
        controller: loaded source.
        table: the robot's signals; `obs` and `action` are exactly these.
        dt_s: the control period.
        dtype: of the tick, float32 or float64.

    Raises:
        SubsetError: with the source's line: an unknown key, a wrong shape, a state whose structure changes between
            ticks, a NaN in the initial state, or whatever JAX itself refused.
    """
    dtype = np.dtype(dtype)
    params = _params(controller, dtype)
    obs = {s.key: jax.ShapeDtypeStruct(s.shape, dtype) for s in table.observed} | {
        "dt_s": jax.ShapeDtypeStruct((), dtype)
    }
    with jax.enable_x64(dtype == np.float64):
        init_jaxpr, state = _trace_init(controller, params, dtype)
        state0 = _initial_state(controller, init_jaxpr, params, state)

        def step(params: Tree, state: Tree, obs: Tree) -> tuple[Tree, Tree]:
            with blaming(controller, "control", {"obs": obs, "state": state, "params": params}):
                out = controller.control(obs, state, params)
            return results.step(controller, out, table, state, dtype)

        jaxpr, (action, _) = jax.make_jaxpr(step, return_shape=True)(params, state, obs)

        def contract(obs: Tree, state: Tree, action: Tree, next_state: Tree, params: Tree) -> dict[str, Margin]:
            known = {"obs": obs, "state": state, "action": action, "next_state": next_state, "params": params}
            with blaming(controller, "contract", known):
                margins = controller.contract(obs, state, action, next_state, params)
            return {label: Margin(jnp.asarray(m.rho, dtype), m.ok) for label, m in margins.items()}

        contract_jaxpr, margins = jax.make_jaxpr(contract, return_shape=True)(obs, state, action, state, params)
    return Traced(
        controller=controller,
        table=table,
        dt_s=dt_s,
        dtype=dtype,
        jaxpr=jaxpr,
        init_jaxpr=init_jaxpr,
        contract_jaxpr=contract_jaxpr,
        params=params,
        state0=state0,
        obs_tree=jax.tree.structure(obs),
        action_tree=jax.tree.structure(action),
        contract_labels=tuple(sorted(margins)),
        diagnostic_labels=labels(jaxpr),
    )


# ---------------------------------------------------------------- init
def _trace_init(controller: Controller, params: Tree, dtype: np.dtype) -> tuple[ClosedJaxpr, Tree]:
    def init(params: Tree) -> Tree:
        with blaming(controller, "init", {"params": params}):
            state = controller.init(params)
        return results.memory(controller, state, dtype)

    jaxpr, shape = jax.make_jaxpr(init, return_shape=True)(params)
    for statement in controller.parsed.diagnostics:
        if statement.label in labels(jaxpr):
            message = f'the assert "{statement.label}" is met by init, which nobody judges; write it in control'
            raise refusal(controller, "init", message, line=statement.line, column=statement.column)
    elements = sum(leaf.size for leaf in jax.tree.leaves(shape))
    if elements > MAX_STATE_ELEMENTS:
        raise refusal(
            controller, "init", f"the state holds {elements} numbers, and at most {MAX_STATE_ELEMENTS} fit; use less"
        )
    return jaxpr, shape


def _initial_state(controller: Controller, jaxpr: ClosedJaxpr, params: Tree, shape: Tree) -> Tree:
    for finding in passes.before_running(Program("init", jaxpr, controller)):
        raise refusal(controller, "init", finding.message.rstrip("."), line=finding.line, column=finding.column)
    leaves = fold.evaluate(jaxpr, jax.tree.leaves(params))
    state = jax.tree.unflatten(jax.tree.structure(shape), leaves)
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        if np.issubdtype(leaf.dtype, np.floating) and np.isnan(leaf).any():
            raise refusal(controller, "init", f"state{_keys(path)} starts as NaN; start it from a number, write 0.0")
    return state


def _keys(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path).replace("'", '"')


__all__ = ["SubsetError", "Traced", "trace"]
