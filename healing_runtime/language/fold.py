"""Evaluating a small jaxpr without a compiler: NumPy for operations whose result is the same bit for bit, else XLA.

An initial state is nearly always zeros and parameters; compiling a program for that would cost more than the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal, jaxpr_as_fun

MAX_ELEMENTS = 65_536


class _NotSimple(Exception):
    """An operation that only XLA evaluates."""


def _broadcast(eqn: JaxprEqn, x: np.ndarray) -> np.ndarray:
    shape, dimensions = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    placed = [1] * len(shape)
    for axis, size in zip(dimensions, x.shape, strict=True):
        placed[axis] = size
    return np.broadcast_to(x.reshape(placed), shape)


_SIMPLE: Mapping[str, Callable[..., np.ndarray]] = {
    "add": lambda eqn, a, b: a + b,
    "broadcast_in_dim": _broadcast,
    "concatenate": lambda eqn, *parts: np.concatenate(parts, eqn.params["dimension"]),
    "convert_element_type": lambda eqn, x: x.astype(eqn.params["new_dtype"]),
    "copy": lambda eqn, x: x,
    "copy_p": lambda eqn, x: x,
    "device_put": lambda eqn, x: x,
    "div": lambda eqn, a, b: a / b if np.issubdtype(a.dtype, np.floating) else _refuse(),
    "mul": lambda eqn, a, b: a * b,
    "neg": lambda eqn, x: -x,
    "reshape": lambda eqn, x: x.reshape(eqn.params["new_sizes"]),
    "squeeze": lambda eqn, x: np.squeeze(x, eqn.params["dimensions"]),
    "stack": lambda eqn, *parts: np.stack(parts, eqn.params["axis"]),
    "sub": lambda eqn, a, b: a - b,
}


def _refuse() -> np.ndarray:
    raise _NotSimple


def evaluate(jaxpr: ClosedJaxpr, args: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The results of a closed jaxpr on concrete arguments, as NumPy arrays of their own."""
    try:
        with np.errstate(all="ignore"):
            leaves = _numpy(jaxpr, args)
    except _NotSimple:
        leaves = jax.jit(jaxpr_as_fun(jaxpr))(*args)
    avals: Any = jaxpr.out_avals
    return [np.array(leaf, aval.dtype) for leaf, aval in zip(leaves, avals, strict=True)]


def _numpy(jaxpr: ClosedJaxpr, args: Sequence[Any]) -> list[np.ndarray]:
    inner = jaxpr.jaxpr
    values: dict[Any, np.ndarray] = {
        var: np.asarray(value)
        for var, value in zip([*inner.constvars, *inner.invars], [*jaxpr.consts, *args], strict=True)
    }

    def read(v: Any) -> np.ndarray:
        aval: Any = v.aval
        return np.asarray(v.val, aval.dtype) if isinstance(v, Literal) else values[v]

    for eqn in inner.eqns:
        operands = [read(v) for v in eqn.invars]
        if any(v.aval.size > MAX_ELEMENTS for v in eqn.outvars):
            raise _NotSimple
        if eqn.primitive.name == "jit":
            results = _numpy(eqn.params["jaxpr"], operands)
        elif eqn.primitive.name in _SIMPLE:
            results = [np.asarray(_SIMPLE[eqn.primitive.name](eqn, *operands))]
        else:
            raise _NotSimple
        values.update(zip(eqn.outvars, results, strict=True))
    return [read(v) for v in inner.outvars]
