"""Constant evaluation of a small jaxpr without a compiler.

NumPy evaluates the operations for which it gives XLA's result bit for bit; anything else is left to XLA.
An initial state is nearly always zeros and parameters; compiling a program for that would cost more than the trace.
XLA flushes subnormal numbers to zero and saturates what an integer cannot hold; NumPy does neither, and so steps back.
What is left is one rounding instead of two where XLA fuses a product with a sum.
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


def _convert(eqn: JaxprEqn, x: np.ndarray) -> np.ndarray:
    target = eqn.params["new_dtype"]
    if np.issubdtype(x.dtype, np.floating) and np.issubdtype(target, np.integer):
        limits = np.iinfo(target)
        if not np.all((x > limits.min) & (x < limits.max)):  # nor NaN
            raise _NotSimple
    return x.astype(target)


_SIMPLE: Mapping[str, Callable[..., np.ndarray]] = {
    "add": lambda eqn, a, b: a + b,
    "broadcast_in_dim": _broadcast,
    "concatenate": lambda eqn, *parts: np.concatenate(parts, eqn.params["dimension"]),
    "convert_element_type": _convert,
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


_COMPUTE = frozenset({"add", "convert_element_type", "div", "mul", "sub"})


def _refuse() -> np.ndarray:
    raise _NotSimple


def _subnormal(x: np.ndarray) -> bool:
    return np.issubdtype(x.dtype, np.floating) and bool(np.any((x != 0) & (np.abs(x) < np.finfo(x.dtype).tiny)))


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
            if eqn.primitive.name in _COMPUTE and any(map(_subnormal, [*operands, *results])):
                raise _NotSimple
        else:
            raise _NotSimple
        values.update(zip(eqn.outvars, results, strict=True))
    return [read(v) for v in inner.outvars]
