"""What can hold a `tensorlang.assert` in its jaxprs, and how JAX is kept from dropping it there.

JAX drops what has neither results nor effects wherever it takes a program apart: in dead-code elimination, where a
gradient or a transpose splits known from unknown, and where a batch runs code that some lanes never reach. The first
keeps the holder whole; the others refuse with "harvest first". After a harvest no program holds an assert, and none of
this acts.

Holders are JAX's higher-order primitives: those with jaxprs among their parameters. `guard`, which runs when
`primitive` is imported, rewrites their entries in JAX's rule tables for the whole process. That is safe for other code:
each new rule asks whether the equation holds the primitive, and if not does what the old rule did, or what JAX does
where it has none; and nobody holds the primitive but programs with asserts.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

# None of these has a public name; a version of JAX that moves one fails here, at import.
from jax._src.custom_batching import custom_vmap_p  # what jax.custom_batching.custom_vmap binds
from jax._src.custom_derivatives import remat_opt_p  # what a custom_vjp with optimize_remat becomes
from jax._src.interpreters.batching import batch_jaxpr  # a function: which results a batch of a jaxpr has lanes in
from jax._src.shard_map import shard_map_p  # what jax.shard_map binds
from jax._src.state.discharge import run_state_p  # what code on references (jax.new_ref) becomes
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Primitive, primitives
from jax.interpreters import batching, partial_eval

from healing_runtime.core.errors import InputError

_HOLDERS: tuple[Any, ...] = (
    custom_vmap_p,
    primitives.call_p,
    primitives.closed_call_p,
    primitives.cond_p,
    primitives.custom_jvp_call_p,
    primitives.custom_vjp_call_p,
    primitives.jit_p,
    primitives.linear_solve_p,
    primitives.reduce_p,
    primitives.reduce_window_p,
    primitives.remat_p,
    remat_opt_p,
    primitives.scan_p,
    primitives.while_p,
    run_state_p,
    shard_map_p,
)


def subjaxprs(eqn: JaxprEqn) -> Iterator[Jaxpr]:
    """The jaxprs in an equation's parameters."""
    return _within(eqn.params)


def holds(eqn: JaxprEqn, primitive: Primitive) -> bool:
    """Whether an equation is of a primitive, or one stands in its jaxprs at whatever depth."""
    return eqn.primitive is primitive or _inside(eqn.params, primitive)


def guard(primitive: Primitive) -> None:
    """Teach every holder to keep a primitive without results, or to refuse."""
    partial_eval.dce_rules[primitive] = _whole
    for holder in _HOLDERS:
        partial_eval.dce_rules[holder] = _keeping(primitive, partial_eval.dce_rules.get(holder))
        if holder is primitives.while_p or holder not in partial_eval.custom_partial_eval_rules:
            rule = partial_eval.custom_partial_eval_rules.get(holder)
            partial_eval.custom_partial_eval_rules[holder] = _staying(primitive, holder, rule)
    partial_eval.custom_partial_eval_rules[primitive] = _staying(primitive, primitive, None)
    for holder, alone in ((primitives.cond_p, _lone_branch), (primitives.while_p, _lone_trip)):
        rule = batching.fancy_primitive_batchers[holder]
        batching.fancy_primitive_batchers[holder] = _batched(primitive, rule, alone)


def _within(params: Mapping[str, Any]) -> Iterator[Jaxpr]:
    for value in params.values():
        if isinstance(value, ClosedJaxpr):
            yield value.jaxpr
        elif isinstance(value, Jaxpr):
            yield value
        elif isinstance(value, tuple | list):  # named tuples too
            for item in value:
                if isinstance(item, ClosedJaxpr):
                    yield item.jaxpr
                elif isinstance(item, Jaxpr):
                    yield item


def _inside(params: Mapping[str, Any], primitive: Primitive) -> bool:
    return any(holds(eqn, primitive) for jaxpr in _within(params) for eqn in jaxpr.eqns)


# ---------------------------------------------------------------- dead code
_Dce = Callable[[list[bool], Any], tuple[list[bool], Any]]


def _whole(used_outputs: list[bool], eqn: Any) -> tuple[list[bool], Any]:
    return [True] * len(eqn.invars), eqn


def _keeping(primitive: Primitive, rule: _Dce | None) -> _Dce:
    """A rule of dead-code elimination that keeps an equation whole if it holds the primitive."""

    def keep(used_outputs: list[bool], eqn: Any) -> tuple[list[bool], Any]:
        if holds(eqn, primitive):
            return _whole(used_outputs, eqn)
        if rule is not None:
            return rule(used_outputs, eqn)
        return ([False] * len(eqn.invars), None) if not any(used_outputs) and not eqn.effects else _whole([], eqn)

    return keep


# ---------------------------------------------------------------- gradients and transposes
def lost(what: str) -> InputError:
    """The refusal where an assert would be dropped."""
    return InputError(
        f"{what} would be lost in a gradient or a transpose; harvest first, then differentiate:"
        " jax.grad(tl.harvest(fn), has_aux=True)."
    )


def _staying(primitive: Primitive, holder: Any, rule: Callable[..., Any] | None) -> Callable[..., Any]:
    """A rule of partial evaluation. What waits for unknown values is kept only for its results, so it refuses."""

    def stay(trace: Any, *tracers: Any, **params: Any) -> Any:
        unknown = not all(t.is_known() for t in tracers)
        if unknown and holder is primitive:
            raise lost(f'the assert "{params["label"]}"')
        if unknown and _inside(params, primitive):
            raise lost(f"an assert inside {holder.name}")
        return rule(trace, *tracers, **params) if rule else trace.default_process_primitive(holder, tracers, params)

    return stay


# ---------------------------------------------------------------- batches
def _batched(primitive: Primitive, rule: Callable[..., Any], alone: Callable[..., str | None]) -> Callable[..., Any]:
    """A batching rule that refuses where an assert would judge lanes that never got to it."""

    def batch(axis_data: Any, args: Any, dims: Any, **params: Any) -> Any:
        where = alone(axis_data, [d is not None for d in dims], **params) if _inside(params, primitive) else None
        if where:
            raise InputError(f"an assert stands in {where}; harvest first, then batch: jax.vmap(tl.harvest(fn)).")
        return rule(axis_data, args, dims, **params)

    return batch


def _lone_branch(axis_data: Any, batched: list[bool], **params: Any) -> str | None:
    """A batched condition becomes a select of both branches."""
    return "a branch that some lanes of a batch take and others do not" if batched[0] else None


def _lone_trip(
    axis_data: Any, batched: list[bool], *, cond_nconsts: int, cond_jaxpr: Any, body_nconsts: int, body_jaxpr: Any
) -> str | None:
    """A loop whose condition is batched goes on for all lanes until the last has finished."""
    of_cond, of_body = batched[:cond_nconsts], batched[cond_nconsts : cond_nconsts + body_nconsts]
    carry = batched[cond_nconsts + body_nconsts :]
    for _ in range(len(carry) + 1):  # each round batches one leaf more, or is the last
        _, after = batch_jaxpr(body_jaxpr, axis_data, of_body + carry, instantiate=carry)
        carry = list(map(operator.or_, carry, after))
    _, (condition,) = batch_jaxpr(cond_jaxpr, axis_data, of_cond + carry, instantiate=False)
    return "a loop that some lanes of a batch leave before others" if condition else None
