"""How far a flight in a lane parts from the same flight alone; no speed, and so no part of `heal bench speed`.

Neighbours of a scenario are drawn as the gate draws them and flown twice, in the lanes of a batch and one by one.
`python benchmarks/agreement.py [--flights N] [--lanes N] [--only TEXT]`, over every scenario of the catalogue whose
name holds the text and whose faults do not wait; the same numbers on the same machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from flying import batch_program, course, program
from measuring import text, whole_number

from healing_runtime import workspace
from healing_runtime.core.perturb import draw
from healing_runtime.loop.rollout import FlightPlan, fly
from healing_runtime.sandbox.batch import Batch

FLIGHTS, LANES = 8, 8


class Parting(NamedTuple):
    """Two flights of one scenario.

    `apart` is the largest difference of a true value over that signal's largest value (1 at least), up to where the
    shorter one ends; `ticks` by how many they differ in length, `verdicts` how many verdicts do.
    """

    apart: float
    ticks: int
    verdicts: int


def names() -> list[str]:
    """The scenarios that can be flown in lanes."""
    home, wanted = workspace.open(workspace.catalogue_root()), text("--only")
    read = (home.scenario(name).scenario for name in home.scenario_names() if wanted in name)
    return [scenario.name for scenario in read if not scenario.triggers]


def partings(name: str, flights: int, lanes: int) -> Iterator[Parting]:
    """Fly a scenario's neighbours in lanes and alone."""
    flown, home = course(name), workspace.open(workspace.catalogue_root())
    alone, plant, rng = program(flown, flown.files), flown.robot.make(), np.random.default_rng(0)
    scenarios = [draw(flown.scenario, rng) for _ in range(flights)]
    with Batch(flown.robot, batch_program(flown, lanes), home) as batch:
        for scenario, glimpse in zip(scenarios, batch.fly(scenarios), strict=True):
            flight = fly(plant, alone, FlightPlan(scenario, scenario.seed))
            rows = min(len(glimpse.trace.true), len(flight.trace.true))
            mine, theirs = glimpse.trace.true[:rows], flight.trace.true[:rows]
            largest = np.maximum(1.0, np.nanmax(np.abs(theirs), axis=0))
            pairs = zip(glimpse.verdicts, flight.verdicts, strict=True)
            yield Parting(
                float(np.nanmax(np.abs(mine - theirs) / largest)),
                abs(len(glimpse.trace.true) - len(flight.trace.true)),
                sum(one.status != other.status for one, other in pairs),
            )
    plant.close()


def main() -> None:
    """Fly, and print a line for each scenario as it is done, then what there was altogether."""
    flights, lanes = whole_number("--flights", FLIGHTS), whole_number("--lanes", LANES)
    every: list[Parting] = []
    for name in names():
        found = list(partings(name, flights, lanes))
        every += found
        apart = np.array([one.apart for one in found])
        ends, verdicts = sum(one.ticks > 0 for one in found), sum(one.verdicts for one in found)
        far = f"{np.median(apart):.1e} median, {apart.max():.1e} at most"
        print(f"{far}, {ends} end elsewhere, {verdicts} verdicts differ  {name}", flush=True)
    if not every:
        print("no scenario has such a name; see heal catalogue list.", file=sys.stderr)
        sys.exit(2)
    apart = np.array([one.apart for one in every])
    bounds = ", ".join(f"{np.mean(apart < bound):.1%} below {bound:g}" for bound in (1e-5, 1e-3))
    print(f"{len(every)} flights, {lanes} lanes: {np.mean(apart == 0.0):.1%} the same bit for bit, {bounds}")
    print(f"{sum(one.verdicts > 0 for one in every)} with another verdict")


if __name__ == "__main__":
    main()
