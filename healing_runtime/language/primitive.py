"""`tensorlang.assert`: a JAX primitive that carries a margin and produces nothing.

It has no effect and no result, so that it stays in the jaxpr under `jit`, `vmap`, `jvp`, `scan`, `cond`, `fori_loop`
and `checkpoint` and costs the program nothing; `harvest` lifts it out. It does not pass in silence: run eagerly, a
violation raises; lowered or differentiated backwards without a harvest, it refuses. Dead-code elimination keeps what
holds an assert, though nothing reads its results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import jax.numpy as jnp
import numpy as np
from jax._src.interpreters import ad as reverse  # the one table of rules that jax.interpreters does not show
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Primitive, primitives
from jax.interpreters import ad, batching, mlir, partial_eval
from jax.typing import ArrayLike

from healing_runtime.core import margins
from healing_runtime.core.errors import InputError
from healing_runtime.core.margins import Margin

assert_p = Primitive("tensorlang.assert")
assert_p.multiple_results = True

reset_p = Primitive("tensorlang.reset")
"""Identity that says: this successor is meant not to depend on any input."""


def assert_(condition: Margin | ArrayLike, label: str) -> None:
    """Assert a margin, or a Boolean (whose margin is plus or minus infinity), usable in any JAX function.

    Args:
        condition: a `core.margins.Margin`, a Boolean or Boolean array, or a floating-point margin (positive:
            satisfied). Of an array the worst element counts.
        label: names the assert among the harvested ones.

    Raises:
        AssertionError: run eagerly and violated (NaN is a violation).
    """
    if isinstance(condition, Margin):
        margin = condition
    elif jnp.issubdtype(jnp.result_type(condition), jnp.bool_):
        margin = margins.boolean(condition)
    else:
        rho = jnp.asarray(condition)
        margin = Margin(rho, rho > 0)
    assert_p.bind(*margin, label=label)


def reset(value: ArrayLike) -> Any:
    """Identity; marks a state value that is deliberately independent of every input."""
    return reset_p.bind(jnp.asarray(value))


def _run(rho: Any, ok: Any, *, label: str) -> list[Any]:
    worst = np.min(rho, initial=np.inf)
    if np.isnan(worst):
        raise AssertionError(f'"{label}" is invalid: its margin is NaN')
    if not np.all(ok):
        raise AssertionError(f'"{label}" is violated: margin {float(worst):.6g}')
    return []


def _abstract(rho: Any, ok: Any, *, label: str) -> list[Any]:
    if rho.shape != ok.shape:
        raise TypeError(f'"{label}": the margin has shape {rho.shape}, its Boolean {ok.shape}')
    return []


def _jvp(primals: Any, tangents: Any, *, label: str) -> tuple[list[Any], list[Any]]:
    return assert_p.bind(*primals, label=label), []


def _batch(args: Any, dims: Any, *, label: str) -> tuple[list[Any], list[Any]]:
    size = next(a.shape[d] for a, d in zip(args, dims, strict=True) if d is not None)
    lanes = [batching.bdim_at_front(a, d, size) for a, d in zip(args, dims, strict=True)]
    return assert_p.bind(*lanes, label=label), []


def _keep(used_outputs: list[bool], eqn: Any) -> tuple[list[bool], Any]:
    """Dead-code elimination would drop what has neither results nor effects, and so let an assert pass in silence."""
    return [True] * len(eqn.invars), eqn


def subjaxprs(eqn: JaxprEqn) -> Iterator[Jaxpr]:
    """The jaxprs in an equation's parameters."""
    for value in eqn.params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, ClosedJaxpr):
                yield item.jaxpr
            elif isinstance(item, Jaxpr):
                yield item


def holds_assert(eqn: JaxprEqn) -> bool:
    """Whether an equation is an assert, or one stands in its jaxprs at whatever depth."""
    return eqn.primitive is assert_p or any(holds_assert(inner) for sub in subjaxprs(eqn) for inner in sub.eqns)


_HOLDERS = (
    primitives.closed_call_p,
    primitives.cond_p,
    primitives.custom_jvp_call_p,
    primitives.custom_vjp_call_p,
    primitives.jit_p,
    primitives.remat_p,
    primitives.scan_p,
    primitives.while_p,
)
"""What can hold asserts inside."""

_Dce = Callable[[list[bool], Any], tuple[list[bool], Any]]


def _keeping(rule: _Dce | None) -> _Dce:
    """A rule of dead-code elimination that keeps an equation whole if it holds an assert."""

    def keep(used_outputs: list[bool], eqn: Any) -> tuple[list[bool], Any]:
        if holds_assert(eqn):
            return _keep(used_outputs, eqn)
        if rule is not None:
            return rule(used_outputs, eqn)
        return ([False] * len(eqn.invars), None) if not any(used_outputs) and not eqn.effects else _keep([], eqn)

    return keep


def _cond_batch(axis_data: Any, args: Any, dims: Any, *, branches: Any, **params: Any) -> Any:
    """A batched condition becomes a select of both branches, where an assert would judge lanes that never got there."""
    held = [eqn for branch in branches for eqn in branch.jaxpr.eqns if holds_assert(eqn)]
    if dims[0] is not None and held:
        raise InputError(
            "an assert stands in a branch that some lanes of a batch take and others do not; harvest first, then batch:"
            " jax.vmap(tl.harvest(fn))."
        )
    return _batched_cond(axis_data, args, dims, branches=branches, **params)


_batched_cond: Any = batching.fancy_primitive_batchers[primitives.cond_p]


def _linearize(*_: Any, label: str, **__: Any) -> NoReturn:
    # Reverse mode takes a loop apart into what it knows and what it does not, and forgets what has no result.
    raise InputError(f'the assert "{label}" would be lost in a gradient; harvest first: tl.harvest(fn) returns it.')


def _lower(context: Any, *args: Any, label: str) -> NoReturn:
    raise InputError(f'the assert "{label}" would be lost in compilation; harvest first: tl.harvest(fn) returns it.')


assert_p.def_impl(_run)
assert_p.def_abstract_eval(_abstract)
ad.primitive_jvps[assert_p] = _jvp
batching.primitive_batchers[assert_p] = _batch
partial_eval.dce_rules[assert_p] = _keep
for _holder in _HOLDERS:
    partial_eval.dce_rules[_holder] = _keeping(partial_eval.dce_rules.get(_holder))
mlir.register_lowering(assert_p, _lower)
batching.fancy_primitive_batchers[primitives.cond_p] = _cond_batch
reverse.primitive_linearizations[assert_p] = _linearize

reset_p.def_impl(lambda value: value)
reset_p.def_abstract_eval(lambda value: value.update(weak_type=False))
ad.deflinear2(reset_p, lambda cotangent, _: [cotangent])
batching.defvectorized(reset_p)
mlir.register_lowering(reset_p, lambda context, value: [value])
