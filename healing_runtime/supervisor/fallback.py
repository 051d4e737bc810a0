"""The fallback flies on where no patch may: it takes over in the tick that tripped, and its flight is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from healing_runtime.compile.programs import Program
from healing_runtime.core.records import Source
from healing_runtime.core.status import Severity, Status
from healing_runtime.supervisor.deck import Deck

EXPIRED = "validity_expired"
"""Cause of a take-over: the patch that flew had been validated up to here."""


@dataclasses.dataclass(frozen=True)
class Fallback:
    """The scenario's fallback controller: admitted by the gate, compiled, loaded and warmed before take-off."""

    source: Source
    program: Program


@dataclasses.dataclass(frozen=True)
class TakeOver:
    """A flight that the fallback took over.

    Attributes:
        incident: the id of the incident that nothing healed; None where a patch was no longer valid.
        cause: why the fallback flew: the ending of that incident, or `validity_expired`.
        tick: the first tick that it computed; the action of this tick by the program before it was never applied.
        action_step: by column, the change from the action before to the first one of the fallback; None where there
            was none before, at tick 0.
        violated: what was broken while it flew, and had not been before, with the first tick of each.
        stopped: why it could not go on to the end; empty if it did.
    """

    source: Source
    incident: str | None
    cause: str
    tick: int
    action_step: Mapping[str, float] | None
    violated: tuple[tuple[str, int], ...] = ()
    stopped: str = ""

    def document(self, control_hz: int) -> dict[str, Any]:
        """As `result.json` holds it."""
        return {
            "controller": self.source.name,
            "sha256": self.source.sha256,
            "incident": self.incident,
            "cause": self.cause,
            "tick": self.tick,
            "t_s": self.tick / control_hz,
            "action_step": None if self.action_step is None else dict(self.action_step),
            "violated": [{"id": id, "tick": tick, "t_s": tick / control_hz} for id, tick in self.violated],
            "stopped": self.stopped,
        }


def fly_on(
    deck: Deck,
    fallback: Fallback,
    incident: str | None,
    cause: str,
    tell: Callable[[TakeOver], None],
    until: int = -1,
) -> TakeOver:
    """Fly to the end under the fallback, from the tick at which the deck stands; `until` pauses there.

    `tell` hears of the take-over after the fallback's first tick. The fallback stops nothing but its own flight, and
    that only where its action is not finite.
    """
    tick, recorder = deck.tick, deck.recorder
    known = frozenset(deck.broken_here()) if recorder.count > tick else frozenset()
    deck.fall_back(fallback.program)
    stop = deck.fly(pause_at=tick + 1)
    step = recorder.action[tick] - recorder.action[tick - 1] if tick else None
    columns = deck.plant.signals.action.columns
    stepped = None if step is None or stop.tripped else dict(zip(columns, map(float, step), strict=True))
    taken = TakeOver(fallback.source, incident, cause, tick, stepped)
    tell(taken)
    if not stop.tripped:
        stop = deck.fly(pause_at=until)
    stopped = f"the action of the fallback is not finite at tick {stop.tick}" if stop.tripped else ""
    violated = _violated(deck, tick, known)
    deck.close_own(first for id, first in violated if id.startswith("controller/"))
    return dataclasses.replace(taken, violated=violated, stopped=stopped)


def _violated(deck: Deck, first: int, known: frozenset[str]) -> tuple[tuple[str, int], ...]:
    """What would have tripped from tick `first` on, in the order in which it happened."""
    interface = deck.slot.live.interface
    rows, at = deck.recorder.packed[first : deck.recorder.count], interface.slices
    broken = {
        r.id: np.isin(rows[:, at["status"]][:, i], [int(Status.FALSE), int(Status.INVALID)])
        for i, r in enumerate(interface.requirements)
        if (r.severity == Severity.CRITICAL or r.mission) and r.id not in known
    }
    for i, slug in enumerate(interface.controller.contract):
        broken[f"controller/{slug}"] = ~(rows[:, at["contract_ok"]][:, i] > 0.0)
    found = [(id, first + int(np.argmax(when))) for id, when in broken.items() if when.any()]
    return tuple(sorted(found, key=lambda one: one[1]))
