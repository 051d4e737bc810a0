"""The live flight: plant, slot, recorder and journal, and the few things one does with them.

A deck knows how to fly on, freeze, fork and roll back. It decides nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from healing_runtime.compile.carry import migrate
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
    valid_until: int | None
    observed: np.ndarray
    true: np.ndarray
    action: np.ndarray
    packed: np.ndarray
    onsets: dict[int, int]


class Deck:
    """One run's flight. `tick` is where the plant stands; `carry` is the program's memory before that tick.

    `valid_until` is the last tick for which the live program was validated, None where that is not limited: it judges
    that tick's sample at most, and no action of its is applied from there on.
    """

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
        self._trips = True
        self.valid_until: int | None = None
        self.final_branch = 0
        self.closed: dict[str, FinalVerdict] = {}
        plant.reset(scenario, scenario.seed)
        journal.attach(self.recorder, program.interface, 0)

    # ------------------------------------------------------------ flying
    def fly(self, pause_at: int = -1, recorded: np.ndarray | None = None) -> Stop:
        """Fly to the end, to a trip, up to `pause_at`, or as far as the program is valid.

        A flight that has ended says again where it did.

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
            pause_at=self._pause(pause_at),
            pardoned=self._pardoned,
            trips=self._trips,
        )
        self._pardoned = ()
        if recorded is not None:
            guided = slice(first, min(stop.tick, len(recorded)))
            self.recorder.action[guided] = recorded[guided]
        self.tick, self.carry = stop.tick, stop.carry
        self._ended = None if stop.paused else stop
        return stop

    @property
    def expired(self) -> bool:
        """Whether the flight stands where the live program's validity ends, with ticks left to fly."""
        return self.valid_until is not None and self.valid_until <= self.tick < self.scenario.duration_ticks

    def _pause(self, asked: int) -> int:
        """The first tick to pause at; negative for none. At the flight's last tick nothing is applied any more."""
        if self.valid_until is None or self.valid_until >= self.scenario.duration_ticks:
            return asked
        return self.valid_until if asked < 0 else min(asked, self.valid_until)

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
        return Checkpoint(self.tick, self.final_branch, self.segments, self.valid_until, *rows)

    # ------------------------------------------------------------ forking
    def swap_in(
        self,
        program: Program,
        tick: int,
        carry: Vectors,
        pardoned: tuple[str, ...] = (),
        valid_until: int | None = None,
    ) -> float:
        """Take `program` over at `tick` with `carry`, for as long as it is valid.

        rows from there on are a new branch. Returns the swap's seconds.
        """
        self.slot.offer(program)
        self._pardoned, self.valid_until = pardoned, valid_until
        self._stand_at(tick, carry)
        seconds = self.slot.swap()
        self.segments = (*(s for s in self.segments if s.first < tick), Segment(tick, program, copied(carry)))
        self._fork(tick)
        return seconds

    def fall_back(self, program: Program) -> None:
        """Hand the flight to the fallback in the tick at which it stands, with the memory before that tick.

        What the two controllers share of their memory moves, and the monitors go on. What the old controller's own
        assertions said stays on record. From here on violations are recorded and do not trip.
        """
        flew, carry = self.carry_before(self.tick)
        self.close_own((self.tick,) if self.recorder.count > self.tick else ())
        self._trips = False
        self.swap_in(program, self.tick, migrate(flew.interface, program.interface, carry, program.start()))

    def close_own(self, ticks: Iterable[int]) -> None:
        """Keep the violations of the live controller's own assertions at these ticks, which no monitor remembers."""
        interface = self.slot.live.interface
        for tick in ticks:
            verdicts = interface.verdicts(self.recorder.packed[tick])
            for r in interface.judged[len(interface.requirements) :]:
                verdict = verdicts[r.id]
                if verdict.status.violated and r.id not in self.closed:
                    rho = float(verdict.rho)
                    self.closed[r.id] = FinalVerdict(r.id, verdict.status, rho, rho, r.severity, False, tick, tick)

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
        self.valid_until = checkpoint.valid_until
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
        """Verdicts of the final branch; an obligation that was closed stays as it was closed."""
        current = final_verdicts(self.slot.live, self.trace())
        left = {id: v for id, v in self.closed.items() if id not in {v.id for v in current}}
        return (*(self.closed.get(v.id, v) for v in current), *left.values())


def copied(carry: Vectors) -> Vectors:
    """A carry that a donating call cannot take away."""
    return Vectors(np.array(carry.floats), np.array(carry.ints))
