"""How much is searched, counted in work and never in seconds, so that the same seed finds the same patch."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Budget:
    """One call's budget.

    Attributes:
        population: candidates a generation.
        flights: perturbed flights a candidate.
        single_moves: generations at most in which one number at a time is moved, before all move together.
        generations: generations a structure, those included.
        patience: generations that go on after every flight of the best candidate succeeded.
        finalists: distinct candidates of a structure that are validated on fresh draws.
        validations: fresh flights a finalist.
        pass_rate: share of those that makes a structure convincing, so that no richer one is tried.
        proposals: how many are handed out at most.
    """

    population: int = 24
    flights: int = 16
    single_moves: int = 4
    generations: int = 12
    patience: int = 2
    finalists: int = 4
    validations: int = 96
    pass_rate: float = 0.97
    proposals: int = 3
