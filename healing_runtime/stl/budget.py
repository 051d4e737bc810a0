"""What the requirements of a run may cost, and the refusal of those that cost more; found out before anything is built.

A monitor's state travels with every snapshot of a run, and a repair flies 192 runs side by side. So there is one budget
for all requirements that are bound together.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from healing_runtime.stl.cost import memory_bytes
from healing_runtime.stl.formula import Apply, Formula, Window, walk
from healing_runtime.stl.parse import Text
from healing_runtime.stl.program import Program

MAX_BYTES = 4 << 20
"""State of the monitor: at 48 Hz a response within 1.7 hours, or one window of the past of 2.4 hours."""
MAX_PENDING = 20_000
"""Starts undecided at once, over all sub-formulas judged start by start. Each costs some 20 steps in every tick."""
MAX_WINDOWS = 10_000_000
"""Ticks of all windows added up; what is longer is refused unbuilt."""

Written = tuple[Formula, Text]
"""A formula in ticks, and its text."""


class _Need(NamedTuple):
    windows: int
    pending: int
    memory: int

    @property
    def too_much(self) -> str | None:
        """What is needed and what there is; None if it is enough."""
        if self.windows > MAX_WINDOWS:
            return f"has windows of {self.windows} ticks in all; there may be {MAX_WINDOWS}"
        if self.pending > MAX_PENDING:
            return f"keeps {self.pending} starts of sub-formulas undecided at once; there may be {MAX_PENDING}"
        if self.memory > MAX_BYTES:
            return f"remembers {self.memory / 2**20:.1f} MiB; the budget of a run is {MAX_BYTES / 2**20:g} MiB"
        return None


def check_budget(written: Sequence[Written]) -> None:
    """Refuse requirements that together need more than there is, at the first one that is too much.

    Raises:
        AssertionSyntaxError: with the place of its longest window, what is needed, and what there is.
    """
    if _need(written).too_much is None:
        return
    # One more never needs less, so the first count that is too much can be halved towards.
    fewer = range(1, len(written))
    count = 1 + bisect.bisect_left(fewer, True, key=lambda n: _need(written[:n]).too_much is not None)
    last = written[count - 1]
    if alone := _need([last]).too_much:
        _refuse(*last, f"judging this formula {alone}")
    _refuse(*last, f"judging this formula and the {count - 1} before it {_need(written[:count]).too_much}")


def _need(written: Sequence[Written]) -> _Need:
    formulas = [formula for formula, _ in written]
    ticks = sum(window.ticks[1] for formula in formulas for window in _windows(formula) if window.ticks)
    if ticks > MAX_WINDOWS:
        return _Need(ticks, 0, 0)
    program = Program(formulas)
    return _Need(ticks, program.pending, memory_bytes(program))


def _windows(formula: Formula) -> list[Window]:
    return [part.window for part in walk(formula) if isinstance(part, Apply) and part.window is not None]


def _refuse(formula: Formula, source: Text, what: str) -> NoReturn:
    windows = _windows(formula)
    if not windows:
        source.fail(f"{what}; remove some of them.", 0)
    longest = max(windows, key=lambda window: window.ticks[1] if window.ticks else 0)
    source.fail(f"{what}; shorten the windows, first of all '{longest.high.text}'.", longest.high.place)
