"""Plant + program -> trace. The live loop, the replay and the gate's flights all run through `advance`."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from healing_runtime.compile.carry import migrate, restart
from healing_runtime.compile.inlet import Inlet, inlet_for
from healing_runtime.compile.programs import Program
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.plant import Plant
from healing_runtime.core.records import FinalVerdict, Scenario, Trace
from healing_runtime.core.signals import Layout
from healing_runtime.core.status import Status
from healing_runtime.loop import triggers
from healing_runtime.loop.recorder import Keyframe, Recorder
from healing_runtime.loop.slot import Slot


class Stop(NamedTuple):
    """Where `advance` stopped. `carry` is the memory after that tick's evaluation, or before it where it `paused`."""

    tick: int
    tripped: bool
    carry: Vectors
    paused: bool = False


def advance(
    plant: Plant,
    slot: Slot,
    recorder: Recorder,
    carry: Vectors,
    first: int,
    last: int,
    *,
    pause_at: int = -1,
    keyframes: bool = True,
    pardoned: Collection[str] = (),
    trips: bool = True,
) -> Stop:
    """Fly ticks `first` to `last`, to the first trip, or up to (not including) `pause_at`.

    The plant stands at tick `first`, and `carry` is the memory of the program that is live then; one that is swapped in
    while this flies takes over in the next tick, with what the two share of that memory. At tick `last` the program
    judges the sample and its action is not applied: N ticks give N + 1 samples. The action of a tripped tick is never
    applied, but for one case: where a flight is taken over in the very tick in which it tripped, the obligations broken
    there are `pardoned` in tick `first` and begin anew after it. An action that is not finite is never applied,
    whatever is pardoned. Without `trips`, as a fallback flies, violations are only recorded, and nothing but an action
    that is not finite stops the flight. A fault whose formula is true at a sample begins with that tick's action (see
    `triggers`).
    """
    layout = plant.signals.action
    low, high = layout.low, layout.high
    rate = np.concatenate([np.full(s.size, s.rate_per_s) for s in layout]) / recorder.scenario.control_hz
    limited = bool(np.isfinite(rate).any())
    held = recorder.action[first - 1].copy() if first > 0 and np.isfinite(recorder.action[first - 1]).all() else None
    flown = _Flown.by(slot.live, recorder)
    recorder.fit(flown.program.interface.packed_size)
    every, ringing, memory = recorder.every, keyframes, carry.joined()
    waiting = triggers.waiting(recorder.scenario, recorder)
    tick = first
    while True:
        if tick == pause_at:
            return Stop(tick, False, flown.program.carried(memory), paused=True)
        program = slot.live  # the one read of this tick
        if program is not flown.program:
            memory, flown = _taken_over(flown.program, program, memory), _Flown.by(program, recorder)
            recorder.fit(program.interface.packed_size)
        sample = plant.sample()
        if ringing and tick % every == 0:
            recorder.keep(Keyframe(tick, plant.snapshot(), plant.state_hash(), program.carried(memory)))
        flown.inlet.values[:] = recorder.sense(tick, sample)
        memory, packed = program.call(program.params, memory, flown.inlet.sample)
        row = np.asarray(packed)
        recorder.write(tick, row)
        if row[flown.tripped] != 0.0:
            forgiven = not trips or (tick == first and set(program.interface.violated(row)) <= set(pardoned))
            if not forgiven or not np.isfinite(row[flown.action]).all():  # a clamp lets NaN through
                return Stop(tick, True, program.carried(memory))
            if pardoned:
                memory = restart(program.interface, program.carried(memory), program.carry, pardoned).joined()
        if tick == last:
            return Stop(tick, False, program.carried(memory))
        # The ufuncs themselves: np.clip costs ten times as much on four numbers.
        command = np.minimum(np.maximum(row[flown.action], low), high)  # float64, as the limits are
        if limited and held is not None:
            command = np.minimum(np.maximum(command, held - rate), held + rate)
        held = command
        if waiting:
            waiting = triggers.begin(waiting, plant, recorder, program.interface, tick)
        recorder.action[tick] = command
        plant.apply(command)
        plant.step()
        tick += 1


