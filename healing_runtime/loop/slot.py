"""The place from which the loop takes its program: read once a tick, replaced between two ticks."""

from __future__ import annotations

import time

from healing_runtime.compile.programs import Program


class Slot:
    """A double buffer of programs.

    `live` is read once per tick. `swap` is one reference store; the program it replaces stays loaded in `previous`
    until `settle`, so that probation can roll back in the same way.
    """

    def __init__(self, program: Program) -> None:
        self.live = program
        self.previous: Program | None = None
        self._offered: Program | None = None

    def offer(self, program: Program) -> None:
        """Lay a loaded and warmed program ready for the next swap."""
        self._offered = program

    def swap(self) -> float:
        """Put the offered program in, between two ticks. Returns the seconds that the store took."""
        offered = self._offered
        if offered is None:
            raise RuntimeError("swap without an offer")
        self.previous, self._offered = self.live, None
        start = time.perf_counter()
        self.live = offered
        return time.perf_counter() - start

    def roll_back(self) -> None:
        """Return to the previous program."""
        if self.previous is None:
            raise RuntimeError("nothing to roll back to")
        self.live, self.previous = self.previous, None

    def settle(self) -> None:
        """Probation is over: forget the previous program."""
        self.previous = None
