"""`linearity`: every donated buffer of the state has exactly one successor, and no memory leaks or grows.

Linear is the buffer, not the value: reads are unlimited. `obs`, `params` and a leaf's own previous value are free.
Values are told apart by `passes.identity`: the same operation on the same operands is the same value, however often it
is written; what hands its operand on unchanged is its operand, and what comes out the same whatever an operand is does
not read it. Diagnostic asserts count for nothing; contract asserts keep what they read. A leaf that feeds only itself,
or others that do, reaches a successor and so is no leak by definition; since nothing ever sees it, it is warned of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
from jax.interpreters import partial_eval

from healing_runtime.language.findings import Finding
from healing_runtime.language.harvest import silenced
from healing_runtime.language.passes import identity
from healing_runtime.language.passes.identity import Values
from healing_runtime.language.passes.program import Budget, Places

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced

_NAME = "linearity"


def check(traced: Traced, budget: Budget) -> Iterator[Finding]:
    """The state of `control`: its incoming leaves against their successors."""
    jaxpr = traced.jaxpr.jaxpr
    paths = jax.tree_util.tree_leaves_with_path(traced.state0)
    names = [f"state{jax.tree_util.keystr(path)}".replace("'", '"') for path, _ in paths]
    first = traced.params_tree.num_leaves
    incoming = jaxpr.invars[first : first + len(names)]
    successors = jaxpr.outvars[traced.action_tree.num_leaves :]
    place = Places(traced)
    if len(successors) != len(incoming):
        message = f"{len(incoming)} state leaves have {len(successors)} successors; keep init's structure"
        yield place.finding(_NAME, None, message)
        return
    for name, before, after in zip(names, incoming, successors, strict=True):
        if (before.aval.shape, before.aval.dtype) != (after.aval.shape, after.aval.dtype):
            yield place.finding(_NAME, after, f"{name} changes its shape or dtype from tick to tick; keep init's")
    if not names:
        return
    values = identity.of_jaxpr(traced.jaxpr)
    yield from _constants(place, values, names, successors)
    yield from _aliases(place, values, names, incoming, successors)
    yield from _leaks(traced, place, values, names, incoming, successors)


def _constants(place: Places, values: Values, names: list[str], successors: Sequence[Any]) -> Iterator[Finding]:
    for name, after in zip(names, successors, strict=True):
        if not values.reads(after):
            message = f"{name} becomes the same constant at every tick; write tl.reset(value) if that is meant"
            yield place.finding(_NAME, after, message)


def _aliases(
    place: Places, values: Values, names: list[str], incoming: Sequence[Any], successors: Sequence[Any]
) -> Iterator[Finding]:
    owner = {values.number(v): name for v, name in zip(incoming, names, strict=True)}
    seen: dict[Any, str] = {}
    for name, after in zip(names, successors, strict=True):
        value = values.number(after)
        if not values.reads(after):
            continue
        if owner.get(value, name) != name:
            yield place.finding(_NAME, after, f"{name} becomes {owner[value]} itself; write tl.copy({owner[value]})")
        elif value in seen:
            message = f"{name} and {seen[value]} become the same value; write tl.copy for one of them"
            yield place.finding(_NAME, after, message)
        seen.setdefault(value, name)


def _leaks(
    traced: Traced,
    place: Places,
    values: Values,
    names: list[str],
    incoming: Sequence[Any],
    successors: Sequence[Any],
) -> Iterator[Finding]:
    leaves = [values.number(v) for v in incoming]
    action = frozenset().union(*(values.reads(v) for v in traced.jaxpr.jaxpr.outvars[: traced.action_tree.num_leaves]))
    judged = _judged(traced, len(names))
    kept = {n for n, yes in zip(leaves, judged, strict=True) if yes}
    reads = {n: values.reads(after) for n, after in zip(leaves, successors, strict=True)}
    seen = _reaching(reads, (action & set(leaves)) | kept)
    anywhere = action.union(*reads.values())
    for n, name, after, written in zip(leaves, names, successors, _mentioned(traced, len(names)), strict=True):
        if n not in anywhere and n not in kept:
            message = f"{name} is written and never read by the action, the state or a contract assert; remove it"
            if written:
                message = (
                    f"{name} is written and never read: a constant, such as a factor of 0.0, makes it vanish; remove"
                    " it, or let the constant be a parameter"
                )
            yield place.finding(_NAME, after, message)
        elif n not in seen:
            message = f"{name} feeds only itself or state that nothing else reads; let the action read it, or remove it"
            yield place.finding(_NAME, after, message, "warning")


def _mentioned(traced: Traced, leaves: int) -> list[bool]:
    """Which leaves the program takes for the action or a successor, as it is written."""
    jaxpr = silenced(traced.jaxpr.jaxpr)
    _, used = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    first = traced.params_tree.num_leaves
    return used[first : first + leaves]


def _reaching(reads: Mapping[Any, frozenset[Any]], seen: set[Any] | frozenset[Any]) -> set[Any]:
    """The leaves that the action or a contract assert sees now or at a later tick."""
    found = set(seen)
    while more := {n for leaf in found for n in reads[leaf] if n in reads} - found:
        found |= more
    return found


def _judged(traced: Traced, leaves: int) -> list[bool]:
    """Which leaves a contract assert reads, before or after the tick: kept for the judge, not leaked."""
    contract = traced.contract_jaxpr.jaxpr
    if not contract.outvars:
        return [False] * leaves
    values = identity.of_jaxpr(traced.contract_jaxpr)
    used = frozenset().union(*(values.reads(v) for v in contract.outvars))
    read = [values.number(v) in used for v in contract.invars]
    before = traced.obs_tree.num_leaves
    after = before + leaves + traced.action_tree.num_leaves
    return [a or b for a, b in zip(read[before : before + leaves], read[after : after + leaves], strict=True)]
