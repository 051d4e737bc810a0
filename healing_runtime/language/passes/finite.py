"""`finite`: warnings about operations that can give NaN or infinity on a path to the action.

Interval arithmetic over the jaxpr: an operand whose interval excludes the bad values is guarded
(`jnp.maximum(x, 1e-6)`, `x * x + 1.0`, a clip); so is a result that only `jnp.where` reads. Inputs may be anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal
from jax.interpreters import partial_eval

from healing_runtime.language.findings import Finding
from healing_runtime.language.harvest import silenced
from healing_runtime.language.passes import intervals
from healing_runtime.language.passes.intervals import Interval
from healing_runtime.language.passes.program import Budget, Program

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced

_HINTS = {
    "div": ("a division by something that can be zero", "guard it, as in x / jnp.maximum(y, 1e-6)"),
    "rem": ("a remainder by something that can be zero", "guard it with jnp.maximum"),
    "sqrt": ("a square root of something that can be negative", "guard it, as in jnp.sqrt(jnp.maximum(x, 0.0))"),
    "rsqrt": ("an inverse square root of something that can be zero", "guard it with jnp.maximum(x, 1e-12)"),
    "log": ("a logarithm of something that can be zero or negative", "guard it with jnp.maximum(x, 1e-12)"),
    "log1p": ("a logarithm of something that can be zero or negative", "guard it with jnp.maximum"),
    "acos": ("an arc cosine outside of [-1, 1]", "guard it, as in jnp.arccos(jnp.clip(x, -1.0, 1.0))"),
    "asin": ("an arc sine outside of [-1, 1]", "guard it, as in jnp.arcsin(jnp.clip(x, -1.0, 1.0))"),
    "atanh": ("an inverse hyperbolic tangent outside of (-1, 1)", "guard it with jnp.clip"),
    "acosh": ("an inverse hyperbolic cosine below 1", "guard it with jnp.maximum(x, 1.0)"),
    "pow": ("a power of something that can be negative or zero", "guard it with jnp.maximum(x, 0.0)"),
}


def check(traced: Traced, budget: Budget) -> Iterator[Finding]:
    """The part of `control` that reaches the action."""
    jaxpr = traced.jaxpr.jaxpr
    actions = traced.action_tree.num_leaves
    used = [i < actions for i in range(len(jaxpr.outvars))]
    slim, _ = partial_eval.dce_jaxpr(silenced(jaxpr), used, instantiate=True)
    consts = dict(zip(jaxpr.constvars, traced.jaxpr.consts, strict=True))
    known = [intervals.of_constant(consts[v]) for v in slim.constvars]
    program = Program("control", traced.jaxpr, traced.controller)
    found: list[Finding] = []
    _walk(program, slim, known, [intervals.ANYTHING] * len(slim.invars), (), found)
    yield from found


def _walk(
    program: Program,
    jaxpr: Jaxpr,
    consts: list[Interval],
    args: list[Interval],
    within: tuple[JaxprEqn, ...],
    found: list[Finding],
    results_guarded: bool = False,
) -> list[Interval]:
    env: dict[Any, Interval] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))
    guarded = _read_by_select_only(jaxpr, results_guarded)

    def read(v: Any) -> Interval:
        return intervals.of_constant(v.val) if isinstance(v, Literal) else env.get(v, intervals.ANYTHING)

    for eqn in jaxpr.eqns:
        operands = [read(v) for v in eqn.invars]
        path = (*within, eqn)
        inside = all(v in guarded for v in eqn.outvars)
        name = eqn.primitive.name
        if name in _HINTS and not inside and _can_fail(eqn, operands):
            what, hint = _HINTS[name]
            found.append(Finding("finite", "warning", f"{what} reaches the action; {hint}.", *program.position(path)))
        results = _nested(program, eqn, operands, path, found, inside)
        if results is None:
            results = intervals.transfer(eqn, operands)
        env.update(zip(eqn.outvars, results, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _nested(
    program: Program,
    eqn: JaxprEqn,
    operands: list[Interval],
    path: tuple[JaxprEqn, ...],
    found: list[Finding],
    inside: bool,
) -> list[Interval] | None:
    """Results of an equation that holds jaxprs; None for an ordinary one."""

    def run(closed: ClosedJaxpr, args: list[Interval]) -> list[Interval]:
        consts = [intervals.of_constant(c) for c in closed.consts]
        return _walk(program, closed.jaxpr, consts, args, path, found, inside)

    p = eqn.params
    match eqn.primitive.name:
        case "jit" | "closed_call" | "custom_jvp_call" | "custom_vjp_call":
            return run(p.get("jaxpr") or p["call_jaxpr"], operands)
        case "cond":
            each = [run(branch, operands[1:]) for branch in p["branches"]]
            return [intervals.hull(*column) for column in zip(*each, strict=True)]
        case "scan":
            first, last = p["num_consts"], p["num_consts"] + p["num_carry"]
            out = run(p["jaxpr"], [*operands[:first], *[intervals.ANYTHING] * p["num_carry"], *operands[last:]])
            carry = [intervals.hull(a, b) for a, b in zip(operands[first:last], out, strict=False)]
            return [*carry, *out[p["num_carry"] :]]
    return None


def _read_by_select_only(jaxpr: Jaxpr, results_guarded: bool) -> set[Any]:
    """Values that `select_n` alone reads, as one of its cases; through `jit` of `jnp.where` too."""
    readers: dict[Any, bool] = {}
    for eqn in jaxpr.eqns:
        select = eqn.primitive.name == "select_n" or eqn.params.get("name") == "_where"
        for index, v in enumerate(eqn.invars):
            if not isinstance(v, Literal):
                readers[v] = readers.get(v, True) and select and index > 0
    for v in jaxpr.outvars:
        if not isinstance(v, Literal):
            readers[v] = readers.get(v, True) and results_guarded
    return {v for v, only in readers.items() if only}


def _can_fail(eqn: JaxprEqn, operands: list[Interval]) -> bool:
    aval: Any = eqn.outvars[0].aval
    if not np.issubdtype(aval.dtype, np.floating):
        return False
    low, high = operands[0]
    match eqn.primitive.name:
        case "div" | "rem":
            return operands[1].low <= 0.0 <= operands[1].high
        case "sqrt":
            return low < 0.0
        case "rsqrt" | "log":
            return low <= 0.0
        case "log1p":
            return low <= -1.0
        case "acos" | "asin":
            return low < -1.0 or high > 1.0
        case "atanh":
            return low <= -1.0 or high >= 1.0
        case "acosh":
            return low < 1.0
        case "pow":
            return low < 0.0 or (low <= 0.0 and operands[1].low < 0.0)
    return False
