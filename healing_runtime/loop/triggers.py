"""Faults that wait for a formula: when they begin, in flight and when a flight is executed again.

A fault begins with the first physics step after the first sample, from its `start` on, at which its formula is true;
it begins once. A program says at every sample which formulas are true, and the recorder remembers the onsets: they are
part of the recipe, which is executed again without a program.
"""

from __future__ import annotations

from typing import NamedTuple

from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.core.plant import Plant
from healing_runtime.core.records import Scenario
from healing_runtime.loop.recorder import Recorder


class Waiting(NamedTuple):
    """A fault that has not begun: its number in the scenario, its formula's, and the ticks at which that is asked."""

    fault: int
    formula: int
    first: int
    end: int | None


def waiting(scenario: Scenario, recorder: Recorder) -> list[Waiting]:
    """The faults of a scenario that wait for their formula."""
    faults = [number for number, fault in enumerate(scenario.faults) if fault.when is not None]
    return [_waiting(scenario, fault, i) for i, fault in enumerate(faults) if fault not in recorder.onsets]


def _waiting(scenario: Scenario, number: int, formula: int) -> Waiting:
    fault, substeps = scenario.faults[number], scenario.substeps
    end = None if fault.until_step is None else -(-fault.until_step // substeps)
    return Waiting(number, formula, -(-fault.start_step // substeps), end)


def begin(
    still: list[Waiting], plant: Plant, recorder: Recorder, interface: ProgramInterface, tick: int
) -> list[Waiting]:
    """Let the faults begin whose formula is true in the row of this tick; gives those that go on waiting."""
    true = recorder.packed[tick, interface.slices["triggers"]]
    left = []
    for one in still:
        if true[one.formula] == 1.0 and one.first <= tick and (one.end is None or tick < one.end):
            recorder.onsets[one.fault] = tick
            plant.begin(one.fault)
        else:
            left.append(one)
    return left


def execute(plant: Plant, recorder: Recorder, first: int, last: int) -> None:
    """Execute the recorded recipe again from tick `first`, where the plant stands, up to `last`."""
    begun: dict[int, list[int]] = {}
    for fault, tick in sorted(recorder.onsets.items()):
        begun.setdefault(tick, []).append(fault)
    for tick in range(first, last):
        for fault in begun.get(tick, ()):
            plant.begin(fault)
        plant.apply(recorder.action[tick])
        plant.step()
