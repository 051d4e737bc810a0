"""How much is searched, counted in work and never in seconds, so that the same seed finds the same patch."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Budget:
    """One call's budget.

    Attributes:
        draws: flights of the failed controller from which the likeliest disturbances are picked.
        suspects: how many are kept; half of them are searched on, the other half validates.
        moved_flights: flights a candidate in the two generations that move one or two numbers.
        promising: of the moves of a single number, how many are tried in pairs.
        population: candidates a generation in which all numbers move together.
        flights: flights of each of those.
        generations: generations a structure, of both kinds.
        patience: generations that go on after every flight of the best candidate succeeded.
        hope: generations after which a structure is given up if not one flight succeeded.
        finalists: distinct candidates of a structure that are validated on fresh draws (and simpler variants of them).
        validations: fresh flights a finalist.
        likely_rate: share of the flights that resemble the incident which makes a candidate convincing,
        pass_rate: together with this share of all its fresh flights, over the whole prior.
        proposals: how many are handed out at most.
    """

    draws: int = 768
    suspects: int = 48
    moved_flights: int = 8
    promising: int = 8
    population: int = 24
    flights: int = 16
    generations: int = 12
    patience: int = 2
    hope: int = 3
    finalists: int = 3
    validations: int = 64
    likely_rate: float = 0.95
    pass_rate: float = 0.9
    proposals: int = 3
