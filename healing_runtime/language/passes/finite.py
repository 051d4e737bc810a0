"""`finite`: warnings about operations that can give NaN or infinity on a path to the action.

Interval arithmetic over the jaxpr: an operand whose interval excludes the bad values is guarded
(`jnp.maximum(x, 1e-6)`, `x * x + 1.0`, a clip, `jnp.where(x > 1e-6, x, 1.0)`); so is a result that only `jnp.where`
reads. Observations and state may be anything; parameters and the control period are what they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal
from jax.interpreters import partial_eval

from healing_runtime.language.findings import Finding
from healing_runtime.language.harvest import silenced
from healing_runtime.language.passes import algebra, identity
from healing_runtime.language.passes.calls import CALLS, called
from healing_runtime.language.passes.guards import Test, selected_only, tested
from healing_runtime.language.passes.intervals import ANYTHING, Interval, hull, of_constant
from healing_runtime.language.passes.numbers import Number, Table
from healing_runtime.language.passes.program import Budget, Program
from healing_runtime.language.passes.softmax import VIEWS, Softmax
from healing_runtime.language.passes.transfer import added, square, transferred

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced

_EITHER_SIGN = (
    "guard it, as in jnp.where(jnp.abs(y) > 1e-6, x / jnp.where(jnp.abs(y) > 1e-6, y, 1.0), 0.0);"
    " jnp.maximum(y, 1e-6) is for what is never negative"
)
"""For a divisor that may be negative, which `jnp.maximum` would turn into a tiny positive one."""

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
    "integer_pow": ("a negative power of something that can be zero", "guard it with jnp.maximum(x, 1e-6)"),
    "pow": ("a power of something that can be negative or zero", "guard it with jnp.maximum(x, 0.0)"),
}


_TRIED_DEPTH = 2


def check(traced: Traced, budget: Budget) -> Iterator[Finding]:
    """The part of `control` that reaches the action."""
    jaxpr = traced.jaxpr.jaxpr
    actions = traced.action_tree.num_leaves
    used = [i < actions for i in range(len(jaxpr.outvars))]
    slim, _ = partial_eval.dce_jaxpr(silenced(jaxpr), used, instantiate=True)
    consts = dict(zip(jaxpr.constvars, traced.jaxpr.consts, strict=True))
    walk = _Walk(Program("control", traced.jaxpr, traced.controller))
    observed = sorted((*traced.table.observed.by_key, "dt_s"))
    told = [*jax.tree.leaves(traced.params), *[None] * traced.state_tree.num_leaves]
    told += [traced.dt_s if key == "dt_s" else None for key in observed]
    with np.errstate(all="ignore"):
        known = [_known(value, v.aval.dtype) for value, v in zip(told, slim.invars, strict=True)]  # type: ignore[attr-defined]
        walk.run(slim, [consts[v] for v in slim.constvars], [walk.unknown(bound) for bound in known], (), False)
    yield from walk.found


def _known(value: Any, dtype: Any) -> Interval:
    return ANYTHING if value is None else of_constant(value, dtype)


class _Walk:
    """One evaluation in intervals, by the numbers of values (`algebra`): what is the same value has the same bounds."""

    def __init__(self, program: Program) -> None:
        self.found: list[Finding] = []
        self._program = program
        self._table = Table()
        self._bounds: dict[Number, Interval] = {}
        self._tests: dict[Number, Test] = {}
        self._sizes: dict[Number, Number] = {}
        self._softmax = Softmax()

    def unknown(self, bound: Interval) -> Number:
        """A value like no other, with bounds."""
        number = self._table.source()
        self._bounds[number] = bound
        return number

    def bound(self, number: Number) -> Interval:
        """What is known of a value."""
        return self._bounds.get(number, ANYTHING)

    def run(
        self, jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Number], within: tuple[JaxprEqn, ...], guarded: bool
    ) -> list[Number]:
        """Numbers of the results; `guarded` says that only a selection reads them."""
        numbers: dict[Any, Number] = dict(zip(jaxpr.invars, args, strict=True))
        numbers |= {v: self._constant(c, v.aval) for v, c in zip(jaxpr.constvars, consts, strict=True)}

        def read(v: Any) -> Number:
            return self._constant(v.val, v.aval) if isinstance(v, Literal) else numbers[v]

        selected = selected_only(jaxpr, guarded)
        for eqn in jaxpr.eqns:
            operands, path = [read(v) for v in eqn.invars], (*within, eqn)
            safe = all(v in selected for v in eqn.outvars)
            name = eqn.primitive.name
            if name in _HINTS and not safe and _can_fail(eqn, [self.bound(n) for n in operands]):
                what, hint = _HINTS[name]
                if name == "div" and self.bound(operands[1]).low < 0.0:
                    hint = _EITHER_SIGN
                place = self._program.position(path)
                self.found.append(Finding("finite", "warning", f"{what} reaches the action; {hint}.", *place))
            nested = name in CALLS or name in ("cond", "scan")
            results = self._nested(eqn, operands, path, safe) if nested else self._simple(eqn, operands)
            numbers.update(zip(eqn.outvars, results, strict=True))
        return [read(v) for v in jaxpr.outvars]

    def _constant(self, value: Any, aval: Any) -> Number:
        number = self._table.constant(value, aval)
        if number not in self._bounds:
            self._bounds[number] = of_constant(value, aval.dtype)
        return number

    def _bounded(self, numbers: Sequence[Number], bounds: Sequence[Interval]) -> list[Number]:
        for number, bound in zip(numbers, bounds, strict=True):
            self._bounds.setdefault(number, bound)
        return list(numbers)

    # ------------------------------------------------------------ operations
    def _simple(self, eqn: JaxprEqn, operands: list[Number]) -> list[Number]:
        if len(eqn.outvars) == 1:
            same = algebra.simplified(self._table, eqn, operands)
            if same is not None:
                if same not in self._bounds:
                    value = self._table.value(same)
                    known = self._transfer(eqn, operands)[0] if value is None else of_constant(value)
                    self._bounds[same] = known
                    if eqn.primitive.name in VIEWS:
                        self._note(eqn, operands, same)
                return [same]
        own = identity.own(self._table, eqn, operands)
        if own[0] not in self._bounds:
            self._bounded(own, self._transfer(eqn, operands))
            self._note(eqn, operands, own[0])
        return own

    def _transfer(self, eqn: JaxprEqn, operands: list[Number]) -> list[Interval]:
        bounds = [self.bound(n) for n in operands]
        twice = len(operands) == 2 and operands[0] == operands[1]
        match eqn.primitive.name:
            case "mul" if twice:
                return [square(eqn, bounds[0])]
            case "dot_general" if twice and not eqn.outvars[0].aval.shape:  # type: ignore[attr-defined]
                return [added(eqn, square(eqn, bounds[0]), math.prod(eqn.invars[0].aval.shape))]  # type: ignore[attr-defined]
            case "select_n" if operands[0] in self._tests and len(operands) == 3:
                test = self._tests[operands[0]]
                cases = enumerate(zip(operands[1:], bounds[1:], strict=True))
                return [hull(*(tested(n, b, test, bool(i), self.bound, self._sizes) for i, (n, b) in cases))]
            case "reduce_sum" if self._softmax.is_summed(eqn, operands):
                return [Interval(1.0, math.inf)]
        return transferred(eqn, bounds)

    def _note(self, eqn: JaxprEqn, operands: list[Number], number: Number) -> None:
        """What a later selection, or the sum of a softmax, can make use of."""
        name = eqn.primitive.name
        if name in ("gt", "ge", "lt", "le", "eq", "ne"):
            self._tests[number] = (name, operands[0], operands[1])
        elif name == "convert_element_type" and operands[0] in self._tests:
            self._tests[number] = self._tests[operands[0]]
        elif name == "abs":
            self._sizes[number] = operands[0]
        self._softmax.note(eqn, operands, number)

    # ------------------------------------------------------------ what holds programs
    def _nested(self, eqn: JaxprEqn, operands: list[Number], path: tuple[JaxprEqn, ...], guarded: bool) -> list[Number]:
        """Results of an equation that holds jaxprs."""
        p = eqn.params
        match eqn.primitive.name:
            case "scan":
                return self._loop(eqn, operands, path, guarded)
            case "cond":
                each = [
                    self._closed(branch, self._taken(operands, i, len(p["branches"])), path, guarded)
                    for i, branch in enumerate(p["branches"])
                ]
                columns = list(zip(*each, strict=True))
                own = identity.own(self._table, eqn, operands)
                self._bounded(own, [hull(*map(self.bound, column)) for column in columns])
                return [c[0] if len(set(c)) == 1 else n for c, n in zip(columns, own, strict=True)]
        return self._closed(called(eqn), operands, path, guarded)

    def _taken(self, operands: list[Number], index: int, branches: int) -> list[Number]:
        """The operands of a branch, with what its being taken says of them."""
        test = self._tests.get(operands[0]) if branches == 2 else None
        if test is None:
            return operands[1:]
        told = [tested(n, self.bound(n), test, bool(index), self.bound, self._sizes) for n in operands[1:]]
        return [n if b == self.bound(n) else self.unknown(b) for n, b in zip(operands[1:], told, strict=True)]

    def _closed(
        self, closed: ClosedJaxpr, args: Sequence[Number], path: tuple[JaxprEqn, ...], guarded: bool
    ) -> list[Number]:
        return self.run(closed.jaxpr, closed.consts, args, path, guarded)

    def _loop(self, eqn: JaxprEqn, operands: list[Number], path: tuple[JaxprEqn, ...], guarded: bool) -> list[Number]:
        """Bounds that a carry starts with hold where the body keeps them; those that it leaves are given up."""
        p = eqn.params
        first, count = p["num_consts"], p["num_carry"]
        consts, before, xs = operands[:first], operands[first : first + count], operands[first + count :]
        # Each trial runs the body again, and the loops in it theirs: deep inside, carries are given up at once.
        depth = sum(outer.primitive.name == "scan" for outer in path)
        known = [self.bound(n) if depth <= _TRIED_DEPTH else ANYTHING for n in before]
        told = len(self.found)
        widen: Callable[[Interval, Interval], Interval] = hull  # to what a trip makes of it; then for good
        while True:
            carry = [self.unknown(bound) for bound in known]
            del self.found[told:]
            outs = self._closed(
                p["jaxpr"], [*consts, *carry, *(self.unknown(self.bound(n)) for n in xs)], path, guarded
            )
            after = [self.bound(n) for n in outs[:count]]
            kept = [widen(bound, out) for bound, out in zip(known, after, strict=True)]
            if kept == known:
                break
            known, widen = kept, _kept
        own = identity.own(self._table, eqn, operands)
        return self._bounded(own, [*known, *(self.bound(n) for n in outs[count:])])


def _kept(bound: Interval, after: Interval) -> Interval:
    """The bounds of a carry that a trip of the body does not leave."""
    low = bound.low if after.low >= bound.low else -math.inf
    high = bound.high if after.high <= bound.high else math.inf
    return Interval(low, high, bound.gap if after.apart >= bound.gap else 0.0)


def _can_fail(eqn: JaxprEqn, operands: list[Interval]) -> bool:
    aval: Any = eqn.outvars[0].aval
    if not np.issubdtype(aval.dtype, np.floating):
        return False
    low, high = operands[0][:2]
    match eqn.primitive.name:
        case "div" | "rem":
            return operands[1].apart <= 0.0
        case "integer_pow":
            return eqn.params["y"] < 0 and operands[0].apart <= 0.0
        case "sqrt":
            return low < 0.0
        case "rsqrt" | "log":
            return low < 0.0 or operands[0].apart <= 0.0
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
