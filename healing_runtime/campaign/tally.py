"""What the flights of a search showed, counted."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from healing_runtime.campaign.flying import Outcome
from healing_runtime.campaign.target import DECIDED, Score, margin
from healing_runtime.core.records import FinalVerdict, Scenario


class Shown(NamedTuple):
    """One flight of a search; flight 0 is the nominal one."""

    flight: int
    point: np.ndarray
    scenario: Scenario
    outcome: Outcome
    score: Score


class Tally:
    """Counts over the flights of a search."""

    def __init__(self, wanted: tuple[str, ...]) -> None:
        self.flown = 0
        self.violations = 0
        self.least: Shown | None = None
        self.ended_early: Counter[str] = Counter()
        """Flights that an assertion ended which is not searched for, by its id."""
        self.statuses: dict[str, Counter[str]] = {id: Counter() for id in wanted}
        self.lowest: dict[str, FinalVerdict] = {}

    def add(self, shown: Shown) -> None:
        """Count a flight."""
        self.flown += 1
        self.violations += shown.score.violated
        if shown.outcome.tripped and not set(shown.outcome.tripped) & set(self.statuses):
            self.ended_early[shown.outcome.tripped[0]] += 1
        for verdict in shown.outcome.verdicts:
            if verdict.id in self.statuses:
                self.statuses[verdict.id][verdict.status.word] += 1
                if verdict.status in DECIDED:
                    known = self.lowest.get(verdict.id, verdict)
                    self.lowest[verdict.id] = min(known, verdict, key=_order)
        if shown.score.verdict is not None and (self.least is None or _rank(shown) < _rank(self.least)):
            self.least = shown

    @property
    def unverified(self) -> tuple[str, ...]:
        """Assertions that no flight decided: vacuous or unknown in all of them."""
        return tuple(id for id, seen in self.statuses.items() if not seen["true"] + seen["false"] + seen["invalid"])

    def told(self) -> str:
        """The least robustness so far, in a few words."""
        if self.least is None or self.least.score.verdict is None:
            return "nothing decided yet"
        return f"least robustness {self.least.score.value:.4g} ({self.least.score.verdict.id})"


def _rank(shown: Shown) -> tuple[bool, float]:
    return not shown.score.violated, shown.score.value


def _order(verdict: FinalVerdict) -> tuple[bool, float]:
    return not verdict.status.violated, margin(verdict)
