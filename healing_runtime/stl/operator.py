"""What an operator is: one record a file in `operators/`, holding its online machine and its offline reference.

Time online. A formula with *horizon* h is decided h ticks after its start. A `Machine` therefore yields, each tick, one
`Span` of h + 1 entries indexed by **age**: entry k belongs to the start k ticks ago, entry h is final. Horizon 0 yields
scalars. A `Root` folds such spans into the one verdict that counts, the formula's value at the first sample.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NoReturn

from jax import Array

from healing_runtime.stl.lattice import EXACT, Lattice
from healing_runtime.stl.margin import Span

State = Any
Bounded = tuple[int, int]
Ticks = Bounded | None
End = Literal["truncate", "ended", "running"]


class Machine(NamedTuple):
    """A fixed-size state machine: `step(state, tick, *spans of the arguments) -> (state, span)`."""

    horizon: int
    init: Callable[[Any], State]
    step: Callable[..., tuple[State, Span]]


class Bounds(NamedTuple):
    """A verdict as keys: `lo <= rho <= hi`, rho being what the samples so far speak for."""

    lo: Array
    rho: Array
    hi: Array

    def __neg__(self) -> Bounds:
        return Bounds(-self.hi, -self.rho, -self.lo)


class Root(NamedTuple):
    """The value at the first sample: `read(state, tick) -> (while running, if the run ended with this tick)`."""

    init: Callable[[Any], State]
    step: Callable[..., State]
    read: Callable[[State, Array], tuple[Bounds, Bounds]]


def _missing(*arguments: Any, **options: Any) -> NoReturn:
    raise NotImplementedError("this kind of operator is never asked for that")


@dataclasses.dataclass(frozen=True)
class Operator:
    """One operator of the language.

    Attributes:
        name, short: the word in formulas and its one-letter form.
        kind: `boolean` operators are stateless; `future` ones look ahead, `past` ones back.
        arity: 1 is written before its argument, 2 between its arguments.
        window: whether bounds `[a, b]` follow, or one duration `[d]`.
        call_like: written as a function, `rise(p)`, so that a binary operator may follow the closing parenthesis.
        english: template of the reading; {0} {1} are the arguments, {window} the bounds in words.
        connect: boolean operators only: (*spans, lattice=EXACT) -> span.
        reference: (end, ticks, *spans over samples, lattice=EXACT) -> span over samples; the offline definition.
        stream: (ticks, *horizons of the arguments, ring_up_to=…) -> Machine; the value at every start. Past operators
            are given arguments of horizon 0 only, future ones always have bounds here. See `windows.least`.
        root: (ticks, *horizons) -> Root; future operators only.
    """

    name: str
    kind: Literal["boolean", "future", "past"]
    arity: Literal[1, 2]
    english: str
    reference: Callable[..., Span]
    short: str | None = None
    window: Literal["none", "optional", "duration"] = "none"
    call_like: bool = False
    connect: Callable[..., Span] | None = None
    stream: Callable[..., Machine] = _missing
    root: Callable[..., Root] = _missing


def boolean(name: str, arity: Literal[1, 2], english: str, connect: Callable[..., Span]) -> Operator:
    """A stateless operator: online, at the root and offline it is the same function."""

    def reference(end: End, ticks: Ticks, *spans: Span, lattice: Lattice = EXACT) -> Span:
        return connect(*spans, lattice=lattice)

    return Operator(name, "boolean", arity, english, reference, connect=connect)


def dual(machine: Machine) -> Machine:
    """`not machine (not arguments)`: the least becomes the greatest."""

    def step(state: State, tick: Array, *spans: Span) -> tuple[State, Span]:
        state, span = machine.step(state, tick, *(-s for s in spans))
        return state, -span

    return Machine(machine.horizon, machine.init, step)


def dual_root(root: Root) -> Root:
    """`not root (not arguments)`."""

    def read(state: State, tick: Array) -> tuple[Bounds, Bounds]:
        running, ended = root.read(state, tick)
        return -running, -ended

    return Root(root.init, lambda state, tick, *spans: root.step(state, tick, *(-s for s in spans)), read)
