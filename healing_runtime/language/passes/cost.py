"""`cost`: trip-weighted work, memory and constants, by our own count (XLA's counts a loop's body once)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from healing_runtime.language.findings import Finding
from healing_runtime.language.harvest import labels
from healing_runtime.language.holders import subjaxprs
from healing_runtime.language.passes.program import Budget, Program, programs, trips
from healing_runtime.language.vocabulary import words

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced

_FREE = words("""
    broadcast_in_dim concatenate convert_element_type copy copy_p dynamic_slice dynamic_update_slice gather iota
    pad reshape rev slice split squeeze stack stop_gradient tile transpose tensorlang.reset
""")
_COSTLY = words("""
    acos acosh asin asinh atan atan2 atanh cbrt cos cosh div erf erf_inv erfc exp exp2 expm1 log log1p logistic
    pow rem rsqrt sin sinh sqrt tan tanh
""")
_COSTLY_FLOPS = 16.0
"""Operations that a transcendental function or a division is counted as."""

_ARGUMENT_FLOPS = 10.0
"""Operations an element of argmax and argmin: two comparisons of values, two of indices, with NaN and ties."""


class Cost(NamedTuple):
    """Static bounds on one call.

    Attributes:
        flops: floating-point operations, loops multiplied out, the dearest branch of each `cond`.
        traffic_bytes: bytes read and written by all operations, counted likewise (fusion makes it less).
        live_bytes: largest sum of values alive at once.
        equations: operations in the program, each body counted once.

    Every trip of a loop reads and writes its carry, and reads and writes its share of what is scanned and stacked.
    """

    flops: float
    traffic_bytes: float
    live_bytes: float
    equations: int


# What flies is the harvested program. A test holds these prices against what harvest makes of several programs.
_JUDGED = Cost(16.0, 160.0, 0.0, 20)
"""One assert that is judged, but for the search for the worst of its elements."""

_MERGED = Cost(21.0, 160.0, 0.0, 24)
"""Two records of one label made into one: at a second assert of that label, and in each trip of a loop around it."""

_RECORD_BYTES = 24.0
"""What is kept of a label, in float64."""


def estimate(jaxpr: ClosedJaxpr | Jaxpr) -> Cost:
    """Bounds on one call of a jaxpr, or of what `harvest` makes of it where it holds asserts."""
    inner = jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr
    last_use = _last_uses(inner)
    live = {v: _bytes(v) for v in [*inner.constvars, *inner.invars]}
    total = peak = float(sum(live.values()))
    flops = traffic = 0.0
    equations = 0
    judged = set[str]()
    for index, eqn in enumerate(inner.eqns):
        here = _labels(eqn)
        own = _sum([_equation(eqn), *[_MERGED] * len(here & judged)])
        total += _RECORD_BYTES * len(here - judged)
        judged |= here
        flops, traffic, equations = flops + own.flops, traffic + own.traffic_bytes, equations + own.equations
        for v in eqn.outvars:
            live[v] = _bytes(v)
            total += live[v]
        peak = max(peak, total + own.live_bytes)
        for v in last_use.get(index, ()):
            total -= live.pop(v, 0.0)
    return Cost(flops, traffic, peak, equations)


def constant_bytes(jaxpr: ClosedJaxpr) -> float:
    """Bytes of all constants, nested ones included."""
    own = float(sum(getattr(c, "nbytes", 0) for c in jaxpr.consts))
    nested = [
        item
        for eqn in jaxpr.jaxpr.eqns
        for value in eqn.params.values()
        for item in (value if isinstance(value, tuple | list) else (value,))
        if isinstance(item, ClosedJaxpr)
    ]
    return own + sum(constant_bytes(item) for item in nested)


def check(traced: Traced, budget: Budget) -> Iterator[Finding]:
    """All three programs."""
    for program in programs(traced):
        yield from of_program(program, budget)


def of_program(program: Program, budget: Budget) -> Iterator[Finding]:
    """What is above the budget, blamed on its dearest line."""
    found = estimate(program.jaxpr)
    constants = constant_bytes(program.jaxpr)
    checks: tuple[tuple[float, float, str, _Weigh], ...] = (
        (found.flops, budget.flops, "operations", lambda eqn: _equation(eqn).flops),
        (
            found.traffic_bytes,
            budget.traffic_bytes,
            "bytes of memory traffic",
            lambda eqn: _equation(eqn).traffic_bytes,
        ),
        (found.live_bytes, budget.live_bytes, "bytes alive at once", _held),
        (constants, budget.constant_bytes, "bytes of constants", _handed(program.jaxpr.jaxpr.constvars)),
        (found.equations, budget.equations, "operations in the program", lambda eqn: _equation(eqn).equations),
    )
    for value, limit, what, weigh in checks:
        if value > limit:
            message = f"{program.name} needs {value:.3g} {what}; at most {limit:.3g} are allowed. Use smaller arrays."
            yield Finding("cost", "error", message, *program.position(_dearest(program.jaxpr.jaxpr, weigh)))


_Weigh = Callable[[JaxprEqn], float]


def _dearest(jaxpr: Jaxpr, weigh: _Weigh) -> tuple[JaxprEqn, ...]:
    """The path to the equation that weighs most, inside the one that holds it."""
    path: tuple[JaxprEqn, ...] = ()
    bodies = [jaxpr]
    while bodies:
        inside = max(bodies, key=lambda body: sum(map(weigh, body.eqns)))
        heaviest = max(inside.eqns, key=weigh, default=None)
        if heaviest is None or weigh(heaviest) == 0.0:
            break
        path, bodies = (*path, heaviest), list(_bodies(heaviest))
    return path


def _held(eqn: JaxprEqn) -> float:
    """Bytes that an equation makes, or the most that are alive inside it."""
    return max(_equation(eqn).live_bytes, sum(map(_bytes, eqn.outvars)))


def _handed(constvars: Sequence[Any]) -> _Weigh:
    """Bytes of the constants that an equation is handed or holds."""

    def weigh(eqn: JaxprEqn) -> float:
        held = [v for value in eqn.params.values() for v in (value if isinstance(value, tuple | list) else (value,))]
        handed = sum(_bytes(v) for v in constvars if any(v is used for used in eqn.invars))
        return handed + sum(constant_bytes(v) for v in held if isinstance(v, ClosedJaxpr))

    return weigh


def _bodies(eqn: JaxprEqn) -> Iterator[Jaxpr]:
    """The programs that an equation runs; what a scatter does to two elements is none."""
    return iter(()) if eqn.primitive.name.startswith("scatter") else subjaxprs(eqn)


def _equation(eqn: JaxprEqn) -> Cost:
    name = eqn.primitive.name
    inner = [estimate(sub) for sub in _bodies(eqn)]
    traffic = sum(_bytes(v) for v in [*eqn.invars, *eqn.outvars])
    if name == "tensorlang.assert":
        elements = math.prod(_shape(eqn.invars[0]))
        return _sum([_JUDGED, Cost(2.0 * elements, traffic, 4.0 * _RECORD_BYTES, 0)])
    if not inner:
        return Cost(_flops(eqn, name), traffic, 0.0, 1)
    records = len(_labels(eqn))
    kept = records * _RECORD_BYTES
    moved = Cost(0.0, 2.0 * kept, 0.0, 1)
    if name == "cond":
        dearest = Cost(*map(max, zip(*inner, strict=True)))._replace(equations=sum(c.equations for c in inner))
        return _sum([dearest, moved, Cost(0.0, traffic, kept, 0)])
    if name in ("scan", "while"):
        trip = _sum([*inner, *[_MERGED] * records, moved, Cost(4.0 * bool(records), _carried(eqn), 0.0, 0)])
        times = trips(eqn)
        live = trip.live_bytes + 3.0 * kept  # before the loop, before the trip and after it
        return Cost(times * trip.flops, times * trip.traffic_bytes + 3.0 * kept, live, trip.equations)
    if records and name.startswith("custom_"):  # once for its values, once for its asserts
        return _sum([*inner, *inner, moved, Cost(0.0, traffic, 0.0, len(eqn.invars))])
    return _sum([*inner, moved])


def _carried(eqn: JaxprEqn) -> float:
    """Bytes that one trip of a loop is handed and leaves: its carry, and its share of what is scanned and stacked."""
    scanned = eqn.primitive.name == "scan"
    body, constants = ("jaxpr", "num_consts") if scanned else ("body_jaxpr", "body_nconsts")
    inside = eqn.params[body].jaxpr
    return sum(map(_bytes, [*inside.invars[eqn.params[constants] :], *inside.outvars]))


def _sum(costs: Sequence[Cost]) -> Cost:
    """One after another: the most that is alive in any of them."""
    flops, traffic, live, equations = zip(*costs, strict=True)
    return Cost(sum(flops), sum(traffic), max(live), sum(equations))


def _labels(eqn: JaxprEqn) -> set[str]:
    """Of the asserts that an equation is or holds."""
    if eqn.primitive.name == "tensorlang.assert":
        return {eqn.params["label"]}
    return {label for sub in _bodies(eqn) for label in labels(sub)}


def _flops(eqn: JaxprEqn, name: str) -> float:
    if name in _FREE:
        return 0.0
    sizes = [math.prod(_shape(v)) for v in [*eqn.invars, *eqn.outvars]]
    largest = float(max(sizes, default=0))
    if name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        depth = math.prod(_shape(eqn.invars[0])[axis] for axis in contracted)
        return 2.0 * depth * math.prod(_shape(eqn.outvars[0]))
    if name == "sort":
        return largest * max(1.0, math.log2(largest + 1))
    if name.startswith("cum"):  # lowered to a window as long as the axis
        return largest * _shape(eqn.invars[0])[eqn.params["axis"]]
    if name.startswith("scatter"):
        return float(math.prod(_shape(eqn.invars[2])))
    if name in ("argmax", "argmin"):
        return largest * _ARGUMENT_FLOPS
    if name == "integer_pow":
        return largest * 2.0 * abs(eqn.params["y"]).bit_length()
    return largest * (_COSTLY_FLOPS if name in _COSTLY else 1.0)


def _shape(v: Any) -> tuple[int, ...]:
    return v.aval.shape


def _bytes(v: Any) -> float:
    return float(math.prod(_shape(v)) * v.aval.dtype.itemsize)


def _last_uses(jaxpr: Jaxpr) -> dict[int, list[Any]]:
    """Equation index -> values that nothing needs after it."""
    kept = {v for v in jaxpr.outvars if not isinstance(v, Literal)}
    last: dict[Any, int] = {}
    for index, eqn in enumerate(jaxpr.eqns):
        for v in [*eqn.invars, *eqn.outvars]:
            if not isinstance(v, Literal):
                last[v] = index
    dying: dict[int, list[Any]] = {}
    for v, index in last.items():
        if v not in kept:
            dying.setdefault(index, []).append(v)
    return dying
