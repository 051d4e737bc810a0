"""The live flight: plant, slot, recorder and journal, and the few things one does with them.

A deck knows how to fly on, freeze, fork and roll back. It decides nothing.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from healing_runtime.compile.programs import Program
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.codec import plain
from healing_runtime.core.plant import Plant
from healing_runtime.core.records import FinalVerdict, Scenario, Snapshot, Trace
from healing_runtime.core.status import Severity, Status
from healing_runtime.gate.report import counterexample
from healing_runtime.loop.recorder import Recorder
from healing_runtime.loop.rollout import Stop, advance, bring_to, evaluate, final_verdicts
from healing_runtime.loop.slot import Slot
from healing_runtime.supervisor.guided import Guided
from healing_runtime.supervisor.journal import Journal


class Segment(NamedTuple):
    """From `first` on `program` flew, starting with `carry`."""

    first: int
    program: Program
    carry: Vectors


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Rows and memory at a trip, kept until the patch that followed has passed its probation."""

    tick: int
    branch: int
    segments: tuple[Segment, ...]
    observed: np.ndarray
    true: np.ndarray
    action: np.ndarray
    packed: np.ndarray
    onsets: dict[int, int]


class Deck:
    """One run's flight. `tick` is where the plant stands; `carry` is the program's memory before that tick."""

    def __init__(self, plant: Plant, scenario: Scenario, program: Program, journal: Journal) -> None:
        self.plant, self.scenario, self.journal = plant, scenario, journal
        self.slot = Slot(program)
        self.recorder = Recorder(scenario, plant.signals, plant.release)
        self.recorder.fit(program.interface.packed_size)
        self.tick = 0
        self.carry = program.start()
        self.segments: tuple[Segment, ...] = (Segment(0, program, copied(self.carry)),)
        self.branches = 0
        self._ended: Stop | None = None
        self._pardoned: tuple[str, ...] = ()
        self.final_branch = 0
        self.closed: dict[str, FinalVerdict] = {}
        plant.reset(scenario, scenario.seed)
        journal.attach(self.recorder, program.interface, 0)

    # ------------------------------------------------------------ flying
    def fly(self, pause_at: int = -1, recorded: np.ndarray | None = None) -> Stop:
        """Fly to the end, to a trip, or up to `pause_at`. A flight that has ended says again where it did.

        `recorded` are actions, one row a tick from 0 on, that are applied in place of the program's.
        """
        if self._ended is not None:
            return self._ended
        last, first = self.scenario.duration_ticks, self.tick
        stop = advance(
            self.plant if recorded is None else Guided(self.plant, recorded, first),
            self.slot,
            self.recorder,
            self.carry,
            self.tick,
            last,
            pause_at=pause_at,
            pardoned=self._pardoned,
        )
        self._pardoned = ()
        if recorded is not None:
            guided = slice(first, min(stop.tick, len(recorded)))
            self.recorder.action[guided] = recorded[guided]
        self.tick, self.carry = stop.tick, stop.carry
        self._ended = None if stop.paused else stop
        return stop

    def broken_here(self) -> tuple[str, ...]:
        """Ids of what was broken in the tick at which the flight stands."""
        return self.slot.live.interface.violated(self.recorder.packed[self.tick])

    def broken(self, stop: Stop) -> tuple[str, ...]:
        """Ids of what was broken where the flight stopped.

        what tripped, or at the end what the run leaves unfulfilled.
        """
        interface, row = self.slot.live.interface, self.recorder.packed[stop.tick]
        if stop.tripped:
            return interface.violated(row)
        ended = interface.verdicts(row, ended=True)
        return tuple(
            r.id
            for r in interface.judged
            if (r.mission and ended[r.id].status != Status.TRUE)
            or (r.severity == Severity.CRITICAL and ended[r.id].status.violated)
        )

    def counterexample(self, tick: int, broken: tuple[str, ...]) -> dict[str, Any]:
        """A tick at which something was broken, in numbers, as a report of the gate's flights has it."""
        command = self.recorder.packed[tick, self.slot.live.interface.slices["action"]]
        return plain(counterexample(self.plant.signals, tick, broken, self.recorder.observed[tick], command))

    # ------------------------------------------------------------ freezing
    def carry_before(self, tick: int) -> tuple[Program, Vectors]:
        """Who flew into a tick, and its memory before it, re-executed from the nearest copy."""
        first, program, carry = next(s for s in reversed(self.segments) if s.first <= tick)
        keyframe = self.recorder.before(tick)
        if keyframe is not None and keyframe.tick > first:
            first, carry = keyframe.tick, keyframe.carry
        return program, evaluate(program, self.recorder, copied(carry), first, tick)

    def freeze(self) -> Snapshot:
        """The world at the tick where the flight stands."""
        return Snapshot(
            tick=self.tick,
            state_hash=self.plant.state_hash(),
            recipe_actions=self.recorder.action[: self.tick].copy(),
            carry=tuple(self.carry_before(self.tick)[1]),
            onsets=tuple(sorted(self.recorder.onsets.items())),
        )

    def checkpoint(self) -> Checkpoint:
        """Copies of all rows, for `roll_back`."""
        r = self.recorder
        rows = (r.observed.copy(), r.true.copy(), r.action.copy(), r.packed.copy(), dict(r.onsets))
        return Checkpoint(self.tick, self.final_branch, self.segments, *rows)

    # ------------------------------------------------------------ forking
    def swap_in(self, program: Program, tick: int, carry: Vectors, pardoned: tuple[str, ...] = ()) -> float:
        """Take `program` over at `tick` with `carry`.

        rows from there on are a new branch. Returns the swap's seconds.
        """
        self.slot.offer(program)
        self._pardoned = pardoned
        self._stand_at(tick, carry)
        seconds = self.slot.swap()
        self.segments = (*(s for s in self.segments if s.first < tick), Segment(tick, program, copied(carry)))
        self._fork(tick)
        return seconds

    def roll_back(self, checkpoint: Checkpoint) -> None:
        """Return to the previous program and to the rows of a checkpoint; the flight stands at its trip again."""
        self.journal.detach()
        self.slot.roll_back()
        self.recorder.forget_keyframes()
        r = self.recorder
        r.observed[:], r.true[:], r.action[:] = checkpoint.observed, checkpoint.true, checkpoint.action
        r.packed, r.count, r.onsets = checkpoint.packed.copy(), checkpoint.tick + 1, dict(checkpoint.onsets)
        bring_to(self.plant, r, self.scenario, self.scenario.seed, checkpoint.tick)
        self.tick, self.final_branch, self.segments = checkpoint.tick, checkpoint.branch, checkpoint.segments
        self.journal.attach(r, self.slot.live.interface, r.count)

    def _stand_at(self, tick: int, carry: Vectors) -> None:
        """Bring the plant to `tick` and forget what came after it."""
        self.journal.detach()
        bring_to(self.plant, self.recorder, self.scenario, self.scenario.seed, tick)
        self.recorder.rewind(tick)
        self.tick, self.carry, self._ended = tick, carry, None

    def _fork(self, tick: int) -> None:
        self.branches += 1
        self.final_branch = self.branches
        self.recorder.fit(self.slot.live.interface.packed_size)
        self.journal.fork(self.branches)
        self.journal.attach(self.recorder, self.slot.live.interface, tick)

    # ------------------------------------------------------------ reading
    def trace(self) -> Trace:
        """The final branch so far."""
        return self.recorder.trace()

    def verdicts(self) -> tuple[FinalVerdict, ...]:
        """Verdicts of the final branch; an obligation closed under `freeze` stays as it was closed."""
        current = final_verdicts(self.slot.live, self.trace())
        return tuple(self.closed.get(v.id, v) for v in current)


def copied(carry: Vectors) -> Vectors:
    """A carry that a donating call cannot take away."""
    return Vectors(np.array(carry.floats), np.array(carry.ints))
