"""Formulas -> one fixed-size state machine in pure JAX, stepped once per tick.

Sub-formulas that are equal are one node, whichever requirement they come from. A node is a `Machine` of its operator; a
requirement is read off `Root`s. Nothing depends on data but the values, so the whole can be scanned and vmapped.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from healing_runtime.core.records import Verdict
from healing_runtime.core.signals import Layout, SignalTable
from healing_runtime.core.status import Status
from healing_runtime.stl import atoms, margin
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.formula import Apply, Formula, Outside, Reference, walk
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import Bounds, Machine, Root
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.safety import promise, safety
from healing_runtime.stl.ticks import check_online, exact_period, in_ticks, looks_ahead

STALE_PERIODS = 2.0


class MonitorState(NamedTuple):
    """What is remembered between ticks.

    Attributes:
        tick: int32, samples seen.
        status: int32[R], latched verdicts.
        triggered: bool[T], whether the trigger of an implication was ever true.
        nodes, roots: states of the machines; many are empty.
    """

    tick: Array
    status: Array
    triggered: Array
    nodes: tuple[Any, ...]
    roots: tuple[Any, ...]


class MonitorOut(NamedTuple):
    """One tick's verdicts, arrays of length R in the order of the requirements.

    Attributes:
        now: the verdict while the run goes on, latched once decided.
        ended: the verdict if the run ended with this sample.
        atoms: robustness of every distinct atom (`Monitor.atoms` names them), NaN where invalid.
    """

    now: Verdict
    ended: Verdict
    atoms: Array


class Monitor(NamedTuple):
    """A pure state machine; `update` may be jitted, scanned and vmapped.

    Attributes:
        init: () -> state.
        update: (state, true, observed) -> (state, MonitorOut), or (state, sample) -> (state, Verdict) from `online`.
        ended: state -> Verdict, as `MonitorOut.ended`; for the end of a scan that kept no outputs.
        atoms: texts of the distinct atoms.
    """

    init: Callable[[], MonitorState]
    update: Callable[..., tuple[MonitorState, Any]]
    ended: Callable[[MonitorState], Verdict]
    atoms: tuple[str, ...]


class _Node(NamedTuple):
    machine: Machine
    arguments: tuple[int, ...]


class _Judged(NamedTuple):
    """How one requirement is read: bounds of the roots, the atoms it rests on, the triggers that make it count."""

    read: Callable[[tuple[tuple[Bounds, Bounds], ...]], tuple[Bounds, Bounds]]
    atoms: tuple[int, ...]
    triggers: tuple[int, ...]


class Program:
    """The nodes of a set of formulas, shared where they are equal. Built once, then only read."""

    def __init__(self, formulas: Sequence[Formula], *, rewrite: bool = True) -> None:
        self._rewrite = rewrite  # False keeps every promise start by start; the tests compare the two
        self.atoms: list[atoms.Atom] = []
        self.nodes: list[_Node] = []
        self.roots: list[tuple[Root, tuple[int, ...]]] = []
        self.triggers: list[int] = []
        self._seen: dict[Any, int] = {}
        self.judged = [self._judge(formula) for formula in formulas]

    # ------------------------------------------------ building
    def _judge(self, formula: Formula) -> _Judged:
        read = self._root(formula)
        own = tuple(sorted({self._atom(part) for part in walk(formula) if not isinstance(part, Apply)}))
        vacuous = _triggers(formula)
        return _Judged(read, own, tuple(self._trigger(t) for t in vacuous))

    def _trigger(self, formula: Formula) -> int:
        node = self._stream(formula)
        if node not in self.triggers:
            self.triggers.append(node)
        return self.triggers.index(node)

    def _atom(self, atom: atoms.Atom) -> int:
        if atom not in self._seen:
            self._seen[atom] = len(self.atoms)
            self.atoms.append(atom)
        return self._seen[atom]

    def _add(self, key: Any, make: Callable[[], _Node]) -> int:
        if key not in self._seen:
            node = make()
            self._seen[key] = len(self.nodes)
            self.nodes.append(node)
        return self._seen[key]

    def horizon(self, node: int) -> int:
        """Ticks after its start at which a node is decided."""
        return self.nodes[node].machine.horizon

    def _stream(self, formula: Formula) -> int:
        """The node that yields a formula's value at every start."""
        if isinstance(formula, Outside):
            return self._add(formula, lambda: _Node(_outside(formula), ()))
        if not isinstance(formula, Apply):
            atom = self._atom(formula)
            return self._add(("atom", atom), lambda: _Node(_read_atom(atom), ()))
        operator = OPERATORS[formula.operator]
        arguments = tuple(self._stream(argument) for argument in formula.arguments)
        ticks = formula.window.ticks if formula.window else None
        horizons = [self.horizon(a) for a in arguments]
        if operator.connect is not None:
            reach = max(horizons)
            machine = Machine(reach, _stateless, _connect(operator.connect))
        else:
            machine = operator.stream(ticks, *horizons)
            reach = machine.horizon if max(horizons) else 0
        arguments = tuple(self._widened(a, reach) for a in arguments)
        return self._add((formula.operator, ticks, arguments), lambda: _Node(machine, arguments))

    def _widened(self, node: int, horizon: int) -> int:
        """The node's spans with decided starts remembered up to a greater age."""
        own = self.horizon(node)
        if own == horizon:
            return node
        return self._add(("widen", node, horizon), lambda: _Node(_remember(own, horizon), (node,)))

    def _root(self, formula: Formula) -> Callable[..., tuple[Bounds, Bounds]]:
        """A reading of the formula's value at the first sample."""
        if isinstance(formula, Apply):
            operator = OPERATORS[formula.operator]
            if operator.connect is not None and looks_ahead(formula):
                return _connect_roots(operator.connect, [self._root(argument) for argument in formula.arguments])
            if formula.operator in ("always", "eventually") and looks_ahead(formula.arguments[0]) and self._rewrite:
                return self._promise(formula)
            if operator.root is not None:
                return self._start_by_start(formula)
        node = self._stream(formula)
        return self._add_root(("first", node), (node,), _first_sample)

    def _start_by_start(self, formula: Apply) -> Callable[..., tuple[Bounds, Bounds]]:
        """The operator's own root, over the pending starts of its arguments."""
        operator = OPERATORS[formula.operator]
        arguments = tuple(self._stream(argument) for argument in formula.arguments)
        reach = max(self.horizon(a) for a in arguments)
        arguments = tuple(self._widened(a, reach) for a in arguments)
        ticks = formula.window.ticks if formula.window else None
        horizons = [reach] * len(arguments)
        return self._add_root((formula.operator, ticks, arguments), arguments, lambda: operator.root(ticks, *horizons))

    def _promise(self, formula: Apply) -> Callable[..., tuple[Bounds, Bounds]]:
        """`always` over the future, without an array of pending starts where that can be; `eventually` is its dual."""
        (body,) = formula.arguments
        ticks = formula.window.ticks if formula.window else None
        dual = formula.operator == "eventually"
        parts = safety(Apply("not", (body,)) if dual else body, ticks)
        reads = []
        if parts.fold is not None:
            arguments = tuple(self._stream(part) for part in (parts.fold, parts.pending) if part is not None)
            reads.append(self._add_root(("promise", ticks, arguments), arguments, lambda: promise(ticks)))
        reads += [self._start_by_start(Apply("always", (rest,), formula.window)) for rest in parts.rest]
        both = OPERATORS["and"].connect
        read = functools.reduce(lambda one, other: _connect_roots(both, [one, other]), reads)
        return (lambda readings: tuple(-bounds for bounds in read(readings))) if dual else read

    def _add_root(self, key: Any, arguments: tuple[int, ...], make: Callable[[], Root]) -> Callable[..., Any]:
        key = ("root", key)
        if key not in self._seen:
            self._seen[key] = len(self.roots)
            self.roots.append((make(), arguments))
        at = self._seen[key]
        return lambda readings: readings[at]

    # ------------------------------------------------ running
    def init(self, dtype: Any) -> MonitorState:
        """State before the first sample."""
        return MonitorState(
            jnp.zeros((), jnp.int32),
            jnp.full((len(self.judged),), int(Status.UNKNOWN), jnp.int32),
            jnp.zeros((len(self.triggers),), bool),
            tuple(node.machine.init(dtype) for node in self.nodes),
            tuple(root.init(dtype) for root, _ in self.roots),
        )

    def update(self, state: MonitorState, read: atoms.Read, like: Array) -> tuple[MonitorState, MonitorOut]:
        """One sample. `like` is any scalar of the tick's dtype."""
        tick = state.tick
        keys = [atoms.key(atom, read, like) for atom in self.atoms]
        spans: list[Span] = []
        nodes = []
        for node, old in zip(self.nodes, state.nodes, strict=True):
            arguments = [spans[a] for a in node.arguments]
            new, span = node.machine.step(old, tick, *(arguments or [keys]))
            nodes.append(new)
            spans.append(span)
        roots = tuple(
            root.step(old, tick, *(spans[a] for a in arguments))
            for (root, arguments), old in zip(self.roots, state.roots, strict=True)
        )
        fired = [self._fired(spans[node], self.horizon(node), tick) for node in self.triggers]
        triggered = state.triggered | jnp.stack(fired) if fired else state.triggered
        broken = [jnp.isnan(key) for key in keys]
        invalid = jnp.stack([_any([broken[a] for a in judged.atoms]) for judged in self.judged])
        running, ended = self._bounds(roots, tick)
        status = jnp.where(invalid, int(Status.INVALID), _status(running))
        status = jnp.where(state.status == int(Status.UNKNOWN), status, state.status)
        new = MonitorState(tick + 1, status, triggered, tuple(nodes), roots)
        out = MonitorOut(
            _verdict(status, running),
            self._ended(new, ended),
            jnp.stack([margin.rho(key) for key in keys]),
        )
        return new, out

    def ended(self, state: MonitorState) -> Verdict:
        """The verdict if the run ended with the last sample."""
        return self._ended(state, self._bounds(state.roots, state.tick - 1)[1])

    def _fired(self, span: Span, horizon: int, tick: Array) -> Array:
        # An undecided trigger counts once its lower bound is true at some start.
        if horizon == 0:
            return span.lo > 0
        return jnp.any((span.lo > 0) & (jnp.arange(horizon + 1) <= tick))

    def _bounds(self, roots: tuple[Any, ...], tick: Array) -> tuple[Bounds, Bounds]:
        readings = tuple(root.read(state, tick) for (root, _), state in zip(self.roots, roots, strict=True))
        pairs = [judged.read(readings) for judged in self.judged]
        running, ended = (Bounds(*map(jnp.stack, zip(*side, strict=True))) for side in zip(*pairs, strict=True))
        return running, ended

    def _ended(self, state: MonitorState, bounds: Bounds) -> Verdict:
        status = jnp.where(state.status == int(Status.UNKNOWN), _status(bounds), state.status)
        conditional = np.array([bool(judged.triggers) for judged in self.judged])
        if conditional.any():
            never = [
                ~_any([state.triggered[t] for t in j.triggers]) if j.triggers else jnp.zeros((), bool)
                for j in self.judged
            ]
            vacuous = (status == int(Status.TRUE)) & jnp.stack(never)
            status = jnp.where(vacuous, int(Status.VACUOUS), status)
        return _verdict(status, bounds)


