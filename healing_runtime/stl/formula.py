"""The syntax tree of a formula, after names and units are settled.

Trees are frozen and hashable: equal sub-formulas are equal values, which is what the monitor's sharing rests on.
Numbers are SI (radians for angles). Where a node stood in the text (`place`, an offset) never takes part in equality.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fractions import Fraction

Dimension = tuple[tuple[str, float], ...]


# ---------------------------------------------------------------- arithmetic
@dataclasses.dataclass(frozen=True)
class Number:
    """A literal or a constant, in SI; `text` is what the author wrote, `name` the constant's."""

    value: float
    dimension: Dimension = ()
    text: str = dataclasses.field(default="", compare=False)
    size: int = 0
    name: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass(frozen=True)
class Reference:
    """A signal, or one component of it (`index`, flat). `size` is 0 for a scalar, else the number of entries."""

    signal: str
    observed: bool = False
    index: int | None = None
    dimension: Dimension = ()
    size: int = 0
    scale: float = dataclasses.field(default=1.0, compare=False)
    text: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass(frozen=True)
class Arithmetic:
    """`+ - * / negate abs min max norm clamp` over expressions."""

    operation: str
    arguments: tuple[Expression, ...]
    dimension: Dimension = ()
    size: int = 0


Expression = Number | Reference | Arithmetic


# ---------------------------------------------------------------- formulas
@dataclasses.dataclass(frozen=True)
class Predicate:
    """`left relation right` with relation one of `< <= > >= ==`; `tolerance` (SI) belongs to `==` alone."""

    relation: str
    left: Expression
    right: Expression
    tolerance: float = 0.0
    scale: float = dataclasses.field(default=1.0, compare=False)
    text: str = dataclasses.field(default="", compare=False)
    place: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True)
class Flag:
    """A Boolean signal on its own: true above one half, with infinite margin."""

    signal: Reference
    text: str = dataclasses.field(default="", compare=False)
    place: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True)
class Literal:
    """`true` or `false`."""

    value: bool
    text: str = dataclasses.field(default="", compare=False)
    place: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True)
class Duration:
    """One end of a window: an exact number of seconds, or of ticks."""

    amount: Fraction
    in_ticks: bool = False
    text: str = dataclasses.field(default="", compare=False)
    place: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True)
class Window:
    """The closed bounds of a temporal operator as written, and in ticks once a control rate is known."""

    low: Duration
    high: Duration
    ticks: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class Apply:
    """An operator of `stl.operators` applied to formulas."""

    operator: str
    arguments: tuple[Formula, ...]
    window: Window | None = None
    text: str = dataclasses.field(default="", compare=False)
    place: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True)
class Outside:
    """True at ticks before `low` and after `high`; never written by an author, see `safety`."""

    low: int
    high: int | None


Atom = Predicate | Flag | Literal
Formula = Atom | Apply | Outside


def children(formula: Formula) -> tuple[Formula, ...]:
    """Direct sub-formulas."""
    return formula.arguments if isinstance(formula, Apply) else ()


def walk(formula: Formula) -> Iterator[Formula]:
    """The formula and every sub-formula, outside in."""
    yield formula
    for child in children(formula):
        yield from walk(child)


def atoms(formula: Formula) -> Iterator[Atom]:
    """The predicates, flags and literals of a formula, in the order of the text."""
    for part in walk(formula):
        if isinstance(part, Predicate | Flag | Literal):
            yield part


def references(node: Formula | Expression) -> Iterator[Reference]:
    """Every signal read by a formula or expression, in the order of the text."""
    if isinstance(node, Reference):
        yield node
    elif isinstance(node, Flag):
        yield node.signal
    elif isinstance(node, Predicate):
        yield from references(node.left)
        yield from references(node.right)
    elif isinstance(node, Arithmetic | Apply):
        for argument in node.arguments:
            yield from references(argument)
