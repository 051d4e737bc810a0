"""The line from the controller to the actuators: a command arrives at once, or late and in order."""

from __future__ import annotations

from .faults import NEVER

Command = tuple[float, ...]


class CommandLine:
    """Commands on their way. Steps are physics steps since t = 0.

    Attributes:
        delay_steps: how long a command that is given now takes.
        lost: whether a command that is given now never arrives.
        next_step: when the next one arrives; a plant's inner loop compares with this alone.
    """

    def __init__(self) -> None:
        self.delay_steps = 0
        self.lost = False
        self.next_step = NEVER
        self._under_way: tuple[tuple[int, Command], ...] = ()

    def give(self, step: int, command: Command) -> Command | None:
        """Send a command; it is returned where it arrives at once.

        One that is faster than those before it overtakes them: they never arrive, for an actuator follows the newest.
        """
        if self.lost:
            return None
        if self.delay_steps == 0 and not self._under_way:
            return command
        arrival = step + self.delay_steps
        self._set(tuple(entry for entry in self._under_way if entry[0] < arrival))
        if self.delay_steps == 0:
            return command
        self._set((*self._under_way, (arrival, command)))
        return None

    def arrived(self, step: int) -> Command:
        """The newest command that has arrived by `step`; ask only when `next_step` has come."""
        newest = next(command for arrival, command in reversed(self._under_way) if arrival <= step)
        self._set(tuple(entry for entry in self._under_way if entry[0] > step))
        return newest

    def save(self) -> tuple[tuple[int, Command], ...]:
        """What is on its way; delay and loss are faults', which come back with the faults."""
        return self._under_way

    def restore(self, saved: tuple[tuple[int, Command], ...]) -> None:
        """Return to what `save` gave."""
        self._set(saved)

    def _set(self, under_way: tuple[tuple[int, Command], ...]) -> None:
        self._under_way = under_way
        self.next_step = under_way[0][0] if under_way else NEVER
