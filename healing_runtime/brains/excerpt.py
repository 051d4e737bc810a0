"""Numbers for a reader with a budget: many ticks as a few, dense where it happened and sparse before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

DENSE = 6
MAX_SAMPLES = 20


def number(value: Any) -> str:
    """Render one value with four significant digits; NaN and infinities by name."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "nan" if value is None else str(value)
    value = float(value)
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return f"{value:.4g}" if value else "0"


def sample(length: int, *, dense: int = DENSE, limit: int = MAX_SAMPLES) -> tuple[int, ...]:
    """Choose at most `limit` indices out of `length`, ascending: the first, the last `dense`, and gaps that widen.

    Counted back from the end the gaps are equal ratios, so that the onset of a divergence is in view whether it took
    three ticks or three hundred.
    """
    if length <= limit:
        return tuple(range(length))
    back = set(range(dense)) | {length - 1}
    ratio = ((length - 1) / dense) ** (1.0 / (limit - dense))
    back |= {round(dense * ratio**i) for i in range(1, limit - dense)}
    return tuple(sorted(length - 1 - b for b in back if b < length))


def table(ticks: Sequence[int], columns: Mapping[str, Sequence[float]], control_hz: int) -> str:
    """Render columns as lines of `name: values`, after a line of ticks; a column that never moves is one value.

    Columns of another length than `ticks` are left out: they belong to something else.
    """
    chosen = sample(len(ticks))
    if not chosen:
        return "(no samples)"
    lines = [
        "tick: " + " ".join(str(ticks[i]) for i in chosen),
        "t_s: " + " ".join(f"{ticks[i] / control_hz:.3f}" for i in chosen),
    ]
    for name, values in columns.items():
        if len(values) != len(ticks):
            continue
        if all(number(v) == number(values[0]) for v in values):
            lines.append(f"{name}: {number(values[0])} throughout")
        else:
            lines.append(f"{name}: " + " ".join(number(values[i]) for i in chosen))
    return "\n".join(lines)


def mapping(values: Mapping[str, Any]) -> str:
    """Render a flat mapping of settings as `key = value` lines, sorted."""
    return "\n".join(f"{key} = {_setting(values[key])}" for key in sorted(values)) or "(nothing)"


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_setting(v) for v in value) + "]"
    return number(value)
