"""Does a gate keep the bound that it claims? Exact tests over patches, each flown again on neighbours of its own.

Two questions share an error of 1 %, half each.

*Claims*: do the fresh flights of an accepted patch reject that its true pass rate is the claimed bound or more? The
binomial test alone would call an honest gate dishonest too often, for of patches just below the bound it may accept
some: that is the error which its confidence allows. So a p-value here is the chance of so few passes at the bound, or,
if that is greater, the greatest chance at any rate below it that the rule accepts *and* so few pass. Holm over all
patches that were tried.

*Acceptances*: does the gate accept more patches than its own rule does on fresh flights? The first fresh flights of a
patch are taken as examinations by that rule; were the gate's neighbours as fresh, either would be equally likely to
accept alone. So the patches that only one of the two accepts are fair coins, whatever the true rates are.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binom, binomtest, hypergeom

ERROR = 0.01
"""Chance that an honest gate is called dishonest."""
GRID = 2001
"""Rates at which a chance is computed to find its greatest value."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """So many passes of so many flights are needed, in at most so many examinations, for a claim of this bound."""

    samples: int
    needed: int
    examinations: int
    claim: float

    def acceptance(self, rate: np.ndarray) -> np.ndarray:
        """Chance that a patch of this true pass rate is accepted."""
        return 1.0 - binom.cdf(self.needed - 1, self.samples, rate) ** self.examinations

    def expected(self, passed: int, flown: int) -> float:
        """The same, estimated without bias from flights of the patch: the share of their orders that would pass.

        There must be as many as the rule may fly.
        """
        if flown < self.samples * self.examinations:
            raise ValueError(f"{flown} flights are fewer than the rule's {self.samples * self.examinations}")
        return 1.0 - self._all_fail(passed, flown, self.examinations)

    def _all_fail(self, passed: int, flown: int, left: int) -> float:
        if not left:
            return 1.0
        failing = np.arange(max(0, self.samples - (flown - passed)), min(self.needed, passed + 1))
        chances = hypergeom.pmf(failing, flown, passed, self.samples)
        rest = (self._all_fail(passed - int(k), flown - self.samples, left - 1) for k in failing)
        return float(sum(chance * then for chance, then in zip(chances, rest, strict=True)))

    def accepts(self, flights: Sequence[bool]) -> bool:
        """Its verdict on flights, taken in order."""
        starts = range(0, self.samples * self.examinations, self.samples)
        return any(sum(flights[i : i + self.samples]) >= self.needed for i in starts)


@dataclasses.dataclass(frozen=True)
class Tried:
    """A patch that a gate judged, and its fresh flights.

    Attributes:
        stage: where it was refused, `neighbourhood` for the held-out examination; empty if accepted.
        claimed: the bound of its pass rate that an acceptance claims.
        fresh: whether each fresh flight kept every promise; none if there was no program to fly.
        clear: how many of them did so with the margin that the scenario asks for.
    """

    name: str
    stage: str
    reason: str
    examinations: int
    claimed: float
    fresh: tuple[bool, ...] = ()
    clear: int = 0

    @property
    def accepted(self) -> bool:
        """True if it would fly."""
        return not self.stage

    @property
    def examined(self) -> bool:
        """True if it came as far as the held-out examination."""
        return self.accepted or self.stage == "neighbourhood"

    @property
    def rate(self) -> float:
        """Share of the fresh flights that kept every promise."""
        return float(np.mean(self.fresh)) if self.fresh else float("nan")


class Audit(NamedTuple):
    """What fresh flights say of a gate.

    Attributes:
        claims: accepted patch -> p-value, adjusted for the number of patches and so to be held against `limit`.
        binomial: the same of the binomial test alone.
        gate_alone: patches that the gate accepted and its rule on fresh flights did not.
        fresh_alone: the other way round.
        acceptances: p-value of the two.
        limit: half the error.
    """

    claims: dict[str, float]
    binomial: dict[str, float]
    gate_alone: int
    fresh_alone: int
    acceptances: float
    limit: float

    @property
    def broken(self) -> tuple[str, ...]:
        """Accepted patches whose bound is rejected."""
        return tuple(name for name, p in self.claims.items() if p < self.limit)

    @property
    def honest(self) -> bool:
        """True if nothing is rejected."""
        return not self.broken and self.acceptances >= self.limit


def audit(tried: Sequence[Tried], rule: Rule, error: float = ERROR) -> Audit:
    """Test a gate's claims and the number of its acceptances; `rule` is the one that it says it follows."""
    flown = [t for t in tried if t.fresh]
    binomial = holm([_too_few(t) if t.accepted else 1.0 for t in flown])
    claims = holm([max(_too_few(t), _allowed(t, rule)) if t.accepted else 1.0 for t in flown])
    both = [(t.accepted, rule.accepts(t.fresh)) for t in flown if t.examined]
    gate_alone, fresh_alone = both.count((True, False)), both.count((False, True))
    alone = gate_alone + fresh_alone
    excess = binom.sf(gate_alone - 1, alone, 0.5)

    def accepted(p: Sequence[float]) -> dict[str, float]:
        return {t.name: value for t, value in zip(flown, p, strict=True) if t.accepted}

    return Audit(accepted(claims), accepted(binomial), gate_alone, fresh_alone, float(excess), error / 2)


