"""The few identities by which an operation hands its operand on or ignores it.

`x + 0`, `x * 1`, `x / 1`, `-(-x)`, `max(x, x)`, a reshape to the same shape, a slice of everything *are* `x`; `x * 0`,
`x - x`, `x / x` and any selection by a constant do not depend on what they leave out. These hold for every number that
a controller can mean; that NaN and infinity times zero are NaN does not make memory of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn

from healing_runtime.language.passes.numbers import Number, Table


def simplified(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    """The number of an equation's one result where an identity gives it; None where it is a value of its own.

    Constants are folded as they would be at run time: call it where NumPy does not warn of that.
    """
    rule = _RULES.get(eqn.primitive.name)
    return rule(table, eqn, operands) if rule else None


# ---------------------------------------------------------------- arithmetic
_Rule = Callable[[Table, JaxprEqn, list[Number]], Number | None]


def _result(eqn: JaxprEqn) -> Any:
    return eqn.outvars[0].aval


def _operand(eqn: JaxprEqn, i: int = 0) -> Any:
    return eqn.invars[i].aval


def _passes(eqn: JaxprEqn, i: int) -> bool:
    """Whether operand i could be the result: of the same shape and dtype."""
    before, after = _operand(eqn, i), _result(eqn)
    return (before.shape, before.dtype) == (after.shape, after.dtype)


def _binary(
    fold: Callable[[Any, Any], Any], *, neutral: Any = None, left: bool = True, same: Any = None, absorbing: Any = None
) -> _Rule:
    """`x op neutral` is x (`neutral op x` too, if `left`), `x op x` is `same` (x, if "x"), absorbing absorbs."""

    def rule(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
        a, b = map(table.value, operands)
        if a is not None and b is not None:
            return table.full(fold(a, b), _result(eqn))
        if b is not None and neutral is not None and b == neutral and _passes(eqn, 0):
            return operands[0]
        if left and a is not None and neutral is not None and a == neutral and _passes(eqn, 1):
            return operands[1]
        if absorbing is not None and any(v is not None and v == absorbing for v in (a, b)):
            return table.full(absorbing, _result(eqn))
        if operands[0] == operands[1] and same is not None:
            return operands[0] if same == "x" else table.full(same, _result(eqn))
        return None

    return rule


def _logical(rule: _Rule, otherwise: _Rule) -> _Rule:
    """True and False are neutral among Booleans only; among integers the operation is bitwise."""

    def by_dtype(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
        return (rule if _result(eqn).dtype == np.bool_ else otherwise)(table, eqn, operands)

    return by_dtype


def _quotient(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    numerator = table.value(operands[0])
    if numerator is not None and numerator == 0 and table.value(operands[1]) is None:
        return table.full(0, _result(eqn))
    return _binary(_divided, neutral=1, left=False, same=1)(table, eqn, operands)


def _divided(a: Any, b: Any) -> Any:
    return a / b if np.issubdtype(a.dtype, np.floating) or b != 0 else a


def _zero_from_zero(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    """Zero from zero."""
    zero = any(value is not None and value == 0 for value in map(table.value, operands))
    return table.full(0, _result(eqn)) if zero else None


def _power(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    exponent = table.value(operands[1])
    if exponent is None or not _passes(eqn, 0):
        return None
    return table.full(1, _result(eqn)) if exponent == 0 else operands[0] if exponent == 1 else None


def _clamp(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    low, x, high = map(table.value, operands)
    if low is None or high is None or (x is None and low != high):
        return None
    return table.full(low if x is None else np.minimum(np.maximum(x, low), high), _result(eqn))


def _select(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    which = table.value(operands[0])
    if which is not None:
        return operands[1 + int(which)]
    return operands[1] if len(set(operands[1:])) == 1 else None


def _involution(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    """Done twice, it is undone."""
    name, detail, value = eqn.primitive.name, eqn.params.get("dimensions"), table.value(operands[0])
    if value is not None:
        return table.full(value if name == "rev" else ~value if name == "not" else -value, _result(eqn))
    shape = _operand(eqn).shape
    if name == "rev" and all(shape[axis] == 1 for axis in eqn.params["dimensions"]):
        return operands[0]
    before = table.made_by.get(operands[0])
    if before and before[:2] == (name, detail):
        return before[2]
    number = table.number((name, detail, operands[0]), table.reads(operands[0]))
    table.made_by.setdefault(number, (name, detail, operands[0], shape))
    return number


# ---------------------------------------------------------------- moving elements about
def _full_again(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    """Elements that are all one constant, in whatever shape."""
    value = table.value(operands[0])
    return None if value is None else table.full(value, _result(eqn))


def _still(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    """A result of its operand's shape and dtype is the operand."""
    full = _full_again(table, eqn, operands)
    return full if full is not None else operands[0] if _passes(eqn, 0) else None


