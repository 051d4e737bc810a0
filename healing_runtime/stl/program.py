"""Formulas -> one fixed-size state machine in pure JAX, stepped once per tick.

Sub-formulas that are equal are one node, whichever requirement they come from. A node is a `Machine` of its operator; a
requirement is read off `Root`s, and most roots are *promises*, which are stepped together as one vector: a few vector
operations cost less in the tick than many scalar ones. Nothing depends on data but the values.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from healing_runtime.core.records import Verdict
from healing_runtime.core.status import Status
from healing_runtime.stl import margin, promises
from healing_runtime.stl.atoms import Atom, Table
from healing_runtime.stl.formula import Apply, Formula, Outside, Reference, walk
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import Bounds, Machine, Root, Ticks
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.promises import Promise
from healing_runtime.stl.safety import safety
from healing_runtime.stl.ticks import looks_ahead
from healing_runtime.stl.windows import RING_IN_BATCH

_UNKNOWN, _TRUE, _FALSE = int(Status.UNKNOWN), int(Status.TRUE), int(Status.FALSE)
_VACUOUS, _INVALID = int(Status.VACUOUS), int(Status.INVALID)


class MonitorState(NamedTuple):
    """What is remembered between ticks.

    Attributes:
        tick: int32, samples seen.
        status: int32[R], latched verdicts.
        triggered: bool[T], whether the trigger of an implication was ever true.
        promises: keys [2, P], the worst so far and what undecided starts are sure of.
        nodes, roots: states of the machines; many are empty.
    """

    tick: Array
    status: Array
    triggered: Array
    promises: Array
    nodes: tuple[Any, ...]
    roots: tuple[Any, ...]


class MonitorOut(NamedTuple):
    """One tick's verdicts, arrays of length R in the order of the requirements.

    Attributes:
        now: the verdict while the run goes on, latched once decided.
        ended: the verdict if the run ended with this sample.
        atoms: robustness of every distinct atom, NaN where invalid.
    """

    now: Verdict
    ended: Verdict
    atoms: Array


class _Node(NamedTuple):
    machine: Machine
    arguments: tuple[int, ...]


class _Readings(NamedTuple):
    """Bounds of all promises [2, P] and of every other root [2]: while running, and if the run ended now."""

    promises: Bounds
    roots: tuple[Bounds, ...]


_Read = Callable[[_Readings], Bounds]


class Program:
    """The nodes of a set of formulas, shared where they are equal. Built once, then only read.

    Args:
        formulas: windows in ticks, within the online fragment.
        column: reference -> column or columns of the flat vector that `update` is given.
        rewrite: False keeps every promise start by start; tests compare the two.
        ring_up_to: see `windows.least`.
    """

    def __init__(
        self,
        formulas: Sequence[Formula],
        column: Callable[[Reference], int | slice],
        *,
        rewrite: bool = True,
        ring_up_to: int = RING_IN_BATCH,
    ) -> None:
        self._rewrite = rewrite
        self._ring_up_to = ring_up_to
        self._atoms: list[Atom] = []
        self._nodes: list[_Node] = []
        self._roots: list[tuple[Root, tuple[int, ...]]] = []
        self._promises: list[Promise] = []
        self._triggers: list[int] = []
        self._seen: dict[Any, int] = {}
        self._reads = [self._root(formula) for formula in formulas]
        own = [{self._atom(part) for part in walk(f) if not isinstance(part, Apply)} for f in formulas]
        fired = [{self._trigger(trigger) for trigger in _triggers(f)} for f in formulas]
        self._rests_on = np.array([[a in atoms for a in range(len(self._atoms))] for atoms in own], bool)
        self._counts_by = np.array([[t in ts for t in range(len(self._triggers))] for ts in fired], bool)
        self._table = Table(self._atoms, column)
        self._direct = [self._promise_of(read) for read in self._reads]
        self.atom_texts = tuple(atom.text for atom in self._atoms)

    # ------------------------------------------------ building: values at every start
    def _atom(self, atom: Atom) -> int:
        key = ("atom", atom)
        if key not in self._seen:
            self._seen[key] = len(self._atoms)
            self._atoms.append(atom)
        return self._seen[key]

    def _add(self, key: Any, make: Callable[[], _Node]) -> int:
        if key not in self._seen:
            node = make()
            self._seen[key] = len(self._nodes)
            self._nodes.append(node)
        return self._seen[key]

    def _horizon(self, node: int) -> int:
        return self._nodes[node].machine.horizon

    def _stream(self, formula: Formula) -> int:
        """The node that yields a formula's value at every start."""
        if isinstance(formula, Outside):
            return self._add(formula, lambda: _Node(_outside(formula), ()))
        if not isinstance(formula, Apply):
            atom = self._atom(formula)
            return self._add(("value", atom), lambda: _Node(_read_atom(atom), ()))
        operator = OPERATORS[formula.operator]
        arguments = tuple(self._stream(argument) for argument in formula.arguments)
        ticks = _ticks(formula)
        horizons = [self._horizon(a) for a in arguments]
        if operator.connect is not None:
            reach = max(horizons)
            machine = Machine(reach, _stateless, _connect(operator.connect))
        else:
            machine = operator.stream(ticks, *horizons, ring_up_to=self._ring_up_to)
            reach = machine.horizon if max(horizons) else 0
        arguments = tuple(self._widened(a, reach) for a in arguments)
        return self._add((formula.operator, ticks, arguments), lambda: _Node(machine, arguments))

    def _widened(self, node: int, horizon: int) -> int:
        """The node's spans with decided starts remembered up to a greater age."""
        own = self._horizon(node)
        if own == horizon:
            return node
        return self._add(("widen", node, horizon), lambda: _Node(_remember(own, horizon), (node,)))

    # ------------------------------------------------ building: the value at the first sample
    def _root(self, formula: Formula) -> _Read:
        if isinstance(formula, Apply):
            operator = OPERATORS[formula.operator]
            if operator.connect is not None and looks_ahead(formula):
                return _connect_roots(operator.connect, [self._root(argument) for argument in formula.arguments])
            if formula.operator in ("always", "eventually"):
                return self._promise(formula)
            if operator.root is not None:
                return self._start_by_start(formula)
        node = self._stream(formula)
        return self._add_root(("first", node), (node,), _first_sample)

    def _promise(self, formula: Apply) -> _Read:
        """`always`, without an array of pending starts where that can be; `eventually` is its dual."""
        (body,) = formula.arguments
        dual, ticks = formula.operator == "eventually", _ticks(formula)
        body = Apply("not", (body,)) if dual else body
        if looks_ahead(body):
            if not self._rewrite:
                return self._start_by_start(formula)
            fold, pending, rest = safety(body, ticks)
        else:
            fold, pending, rest = body, None, ()
        reads = [self._add_promise(fold, pending, ticks, dual)] if fold is not None else []
        others = [self._start_by_start(Apply("always", (part,), formula.window)) for part in rest]
        reads += [_negated(read) for read in others] if dual else others
        join = OPERATORS["or" if dual else "and"].connect
        return functools.reduce(lambda one, other: _connect_roots(join, [one, other]), reads)

    def _add_promise(self, fold: Formula, pending: Formula | None, ticks: Ticks, dual: bool) -> _Read:
        gated = None if pending is not None and ticks is not None else ticks
        promise = Promise(
            self._stream(fold), None if pending is None else self._stream(pending), ticks, dual, gated is not None
        )
        if promise not in self._promises:
            self._promises.append(promise)
        return _ReadPromise(self._promises.index(promise))

    def _start_by_start(self, formula: Apply) -> _Read:
        """The operator's own root, over the pending starts of its arguments."""
        operator = OPERATORS[formula.operator]
        arguments = tuple(self._stream(argument) for argument in formula.arguments)
        reach = max(self._horizon(a) for a in arguments)
        arguments = tuple(self._widened(a, reach) for a in arguments)
        ticks, horizons = _ticks(formula), [reach] * len(arguments)
        return self._add_root((formula.operator, ticks, arguments), arguments, lambda: operator.root(ticks, *horizons))

    def _add_root(self, key: Any, arguments: tuple[int, ...], make: Callable[[], Root]) -> _Read:
        key = ("root", key)
        if key not in self._seen:
            self._seen[key] = len(self._roots)
            self._roots.append((make(), arguments))
        at = self._seen[key]
        return lambda readings: readings.roots[at]

    def _trigger(self, formula: Formula) -> int:
        node = self._stream(formula)
        if node not in self._triggers:
            self._triggers.append(node)
        return self._triggers.index(node)

    @staticmethod
    def _promise_of(read: _Read) -> int | None:
        return read.at if isinstance(read, _ReadPromise) else None

    # ------------------------------------------------ running
    def init(self, dtype: Any) -> MonitorState:
        """State before the first sample."""
        return MonitorState(
            jnp.zeros((), jnp.int32),
            jnp.full((len(self._reads),), _UNKNOWN, jnp.int32),
            jnp.zeros((len(self._triggers),), bool),
            jnp.full((2, len(self._promises)), jnp.inf, dtype),
            tuple(node.machine.init(dtype) for node in self._nodes),
            tuple(root.init(dtype) for root, _ in self._roots),
        )

    def update(self, state: MonitorState, vector: Array) -> tuple[MonitorState, MonitorOut]:
        """One sample, as a flat vector in the monitor's dtype."""
        tick = state.tick
        keys = self._table.keys(vector)
        nodes, spans = [], []
        for node, old in zip(self._nodes, state.nodes, strict=True):
            new, span = node.machine.step(old, tick, *([spans[a] for a in node.arguments] or [keys]))
            nodes.append(new)
            spans.append(span)
        kept = promises.step(self._promises, state.promises, tick, spans)
        roots = tuple(
            root.step(old, tick, *(spans[a] for a in arguments))
            for (root, arguments), old in zip(self._roots, state.roots, strict=True)
        )
        triggered = state.triggered
        if self._triggers:
            triggered |= jnp.stack([_fired(spans[node], self._horizon(node), tick) for node in self._triggers])
        bounds = self._bounds(kept, roots, tick)
        fresh = _status(bounds)
        invalid = jnp.any(self._rests_on & jnp.isnan(keys), axis=1)
        now = jnp.where(state.status == _UNKNOWN, jnp.where(invalid, _INVALID, fresh[0]), state.status)
        both = _verdict(jnp.stack([now, self._at_end(now, fresh[1], triggered)]), bounds)
        new = MonitorState(tick + 1, now, triggered, kept, tuple(nodes), roots)
        return new, MonitorOut(_row(both, 0), _row(both, 1), margin.rho(keys))

    def ended(self, state: MonitorState) -> Verdict:
        """The verdict if the run ended with the last sample."""
        bounds = Bounds(*(part[1] for part in self._bounds(state.promises, state.roots, state.tick - 1)))
        return _verdict(self._at_end(state.status, _status(bounds), state.triggered), bounds)

    def _bounds(self, kept: Array, roots: tuple[Any, ...], tick: Array) -> Bounds:
        """[2, R]: while running, and if the run ended with this tick."""
        others = tuple(
            Bounds(*(jnp.stack(pair) for pair in zip(*root.read(state, tick), strict=True)))
            for (root, _), state in zip(self._roots, roots, strict=True)
        )
        return self._gather(_Readings(promises.read(self._promises, kept, tick), others))

    def _gather(self, readings: _Readings) -> Bounds:
        """In the order of the requirements; where all are promises, these as they are."""
        if None not in self._direct:
            order = np.array(self._direct, np.int32)
            same = len(order) == len(self._promises) and np.array_equal(order, np.arange(len(order)))
            return readings.promises if same else Bounds(*(part[:, order] for part in readings.promises))
        columns = zip(*(read(readings) for read in self._reads), strict=True)
        return Bounds(*(jnp.stack(column, axis=1) for column in columns))

    def _at_end(self, latched: Array, fresh: Array, triggered: Array) -> Array:
        status = jnp.where(latched == _UNKNOWN, fresh, latched)
        if not self._triggers:
            return status
        counted = jnp.any(self._counts_by & triggered, axis=1) | ~self._counts_by.any(axis=1)
        return jnp.where((status == _TRUE) & ~counted, _VACUOUS, status)


