"""Formulas -> one fixed-size state machine in pure JAX, stepped once per tick.

What there is to step is laid out once, in `graph.py`. Nothing depends on data but the values.

The state is made of scalars and rings, and vectors over the requirements appear in the outputs only: in a batch a
scalar is a contiguous row over the lanes, which the compiler vectorises, and outputs that nobody reads are never
computed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from healing_runtime.core.records import Verdict
from healing_runtime.core.status import Status
from healing_runtime.stl import margin
from healing_runtime.stl.atoms import Read, key
from healing_runtime.stl.formula import Formula
from healing_runtime.stl.graph import Graph
from healing_runtime.stl.margin import Span
from healing_runtime.stl.nodes import ReadRoot
from healing_runtime.stl.operator import Bounds
from healing_runtime.stl.vacuity import Starts, triggers
from healing_runtime.stl.windows import RING_IN_BATCH

_UNKNOWN, _TRUE, _FALSE = int(Status.UNKNOWN), int(Status.TRUE), int(Status.FALSE)
_VACUOUS, _INVALID = int(Status.VACUOUS), int(Status.INVALID)
_WAITING, _FIRED, _SPOILT = 0, 1, 2  # of a trigger


class MonitorState(NamedTuple):
    """What is remembered between ticks.

    Attributes:
        tick: int32, samples seen.
        status: one int32 a requirement, its latched verdict.
        triggered: one int32 a trigger (see `vacuity`): whether it came true at a start that counts, or NaN came first.
        nodes, roots: states of the machines; many are empty.
    """

    tick: Array
    status: tuple[Array, ...]
    triggered: tuple[Array, ...]
    nodes: tuple[Any, ...]
    roots: tuple[Any, ...]


class MonitorOut(NamedTuple):
    """One tick's verdicts, arrays of length R in the order of the requirements.

    Attributes:
        now: the verdict while the run goes on, latched once decided.
        ended: the verdict if the run ended with this sample.
        atoms: robustness of every distinct atom, NaN where invalid.
        conditions: one Boolean a condition, whether it is true at this sample; false where it rests on NaN.
    """

    now: Verdict
    ended: Verdict
    atoms: Array
    conditions: Array


class Program:
    """The state machine of a set of formulas. Built once, then only read.

    Args:
        formulas: windows in ticks, within the online fragment.
        rewrite: False keeps every promise start by start; tests compare the two.
        ring_up_to: see `windows.least`.
        conditions: formulas without a future operator that are asked at every sample and judge nothing.

    Attributes:
        atoms, atom_texts: the distinct atoms, in the order of `MonitorOut.atoms`.
        pending: starts held undecided at once, over all nodes.
    """

    def __init__(
        self,
        formulas: Sequence[Formula],
        *,
        rewrite: bool = True,
        ring_up_to: int = RING_IN_BATCH,
        conditions: Sequence[Formula] = (),
    ) -> None:
        graph = Graph(rewrite=rewrite, ring_up_to=ring_up_to)
        self._reads: list[ReadRoot] = []
        self._owned: list[range] = []
        for formula in formulas:
            before = len(graph.roots)
            self._reads.append(graph.requirement(formula))
            self._owned.append(range(before, len(graph.roots)))
        self._rests_on = [graph.rests_on(f) for f in formulas]
        self._counts_by = [sorted({graph.trigger(*found) for found in triggers(f)}) for f in formulas]
        self._conditions = [(graph.stream(f), graph.rests_on(f)) for f in conditions]
        self._nodes, self._roots, self._triggers = tuple(graph.nodes), tuple(graph.roots), tuple(graph.triggers)
        self.atoms = tuple(graph.atoms)
        self.atom_texts = tuple(atom.text for atom in self.atoms)
        self.pending = sum(node.machine.horizon for node in self._nodes)

    def init(self, dtype: Any) -> MonitorState:
        """State before the first sample."""
        return MonitorState(
            jnp.zeros((), jnp.int32),
            tuple(jnp.full((), _UNKNOWN, jnp.int32) for _ in self._reads),
            tuple(jnp.full((), _WAITING, jnp.int32) for _ in self._triggers),
            tuple(node.machine.init(dtype) for node in self._nodes),
            tuple(root.init(dtype) for root, _ in self._roots),
        )

    def restarts(self, dtype: Any) -> tuple[MonitorState, ...]:
        """Per requirement, which leaves of the state go back to `init` when it restarts; see `Monitor.restarts`."""
        none: MonitorState = jax.tree.map(lambda _: False, jax.eval_shape(lambda: self.init(dtype)))
        return tuple(
            none._replace(
                status=tuple(at == requirement for at in range(len(self._reads))),
                roots=tuple(
                    jax.tree.map(functools.partial(_constant, at in owned), root) for at, root in enumerate(none.roots)
                ),
            )
            for requirement, owned in enumerate(self._owned)
        )

    def update(self, state: MonitorState, read: Read, like: Array) -> tuple[MonitorState, MonitorOut]:
        """One sample; `read` gives a reference's value, `like` is any scalar of the monitor's dtype."""
        tick = state.tick
        keys = [key(atom, read, like) for atom in self.atoms]
        states, spans = [], []
        for node, old in zip(self._nodes, state.nodes, strict=True):
            new, span = node.machine.step(old, tick, *([spans[a] for a in node.arguments] or [keys]))
            states.append(new)
            spans.append(span)
        roots = tuple(
            root.step(old, tick, *(spans[a] for a in arguments))
            for (root, arguments), old in zip(self._roots, state.roots, strict=True)
        )
        broken = [jnp.isnan(k) for k in keys]
        triggered = tuple(
            _latched(
                old,
                _fired(spans[trigger.node], self._nodes[trigger.node].machine.horizon, trigger.starts, tick),
                spoilt,
            )
            for trigger, old, spoilt in zip(
                self._triggers, state.triggered, [_any(broken, t.rests_on) for t in self._triggers], strict=True
            )
        )
        running, ended = self._bounds(roots, tick)
        invalid = [_any(broken, own) for own in self._rests_on]
        status = tuple(
            jnp.where(old == _UNKNOWN, jnp.where(bad, _INVALID, _status(bounds)), old)
            for old, bad, bounds in zip(state.status, invalid, running, strict=True)
        )
        new = MonitorState(tick + 1, status, triggered, tuple(states), roots)
        values = margin.rho(jnp.stack(keys)) if keys else jnp.zeros((0,), like.dtype)
        # The comparison is false for NaN; a window may have forgotten one that this sample brought.
        met = [(spans[node].lo > 0) & ~_any(broken, own) for node, own in self._conditions]
        conditions = jnp.stack(met) if met else jnp.zeros((0,), bool)
        return new, MonitorOut(_verdict(status, running, like), self._ended(new, ended, like), values, conditions)

    def ended(self, state: MonitorState, like: Array) -> Verdict:
        """The verdict if the run ended with the last sample."""
        return self._ended(state, self._bounds(state.roots, state.tick - 1)[1], like)

    def _bounds(self, roots: tuple[Any, ...], tick: Array) -> tuple[list[Bounds], list[Bounds]]:
        """Of every requirement: while running, and if the run ended with this tick."""
        readings = [root.read(state, tick) for (root, _), state in zip(self._roots, roots, strict=True)]
        pairs = [read(readings) for read in self._reads]
        return [running for running, _ in pairs], [ended for _, ended in pairs]

    def _ended(self, state: MonitorState, bounds: Sequence[Bounds], like: Array) -> Verdict:
        status = []
        for old, bound, own in zip(state.status, bounds, self._counts_by, strict=True):
            final = jnp.where(old == _UNKNOWN, _status(bound), old)
            if own:
                counted = _any([found == _FIRED for found in state.triggered], own)
                final = jnp.where((final == _TRUE) & ~counted, _VACUOUS, final)
            status.append(final)
        return _verdict(status, bounds, like)


def _constant(value: bool, _: Any) -> bool:
    return value


# ---------------------------------------------------------------- verdicts
def _fired(span: Span, horizon: int, starts: Starts, tick: Array) -> Array:
    """A trigger counts once its lower bound is true at a start at which its implication is judged."""
    low, high = starts
    start = tick - jnp.arange(horizon + 1) if horizon else tick
    judged = start >= low
    judged = judged if high is None else judged & (start <= high)
    return jnp.any((span.lo > 0) & judged)


def _latched(old: Array, fired: Array, spoilt: Array) -> Array:
    """A trigger counts by the samples before the first NaN that it rests on, as verdicts do."""
    new = jnp.where(spoilt, _SPOILT, jnp.where(fired, _FIRED, _WAITING))
    return jnp.where(old == _WAITING, new, old).astype(jnp.int32)


def _any(marks: Sequence[Array], which: Sequence[int]) -> Array:
    return functools.reduce(jnp.logical_or, [marks[at] for at in which])


def _status(bounds: Bounds) -> Array:
    undecided = jnp.where(bounds.lo > 0, _TRUE, _UNKNOWN)
    return jnp.where(bounds.hi < 0, _FALSE, undecided).astype(jnp.int32)


def _verdict(status: Sequence[Array], bounds: Sequence[Bounds], like: Array) -> Verdict:
    """Scalars of every requirement -> vectors."""
    if not bounds:
        empty = jnp.zeros((0,), like.dtype)
        return Verdict(jnp.zeros((0,), jnp.int32), empty, empty, empty)
    codes = jnp.stack(list(status))
    lo, rho, hi = (jnp.stack(part) for part in zip(*bounds, strict=True))
    rho = margin.decided(lo, rho, hi)
    invalid = codes == _INVALID
    return Verdict(
        codes,
        jnp.where(invalid, jnp.nan, margin.rho(rho)),
        jnp.where(invalid, -jnp.inf, margin.rho(lo)),
        jnp.where(invalid, jnp.inf, margin.rho(hi)),
    )