def _view(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    """One row of elements in another shape: the elements in order are what it is."""
    full = _full_again(table, eqn, operands)
    if full is not None:
        return full
    shape, before = _result(eqn).shape, _operand(eqn)
    if eqn.primitive.name == "broadcast_in_dim" and math.prod(shape) != math.prod(before.shape):
        return None
    kind, _, base, base_shape = table.made_by.get(operands[0], ("", None, operands[0], before.shape))
    if kind != "view":
        base, base_shape = operands[0], before.shape
    if base_shape == shape:
        return base
    number = table.number(("view", base, shape), table.reads(base))
    table.made_by.setdefault(number, ("view", None, base, base_shape))
    return number


def _transposed(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    full = _full_again(table, eqn, operands)
    if full is not None:
        return full
    permutation, shape = tuple(eqn.params["permutation"]), _operand(eqn).shape
    kind, before, base, base_shape = table.made_by.get(operands[0], ("", None, operands[0], shape))
    if kind == "transpose":
        permutation = tuple(before[axis] for axis in permutation)
    else:
        base, base_shape = operands[0], shape
    if permutation == tuple(range(len(shape))):
        return base
    number = table.number(("transpose", base, permutation), table.reads(base))
    table.made_by.setdefault(number, ("transpose", permutation, base, base_shape))
    return number


def _joined(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    values = [table.value(n) for n in operands]
    if all(v is not None and v == values[0] for v in values):
        return table.full(values[0], _result(eqn))
    return operands[0] if len(operands) == 1 and _passes(eqn, 0) else None


def _padded(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    unpadded = all(tuple(edges) == (0, 0, 0) for edges in eqn.params["padding_config"])
    return operands[0] if unpadded else None


def _overwritten(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    """An update of the whole array is the array."""
    return operands[1] if _passes(eqn, 1) else None


def _scattered(table: Table, eqn: JaxprEqn, operands: list[Number]) -> Number | None:
    """`x.at[:].set(y)`: no index, and a window as large as the array."""
    return operands[2] if not eqn.params["dimension_numbers"].scatter_dims_to_operand_dims and _passes(eqn, 2) else None


_RULES: Mapping[str, _Rule] = {
    "abs": _zero_from_zero,
    "add": _binary(np.add, neutral=0),
    "and": _logical(
        _binary(np.logical_and, neutral=True, same="x", absorbing=False),
        _binary(np.bitwise_and, same="x", absorbing=0),
    ),
    "broadcast_in_dim": _view,
    "clamp": _clamp,
    "concatenate": _joined,
    "convert_element_type": _still,
    "div": _quotient,
    "dot_general": _zero_from_zero,
    "dynamic_slice": _still,
    "dynamic_update_slice": _overwritten,
    "expand_dims": _view,
    "gt": _binary(np.greater, same=False),
    "lt": _binary(np.less, same=False),
    "integer_pow": _zero_from_zero,
    "max": _binary(np.maximum, neutral=-np.inf, same="x"),
    "min": _binary(np.minimum, neutral=np.inf, same="x"),
    "mul": _binary(np.multiply, neutral=1, absorbing=0),
    "neg": _involution,
    "not": _involution,
    "or": _logical(
        _binary(np.logical_or, neutral=False, same="x", absorbing=True),
        _binary(np.bitwise_or, neutral=0, same="x"),
    ),
    "pad": _padded,
    "pow": _power,
    "reduce_max": _full_again,
    "reduce_min": _full_again,
    "reduce_sum": _zero_from_zero,
    "reshape": _view,
    "rev": _involution,
    "scatter": _scattered,
    "select_n": _select,
    "sin": _zero_from_zero,
    "slice": _still,
    "sqrt": _zero_from_zero,
    "square": _zero_from_zero,
    "squeeze": _view,
    "stop_gradient": _still,
    "sub": _binary(np.subtract, neutral=0, left=False, same=0),
    "tanh": _zero_from_zero,
    "transpose": _transposed,
    "xor": _binary(np.bitwise_xor, same=0),
}
"""By primitive; what is not here is a value of its own."""
