"""`tensorlang.assert`: a JAX primitive that carries a margin and produces nothing.

It has no effect and no result, so that it stays in the jaxpr under `jit`, `vmap`, `jvp`, `scan`, `cond`, `fori_loop`
and `checkpoint` and costs the program nothing; `harvest` lifts it out. It does not pass in silence: run eagerly, a
violation raises; lowered without a harvest, it refuses. (A loop or branch none of whose results is used is dropped by
JAX with the asserts in it, and so is what only `grad` evaluates.)
"""

from __future__ import annotations

from typing import Any, NoReturn

import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
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


def _lower(context: Any, *args: Any, label: str) -> NoReturn:
    raise InputError(f'the assert "{label}" would be lost in compilation; harvest first: tl.harvest(fn) returns it.')


assert_p.def_impl(_run)
assert_p.def_abstract_eval(_abstract)
ad.primitive_jvps[assert_p] = _jvp
batching.primitive_batchers[assert_p] = _batch
partial_eval.dce_rules[assert_p] = _keep
mlir.register_lowering(assert_p, _lower)

reset_p.def_impl(lambda value: value)
reset_p.def_abstract_eval(lambda value: value.update(weak_type=False))
ad.deflinear2(reset_p, lambda cotangent, _: [cotangent])
batching.defvectorized(reset_p)
mlir.register_lowering(reset_p, lambda context, value: [value])
