"""Search a scenario's perturbations for the flight that comes nearest to breaking an assertion.

The nominal flight comes first, then what `search` asks for, in slices that do not depend on the number of workers.
Noise is searched too: each flight has a seed of its own, keyed by the search's seed and the flight's number.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from healing_runtime import __version__
from healing_runtime.campaign.flying import MODULES, Fleet
from healing_runtime.campaign.search import Search
from healing_runtime.campaign.space import SIGMAS, Space
from healing_runtime.campaign.state import Record
from healing_runtime.campaign.tally import Shown, Tally
from healing_runtime.campaign.target import score, targets
from healing_runtime.core import codec, perturb
from healing_runtime.core.bearing import bearing
from healing_runtime.core.errors import InputError, Location
from healing_runtime.core.platform import fingerprint
from healing_runtime.core.records import Scenario
from healing_runtime.gate import policy
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.records import Course
from healing_runtime.sandbox.zygote import Sandbox
from healing_runtime.supervisor.places import LEDGER
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.supervisor.sources import sim_hash

FLIGHTS, WORKERS = 200, 2
SLICE = 16
"""Flights after which a search looks whether it may end."""
SHRINKING = 9
"""Most flights spent on a smaller counterexample: the nominal scenario with its noise, and eight bisections."""


@dataclasses.dataclass(frozen=True)
class Wish:
    """What is searched, and how hard.

    Attributes:
        assertion: its id; None for the critical ones and the mission together.
        seed: of the search; None for the scenario's own.
        flights: the budget. Shrinking comes on top, with at most `SHRINKING` flights.
        keep_going: go on after a violation, to the least robustness that the budget finds.
        sigmas: how far a `normal` quantity is searched.
        folder: of the record; None for one below the workspace's `runs/falsify/`, named by what is searched.
        resume: the folder holds this search already; go on with it.
    """

    assertion: str | None = None
    seed: int | None = None
    flights: int = FLIGHTS
    keep_going: bool = False
    sigmas: float = SIGMAS
    folder: Path | None = None
    resume: bool = False
    workers: int = WORKERS


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a search found. `shrunk` is nearer to the nominal scenario and violates too, `share` says how near."""

    wanted: tuple[str, ...]
    space: Space
    seed: int
    tally: Tally
    counterexample: Shown | None
    shrunk: Shown | None
    share: float
    shrinking_flights: int
    record: Record


Narrate = Callable[[str], None]
Advance = Callable[[float, str], None]


def search_for(
    prepared: Prepared, wish: Wish, narrate: Narrate, advance: Advance, conclude: Callable[[Finding], Any]
) -> Any:
    """Search, and give what `conclude` makes of the finding while the record is still open.

    Raises:
        InputError: the scenario, the wish or the folder does not allow it; found before anything is built.
    """
    wanted = targets(prepared, wish.assertion)
    seed = prepared.scenario.seed if wish.seed is None else wish.seed
    with bearing(prepared.robot) as bears:
        space = Space(prepared.scenario, wish.sigmas, bears)
        if not space.size:
            message = "nothing may vary: 'perturb' names no quantity with a width; give it one, or leave it out."
            raise InputError(message, where=Location(str(prepared.loaded.path)))
        with _record(prepared, wish, wanted, seed) as record, Sandbox(wish.workers, MODULES) as sandbox:
            narrate(f"searching {prepared.scenario.name} for the least robustness of {', '.join(wanted)}")
            for line in (*space.lines, "noise: another seed in every flight"):
                narrate(f"  {line}")
            with KeptPrograms.beside(prepared.workspace.runs / LEDGER, narrate) as kept:
                narrate(f"building {prepared.source.name}")
                course = Course(prepared.scenario, prepared.files)
                program = policy.admit(sandbox, prepared.source, course, prepared.table, kept)
            fleet = Fleet(sandbox, program, str(prepared.sim_root))
            hunt = Hunt(fleet, record, space, Search(space.size, seed), wanted, seed, advance)
            narrate(f"flying up to {wish.flights} flights; go on with --resume {record.folder} if this is interrupted")
            return conclude(hunt.run(wish.flights, wish.keep_going))