# ---------------------------------------------------------------- pieces
class _ReadPromise(NamedTuple):
    at: int

    def __call__(self, readings: _Readings) -> Bounds:
        return Bounds(*(part[:, self.at] for part in readings.promises))


def _negated(read: _Read) -> _Read:
    return lambda readings: -read(readings)


def _connect_roots(connect: Callable[..., Span], reads: Sequence[_Read]) -> _Read:
    def read(readings: _Readings) -> Bounds:
        parts = [one(readings) for one in reads]
        outer = connect(*(Span(part.lo, part.hi) for part in parts))
        return Bounds(outer.lo, connect(*(Span.exact(part.rho) for part in parts)).lo, outer.hi)

    return read


def _ticks(formula: Apply) -> Ticks:
    return formula.window.ticks if formula.window else None


def _stateless(dtype: Any) -> tuple[()]:
    return ()


def _read_atom(atom: int) -> Machine:
    return Machine(0, _stateless, lambda state, tick, keys: (state, Span.exact(keys[atom])))


def _outside(span: Outside) -> Machine:
    def step(state: Any, tick: Array, keys: Array) -> tuple[Any, Span]:
        inside = tick >= span.low
        inside = inside if span.high is None else inside & (tick <= span.high)
        infinity = jnp.asarray(jnp.inf, keys.dtype)
        return state, Span.exact(jnp.where(inside, -infinity, infinity))

    return Machine(0, _stateless, step)


