"""Predicates as linear inequalities over terms, in exact rational numbers.

A term is a signal, a component of one, or arithmetic that is not linear and is taken as a quantity of its own (`norm`,
a product of signals). Numbers are what the author wrote, so 7 cm and 0.07 m are the same number.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

from healing_runtime.core import units
from healing_runtime.core.errors import UnitError
from healing_runtime.stl.formula import Arithmetic, Expression, Number, Predicate, Reference

Term = Reference | Arithmetic
Sum = Mapping[Term, Fraction]
"""Term -> factor."""

PIECEWISE = ("abs", "min", "max", "clamp")
"""Terms that are one of several linear ones, which depends on the sample."""

_LONGEST = 40
"""Digits of a number that is taken exactly; exponents beyond make rationals of any length."""


@dataclasses.dataclass(frozen=True)
class Linear:
    """`sum of factor * term + constant`."""

    terms: Sum
    constant: Fraction

    def plus(self, other: Linear, times: Fraction = Fraction(1)) -> Linear:
        """`self + times * other`."""
        out = dict(self.terms)
        for term, factor in other.terms.items():
            out[term] = out.get(term, Fraction(0)) + times * factor
        return Linear({t: f for t, f in out.items() if f}, self.constant + times * other.constant)

    def times(self, factor: Fraction) -> Linear:
        """Scaled."""
        return Linear({t: f * factor for t, f in self.terms.items() if factor}, self.constant * factor)


@dataclasses.dataclass(frozen=True)
class Inequality:
    """`form < 0`, or `form <= 0` if not strict; `source` is the predicate's text."""

    form: Linear
    strict: bool
    source: str = ""


def inequalities(predicate: Predicate, holds: bool) -> list[list[Inequality]] | None:
    """What a predicate, or its opposite, says: alternatives of inequalities that hold together. None: nothing known."""
    left, right = _linear(predicate.left), _linear(predicate.right)
    if left is None or right is None:
        return None
    gap, text = left.plus(right, Fraction(-1)), predicate.text
    if predicate.relation == "==":
        tolerance = _exact(predicate.tolerance)
        if tolerance is None:
            return None
        above = Linear(gap.terms, gap.constant - tolerance)
        below = Linear(gap.times(Fraction(-1)).terms, -gap.constant - tolerance)
        if holds:
            return [[Inequality(above, False, text), Inequality(below, False, text)]]
        return [[Inequality(side.times(Fraction(-1)), True, text)] for side in (above, below)]
    form = gap if "<" in predicate.relation else gap.times(Fraction(-1))
    strict = predicate.relation in ("<", ">")
    if not holds:
        form, strict = form.times(Fraction(-1)), not strict
    return [[Inequality(form, strict, text)]]


def flag(signal: Reference, holds: bool, text: str) -> Inequality:
    """A Boolean signal is true above one half."""
    half = Linear({signal: Fraction(1)}, Fraction(-1, 2))
    return Inequality(half.times(Fraction(-1)), True, text) if holds else Inequality(half, False, text)


def pieces(inequality: Inequality) -> tuple[list[Inequality], bool] | None:
    """The first piecewise term written out: inequalities, and whether all of them hold or one of them. None without."""
    for term, factor in inequality.form.terms.items():
        if isinstance(term, Arithmetic) and term.operation in PIECEWISE:
            parts, greatest = _parts(term)
            rest = Linear({t: f for t, f in inequality.form.terms.items() if t != term}, inequality.form.constant)
            out = [dataclasses.replace(inequality, form=rest.plus(part, factor)) for part in parts]
            # `factor * max(a, b)` stays below something when both do, if the factor is positive.
            return out, greatest == (factor > 0)
    return None


def facts(terms: Iterable[Term], limits: Mapping[str, tuple[float, float]]) -> list[Inequality]:
    """What is true of terms whatever the sample: a norm is never negative, a signal stays within its limits."""
    known = list(terms)
    out = []
    for term in known:
        own = Linear({term: Fraction(1)}, Fraction(0))
        if isinstance(term, Reference):
            # A sensor that is broken keeps to no limits.
            within = () if term.observed else limits.get(term.signal, ())
            for limit, sign in zip(within, (-1, 1), strict=False):
                exact = _exact(limit)
                if exact is not None:
                    form = own.plus(Linear({}, exact), Fraction(-1)).times(Fraction(sign))
                    out.append(Inequality(form, False, f"the limit {limit:g} of {term.text or term.signal}"))
        elif term.operation == "norm" or (term.operation == "*" and len(set(term.arguments)) == 1):
            out.append(Inequality(own.times(Fraction(-1)), False))
            # No component is larger than the norm.
            parts = _components(term) if term.operation == "norm" else []
            for part in (p for p in parts if p is not None and set(p.terms) <= set(known)):
                out += [Inequality(part.times(Fraction(s)).plus(own, Fraction(-1)), False) for s in (-1, 1)]
    return out


