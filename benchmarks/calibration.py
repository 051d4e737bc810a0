"""Where a controller stops surviving a fault: the last magnitude it lands with, and the first at which it fails.

A sweep is a scenario with something in it that grows; every magnitude is one flight of one compiled controller.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flying import course, program
from sweeps import SWEEPS, Sweep, X

from healing_runtime import workspace
from healing_runtime.compile.programs import Program
from healing_runtime.core.errors import HealingError
from healing_runtime.core.platform import pin_environment
from healing_runtime.core.records import Scenario
from healing_runtime.loop.rollout import Flight, FlightPlan, fly
from healing_runtime.workspace.document import read_document

pin_environment()


@dataclasses.dataclass(frozen=True)
class Point:
    """One flight: the magnitude, whether all was kept, what broke and how long after the fault's start."""

    value: float
    kept: bool
    broken: str
    after_s: float | None
    robustness: float | None


@dataclasses.dataclass(frozen=True)
class Bracket:
    """A sweep flown: `passes` is the last magnitude before the first failure, `fails` that first failure.

    `again` are magnitudes beyond it which the controller survives all the same.
    """

    sweep: str
    page: str
    passes: float | None
    fails: float | None
    broken: str
    after_s: float | None
    again: tuple[float, ...]
    points: tuple[Point, ...]


def scenario_with(base: Path, sweep: Sweep, value: float) -> Scenario:
    """The scenario of a file with the sweep's keys at this magnitude, read as any scenario file is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{base.stem}.yaml"
        path.write_text(json.dumps({**read_document(base).value, **sweep.at(value)}))
        return workspace.open(workspace.catalogue_root()).scenario(path).scenario


def survey(base: Path, sweep: Sweep, plant: Any, supervised: Program) -> Bracket:
    """Fly every magnitude of a sweep."""
    points = []
    for value in sweep.values:
        scenario = scenario_with(base, sweep, value)
        flight = fly(plant, supervised, FlightPlan(scenario, scenario.seed))
        points.append(_point(value, scenario, flight))
    failed = next((i for i, p in enumerate(points) if not p.kept), None)
    if failed is None:
        return Bracket(sweep.title, sweep.page, points[-1].value, None, "", None, (), tuple(points))
    first = points[failed]
    again = tuple(p.value for p in points[failed:] if p.kept)
    passes = points[failed - 1].value if failed else None
    return Bracket(sweep.title, sweep.page, passes, first.value, first.broken, first.after_s, again, tuple(points))


def _point(value: float, scenario: Scenario, flight: Flight) -> Point:
    if flight.kept:
        return Point(value, True, "", None, flight.robustness)
    broken = ", ".join(flight.tripped) or ", ".join(
        v.id for v in flight.verdicts if v.mission and v.status.word != "true"
    )
    start_s = min((f.start_step / scenario.physics_hz for f in scenario.faults), default=0.0)
    after_s = None if flight.trip_tick is None else flight.trip_tick / scenario.control_hz - start_s
    return Point(value, False, broken, after_s, None if math.isnan(flight.robustness) else flight.robustness)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="Example: python benchmarks/calibration.py payload wind --json"
    )
    parser.add_argument(
        "sweeps", nargs="*", metavar="SWEEP", help=f"which of {', '.join(s.title for s in SWEEPS)}; all"
    )
    parser.add_argument("--scenario", default="quadrotor/landing", help="the flight that is spoilt")
    parser.add_argument("--fault", help='a fault of your own as JSON, "X" where the magnitude goes')
    parser.add_argument(
        "--values", nargs="+", type=float, default=[], help="the magnitudes of that fault, mildest first"
    )
    parser.add_argument("--json", action="store_true", help="every flight, as JSON")
    options = parser.parse_args(arguments)
    chosen = [s for s in SWEEPS if s.title in options.sweeps or not options.sweeps]
    if unknown := set(options.sweeps) - {s.title for s in SWEEPS}:
        parser.error(f"there is no sweep '{', '.join(sorted(unknown))}'; see --help.")
    if options.fault:
        chosen = [_own(parser, options.fault, options.values)]
    try:
        brackets = table(options.scenario, chosen)
    except HealingError as error:
        parser.error(str(error))
    if options.json:
        print(json.dumps([dataclasses.asdict(b) for b in brackets]))
        return
    for b in brackets:
        after = "" if b.after_s is None else f" after {b.after_s:.2f} s"
        page = f"; the design page has {b.page}" if b.page else ""
        again = f"; passes again at {', '.join(f'{v:g}' for v in b.again)}" if b.again else ""
        print(f"{b.sweep:<28} {_number(b.passes):>8} -> {_number(b.fails):<8} {b.broken}{after}{again}{page}")


def _own(parser: argparse.ArgumentParser, fault: str, values: Sequence[float]) -> Sweep:
    """A sweep of the user's own fault."""
    try:
        written = json.loads(fault)
    except ValueError as error:
        parser.error(f"--fault: {error}; write JSON.")
    if not isinstance(written, dict) or f'"{X}"' not in fault or not values:
        parser.error('--fault: write {"kind": …} with "X" where the magnitude goes, and the magnitudes after --values.')
    return Sweep(fault, "", {"faults": [written]}, tuple(values))


def table(scenario: str, chosen: Sequence[Sweep]) -> list[Bracket]:
    """Fly the sweeps in one process."""
    flown = course(scenario)
    base = workspace.open(workspace.catalogue_root()).scenario(scenario).path
    plant = flown.robot.make()
    supervised = program(flown, flown.files)
    brackets = [survey(base, sweep, plant, supervised) for sweep in chosen]
    plant.close()
    return brackets


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


if __name__ == "__main__":
    main()