# ---------------------------------------------------------------- pieces
def _stateless(dtype: Any) -> tuple[()]:
    return ()


def _read_atom(atom: int) -> Machine:
    return Machine(0, _stateless, lambda state, tick, keys: (state, Span.exact(keys[atom])))


def _outside(span: Outside) -> Machine:
    def step(state: Any, tick: Array, keys: Sequence[Array]) -> tuple[Any, Span]:
        inside = tick >= span.low
        inside = inside if span.high is None else inside & (tick <= span.high)
        infinity = jnp.asarray(jnp.inf, keys[0].dtype)
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


def _connect_roots(connect: Callable[..., Span], reads: list[Callable[..., Any]]) -> Callable[..., Any]:
    def join(parts: Sequence[Bounds]) -> Bounds:
        outer = connect(*(Span(part.lo, part.hi) for part in parts))
        return Bounds(outer.lo, connect(*(Span.exact(part.rho) for part in parts)).lo, outer.hi)

    def read(readings: tuple[tuple[Bounds, Bounds], ...]) -> tuple[Bounds, Bounds]:
        pairs = [one(readings) for one in reads]
        return join([running for running, _ in pairs]), join([ended for _, ended in pairs])

    return read


def _triggers(formula: Formula) -> tuple[Formula, ...]:
    """Triggers of the implications that, if none of them ever came true, leave a true formula vacuous."""
    if not isinstance(formula, Apply):
        return ()
    if formula.operator == "implies":
        return (formula.arguments[0],) if not _unbounded(formula.arguments[0]) else ()
    if formula.operator == "always":
        return _triggers(formula.arguments[0])
    if formula.operator == "and":
        parts = [_triggers(argument) for argument in formula.arguments]
        return tuple(t for part in parts for t in part) if all(parts) else ()
    return ()