def _record(prepared: Prepared, wish: Wish, wanted: Sequence[str], seed: int) -> Record:
    """The record of this search: everything that what it finds depends on."""
    search = {
        "version": __version__,
        "scenario": codec.digest(prepared.scenario),
        "controller": prepared.source.sha256,
        "assertions": {file.name: file.sha256 for file in prepared.files},
        "simulation": sim_hash(prepared.sim_root),
        "wanted": list(wanted),
        "seed": seed,
        "sigmas": wish.sigmas,
        "machine": fingerprint(),
    }
    name = f"{prepared.scenario.name.replace('/', '-')}-{codec.digest(search).partition(':')[2][:8]}"
    folder = wish.folder or prepared.workspace.runs / "falsify" / name
    return Record.resume(folder, search) if wish.resume else Record.begin(folder, search)


class Hunt:
    """One search: flies, remembers, judges."""

    def __init__(
        self,
        fleet: Fleet,
        record: Record,
        space: Space,
        search: Search,
        wanted: tuple[str, ...],
        seed: int,
        advance: Advance,
    ) -> None:
        self._fleet, self._record, self._space, self._search = fleet, record, space, search
        self._wanted, self._seed, self._advance = wanted, seed, advance
        self.tally = Tally(wanted)

    def run(self, flights: int, keep_going: bool) -> Finding:
        """Search until a violation is found, or to the end of the budget; then shrink what was found."""
        self._look(flights, keep_going)
        least = self.tally.least
        found = least if least is not None and least.score.violated else None
        shrunk, share, spent = self._shrink(found) if found is not None and found.flight > 0 else (None, 1.0, 0)
        return Finding(self._wanted, self._space, self._seed, self.tally, found, shrunk, share, spent, self._record)

    def _look(self, flights: int, keep_going: bool) -> None:
        nominal = self._space.nominal
        for shown in self._show([(nominal, self._space.scenario)], 0):
            self.tally.add(shown)
        search, told = self._search, np.zeros(0)
        while self.tally.flown < flights and (keep_going or not self.tally.violations):
            number, points = self.tally.flown, search.ask()
            points = points[told.size :][: min(SLICE, flights - number)]
            noisy = [(p, self._space.scenario_at(p, self._noise(number + i))) for i, p in enumerate(points)]
            for shown in self._show(noisy, number):
                self.tally.add(shown)
                told = np.append(told, shown.score.value)
                self._advance(self.tally.flown / flights, f"flight {self.tally.flown}, {self.tally.told()}")
            if told.size == len(search.ask()):
                search.tell(told)
                told = np.zeros(0)

    def _shrink(self, found: Shown) -> tuple[Shown | None, float, int]:
        """The smallest part of the way from the nominal scenario that still violates, with the same noise."""
        nominal = self._space.nominal
        low, high, smallest = 0.0, 1.0, found
        for spent in range(SHRINKING):
            share = 0.5 * (low + high) if spent else 0.0
            point = nominal + share * (found.point - nominal)
            (shown,) = self._show([(point, self._space.scenario_at(point, found.scenario.seed))], found.flight)
            self._advance((spent + 1) / SHRINKING, "looking for a smaller one")
            if not shown.score.violated:
                low = share
                continue
            high, smallest = share, shown
            if share == 0.0:
                return smallest, share, 1
        return None if smallest is found else smallest, high, SHRINKING

    def _show(self, placed: Sequence[tuple[np.ndarray, Scenario]], number: int) -> Iterator[Shown]:
        """Flights in their order: from the record where it has them, else flown and written down."""
        missing = [scenario for _, scenario in placed if self._record.find(scenario) is None]
        flown = self._fleet.fly(missing)
        for i, (point, scenario) in enumerate(placed):
            outcome = self._record.find(scenario)
            if outcome is None:
                outcome = next(flown)
                self._record.keep(scenario, self._space.values_of(scenario), outcome)
            yield Shown(number + i, point, scenario, outcome, score(outcome.verdicts, self._wanted))

    def _noise(self, flight: int) -> int:
        key = hashlib.sha256(codec.canonical([self._seed, flight])).digest()
        return int.from_bytes(key[:8], "big") % perturb.SEEDS
