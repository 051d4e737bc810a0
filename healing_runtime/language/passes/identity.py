"""Global value numbering: which values of a program are one and the same, and which inputs each depends on.

Two values have one number if they are made by the same operation with the same parameters from the same values, through
`jit`, loops and the branches of `cond`. What hands its operand on unchanged gives its operand's number, and what is the
same whatever its operands are reads none of them (`algebra`). `tl.copy` and `tl.reset` give a new number every time:
that is what they are for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from healing_runtime.language.passes import algebra
from healing_runtime.language.passes.calls import CALLS, called
from healing_runtime.language.passes.numbers import Number, Table

_FRESH = frozenset({"copy_p", "copy", "tensorlang.reset"})


class Values:
    """The values at the top of a program."""

    def __init__(self, table: Table, numbers: Mapping[Any, Number]) -> None:
        self._table, self._numbers = table, numbers

    def number(self, v: Any) -> Number:
        """What a variable or literal is; equal for equal values."""
        return _number(self._table, self._numbers, v)

    def reads(self, v: Any) -> frozenset[Number]:
        """Numbers of the inputs (and of uses of `tl.reset`) that a variable or literal depends on."""
        return self._table.reads(self.number(v))


def of_jaxpr(jaxpr: ClosedJaxpr) -> Values:
    """Number every value; each input is one of its own."""
    table = Table()
    inputs = [table.source() for _ in jaxpr.jaxpr.invars]
    with np.errstate(all="ignore"):
        return Values(table, _run(table, jaxpr.jaxpr, jaxpr.consts, inputs))


def _number(table: Table, numbers: Mapping[Any, Number], v: Any) -> Number:
    return table.constant(v.val, v.aval) if isinstance(v, Literal) else numbers[v]


def _run(table: Table, jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Number]) -> dict[Any, Number]:
    numbers: dict[Any, Number] = dict(zip(jaxpr.invars, args, strict=True))
    numbers |= {v: table.constant(c, v.aval) for v, c in zip(jaxpr.constvars, consts, strict=True)}
    for eqn in jaxpr.eqns:
        if eqn.outvars:
            operands = [_number(table, numbers, v) for v in eqn.invars]
            numbers.update(zip(eqn.outvars, _results(table, eqn, operands), strict=True))
    return numbers


def _outputs(table: Table, closed: ClosedJaxpr, args: Sequence[Number]) -> list[Number]:
    numbers = _run(table, closed.jaxpr, closed.consts, args)
    return [_number(table, numbers, v) for v in closed.jaxpr.outvars]


def _results(table: Table, eqn: JaxprEqn, operands: list[Number]) -> list[Number]:
    name = eqn.primitive.name
    if name in _FRESH:
        return [table.source() if name == "tensorlang.reset" else table.fresh(table.union(operands))]
    if name in CALLS:
        return _outputs(table, called(eqn), operands)
    if name == "cond":
        return _branches(table, eqn, operands)
    if name == "scan":
        return _loop(table, eqn, operands)
    if len(eqn.outvars) == 1:
        same = algebra.simplified(table, eqn, operands)
        if same is not None:
            return [same]
    return own(table, eqn, operands)


def own(table: Table, eqn: JaxprEqn, operands: list[Number]) -> list[Number]:
    """The results of an operation that depends on all of its operands."""
    return _own(table, eqn, operands, [table.union(operands)] * len(eqn.outvars))


def _own(table: Table, eqn: JaxprEqn, operands: list[Number], reads: Sequence[frozenset[Number]]) -> list[Number]:
    key = (eqn.primitive.name, _parameters(eqn), tuple(operands))
    return [table.number((*key, i), read) for i, read in enumerate(reads)]


def _branches(table: Table, eqn: JaxprEqn, operands: list[Number]) -> list[Number]:
    """What all branches agree on does not depend on the condition; a constant condition takes its branch."""
    branches, which = eqn.params["branches"], table.value(operands[0])
    if which is not None:
        return _outputs(table, branches[max(0, min(int(which), len(branches) - 1))], operands[1:])
    columns = list(zip(*(_outputs(table, branch, operands[1:]) for branch in branches), strict=True))
    each = _own(table, eqn, operands, [table.union([operands[0], *column]) for column in columns])
    return [column[0] if len(set(column)) == 1 else n for column, n in zip(columns, each, strict=True)]


def _loop(table: Table, eqn: JaxprEqn, operands: list[Number]) -> list[Number]:
    """A carry that the body hands on untouched is still what it was; one that it makes anew is what it makes."""
    p = eqn.params
    first, count = p["num_consts"], p["num_carry"]
    consts, before, xs = operands[:first], operands[first : first + count], operands[first + count :]
    if p["length"] == 0:
        return [*before, *_own(table, eqn, operands, [frozenset()] * len(eqn.outvars))[count:]]
    carry, slices = [table.source() for _ in before], [table.source() for _ in xs]
    outs = _outputs(table, p["jaxpr"], [*consts, *carry, *slices])
    reads = _over_trips(table, dict(zip(carry, outs, strict=False)), outs)
    outside = dict(zip([*carry, *slices], [*before, *xs], strict=True))
    each = _own(
        table,
        eqn,
        operands,
        [frozenset().union(*(table.reads(outside[n]) if n in outside else {n} for n in read)) for read in reads],
    )
    return [
        before[i] if i < count and out == carry[i] else out if i < count and outside.keys().isdisjoint(read) else n
        for i, (out, read, n) in enumerate(zip(outs, reads, each, strict=True))
    ]


def _over_trips(table: Table, after: Mapping[Number, Number], outs: list[Number]) -> list[frozenset[Number]]:
    """What each result of a body depends on over any number of trips; `after` says what becomes of each carry."""
    reach = {carry: table.reads(out) for carry, out in after.items()}

    def closed(read: frozenset[Number]) -> frozenset[Number]:
        while (more := read.union(*(reach[n] for n in read if n in reach))) != read:
            read = more
        return read

    return [closed(table.reads(out)) for out in outs]


def _parameters(eqn: JaxprEqn) -> Any:
    """What tells two equations of one primitive apart; jaxprs by their identity."""
    return tuple((key, _hashable(value)) for key, value in sorted(eqn.params.items())) if eqn.params else ()


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value