def _unbounded(formula: Formula) -> bool:
    """Whether only the end of the run decides some part of it."""
    return any(
        isinstance(part, Apply) and OPERATORS[part.operator].kind == "future" and part.window is None
        for part in walk(formula)
    )


def _any(values: Sequence[Array]) -> Array:
    out = values[0]
    for value in values[1:]:
        out = out | value
    return out


def _status(bounds: Bounds) -> Array:
    undecided = jnp.where(bounds.lo > 0, int(Status.TRUE), int(Status.UNKNOWN))
    return jnp.where(bounds.hi < 0, int(Status.FALSE), undecided).astype(jnp.int32)


def _verdict(status: Array, bounds: Bounds) -> Verdict:
    invalid = status == int(Status.INVALID)
    nan, infinity = jnp.nan, jnp.inf
    return Verdict(
        status,
        jnp.where(invalid, nan, margin.rho(bounds.rho)),
        jnp.where(invalid, -infinity, margin.rho(bounds.lo)),
        jnp.where(invalid, infinity, margin.rho(bounds.hi)),
    )


# ---------------------------------------------------------------- public
def online(formula: Formula, dt_s: float, dtype: Any = jnp.float32) -> Monitor:
    """A monitor of one formula, judged from the first sample.

    `update(state, sample)` takes a mapping from signal names to scalars or vectors (`observed(x)` is read under the key
    `"observed(x)"`, else as `x`) and returns the verdict while running.

    Raises:
        AssertionSyntaxError: the formula is outside the online fragment, or a bound is not a whole number of ticks.
    """
    resolved = in_ticks(formula, exact_period(dt_s))
    check_online(resolved)
    program = Program([resolved])

    def update(state: MonitorState, sample: Mapping[str, Any]) -> tuple[MonitorState, Verdict]:
        def read(reference: Reference) -> Array:
            name = f"observed({reference.signal})"
            found = sample[name if reference.observed and name in sample else reference.signal]
            found = jnp.asarray(found, dtype)
            return found if reference.index is None else found.reshape(-1)[reference.index]

        state, out = program.update(state, read, jnp.zeros((), dtype))
        return state, Verdict(*(part[0] for part in out.now))

    def ended(state: MonitorState) -> Verdict:
        return Verdict(*(part[0] for part in program.ended(state)))

    return Monitor(lambda: program.init(dtype), update, ended, tuple(a.text for a in program.atoms))


