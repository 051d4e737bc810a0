"""Worlds in lockstep: many flights of one robot in this process, with one XLA call a tick for all of them.

For searches alone. XLA orders the sums of a batch in another way than those of one lane, so a lane's commands differ
from the same flight alone in their last bits, and the flight with them. A flight that carries a verdict is flown by
`loop.rollout.fly`, with the executable of the live loop; gate, repair and supervisor may not even import this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from healing_runtime.compile.programs import Program
from healing_runtime.core.errors import InputError
from healing_runtime.core.plant import Plant, Robot
from healing_runtime.core.records import FinalVerdict, Scenario, Trace
from healing_runtime.loop.rollout import final_verdicts

MOST_WORLDS = 512
"""Bullet gives out 1,024 clients in a process, and other plants want some, too."""


class Glimpse(NamedTuple):
    """What a lane showed: enough to search by, and nothing that a verdict may rest on."""

    trace: Trace
    verdicts: tuple[FinalVerdict, ...]
    trip_tick: int | None
    tripped: tuple[str, ...]


class Batch:
    """As many worlds of one robot as the program has lanes, each with a plant of its own. Close it, or use `with`.

    Raises:
        InputError: the program is no batch, is another robot's, or has more lanes than there can be worlds.
    """

    def __init__(self, robot: Robot, program: Program) -> None:
        shape, table = program.carry.floats.shape, robot.signals
        if len(shape) != 2:
            raise InputError("this program ticks one flight; compile it for a batch, with lanes=N.")
        if shape[0] > MOST_WORLDS:
            raise InputError(f"a process has room for {MOST_WORLDS} worlds; compile for that many lanes or less.")
        if program.interface.inputs != (table.observed.size, table.true.size):
            raise InputError(f"this program does not read the signals of '{robot.name}'; compile it for that robot.")
        self.lanes: int = shape[0]
        self._robot, self._program = robot, program
        self._plants = [robot.make() for _ in range(self.lanes)]

    def fly(self, scenarios: Sequence[Scenario]) -> list[Glimpse]:
        """Fly each scenario from its start to its end or its first trip, `lanes` at a time, in their order.

        They may differ in everything but what the program was compiled for: the controller, the assertions, the rates
        and the dtype. A lane's flight does not depend on what flies beside it.

        Raises:
            InputError: a scenario is another robot's, or differs in one of these, or has faults that wait.
        """
        for scenario in scenarios:
            self._must_fit(scenario, scenarios[0])
        rounds = (scenarios[i : i + self.lanes] for i in range(0, len(scenarios), self.lanes))
        return [glimpse for together in rounds for glimpse in self._round(together)]

    def close(self) -> None:
        """Free the worlds; closing twice is allowed."""
        for plant in self._plants:
            plant.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _must_fit(self, scenario: Scenario, first: Scenario) -> None:
        interface = self._program.interface
        wanted = {
            "robot": (scenario.robot, self._robot.name),
            "control_hz": (scenario.control_hz, interface.control_hz),
            "physics_hz": (scenario.physics_hz, first.physics_hz),
            "controller": (scenario.controller, first.controller),
            "assertions": (scenario.assertions, first.assertions),
            "mission": (scenario.mission, first.mission),
            "dtype": (scenario.dtype, interface.controller.dtype),
        }
        for what, (has, needs) in wanted.items():
            if has != needs:
                raise InputError(f"'{scenario.name}' has {what} {has}, this batch {needs}; fly it in another batch.")
        if scenario.triggers:
            raise InputError(f"'{scenario.name}' has faults that wait for a formula; fly it alone.")

    def _round(self, scenarios: Sequence[Scenario]) -> list[Glimpse]:
        program, lanes = self._program, self.lanes
        interface, table = program.interface, self._robot.signals
        dtype, action = np.dtype(interface.controller.dtype), interface.slices["action"]
        trip, low, high = interface.columns["tripped"][0], table.action.low, table.action.high
        rate = np.concatenate([np.full(s.size, s.rate_per_s) for s in table.action]) / interface.control_hz
        limited = bool(np.isfinite(rate).any())
        # A lane that does not fly, or no longer, is ticked on zeros and never read.
        rows = max(s.duration_ticks for s in scenarios) + 1
        observed = np.zeros((rows, lanes, table.observed.size))
        true = np.zeros((rows, lanes, table.true.size))
        applied = np.full((rows, lanes, table.action.size), np.nan)
        packed = np.empty((rows, lanes, interface.packed_size))
        flying: list[tuple[int, Plant]] = list(enumerate(self._plants[: len(scenarios)]))
        last = np.full(lanes, -1)
        for lane, plant in flying:
            plant.reset(scenarios[lane], scenarios[lane].seed)
            last[lane] = scenarios[lane].duration_ticks
        ended = [(0, False)] * len(scenarios)
        carry, tick, held = program.start(), 0, None
        while True:
            sensed, real = observed[tick], true[tick]
            for lane, plant in flying:
                sensed[lane] = plant.observe()
                real[lane] = plant.truth()
            carry, out = program.tick(program.params, carry, sensed.astype(dtype), real.astype(dtype))
            row = np.asarray(out)
            packed[tick] = row
            stops = (row[:, trip] != 0.0) | (last <= tick)
            staying = []
            for lane, plant in flying:
                if stops[lane]:
                    ended[lane] = tick, bool(row[lane, trip] != 0.0)
                else:
                    staying.append((lane, plant))
            flying = staying
            if not flying:
                break
            command = np.minimum(np.maximum(row[:, action], low), high)
            if limited and held is not None:
                command = np.minimum(np.maximum(command, held - rate), held + rate)
            held = applied[tick] = command
            for lane, plant in flying:
                plant.apply(command[lane])
                plant.step()
            tick += 1
        arrays = observed, true, applied, packed
        return [self._glimpse(scenarios[lane], lane, arrays, *end) for lane, end in enumerate(ended)]

    def _glimpse(
        self, scenario: Scenario, lane: int, arrays: tuple[np.ndarray, ...], tick: int, tripped: bool
    ) -> Glimpse:
        observed, true, applied, packed = (array[: tick + 1, lane].copy() for array in arrays)
        applied[-1] = np.nan  # the last sample's action is never applied
        trace = Trace(scenario.name, scenario.control_hz, 0, observed, true, applied, packed)
        violated = self._program.interface.violated(packed[-1]) if tripped else ()
        return Glimpse(trace, final_verdicts(self._program, trace), tick if tripped else None, violated)
