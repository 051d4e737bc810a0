"""Harvest: lift every `tensorlang.assert` of a function into named outputs.

The function is traced once; its jaxpr is interpreted with a record per label carried along: through nested `jit`,
`checkpoint` and custom derivatives, as extra carries of `scan` and `while`, as extra results of `cond`, where an assert
on the branch not taken stays *vacuous*. Do it first; take gradients and batches of the harvested function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun

from healing_runtime.core import margins
from healing_runtime.core.errors import InputError
from healing_runtime.core.margins import Margin
from healing_runtime.core.status import Status
from healing_runtime.language.holders import subjaxprs
from healing_runtime.language.primitive import assert_p, holds_assert

Out = TypeVar("Out")


class Harvested(NamedTuple):
    """One assert, over everything one call of the function did; all scalars.

    Attributes:
        rho: the worst margin; +inf where it was not reached.
        ok: the Boolean that decides at zero.
        at_index: iteration of the outermost loop at which the worst margin was first reached; -1 outside of loops.
        status: int32 code of `core.status.Status`: true, false, vacuous or invalid.
    """

    rho: Array
    ok: Array
    at_index: Array
    status: Array


class _Record(NamedTuple):
    rho: Array
    ok: Array
    at_index: Array
    reached: Array


_Records = dict[str, _Record]


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
    out, records = _evaluate(jaxpr.jaxpr, jaxpr.consts, args)
    return out, {label: _published(record) for label, record in records.items()}


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

    def inner(value: Any) -> Any:
        if isinstance(value, ClosedJaxpr):
            return ClosedJaxpr(silenced(value.jaxpr), value.consts)
        if isinstance(value, Jaxpr):
            return silenced(value)
        return type(value)(map(inner, value)) if type(value) in (tuple, list) else value

    return eqn.replace(params={key: inner(value) for key, value in eqn.params.items()})


# ---------------------------------------------------------------- records
def _new() -> _Record:
    return _Record(jnp.array(jnp.inf, jnp.result_type(float)), jnp.array(True), jnp.int32(-1), jnp.array(False))


def _observed(rho: Array, ok: Array) -> _Record:
    worst = margins.worst(Margin(rho, ok))
    return _Record(worst.rho.astype(jnp.result_type(float)), worst.ok, jnp.int32(-1), jnp.array(True))


def _merge(a: _Record, b: _Record) -> _Record:
    """Both happened, `a` first. The worse margin counts, NaN is worse than any, in a tie the violated one."""
    tie = (a.rho == b.rho) & a.ok & ~b.ok
    later = b.reached & ~jnp.isnan(a.rho) & (~a.reached | (b.rho < a.rho) | jnp.isnan(b.rho) | tie)
    return _Record(
        jnp.minimum(a.rho, b.rho), a.ok & b.ok, jnp.where(later, b.at_index, a.at_index), a.reached | b.reached
    )


def _add(records: _Records, label: str, record: _Record) -> None:
    records[label] = _merge(records[label], record) if label in records else record


def _published(record: _Record) -> Harvested:
    decided = jnp.where(record.ok, jnp.int32(Status.TRUE), jnp.int32(Status.FALSE))
    decided = jnp.where(jnp.isnan(record.rho), jnp.int32(Status.INVALID), decided)
    status = jnp.where(record.reached, decided, jnp.int32(Status.VACUOUS))
    return Harvested(record.rho, record.ok, record.at_index, status)


# ---------------------------------------------------------------- the interpreter
def _evaluate(jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Any]) -> tuple[list[Any], _Records]:
    values: dict[Any, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))
    records: _Records = {}
    for eqn in jaxpr.eqns:
        operands = [v.val if isinstance(v, Literal) else values[v] for v in eqn.invars]
        if eqn.primitive is assert_p:
            _add(records, eqn.params["label"], _observed(*operands))
            continue
        if holds_assert(eqn):
            results, inner = _rule(eqn)(eqn, operands)
            for label, record in inner.items():
                _add(records, label, record)
        else:
            results = _bind(eqn, operands)
        values.update(zip(eqn.outvars, results, strict=True))
    return [v.val if isinstance(v, Literal) else values[v] for v in jaxpr.outvars], records


def _bind(eqn: JaxprEqn, operands: Sequence[Any]) -> Sequence[Any]:
    results = eqn.primitive.bind(*operands, **eqn.primitive.get_bind_params(eqn.params))
    return results if eqn.primitive.multiple_results else [results]


_Rule = Callable[[JaxprEqn, list[Any]], tuple[Sequence[Any], _Records]]


def _rule(eqn: JaxprEqn) -> _Rule:
    try:
        return _RULES[eqn.primitive.name]
    except KeyError:
        found = ", ".join(f'"{label}"' for sub in subjaxprs(eqn) for label in labels(sub))
        raise InputError(f"the assert {found} stands inside {eqn.primitive.name}; move it outside of it.") from None


def _jit(eqn: JaxprEqn, operands: list[Any]) -> tuple[Sequence[Any], _Records]:
    closed = eqn.params["jaxpr"]
    return _evaluate(closed.jaxpr, closed.consts, operands)


def _checkpoint(eqn: JaxprEqn, operands: list[Any]) -> tuple[Sequence[Any], _Records]:
    def run(*args: Any) -> tuple[list[Any], _Records]:
        return _evaluate(eqn.params["jaxpr"], (), args)

    return jax.checkpoint(run, prevent_cse=eqn.params["prevent_cse"], policy=eqn.params["policy"])(*operands)


def _custom(eqn: JaxprEqn, operands: list[Any]) -> tuple[Sequence[Any], _Records]:
    """Values keep their custom derivative, without the asserts; those come from a second, undifferentiated look."""
    closed = eqn.params["call_jaxpr"]
    _, records = _evaluate(closed.jaxpr, closed.consts, [lax.stop_gradient(o) for o in operands])
    stripped = eqn.replace(params=eqn.params | {"call_jaxpr": _stripped(closed)})
    return _bind(stripped, operands), records


def _stripped(closed: ClosedJaxpr) -> ClosedJaxpr:
    def run(*args: Any) -> list[Any]:
        return _evaluate(closed.jaxpr, closed.consts, args)[0]

    return jax.make_jaxpr(run)(*closed.in_avals)


def _cond(eqn: JaxprEqn, operands: list[Any]) -> tuple[Sequence[Any], _Records]:
    branches = eqn.params["branches"]
    names = tuple(dict.fromkeys(label for branch in branches for label in labels(branch)))

    def run(closed: ClosedJaxpr) -> Callable[..., tuple[list[Any], list[_Record]]]:
        def branch(*args: Any) -> tuple[list[Any], list[_Record]]:
            out, records = _evaluate(closed.jaxpr, closed.consts, args)
            return out, [records.get(name, _new()) for name in names]

        return branch

    out, records = lax.switch(operands[0], [run(branch) for branch in branches], *operands[1:])
    return out, dict(zip(names, records, strict=True))


def _scan(eqn: JaxprEqn, operands: list[Any]) -> tuple[Sequence[Any], _Records]:
    p = eqn.params
    closed, first, last = p["jaxpr"], p["num_consts"], p["num_consts"] + p["num_carry"]
    consts, carry, xs = operands[:first], operands[first:last], operands[last:]

    def body(loop: tuple[Any, ...], x: Any) -> tuple[tuple[Any, ...], Any]:
        i, values, records = loop
        out, found = _evaluate(closed.jaxpr, closed.consts, [*consts, *values, *x])
        merged = {label: _merge(records[label], _at(record, i)) for label, record in found.items()}
        return (i + 1, out[: p["num_carry"]], merged), out[p["num_carry"] :]

    start = (jnp.int32(0), carry, {label: _new() for label in labels(closed)})
    (_, carry, records), ys = lax.scan(body, start, xs, p["length"], reverse=p["reverse"], unroll=p["unroll"])
    return [*carry, *ys], records


def _while(eqn: JaxprEqn, operands: list[Any]) -> tuple[Sequence[Any], _Records]:
    p = eqn.params
    n_cond, n_body = p["cond_nconsts"], p["body_nconsts"]
    cond_consts, body_consts, carry = operands[:n_cond], operands[n_cond : n_cond + n_body], operands[n_cond + n_body :]
    test, step = p["cond_jaxpr"], p["body_jaxpr"]
    if labels(test):
        raise InputError(
            f'the assert "{labels(test)[0]}" stands in the condition of a while loop; move it into the body.'
        )

    def cond(loop: tuple[Any, ...]) -> Any:
        return _evaluate(test.jaxpr, test.consts, [*cond_consts, *loop[1]])[0][0]

    def body(loop: tuple[Any, ...]) -> tuple[Any, ...]:
        i, values, records = loop
        out, found = _evaluate(step.jaxpr, step.consts, [*body_consts, *values])
        return i + 1, out, {label: _merge(records[label], _at(record, i)) for label, record in found.items()}

    start = (jnp.int32(0), carry, {label: _new() for label in labels(step)})
    _, carry, records = lax.while_loop(cond, body, start)
    return carry, records


def _at(record: _Record, i: Array) -> _Record:
    return record._replace(at_index=jnp.asarray(i, jnp.int32))


_RULES: dict[str, _Rule] = {
    "jit": _jit,
    "closed_call": lambda eqn, operands: _evaluate(
        eqn.params["call_jaxpr"].jaxpr, eqn.params["call_jaxpr"].consts, operands
    ),
    "checkpoint": _checkpoint,
    "remat2": _checkpoint,
    "custom_jvp_call": _custom,
    "custom_vjp_call": _custom,
    "cond": _cond,
    "scan": _scan,
    "while": _while,
}

__all__ = ["Harvested", "harvest", "harvest_jaxpr", "jaxpr_as_fun", "labels", "silenced", "subjaxprs"]