def online_all(
    requirements: Sequence[Requirement], table: SignalTable, control_hz: int, dtype: Any = jnp.float32
) -> Monitor:
    """One monitor of all requirements over a robot's flat vectors.

    `update(state, true, observed)` takes vectors in the table's layouts and the dtype given here. `observed(x)` is NaN,
    hence invalid, while `true` says that x is older than two control periods (`<x>_age`).

    Raises:
        AssertionSyntaxError: a formula is outside the online fragment.
    """
    for requirement in requirements:
        check_online(requirement.formula)
    program = Program([requirement.formula for requirement in requirements])
    limit_s = STALE_PERIODS / control_hz * (1 + 1e-6)

    def update(state: MonitorState, true: Array, observed: Array) -> tuple[MonitorState, MonitorOut]:
        def read(reference: Reference) -> Array:
            if not reference.observed:
                return _column(true, table.true, reference)
            found, age = _column(observed, table.observed, reference), f"{reference.signal}_age"
            if age not in table.true:
                return found
            return jnp.where(true[table.true.slices[age]][0] > limit_s, jnp.nan, found)

        return program.update(state, read, jnp.zeros((), dtype))

    return Monitor(lambda: program.init(dtype), update, program.ended, tuple(a.text for a in program.atoms))


def _column(vector: Array, layout: Layout, reference: Reference) -> Array:
    columns = layout.slices[reference.signal]
    if reference.index is not None:
        return vector[columns.start + reference.index]
    return vector[columns] if reference.size else vector[columns.start]
