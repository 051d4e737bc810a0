"""The monitors people use: one formula over named samples, or all requirements over a robot's flat vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from healing_runtime.core.records import Verdict
from healing_runtime.core.signals import SignalTable
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.formula import Formula, Reference, references
from healing_runtime.stl.program import MonitorOut, MonitorState, Program
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
    """

    init: Callable[[], MonitorState]
    update: Callable[..., tuple[MonitorState, Any]]
    ended: Callable[[MonitorState], Verdict]
    atoms: tuple[str, ...]


def online(formula: Formula, dt_s: float, dtype: Any = jnp.float32) -> Monitor:
    """A monitor of one formula, judged from the first sample.

    `update(state, sample)` takes a mapping from signal names to scalars or vectors (`observed(x)` is read under the key
    `"observed(x)"`, else as `x`) and returns the verdict while running.

    Raises:
        AssertionSyntaxError: the formula is outside the online fragment, or a bound is not a whole number of ticks.
    """
    resolved = in_ticks(formula, exact_period(dt_s))
    check_online(resolved)
    columns: dict[tuple[str, bool], slice] = {}
    for reference in references(resolved):
        start = max((c.stop for c in columns.values()), default=0)
        # The size of a whole vector is not known from a component of it; room for the largest index read is enough.
        needed = max(
            (r.size or (r.index or 0) + 1 for r in references(resolved) if _name(r) == _name(reference)), default=1
        )
        columns.setdefault(_name(reference), slice(start, start + needed))

    def column(reference: Reference) -> int | slice:
        return _column(columns[_name(reference)], reference)

    program = Program([resolved], column)

    def update(state: MonitorState, sample: Mapping[str, Any]) -> tuple[MonitorState, Verdict]:
        parts = []
        for (signal, observed), place in columns.items():
            name = f"observed({signal})"
            value = sample[name if observed and name in sample else signal]
            parts.append(jnp.asarray(value, dtype).reshape(-1)[: place.stop - place.start])
        state, out = program.update(state, jnp.concatenate(parts) if parts else jnp.zeros((0,), dtype))
        return state, Verdict(*(part[0] for part in out.now))

    def ended(state: MonitorState) -> Verdict:
        return Verdict(*(part[0] for part in program.ended(state)))

    return Monitor(lambda: program.init(dtype), update, ended, program.atom_texts)


def online_all(
    requirements: Sequence[Requirement],
    table: SignalTable,
    control_hz: int,
    dtype: Any = jnp.float32,
    *,
    alone: bool = False,
) -> Monitor:
    """One monitor of all requirements over a robot's flat vectors.

    `update(state, true, observed)` takes vectors in the table's layouts and the dtype given here. `observed(x)` is NaN,
    hence invalid, while `true` says that x is older than two control periods (`<x>_age`). `alone` suits a tick that is
    called by itself (fewest operations); without it the monitor suits scans and batches (fewest memory accesses). Verdicts
    are the same.

    Raises:
        AssertionSyntaxError: a formula is outside the online fragment.
    """
    for requirement in requirements:
        check_online(requirement.formula)
    formulas = [requirement.formula for requirement in requirements]
    ages = _ages({r.signal for f in formulas for r in references(f) if r.observed}, table)
    limit_s = STALE_PERIODS / control_hz * (1 + 1e-6)

    def column(reference: Reference) -> int | slice:
        layout, start = (table.observed, table.true.size) if reference.observed else (table.true, 0)
        place = layout.slices[reference.signal]
        return _column(slice(start + place.start, start + place.stop), reference)

    program = Program(formulas, column, ring_up_to=RING_ALONE if alone else RING_IN_BATCH)

    def update(state: MonitorState, true: Array, observed: Array) -> tuple[MonitorState, MonitorOut]:
        if (ages >= 0).any():
            stale = (ages >= 0) & (true[np.maximum(ages, 0)] > limit_s)
            observed = jnp.where(stale, jnp.nan, observed)
        return program.update(state, jnp.concatenate([true, observed]).astype(dtype))

    return Monitor(lambda: program.init(dtype), update, program.ended, program.atom_texts)


def _ages(read: set[str], table: SignalTable) -> np.ndarray:
    """For every observed column the true column that holds its age, or -1."""
    out = np.full(table.observed.size, -1, np.int32)
    for signal in read:
        if f"{signal}_age" in table.true:
            out[table.observed.slices[signal]] = table.true.slices[f"{signal}_age"].start
    return out


def _name(reference: Reference) -> tuple[str, bool]:
    return reference.signal, reference.observed


def _column(place: slice, reference: Reference) -> int | slice:
    if reference.index is not None:
        return place.start + reference.index
    return place if reference.size else place.start