class _Flown(NamedTuple):
    """The program of the last tick, and how its rows are read."""

    program: Program
    inlet: Inlet
    action: slice
    tripped: int

    @classmethod
    def by(cls, program: Program, recorder: Recorder) -> _Flown:
        """A program's own reading, and what it reads."""
        interface = program.interface
        inlet = inlet_for(recorder.samples.shape[1], interface.controller.dtype, program.params)
        return cls(program, inlet, interface.slices["action"], interface.columns["tripped"][0])


def _taken_over(old: Program, new: Program, memory: Any) -> np.ndarray:
    """The memory with which a program goes on where another one left off."""
    return migrate(old.interface, new.interface, old.carried(memory), new.carry).joined()


def evaluate(program: Program, recorder: Recorder, carry: Vectors, first: int, last: int) -> Vectors:
    """The carry before tick `last`, from the carry before tick `first` and the recorded samples in between."""
    dtype, memory = np.dtype(program.interface.controller.dtype), carry.joined()
    for tick in range(first, last):
        memory, _ = program.tick(program.params, memory, recorder.samples[tick].astype(dtype))
    return program.carried(memory)


def bring_to(plant: Plant, recorder: Recorder, scenario: Scenario, seed: int, tick: int) -> str:
    """Put the plant to the state it had at `tick`: the nearest keyframe and recorded actions from there.

    If the keyframe's state hash does not match after the restore, the recipe is executed from t = 0. Returns
    `keyframe` or `recipe`.
    """
    keyframe = recorder.before(tick)
    start, way = 0, "recipe"
    if keyframe is not None:
        plant.restore(keyframe.plant)
        if plant.state_hash() == keyframe.state_hash:
            start, way = keyframe.tick, "keyframe"
    if way == "recipe":
        recorder.forget_keyframes()  # a reset makes them worthless
        plant.reset(scenario, seed)
    triggers.execute(plant, recorder, start, tick)
    return way


# ---------------------------------------------------------------- whole flights
@dataclasses.dataclass(frozen=True)
class FlightPlan:
    """One flight.

    `recipe_actions` (float64, one row a tick) are applied up to `from_tick`, then the program takes over with `carry`
    (its own start if None) and flies to the scenario's end; for `pardoned` and `trips` see `advance`.
    `onsets` (fault, tick) are those of the recipe.
    """

    scenario: Scenario
    seed: int
    from_tick: int = 0
    recipe_actions: np.ndarray | None = None
    carry: Vectors | None = None
    pardoned: tuple[str, ...] = ()
    onsets: tuple[tuple[int, int], ...] = ()
    trips: bool = True


class Flight(NamedTuple):
    """What a flight showed.

    `robustness` is the smallest scaled robustness over all judged assertions; NaN where one of them is.
    """

    trace: Trace
    verdicts: tuple[FinalVerdict, ...]
    trip_tick: int | None
    tripped: tuple[str, ...]
    mission_satisfied: bool
    robustness: float
    finite: bool
    within_limits: bool

    @property
    def digest(self) -> str:
        """`trace_digest` of its trace; computed anew whenever it is asked for."""
        return trace_digest(self.trace)

    @property
    def kept(self) -> bool:
        """True if no promise was broken, none is undecidable, and the mission (if there is one) is accomplished."""
        return self.trip_tick is None and self.mission_satisfied and self.finite and not np.isnan(self.robustness)


def fly(plant: Plant, program: Program, plan: FlightPlan) -> Flight:
    """Fly a plan to its end or to its first trip."""
    scenario = plan.scenario
    recorder = Recorder(scenario, plant.signals)
    plant.reset(scenario, plan.seed)
    if plan.from_tick:
        assert plan.recipe_actions is not None
        recorder.action[: plan.from_tick] = plan.recipe_actions[: plan.from_tick]
        recorder.onsets = {fault: tick for fault, tick in plan.onsets if tick < plan.from_tick}
        triggers.execute(plant, recorder, 0, plan.from_tick)
    recorder.first = plan.from_tick
    stop = advance(
        plant,
        Slot(program),
        recorder,
        program.carry if plan.carry is None else plan.carry,
        plan.from_tick,
        scenario.duration_ticks,
        keyframes=False,
        pardoned=plan.pardoned,
        trips=plan.trips,
    )
    return flight_of(program, plant, recorder.trace(), stop)


