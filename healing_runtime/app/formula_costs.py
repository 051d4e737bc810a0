"""The rows of `heal check`: when a formula's violation is seen, and what judging it costs."""

from __future__ import annotations

from typing import Any

from healing_runtime import stl
from healing_runtime.core.signals import SignalTable


def formula_row(bound: stl.Requirement, table: SignalTable, control_hz: int) -> dict[str, Any]:
    """One row; `horizon_s` is None if only the end of the run decides. See `stl.Cost` and `stl.ZeroDelay`."""
    costs = stl.cost(bound.formula)
    return {
        "id": bound.id,
        "file": bound.file,
        "severity": "mission" if bound.mission else str(bound.severity),
        "formula": bound.text,
        "control_hz": control_hz,
        "zero_delay": str(stl.zero_delay(bound.formula, table)),
        "horizon_s": None if costs.horizon_ticks is None else costs.horizon_ticks / control_hz,
        "memory_bytes": costs.memory_bytes,
        "steps_per_tick": costs.steps_per_tick,
    }
