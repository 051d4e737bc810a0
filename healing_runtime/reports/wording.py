"""Expressions as text, and the unit in which a sub-formula is drawn: the one its author wrote."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from healing_runtime.core import units
from healing_runtime.stl.formula import Arithmetic, Expression, Formula, Number, Predicate, Reference, walk

_LEVEL = {"+": 1, "-": 1, "*": 2, "/": 2}


@dataclasses.dataclass(frozen=True)
class Unit:
    """`si = shown * factor`; `mixed` where quantities of several dimensions meet, which stay in SI."""

    text: str
    factor: float = 1.0
    mixed: bool = False


def written(expression: Expression) -> str:
    """An expression as its author would write it; constants by their name."""
    match expression:
        case Number():
            return expression.name or expression.text
        case Reference():
            return expression.text or expression.signal
        case Arithmetic("negate", (inner,)):
            return f"-{_closed(inner, 2)}"
        case Arithmetic(operation, (left, right)) if operation in _LEVEL:
            level = _LEVEL[operation]
            return f"{_closed(left, level)} {operation} {_closed(right, level + (operation in '-/'))}"
    return f"{expression.operation}({', '.join(map(written, expression.arguments))})"


def _closed(expression: Expression, level: int) -> str:
    text = written(expression)
    loose = isinstance(expression, Arithmetic) and _LEVEL.get(expression.operation, 3) < level
    return f"({text})" if loose else text


def unit_of(formula: Formula) -> Unit:
    """The unit of a formula's robustness as the author wrote it (degrees stay degrees), else the SI unit."""
    predicates = [part for part in walk(formula) if isinstance(part, Predicate)]
    dimensions = dict.fromkeys(predicate.left.dimension for predicate in predicates)
    if not dimensions:
        return Unit("")
    if len(dimensions) > 1:
        return Unit(", ".join(_si(dimension) or "1" for dimension in dimensions), mixed=True)
    (dimension,) = dimensions
    for predicate in predicates:
        for number in (*_numbers(predicate.left), *_numbers(predicate.right)):
            unit = units.split_quantity(number.text)[1] if number.text else ""
            if unit and number.dimension == dimension:
                return Unit(unit, units.si_factor(unit))
    return Unit(_si(dimension))


def _si(dimension: tuple[tuple[str, float], ...]) -> str:
    return units.symbols(dimension) if dimension else ""


def _numbers(expression: Expression) -> Iterator[Number]:
    if isinstance(expression, Number):
        yield expression
    elif isinstance(expression, Arithmetic):
        for argument in expression.arguments:
            yield from _numbers(argument)


def seconds(value: float) -> str:
    """A time of a sample, to the millisecond at most."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + " s"