@functools.lru_cache(maxsize=4096)
def name(term: Expression) -> str:
    """The same text for equal terms, to put them in order."""
    if isinstance(term, Number):
        return repr(term.value)
    if isinstance(term, Reference):
        return f"{term.signal}[{term.index}]{term.observed}"
    return f"{term.operation}({', '.join(map(name, term.arguments))})"


# ---------------------------------------------------------------- expressions
@functools.lru_cache(maxsize=4096)
def _linear(expression: Expression) -> Linear | None:
    """None for what is no finite number of one component."""
    if expression.size:
        return None
    if isinstance(expression, Number):
        exact = number(expression)
        return None if exact is None else Linear({}, exact)
    if isinstance(expression, Reference):
        return Linear({expression: Fraction(1)}, Fraction(0))
    operation = expression.operation
    if operation in PIECEWISE or operation == "norm":
        parts = _components(expression)
        return None if None in parts else Linear({expression: Fraction(1)}, Fraction(0))
    parts = [_linear(argument) for argument in expression.arguments]
    if None in parts:
        return None
    first, *rest = (part for part in parts if part is not None)
    if operation == "negate":
        return first.times(Fraction(-1))
    (second,) = rest
    if operation in "+-":
        return first.plus(second, Fraction(1 if operation == "+" else -1))
    return _product(expression, first, second)


def _product(expression: Arithmetic, first: Linear, second: Linear) -> Linear | None:
    if expression.operation == "/":
        if second.terms:
            return Linear({expression: Fraction(1)}, Fraction(0))
        return first.times(1 / second.constant) if second.constant else None
    if not second.terms:
        return first.times(second.constant)
    if not first.terms:
        return second.times(first.constant)
    # The order of the factors does not matter.
    factors = tuple(sorted(expression.arguments, key=name))
    return Linear({dataclasses.replace(expression, arguments=factors): Fraction(1)}, Fraction(0))


def _components(expression: Arithmetic) -> list[Linear | None]:
    """The numbers that `min max norm abs clamp` work on; the entries of a vector are components of their own."""
    if len(expression.arguments) == 1 and expression.arguments[0].size:
        (vector,) = expression.arguments
        if not isinstance(vector, Reference):
            return [None]
        entries = (dataclasses.replace(vector, index=i, size=0) for i in range(vector.size))
        return [Linear({entry: Fraction(1)}, Fraction(0)) for entry in entries]
    return [_linear(argument) for argument in expression.arguments]


def _parts(term: Arithmetic) -> tuple[list[Linear], bool]:
    """A piecewise term as the greatest (True) or the least of linear ones."""
    parts = [part for part in _components(term) if part is not None]
    if term.operation == "abs":
        return [parts[0], parts[0].times(Fraction(-1))], True
    if term.operation == "clamp":
        # The least of `high` and the greatest of the other two.
        value, low, high = term.arguments
        return [
            Linear({Arithmetic("max", (value, low), term.dimension): Fraction(1)}, Fraction(0)),
            *_given(high),
        ], False
    return parts, term.operation == "max"


def _given(expression: Expression) -> list[Linear]:
    found = _linear(expression)
    return [] if found is None else [found]


# ---------------------------------------------------------------- numbers
def number(written: Number) -> Fraction | None:
    """The number as written, in SI; None if it is not finite or absurdly long."""
    try:
        digits, unit = units.split_quantity(written.text)
        if len(digits) <= _LONGEST and abs(float(digits)) < 1e40 and "e-" not in digits.lower():
            exact = Fraction(digits) * Fraction(repr(units.si_factor(unit)))
            if math.isclose(float(exact), written.value, rel_tol=1e-9, abs_tol=0.0):
                return exact
    except UnitError:
        pass
    return _exact(written.value)


def _exact(value: float) -> Fraction | None:
    return Fraction(repr(value)) if math.isfinite(value) and (value == 0.0 or 1e-40 < abs(value) < 1e40) else None