def flight_of(program: Program, plant: Plant, trace: Trace, stop: Stop) -> Flight:
    """Judge a finished trace."""
    verdicts = final_verdicts(program, trace)
    layout = plant.signals.action
    commands = trace.packed[:, program.interface.slices["action"]]
    within = bool(inside_limits(commands, layout).all())
    missions = [v for v in verdicts if v.mission]
    row = trace.packed[-1]
    return Flight(
        trace=trace,
        verdicts=verdicts,
        trip_tick=stop.tick if stop.tripped else None,
        tripped=program.interface.violated(row) if stop.tripped else (),
        mission_satisfied=all(v.status == Status.TRUE for v in missions),
        robustness=float(np.min([v.robustness_scaled for v in verdicts], initial=np.inf)),
        finite=bool(np.isfinite(commands).all() and np.isfinite(trace.true).all()),
        within_limits=within,
    )


def inside_limits(commands: np.ndarray, layout: Layout) -> np.ndarray:
    """For each row of commands, whether all entries lie within their limits, but for rounding. NaN does not."""
    slack = 1e-6 * np.maximum(1.0, np.maximum(np.abs(layout.low), np.abs(layout.high)))
    slack[~np.isfinite(slack)] = 0.0
    return np.all((commands >= layout.low - slack) & (commands <= layout.high + slack), axis=1)


def final_verdicts(program: Program, trace: Trace) -> tuple[FinalVerdict, ...]:
    """Verdicts over a whole run, from its last row, with the tick that decided each robustness."""
    interface = program.interface
    ended, last = interface.verdicts(trace.packed[-1], ended=True), trace.first_tick + len(trace.packed) - 1
    now = interface.verdicts(trace.packed[-1])
    worst, broken = dict(_deciding_ticks(program, trace)), _violated_ticks(program, trace)
    out = []
    for r in interface.judged:
        verdict = now[r.id] if now[r.id].status.violated else ended[r.id]
        out.append(
            FinalVerdict(
                r.id,
                verdict.status,
                verdict.rho,
                verdict.rho / r.scale,
                r.severity,
                r.mission,
                worst.get(r.id),
                broken.get(r.id, last) if verdict.status.violated else None,
            )
        )
    return tuple(out)


def _deciding_ticks(program: Program, trace: Trace) -> list[tuple[str, int]]:
    """For each requirement of the files, the first tick from which the run-end robustness no longer changed."""
    history = trace.packed[:, program.interface.slices["ended_rho"]]
    changed = (history != history[-1]) & ~(np.isnan(history) & np.isnan(history[-1]))
    since = np.where(changed.any(axis=0), len(history) - np.argmax(changed[::-1], axis=0), 0)
    return [(r.id, trace.first_tick + int(tick)) for r, tick in zip(program.interface.requirements, since, strict=True)]


def _violated_ticks(program: Program, trace: Trace) -> dict[str, int]:
    """For each requirement of the files that was violated in flight, the first tick at which it was."""
    history = trace.packed[:, program.interface.slices["status"]]
    violated = (history == int(Status.FALSE)) | (history == int(Status.INVALID))
    first = trace.first_tick + np.argmax(violated, axis=0)
    return {r.id: int(first[i]) for i, r in enumerate(program.interface.requirements) if violated[:, i].any()}


def trace_digest(trace: Trace) -> str:
    """sha256 over the float64 rows; equal flights on one machine have equal digests."""
    hasher = hashlib.sha256(str((trace.scenario, trace.control_hz, trace.first_tick)).encode())
    for block in (trace.observed, trace.true, trace.action, trace.packed):
        hasher.update(np.ascontiguousarray(block).tobytes())
    return "sha256:" + hasher.hexdigest()
