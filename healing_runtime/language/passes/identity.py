"""Which values of a jaxpr are one and the same: value numbering, for the pass `linearity`.

Two values have one number if they are made by the same operation with the same parameters from the same values, through
`jit` and the branches of `cond`. An operation that leaves every element where it was (a reshape to the same shape, a
slice of everything, a copy of a loop's carry by its body) gives its operand's number. `tl.copy` and `tl.reset` give a
new one every time: that is what they are for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

_FRESH = frozenset({"copy_p", "copy", "tensorlang.reset"})
_CALLS = frozenset({"jit", "closed_call", "custom_jvp_call", "custom_vjp_call"})

Number = Any


def of_jaxpr(jaxpr: ClosedJaxpr) -> Mapping[Any, Number]:
    """The number of every variable at the top of a jaxpr; its inputs have one each."""
    numbering = _Numbering()
    inner = jaxpr.jaxpr
    return numbering.run(inner, numbering.constants(jaxpr), [numbering.fresh() for _ in inner.invars])


class _Numbering:
    def __init__(self) -> None:
        self._known: dict[Any, int] = {}
        self._made_by: dict[int, tuple[str, Any, Number, tuple[int, ...]]] = {}
        self._last = 0

    def fresh(self) -> Number:
        self._last += 1
        return self._last

    def constants(self, jaxpr: ClosedJaxpr) -> list[Number]:
        return [self.number(("constant", _value(c))) for c in jaxpr.consts]

    def number(self, key: Any) -> Number:
        """One number a key."""
        if key not in self._known:
            self._known[key] = self.fresh()
        return self._known[key]

    def run(self, jaxpr: Jaxpr, consts: Sequence[Number], args: Sequence[Number]) -> dict[Any, Number]:
        numbers: dict[Any, Number] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))
        for eqn in jaxpr.eqns:
            operands = [self.read(numbers, v) for v in eqn.invars]
            numbers.update(zip(eqn.outvars, self.results(eqn, operands), strict=True))
        return numbers

    def outputs(self, closed: ClosedJaxpr, args: Sequence[Number]) -> list[Number]:
        numbers = self.run(closed.jaxpr, self.constants(closed), args)
        return [self.read(numbers, v) for v in closed.jaxpr.outvars]

    def read(self, numbers: Mapping[Any, Number], v: Any) -> Number:
        return self.number(("constant", _value(v.val))) if isinstance(v, Literal) else numbers[v]

    def results(self, eqn: JaxprEqn, operands: list[Number]) -> Iterable[Number]:
        name, p = eqn.primitive.name, eqn.params
        if name in _FRESH:
            return [self.fresh() for _ in eqn.outvars]
        if name in _CALLS:
            return self.outputs(p.get("jaxpr") or p["call_jaxpr"], operands)
        own = [self.number((name, _parameters(eqn), tuple(operands), i)) for i in range(len(eqn.outvars))]
        if name == "cond":
            columns = zip(*(self.outputs(branch, operands[1:]) for branch in p["branches"]), strict=True)
            return [column[0] if len(set(column)) == 1 else n for column, n in zip(columns, own, strict=True)]
        if name == "scan":
            return self.carried(p, operands, own)
        if len(own) == 1:
            return [self.moved(eqn, operands, own[0])]
        return own

    def carried(self, p: Mapping[str, Any], operands: list[Number], own: list[Number]) -> list[Number]:
        """A carry that the body hands on untouched is still what it was before the loop."""
        body, first, count = p["jaxpr"].jaxpr, p["num_consts"], p["num_carry"]
        inside = _Numbering()
        args = [inside.fresh() for _ in body.invars]
        outs = inside.outputs(p["jaxpr"], args)
        return [operands[first + i] if i < count and outs[i] == args[first + i] else n for i, n in enumerate(own)]

    def moved(self, eqn: JaxprEqn, operands: list[Number], own: Number) -> Number:
        """The operand's number if every element stays where it was, once what was undone is taken out."""
        name = eqn.primitive.name
        out: Any = eqn.outvars[0].aval
        before: Any = eqn.invars[0].aval if eqn.invars else None
        if name == "select_n" and len(set(operands[1:])) == 1:
            return operands[1]
        if before is None or getattr(out, "dtype", None) != getattr(before, "dtype", None):
            return own
        if name in ("reshape", "squeeze", "expand_dims") or _only_adds_axes(eqn):
            # Views of one row of elements: the number of elements in order, whatever the shape.
            base = self._base(operands[0], before.shape)
            return base[0] if base[1] == out.shape else self._view(base, out.shape, own)
        if name == "transpose":
            return self._transposed(operands[0], before.shape, tuple(eqn.params["permutation"]), own)
        same = before.shape == out.shape
        still = name in ("slice", "rev", "concatenate", "convert_element_type", "broadcast_in_dim", "pad", "real")
        return operands[0] if same and still and _still(eqn) else own

    def _base(self, number: Number, shape: tuple[int, ...]) -> tuple[Number, tuple[int, ...]]:
        kind, _, base, base_shape = self._made_by.get(number, ("", None, number, shape))
        return (base, base_shape) if kind == "view" else (number, shape)

    def _view(self, base: tuple[Number, tuple[int, ...]], shape: tuple[int, ...], own: Number) -> Number:
        number = self.number(("view", base[0], shape))
        self._made_by.setdefault(number, ("view", None, *base))
        return number

    def _transposed(self, operand: Number, shape: tuple[int, ...], permutation: tuple[int, ...], own: Number) -> Number:
        kind, before, base, base_shape = self._made_by.get(operand, ("", None, operand, shape))
        if kind == "transpose":
            permutation = tuple(before[axis] for axis in permutation)
        else:
            base, base_shape = operand, shape
        if permutation == tuple(range(len(shape))):
            return base
        number = self.number(("transpose", base, permutation))
        self._made_by.setdefault(number, ("transpose", permutation, base, base_shape))
        return number


def _only_adds_axes(eqn: JaxprEqn) -> bool:
    if eqn.primitive.name != "broadcast_in_dim":
        return False
    before: Any = eqn.invars[0].aval
    return math.prod(before.shape) == math.prod(eqn.params["shape"])


def _still(eqn: JaxprEqn) -> bool:
    """Whether an operation whose result has its operand's shape and dtype moves nothing."""
    p = eqn.params
    match eqn.primitive.name:
        case "rev":
            shape: Any = eqn.invars[0].aval
            return all(shape.shape[axis] == 1 for axis in p["dimensions"])
        case "concatenate":
            return len(eqn.invars) == 1
        case "pad":
            return all(tuple(edges) == (0, 0, 0) for edges in p["padding_config"])
    return True


def _parameters(eqn: JaxprEqn) -> Any:
    """What tells two equations of one primitive apart; jaxprs by their identity."""
    return tuple((key, _hashable(value)) for key, value in sorted(eqn.params.items()))


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


def _value(constant: Any) -> Any:
    array = np.asarray(constant)
    return str(array.dtype), array.shape, array.tobytes()
