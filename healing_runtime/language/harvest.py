"""Harvest: lift every `tensorlang.assert` of a function into named outputs.

The function is traced once; its jaxpr is interpreted with a record per label carried along: through nested `jit`,
`checkpoint` and custom derivatives, as extra carries of `scan` and `while`, as extra results of `cond`, where an assert
on the branch not taken stays *vacuous*. Do it first; take gradients and batches of the harvested function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.extend import linear_util
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from healing_runtime.core.errors import InputError
from healing_runtime.language.holders import subjaxprs
from healing_runtime.language.primitive import assert_p, holds_assert
from healing_runtime.language.records import (
    Harvested,
    Record,
    Records,
    add,
    first_violation,
    merge,
    observed,
    published,
    unreached,
)

Out = TypeVar("Out")


def harvest(fn: Callable[..., Out]) -> Callable[..., tuple[Out, dict[str, Harvested]]]:
    """`fn` with its asserts as a second result: `(out, {label: Harvested})`.

    Pure; may be jitted, batched and differentiated. Several asserts with one label are one record, the worst.

    Raises (when called):
        InputError: an assert inside something whose body cannot be rebuilt; the message names it.
    """

    def harvested(*args: Any, **kwargs: Any) -> tuple[Out, dict[str, Harvested]]:
        jaxpr, shape = jax.make_jaxpr(fn, return_shape=True)(*args, **kwargs)
        out, records = harvest_jaxpr(jaxpr, *jax.tree.leaves((args, kwargs)))
        return jax.tree.unflatten(jax.tree.structure(shape), out), records

    return harvested


def harvest_jaxpr(jaxpr: ClosedJaxpr, *args: Any) -> tuple[list[Any], dict[str, Harvested]]:
    """Evaluate a closed jaxpr on flat arguments; its results, and its asserts by label."""
    out, records, _ = _evaluate(jaxpr.jaxpr, jaxpr.consts, args, 0)
    return out, {label: published(record) for label, record in records.items()}


def labels(jaxpr: Jaxpr | ClosedJaxpr) -> tuple[str, ...]:
    """The labels of all asserts in a jaxpr, nested ones included, in order of appearance."""
    found: dict[str, None] = {}
    inner = jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr
    for eqn in inner.eqns:
        if eqn.primitive is assert_p:
            found[eqn.params["label"]] = None
        for sub in subjaxprs(eqn):
            found |= dict.fromkeys(labels(sub))
    return tuple(found)


def silenced(jaxpr: Jaxpr) -> Jaxpr:
    """A jaxpr without its asserts, nested ones included: what can be seen of it in its results alone."""
    return jaxpr.replace(eqns=[_silenced(eqn) for eqn in jaxpr.eqns if eqn.primitive is not assert_p])


def _silenced(eqn: JaxprEqn) -> JaxprEqn:
    if not holds_assert(eqn):
        return eqn

    def inner(key: str, value: Any) -> Any:
        if isinstance(value, ClosedJaxpr):
            return ClosedJaxpr(silenced(value.jaxpr), value.consts)
        if isinstance(value, Jaxpr):
            return silenced(value)
        if key in ("jvp_jaxpr_fun", "fwd_jaxpr_thunk"):
            return _silenced_rule(value)
        return type(value)(inner(key, item) for item in value) if type(value) in (tuple, list) else value

    return eqn.replace(params={key: inner(key, value) for key, value in eqn.params.items()})


def _silenced_rule(rule: Any) -> Any:
    """The rule of a custom derivative, which often calls the function itself; it returns a jaxpr and more."""

    def silent(*args: Any) -> tuple[Any, ...]:
        jaxpr, *rest = rule.call_wrapped(*args)
        return silenced(jaxpr), *rest

    return linear_util.wrap_init(silent, debug_info=rule.debug_info)


# ---------------------------------------------------------------- the interpreter
_Clock = int | Array
"""How many asserts have been judged."""


def _evaluate(
    jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Any], clock: _Clock
) -> tuple[list[Any], Records, _Clock]:
    values: dict[Any, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))
    records: Records = {}
    for eqn in jaxpr.eqns:
        operands = [v.val if isinstance(v, Literal) else values[v] for v in eqn.invars]
        if eqn.primitive is assert_p:
            rho, ok = operands
            add(records, eqn.params["label"], observed(rho, ok, clock))
            clock = clock + 1
            continue
        if holds_assert(eqn):
            results, inner, clock = _rule(eqn)(eqn, operands, clock)
            for label, record in inner.items():
                add(records, label, record)
        else:
            results = _bind(eqn, operands)
        values.update(zip(eqn.outvars, results, strict=True))
    return [v.val if isinstance(v, Literal) else values[v] for v in jaxpr.outvars], records, clock


def _bind(eqn: JaxprEqn, operands: Sequence[Any]) -> Sequence[Any]:
    results = eqn.primitive.bind(*operands, **eqn.primitive.get_bind_params(eqn.params))
    return results if eqn.primitive.multiple_results else [results]


_Judged = tuple[Sequence[Any], Records, _Clock]
_Rule = Callable[[JaxprEqn, list[Any], _Clock], _Judged]


def _rule(eqn: JaxprEqn) -> _Rule:
    try:
        return _RULES[eqn.primitive.name]
    except KeyError:
        inside = dict.fromkeys(label for sub in subjaxprs(eqn) for label in labels(sub))
        found = ", ".join(f'"{label}"' for label in inside)
        raise InputError(f"the assert {found} stands inside {eqn.primitive.name}; move it outside of it.") from None


def _closed(closed: ClosedJaxpr, operands: Sequence[Any], clock: _Clock) -> tuple[list[Any], Records, _Clock]:
    return _evaluate(closed.jaxpr, closed.consts, operands, clock)


def _checkpoint(eqn: JaxprEqn, operands: list[Any], clock: _Clock) -> _Judged:
    def run(clock: _Clock, *args: Any) -> tuple[list[Any], Records, _Clock]:
        return _evaluate(eqn.params["jaxpr"], (), args, clock)

    return jax.checkpoint(run, prevent_cse=eqn.params["prevent_cse"], policy=eqn.params["policy"])(clock, *operands)


def _custom(eqn: JaxprEqn, operands: list[Any], clock: _Clock) -> _Judged:
    """Values keep their custom derivative, without the asserts; those come from a second, undifferentiated look."""
    closed = eqn.params["call_jaxpr"]
    _, records, clock = _closed(closed, [lax.stop_gradient(o) for o in operands], clock)
    return _bind(_silenced(eqn), operands), records, clock


def _cond(eqn: JaxprEqn, operands: list[Any], clock: _Clock) -> _Judged:
    branches = eqn.params["branches"]
    names = tuple(dict.fromkeys(label for branch in branches for label in labels(branch)))

    def run(closed: ClosedJaxpr) -> Callable[..., tuple[list[Any], list[Record], Array]]:
        def branch(*args: Any) -> tuple[list[Any], list[Record], Array]:
            out, records, after = _closed(closed, args, clock)
            return out, [records.get(name, unreached()) for name in names], jnp.int32(after)

        return branch

    out, records, after = lax.switch(operands[0], [run(branch) for branch in branches], *operands[1:])
    return out, dict(zip(names, records, strict=True)), after


def _scan(eqn: JaxprEqn, operands: list[Any], clock: _Clock) -> _Judged:
    p = eqn.params
    closed, first, last = p["jaxpr"], p["num_consts"], p["num_consts"] + p["num_carry"]
    consts, carry, xs = operands[:first], operands[first:last], operands[last:]

    def body(loop: tuple[Any, ...], x: Any) -> tuple[tuple[Any, ...], Any]:
        i, values, records, clock = loop
        out, found, clock = _closed(closed, [*consts, *values, *x], clock)
        return (i + 1, out[: p["num_carry"]], _merged(records, found, i), clock), out[p["num_carry"] :]

    (_, carry, records, clock), ys = lax.scan(
        body, _before(carry, closed, clock), xs, p["length"], reverse=p["reverse"], unroll=p["unroll"]
    )
    return [*carry, *ys], records, clock


def _while(eqn: JaxprEqn, operands: list[Any], clock: _Clock) -> _Judged:
    p = eqn.params
    n_cond, n_body = p["cond_nconsts"], p["body_nconsts"]
    cond_consts, body_consts, carry = operands[:n_cond], operands[n_cond : n_cond + n_body], operands[n_cond + n_body :]
    test, step = p["cond_jaxpr"], p["body_jaxpr"]
    if labels(test):
        raise InputError(
            f'the assert "{labels(test)[0]}" stands in the condition of a while loop; move it into the body.'
        )

    def cond(loop: tuple[Any, ...]) -> Any:
        return _closed(test, [*cond_consts, *loop[1]], 0)[0][0]

    def body(loop: tuple[Any, ...]) -> tuple[Any, ...]:
        i, values, records, clock = loop
        out, found, clock = _closed(step, [*body_consts, *values], clock)
        return i + 1, out, _merged(records, found, i), clock

    _, carry, records, clock = lax.while_loop(cond, body, _before(carry, step, clock))
    return carry, records, clock


def _before(carry: Sequence[Any], body: ClosedJaxpr, clock: _Clock) -> tuple[Any, ...]:
    """What a loop starts with: iteration, values, records, clock."""
    return jnp.int32(0), carry, {label: unreached() for label in labels(body)}, jnp.int32(clock)


def _merged(records: Records, found: Records, i: Array) -> Records:
    return {label: merge(records[label], record.at(i)) for label, record in found.items()}


_RULES: dict[str, _Rule] = {
    "jit": lambda eqn, operands, clock: _closed(eqn.params["jaxpr"], operands, clock),
    "closed_call": lambda eqn, operands, clock: _closed(eqn.params["call_jaxpr"], operands, clock),
    "remat2": _checkpoint,
    "custom_jvp_call": _custom,
    "custom_vjp_call": _custom,
    "cond": _cond,
    "scan": _scan,
    "while": _while,
}

__all__ = ["Harvested", "first_violation", "harvest", "harvest_jaxpr", "labels", "silenced"]
