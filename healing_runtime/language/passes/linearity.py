"""`linearity`: every donated buffer of the state has exactly one successor, and no memory leaks or grows.

Linear is the buffer, not the value: reads are unlimited. `obs`, `params` and a leaf's own previous value are free.
Values are told apart by `passes.identity`: the same operation on the same operands is the same value, however often it
is written, and what only moves elements about without changing them is its operand. Arithmetic is not simplified: a
leaf times zero, or plus zero, is a value of its own here, and keeps the leaf from being a leak. So does a leaf that
reads only itself. Diagnostic asserts count for nothing; contract asserts keep what they read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import jax
from jax.extend.core import Jaxpr, Literal
from jax.interpreters import partial_eval

from healing_runtime.language.blame import refusal
from healing_runtime.language.findings import Finding
from healing_runtime.language.harvest import silenced
from healing_runtime.language.passes import identity
from healing_runtime.language.passes.program import Budget
from healing_runtime.language.primitive import reset_p

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced

_TRANSPARENT = frozenset({"jit", "closed_call", "custom_jvp_call"})


def check(traced: Traced, budget: Budget) -> Iterator[Finding]:
    """The state of `control`: its incoming leaves against their successors."""
    jaxpr = traced.jaxpr.jaxpr
    paths = jax.tree_util.tree_leaves_with_path(traced.state0)
    names = [f"state{jax.tree_util.keystr(path)}".replace("'", '"') for path, _ in paths]
    first = traced.params_tree.num_leaves
    incoming = jaxpr.invars[first : first + len(names)]
    successors = jaxpr.outvars[traced.action_tree.num_leaves :]
    if len(successors) != len(incoming):
        yield _finding(traced, f"{len(incoming)} state leaves have {len(successors)} successors; keep init's structure")
        return
    for name, before, after in zip(names, incoming, successors, strict=True):
        if (before.aval.shape, before.aval.dtype) != (after.aval.shape, after.aval.dtype):
            yield _finding(traced, f"{name} changes its shape or dtype from tick to tick")
    values = identity.of_jaxpr(traced.jaxpr)
    constant = _constants(jaxpr, values, successors)
    for name, after in zip(names, successors, strict=True):
        if after in constant:
            yield _finding(
                traced, f"{name} becomes the same constant at every tick; write tl.reset(value) if that is meant"
            )
    yield from _aliases(traced, values, names, incoming, [None if v in constant else v for v in successors])
    yield from _leaks(traced, names, first)


def _aliases(
    traced: Traced, values: Mapping[Any, Any], names: list[str], incoming: list[Any], successors: list[Any]
) -> Iterator[Finding]:
    owner = {values[v]: name for v, name in zip(incoming, names, strict=True)}
    seen: dict[Any, str] = {}
    for name, after in zip(names, successors, strict=True):
        if after is None:
            continue
        value = values[after]
        if owner.get(value, name) != name:
            yield _finding(traced, f"{name} becomes {owner[value]} itself; write tl.copy({owner[value]})")
        elif value in seen:
            yield _finding(traced, f"{name} and {seen[value]} become the same value; write tl.copy for one of them")
        seen.setdefault(value, name)


def _leaks(traced: Traced, names: list[str], first: int) -> Iterator[Finding]:
    jaxpr = silenced(traced.jaxpr.jaxpr)
    _, used = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    judged = _judged(traced, len(names))
    for index, name in enumerate(names):
        if not used[first + index] and not judged[index]:
            yield _finding(
                traced, f"{name} is written and never read by the action, the state or a contract assert; remove it"
            )


def _judged(traced: Traced, leaves: int) -> list[bool]:
    """Which leaves a contract assert reads, before or after the tick: kept for the judge, not leaked."""
    contract = traced.contract_jaxpr.jaxpr
    _, used = partial_eval.dce_jaxpr(contract, [True] * len(contract.outvars))
    before = traced.obs_tree.num_leaves
    after = before + leaves + traced.action_tree.num_leaves
    return [a or b for a, b in zip(used[before : before + leaves], used[after : after + leaves], strict=True)]


def _jaxprs(value: Any) -> Iterator[Jaxpr]:
    for item in value if isinstance(value, tuple | list) else (value,):
        inner = getattr(item, "jaxpr", item)
        if isinstance(inner, Jaxpr):
            yield inner


def _constants(jaxpr: Jaxpr, values: Mapping[Any, Any], successors: list[Any]) -> list[Any]:
    """The successors that no input reaches, or that are the same value as one that none reaches."""
    dependent = _dependent(jaxpr, [True] * len(jaxpr.invars))
    fixed = {number for v, number in values.items() if v not in dependent}
    return [v for v in successors if isinstance(v, Literal) or values[v] in fixed]


def _dependent(jaxpr: Jaxpr, varying: list[bool]) -> set[Any]:
    """The values that depend on an input, or are marked with `tl.reset`."""
    found = {v for v, yes in zip(jaxpr.invars, varying, strict=True) if yes}
    for eqn in jaxpr.eqns:
        inputs = [not isinstance(v, Literal) and v in found for v in eqn.invars]
        inner = next((sub for value in eqn.params.values() for sub in _jaxprs(value)), None)
        if eqn.primitive.name in _TRANSPARENT and inner is not None:
            deeper = _dependent(inner, inputs)
            found.update(
                out
                for out, v in zip(eqn.outvars, inner.outvars, strict=True)
                if not isinstance(v, Literal) and v in deeper
            )
        elif any(inputs) or eqn.primitive is reset_p:
            found.update(eqn.outvars)
    return found


def _finding(traced: Traced, message: str) -> Finding:
    where = refusal(traced.controller, "control", message).where
    assert where is not None
    return Finding("linearity", "error", message + ".", where.line, where.column)
