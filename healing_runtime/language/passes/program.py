"""What the passes look at: a jaxpr, its equations however deeply nested, and their places in the source."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Var

from healing_runtime.language.controller import Controller
from healing_runtime.language.findings import Finding
from healing_runtime.language.holders import subjaxprs
from healing_runtime.language.messages.blame import equation_position, return_position

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced

Position = tuple[int, int]

FLOPS_PER_S = 1e9
BYTES_PER_S = 1e10
"""What one core manages of what the `cost` pass counts, low on purpose: fusion makes the traffic less than counted."""


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

    @classmethod
    def inside(cls, period_s: float) -> Budget:
        """The budget of one tick at a control period: what one slow core surely does in it, and never more than ever.

        Counted before anything is compiled, on the pace of `FLOPS_PER_S` and `BYTES_PER_S`; nothing is measured.
        """
        ever = cls()
        return dataclasses.replace(
            ever,
            flops=min(ever.flops, FLOPS_PER_S * period_s),
            traffic_bytes=min(ever.traffic_bytes, BYTES_PER_S * period_s),
        )


@dataclasses.dataclass(frozen=True)
class Program:
    """One traced function of a controller: `control`, `init` or `contract`."""

    name: str
    jaxpr: ClosedJaxpr
    controller: Controller

    def position(self, path: tuple[JaxprEqn, ...]) -> Position:
        """Line and column of the last equation of a path that has them; else those of the function's return."""
        for eqn in reversed(path):
            line, column = equation_position(self.controller, eqn)
            if line:
                return line, column
        return return_position(self.controller, self.name)

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


def _sites(program: Program, jaxpr: Jaxpr, around: int, within: tuple[JaxprEqn, ...]) -> Iterator[Site]:
    for eqn in jaxpr.eqns:
        path = (*within, eqn)
        yield Site(program, path, around)
        for sub in subjaxprs(eqn):
            yield from _sites(program, sub, around * trips(eqn), path)


def trips(eqn: JaxprEqn) -> int:
    """How many times one run of an equation runs its bodies; once where there is no bound, never less than none."""
    return max(eqn.params["length"], 0) if eqn.primitive.name == "scan" else 1


def programs(traced: Traced) -> tuple[Program, ...]:
    """The three programs of a traced controller."""
    controller = traced.controller
    return (
        Program("control", traced.jaxpr, controller),
        Program("init", traced.init_jaxpr, controller),
        Program("contract", traced.contract_jaxpr, controller),
    )


class Places:
    """Where in the source the results of `control` are made; asked only when there is something to say."""

    def __init__(self, traced: Traced) -> None:
        self._traced = traced
        self._maker: dict[Any, JaxprEqn] = {}

    def finding(
        self, pass_name: str, value: Any, message: str, severity: Literal["error", "warning"] = "error"
    ) -> Finding:
        """A finding at the operation that makes a value, or else at the return."""
        return Finding(pass_name, severity, message + ".", *self._made(value))

    def _made(self, value: Any) -> Position:
        controller = self._traced.controller
        if not self._maker:
            self._maker = {v: eqn for eqn in self._traced.jaxpr.jaxpr.eqns for v in eqn.outvars}
        while isinstance(value, Var) and value in self._maker:
            eqn = self._maker[value]
            line, column = equation_position(controller, eqn)
            if line:
                return line, column
            value = next((v for v in eqn.invars if isinstance(v, Var)), None)
        return return_position(controller, "control")