def _connect(connect: Callable[..., Span]) -> Callable[..., tuple[Any, Span]]:
    return lambda state, tick, *spans: (state, connect(*spans))


def _remember(own: int, horizon: int) -> Machine:
    """Decided values of the last starts, newest first, behind a span of horizon `own`."""

    def init(dtype: Any) -> Array:
        return jnp.zeros((horizon - own,), dtype)

    def step(past: Array, tick: Array, span: Span) -> tuple[Array, Span]:
        lo, hi = (jnp.atleast_1d(bound) for bound in span)
        out = Span(jnp.concatenate([lo, past]), jnp.concatenate([hi, past]))
        return jnp.concatenate([lo[-1:], past])[:-1], out

    return Machine(horizon, init, step)


def _first_sample() -> Root:
    """A formula without a future operator, judged at the first sample."""

    def step(state: Array, tick: Array, span: Span) -> Array:
        return jnp.where(tick == 0, span.lo, state)

    def read(state: Array, tick: Array) -> tuple[Bounds, Bounds]:
        bounds = Bounds(state, state, state)
        return bounds, bounds

    return Root(lambda dtype: jnp.zeros((), dtype), step, read)


def _fired(span: Span, horizon: int, tick: Array) -> Array:
    """A trigger counts once its lower bound is true at some start."""
    if horizon == 0:
        return span.lo > 0
    return jnp.any((span.lo > 0) & (jnp.arange(horizon + 1) <= tick))