def _too_few(t: Tried) -> float:
    """Chance of so few passes, were the true rate the claimed bound."""
    return float(binom.cdf(sum(t.fresh), len(t.fresh), t.claimed))


def _allowed(t: Tried, rule: Rule) -> float:
    """Greatest chance, at any true rate below the bound, that the rule accepts and so few pass; it claims no more."""
    if t.claimed > rule.claim:
        return 0.0
    rates = np.linspace(0.0, t.claimed, GRID)
    return float(np.max(rule.acceptance(rates) * binom.cdf(sum(t.fresh), len(t.fresh), rates)))


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: each may be held against the error of the whole family.

    (Holm, Scandinavian Journal of Statistics 6, 1979.)
    """
    adjusted, worst = [1.0] * len(p), 0.0
    for place, i in enumerate(np.argsort(p)):
        worst = max(worst, min(1.0, (len(p) - place) * p[i]))
        adjusted[i] = worst
    return adjusted


class Band(NamedTuple):
    """Patches whose fresh flights passed at a rate in [low, high), and how many of them were accepted.

    `expected` is what the rule accepts of patches with these fresh flights, `binomial` what it accepts of patches
    whose true rates are exactly the measured ones.
    """

    low: float
    high: float
    patches: int
    accepted: int
    expected: float
    binomial: float


BANDS = (0.0, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.99, 1.0 + 1e-9)


def characteristic(tried: Sequence[Tried], rule: Rule) -> Iterator[Band]:
    """The operating characteristic: how many patches of each measured rate were accepted."""
    examined = [t for t in tried if t.examined and t.fresh]
    for low, high in itertools.pairwise(BANDS):
        inside = [t for t in examined if low <= t.rate < high]
        if inside:
            expected = sum(rule.expected(sum(t.fresh), len(t.fresh)) for t in inside)
            binomial = sum(float(rule.acceptance(np.array(t.rate))) for t in inside)
            yield Band(low, min(high, 1.0), len(inside), sum(t.accepted for t in inside), expected, binomial)


def least_rate(passed: int, of: int, confidence: float = 0.95) -> float:
    """One-sided exact lower bound of a share."""
    if not of:
        return 0.0
    return float(binomtest(passed, of, alternative="greater").proportion_ci(confidence, method="exact").low)


def reaches(rate: float, passed: int, of: int) -> bool | None:
    """Whether a share is this or more: where its exact bounds, each one-sided at 95 %, say so; None where neither does.

    To show 0.95 it takes 59 of 59.
    """
    if least_rate(passed, of) >= rate:
        return True
    return False if 1.0 - least_rate(of - passed, of) < rate else None
