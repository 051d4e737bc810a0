"""The monitors people use: one formula over named samples, or all requirements over a robot's flat vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from healing_runtime.core.records import Verdict
from healing_runtime.core.signals import Layout, SignalTable
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.formula import Formula, Reference
from healing_runtime.stl.program import MonitorOut, MonitorState, Program
from healing_runtime.stl.samples import check_dtype, check_formula, instant
from healing_runtime.stl.ticks import check_online, exact_period, in_ticks
from healing_runtime.stl.windows import RING_ALONE, RING_IN_BATCH

STALE_PERIODS = 2.0


class Monitor(NamedTuple):
    """A pure state machine of fixed size; `update` may be jitted, scanned and vmapped.

    Attributes:
        init: () -> state.
        update: (state, true, observed) -> (state, MonitorOut), or (state, sample) -> (state, Verdict) from `online`.
        ended: state -> Verdict, as `MonitorOut.ended`; for the end of a scan that kept no outputs.
        atoms: texts of the distinct atoms, in the order of `MonitorOut.atoms`.
        restarts: one entry a requirement, in their order: a pytree like the state, of Python bools. True marks the
            leaves that go back to their value in `init()` when that requirement's obligation restarts after a
            violation: its latched verdict and its own roots. The clock, the triggers and the sub-formulas that
            requirements share go on, so deadlines stay where they are, and a past window still holds what it saw.
    """

    init: Callable[[], MonitorState]
    update: Callable[..., tuple[MonitorState, Any]]
    ended: Callable[[MonitorState], Verdict]
    atoms: tuple[str, ...]
    restarts: tuple[Any, ...]


def online(formula: Formula, dt_s: float, dtype: Any = jnp.float32) -> Monitor:
    """A monitor of one formula, judged from the first sample.

    `update(state, sample)` takes a mapping from signal names to scalars or vectors (`observed(x)` is read under the key
    `"observed(x)"`, else as `x`) and returns the verdict while running.

    Raises:
        AssertionSyntaxError: the formula is outside the online fragment, or a bound is not a whole number of ticks.
        InputError: a period that is not positive, a dtype that is not floating, or (from `update`) a sample that lacks
            a signal or has another shape than the formula reads.
    """
    check_formula(formula)
    check_dtype(dtype)
    resolved = in_ticks(formula, exact_period(dt_s))
    check_online(resolved)
    program = Program([resolved])

    def update(state: MonitorState, sample: Mapping[str, Any]) -> tuple[MonitorState, Verdict]:
        state, out = program.update(state, instant(sample, dtype), jnp.zeros((), dtype))
        return state, _only(out.now)

    def ended(state: MonitorState) -> Verdict:
        return _only(program.ended(state, jnp.zeros((), dtype)))

    return Monitor(lambda: program.init(dtype), update, ended, program.atom_texts, program.restarts(dtype))


def online_all(
    requirements: Sequence[Requirement],
    table: SignalTable,
    control_hz: int,
    dtype: Any = jnp.float32,
    *,
    alone: bool = False,
    conditions: Sequence[Formula] = (),
) -> Monitor:
    """One monitor of all requirements over a robot's flat vectors, which also tells of `conditions` whether they hold.

    `update(state, true, observed)` takes vectors in the table's layouts and the dtype given here. Where `true` holds an
    age of x (`<x>_age`), `observed(x)` is NaN, hence invalid, unless that is two control periods at most. `alone` suits
    a tick that is called by itself (fewest operations); without it the monitor suits scans and batches (fewest memory
    accesses). Verdicts are the same.

    Raises:
        AssertionSyntaxError: a formula is outside the online fragment.
    """
    for requirement in requirements:
        check_online(requirement.formula)
    formulas = [requirement.formula for requirement in requirements]
    program = Program(formulas, ring_up_to=RING_ALONE if alone else RING_IN_BATCH, conditions=conditions)
    limit_s = STALE_PERIODS / control_hz * (1 + 1e-6)

    def update(state: MonitorState, true: Array, observed: Array) -> tuple[MonitorState, MonitorOut]:
        def read(reference: Reference) -> Array:
            if not reference.observed:
                return _column(true, table.true, reference)
            found, age = _column(observed, table.observed, reference), f"{reference.signal}_age"
            if age not in table.true:
                return found
            return jnp.where(true[table.true.slices[age].start] <= limit_s, found, jnp.nan)

        return program.update(state, read, jnp.zeros((), dtype))

    def ended(state: MonitorState) -> Verdict:
        return program.ended(state, jnp.zeros((), dtype))

    return Monitor(lambda: program.init(dtype), update, ended, program.atom_texts, program.restarts(dtype))


def _column(vector: Array, layout: Layout, reference: Reference) -> Array:
    columns = layout.slices[reference.signal]
    if reference.index is not None:
        return vector[columns.start + reference.index]
    return vector[columns] if reference.size else vector[columns.start]


def _only(verdict: Verdict) -> Verdict:
    return Verdict(*(part[0] for part in verdict))