def _triggers(formula: Formula) -> tuple[Formula, ...]:
    """Triggers of the implications that, if none of them ever came true, leave a true formula vacuous."""
    match formula:
        case Apply("implies", (trigger, _)):
            return () if _unbounded(trigger) else (trigger,)
        case Apply("always", (body,)):
            return _triggers(body)
        case Apply("and", (p, q)):
            parts = _triggers(p), _triggers(q)
            return (*parts[0], *parts[1]) if all(parts) else ()
    return ()


def _unbounded(formula: Formula) -> bool:
    """Whether only the end of the run decides some part of it."""
    return any(
        isinstance(part, Apply) and OPERATORS[part.operator].kind == "future" and part.window is None
        for part in walk(formula)
    )


def _row(verdict: Verdict, row: int) -> Verdict:
    return Verdict(*(part[row] for part in verdict))


def _status(bounds: Bounds) -> Array:
    undecided = jnp.where(bounds.lo > 0, _TRUE, _UNKNOWN)
    return jnp.where(bounds.hi < 0, _FALSE, undecided).astype(jnp.int32)


def _verdict(status: Array, bounds: Bounds) -> Verdict:
    invalid = status == _INVALID
    return Verdict(
        status,
        jnp.where(invalid, jnp.nan, margin.rho(bounds.rho)),
        jnp.where(invalid, -jnp.inf, margin.rho(bounds.lo)),
        jnp.where(invalid, jnp.inf, margin.rho(bounds.hi)),
    )
