"""The place from which the loop takes its program: read once a tick, replaced between two ticks."""

from __future__ import annotations

import collections
import time

from healing_runtime.compile.programs import Program


class Slot:
    """A double buffer of programs.

    `live` is read once per tick, and that read decides the whole tick. `swap` is one reference store; the program it
    replaces stays loaded in `previous` until `settle`, so that probation can roll back in the same way. Any thread may
    `offer`; `swap`, `roll_back` and `settle` belong to one thread, which need not be the loop's.
    """

    def __init__(self, program: Program) -> None:
        self.live = program
        self.previous: Program | None = None
        # Appending and popping are one step each: an offer that meets a swap is either swapped in or kept for the next.
        self._offered: collections.deque[Program] = collections.deque(maxlen=1)

    def offer(self, program: Program) -> None:
        """Lay a loaded and warmed program ready for the next swap; a newer offer replaces an older one."""
        self._offered.append(program)

    def swap(self) -> float:
        """Put the offered program in, between two ticks. Returns the seconds that the store took."""
        try:
            offered = self._offered.pop()
        except IndexError:
            raise RuntimeError("swap without an offer") from None
        self.previous = self.live
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
