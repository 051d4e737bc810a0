"""`tensorlang.assert`: a JAX primitive that carries a margin and produces nothing.

It has no effect and no result, so that it stays in the jaxpr under `jit`, `vmap`, `jvp`, `scan`, `cond`, `fori_loop`
and `checkpoint` and costs the program nothing; `harvest` lifts it out. It does not pass in silence: run eagerly, a
violation raises; lowered or differentiated backwards without a harvest, it refuses. Dead-code elimination keeps what
holds an assert, though nothing reads its results.
"""

from __future__ import annotations

from typing import Any, NoReturn

import jax.numpy as jnp
import numpy as np
from jax._src.interpreters import ad as reverse  # the one table of rules that jax.interpreters does not show
from jax.extend.core import JaxprEqn, Primitive
from jax.interpreters import ad, batching, mlir
from jax.typing import ArrayLike

from healing_runtime.core import margins
from healing_runtime.core.errors import InputError
from healing_runtime.core.margins import Margin
from healing_runtime.language import holders

assert_p = Primitive("tensorlang.assert")
assert_p.multiple_results = True

reset_p = Primitive("tensorlang.reset")
"""Identity that says: this successor is meant not to depend on any input."""


def assert_(condition: Margin | ArrayLike, label: str) -> None:
    """Assert a margin, or a Boolean (whose margin is plus or minus infinity), usable in any JAX function.

    Args:
        condition: a `core.margins.Margin`, a Boolean or Boolean array, or a real margin (positive: satisfied). Of an
            array the worst element counts; an empty one is satisfied.
        label: names the assert among the harvested ones.

    Raises:
        AssertionError: run eagerly and violated (NaN is a violation).
        InputError: the condition is no real number, margin or Boolean, or the label no text.
    """
    if not isinstance(label, str) or not label.strip():
        raise InputError(
            f'the label of an assert is {label!r}; give it a text that names it, as in tl.assert_(m, "low").'
        )
    margin = condition if isinstance(condition, Margin) else _margin(condition, label)
    assert_p.bind(jnp.asarray(margin.rho), jnp.asarray(margin.ok, bool), label=label)


def _margin(condition: ArrayLike, label: str) -> Margin:
    try:
        value = jnp.asarray(condition)
    except (TypeError, ValueError, OverflowError):
        value = None
    if value is not None and jnp.issubdtype(value.dtype, jnp.bool_):
        return margins.boolean(value)
    if value is None or not (jnp.issubdtype(value.dtype, jnp.floating) or jnp.issubdtype(value.dtype, jnp.integer)):
        what = f"a {type(condition).__name__}" if value is None else f"an array of {value.dtype}"
        raise InputError(f'the assert "{label}" stands on {what}; assert a Boolean or a real margin.')
    return Margin(value, value > 0)


def reset(value: ArrayLike) -> Any:
    """Identity; marks a state value that is deliberately independent of every input."""
    return reset_p.bind(jnp.asarray(value))


def _run(rho: Any, ok: Any, *, label: str) -> list[Any]:
    _abstract(np.asarray(rho), np.asarray(ok), label=label)
    worst = np.min(np.asarray(rho, np.float64), initial=np.inf)
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


def holds_assert(eqn: JaxprEqn) -> bool:
    """Whether an equation is an assert, or one stands in its jaxprs at whatever depth."""
    return holders.holds(eqn, assert_p)


def _linearize(*_: Any, label: str, **__: Any) -> NoReturn:
    # Reverse mode takes a loop apart into what it knows and what it does not, and forgets what has no result.
    raise holders.lost(f'the assert "{label}"')


def _lower(context: Any, *args: Any, label: str) -> NoReturn:
    raise InputError(f'the assert "{label}" would be lost in compilation; harvest first: tl.harvest(fn) returns it.')


assert_p.def_impl(_run)
assert_p.def_abstract_eval(_abstract)
ad.primitive_jvps[assert_p] = _jvp
batching.primitive_batchers[assert_p] = _batch
mlir.register_lowering(assert_p, _lower)
reverse.primitive_linearizations[assert_p] = _linearize
holders.guard(assert_p)

reset_p.def_impl(lambda value: value)
reset_p.def_abstract_eval(lambda value: value.update(weak_type=False))
ad.deflinear2(reset_p, lambda cotangent, _: [cotangent])
batching.defvectorized(reset_p)
mlir.register_lowering(reset_p, lambda context, value: [value])
