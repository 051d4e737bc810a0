"""What the passes look at: a jaxpr, its equations however deeply nested, and their places in the source."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

from healing_runtime.language.blame import equation_position
from healing_runtime.language.controller import Controller
from healing_runtime.language.harvest import subjaxprs

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced

Position = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Budget:
    """What one tick of a controller may cost.

    Attributes:
        trips: product of nested trip counts.
        flops: trip-weighted floating-point operations.
        traffic_bytes: trip-weighted bytes read and written.
        live_bytes: largest sum of values alive at once.
        constant_bytes: all constants together.
        equations: size of the program.
    """

    trips: int = 100_000
    flops: float = 2e7
    traffic_bytes: float = 2e8
    live_bytes: float = 1.6e7
    constant_bytes: float = 1e6
    equations: int = 20_000


@dataclasses.dataclass(frozen=True)
class Program:
    """One traced function of a controller: `control`, `init` or `contract`."""

    name: str
    jaxpr: ClosedJaxpr
    controller: Controller

    def position(self, path: tuple[JaxprEqn, ...]) -> Position:
        """Line and column of the last equation of a path; where it has none, those of the equation that holds it."""
        for eqn in reversed(path):
            line, column = equation_position(self.controller, eqn)
            if line:
                return line, column
        return 0, 0

    def sites(self) -> Iterator[Site]:
        """Every equation, nested ones after the one that holds them."""
        yield from _sites(self, self.jaxpr.jaxpr, 1, ())


class Site(NamedTuple):
    """An equation with those that hold it (itself last), and how many times one call runs it.

    Loops without a bound count once.
    """

    program: Program
    path: tuple[JaxprEqn, ...]
    trips: int

    @property
    def eqn(self) -> JaxprEqn:
        """The equation."""
        return self.path[-1]

    @property
    def position(self) -> Position:
        """Line and column in the source; read from tracebacks, so ask only when there is something to say."""
        return self.program.position(self.path)


def _sites(program: Program, jaxpr: Jaxpr, trips: int, within: tuple[JaxprEqn, ...]) -> Iterator[Site]:
    for eqn in jaxpr.eqns:
        path = (*within, eqn)
        yield Site(program, path, trips)
        times = eqn.params["length"] if eqn.primitive.name == "scan" else 1
        for sub in subjaxprs(eqn):
            yield from _sites(program, sub, trips * times, path)


def programs(traced: Traced) -> tuple[Program, ...]:
    """The three programs of a traced controller."""
    controller = traced.controller
    return (
        Program("control", traced.jaxpr, controller),
        Program("init", traced.init_jaxpr, controller),
        Program("contract", traced.contract_jaxpr, controller),
    )
