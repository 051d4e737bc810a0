"""What judging a formula costs during a run: how long it stays undecided, and how much it remembers."""

from __future__ import annotations

from typing import Any

from healing_runtime import stl
from healing_runtime.core.signals import SignalTable
from healing_runtime.stl.formula import Apply
from healing_runtime.stl.ticks import horizon


def formula_row(bound: stl.Requirement, table: SignalTable, control_hz: int) -> dict[str, Any]:
    """One row of `heal check`."""
    return {
        "id": bound.id,
        "file": bound.file,
        "severity": "mission" if bound.mission else str(bound.severity),
        "formula": bound.text,
        "control_hz": control_hz,
        "horizon_s": _horizon_s(bound, control_hz),
        "memory_bytes": _memory_bytes(bound, table, control_hz),
    }


def _horizon_s(bound: stl.Requirement, control_hz: int) -> float | None:
    """How long a start can stay undecided; None if only the end of the run decides."""
    formula = bound.formula
    if isinstance(formula, Apply) and formula.operator == "always" and formula.window is None:
        formula = formula.arguments[0]
    ticks = horizon(formula)
    return None if ticks is None else ticks / control_hz


def _memory_bytes(bound: stl.Requirement, table: SignalTable, control_hz: int) -> int:
    """Size of the monitor's state; shapes only, nothing runs."""
    import jax

    leaves = jax.tree.leaves(jax.eval_shape(stl.online_all((bound,), table, control_hz).init))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)
