"""States of a run and the transitions between them, as one table (healing.md)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping


class Mode(enum.StrEnum):
    """Where a run stands."""

    NOMINAL = "nominal"
    TRIPPED = "tripped"
    HELD = "held"
    REPAIRING = "repairing"
    READY = "ready"
    AWAITING = "awaiting_approval"
    PROBATION = "probation"
    FALLBACK = "fallback"
    ENDED = "ended"


class Event(enum.StrEnum):
    """What moves a run from one mode to the next."""

    VIOLATION = "violation"
    MISSION_MISSED = "mission_missed"
    PAUSE = "pause"
    REPAIR = "repair"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    ASK = "ask"
    APPROVED = "approved"
    REJECTED = "rejected"
    SWAP = "swap"
    PROBATION_PASSED = "probation_passed"
    ROLLED_BACK = "rolled_back"
    FALL_BACK = "fall_back"
    FINISH = "finish"


TRANSITIONS: Mapping[tuple[Mode, Event], Mode] = {
    (Mode.NOMINAL, Event.VIOLATION): Mode.TRIPPED,
    (Mode.NOMINAL, Event.MISSION_MISSED): Mode.TRIPPED,
    (Mode.TRIPPED, Event.PAUSE): Mode.HELD,
    (Mode.HELD, Event.REPAIR): Mode.REPAIRING,
    (Mode.REPAIRING, Event.ACCEPTED): Mode.READY,
    (Mode.REPAIRING, Event.REFUSED): Mode.HELD,
    (Mode.READY, Event.ASK): Mode.AWAITING,
    (Mode.AWAITING, Event.APPROVED): Mode.READY,
    (Mode.AWAITING, Event.REJECTED): Mode.HELD,
    (Mode.READY, Event.SWAP): Mode.PROBATION,
    (Mode.PROBATION, Event.PROBATION_PASSED): Mode.NOMINAL,
    (Mode.PROBATION, Event.ROLLED_BACK): Mode.HELD,
    **{(mode, Event.FALL_BACK): Mode.FALLBACK for mode in Mode if mode not in (Mode.FALLBACK, Mode.ENDED)},
    **{(mode, Event.FINISH): Mode.ENDED for mode in Mode if mode is not Mode.ENDED},
}


class Machine:
    """The current mode; every transition is told to `journal(tick, event, from, to)` before it counts."""

    def __init__(self, journal: Callable[[int, Event, Mode, Mode], None]) -> None:
        self.mode = Mode.NOMINAL
        self._journal = journal

    def fire(self, event: Event, tick: int) -> Mode:
        """Take the transition of the table. RuntimeError if the table has none: that is a defect, not an input."""
        try:
            after = TRANSITIONS[self.mode, event]
        except KeyError:
            raise RuntimeError(f"no transition from {self.mode} on {event}") from None
        self._journal(tick, event, self.mode, after)
        self.mode = after
        return after
