"""Whether inequalities can hold together: Fourier and Motzkin's elimination, in exact rational numbers.

"Impossible" is a theorem. Where numbers of different units meet, factors such as the degree's are rounded, so a gap
smaller than a billionth of the numbers involved counts as possible; and so does a system too large to decide.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

from healing_runtime.stl.analysis.linear import Inequality, Term, facts, name

_CLEAR = Fraction(1, 10**9)
_MOST = 400
"""Inequalities beyond which elimination gives up."""

Limits = Mapping[str, tuple[float, float]]
"""Signal -> the least and the greatest value of every entry."""


class _Row(NamedTuple):
    """`terms < bound` (or `<=`): factors, bound, how large the numbers in the bound were, and where it is from."""

    terms: tuple[tuple[Term, Fraction], ...]
    bound: Fraction
    strict: bool
    size: Fraction
    sources: frozenset[str]


@dataclasses.dataclass
class System:
    """Inequalities gathered one by one; `sources` says which of them an impossibility rests on."""

    rows: dict[tuple[tuple[Term, Fraction], ...], _Row] = dataclasses.field(default_factory=dict)
    sources: frozenset[str] = frozenset()

    def copy(self) -> System:
        """One that can go its own way."""
        return System(dict(self.rows))

    def add(self, inequality: Inequality) -> bool:
        """Take it in; False if it is impossible beside one that is there."""
        return self._add(_row(inequality))

    def conflicts(self, inequality: Inequality) -> bool:
        """Whether `add` would be False; nothing is taken in."""
        row = _row(inequality)
        if not row.terms:
            return self._impossible(row)
        opposite = self.rows.get(_turned(row))
        return opposite is not None and self._impossible(_sum(row, opposite))

    def possible(self, limits: Limits) -> bool:
        """Whether some sample satisfies all of them; True also if that cannot be told."""
        terms = dict.fromkeys(term for row in self.rows.values() for term, _ in row.terms)
        system = self.copy()
        possible = all(system.add(fact) for fact in facts(terms, limits))
        for term in terms:
            if not possible or not any(len(row.terms) > 1 for row in system.rows.values()):
                break
            possible = system._eliminate(term)
        self.sources = system.sources
        return possible

    def _add(self, row: _Row) -> bool:
        if not row.terms:
            return not self._impossible(row)
        old = self.rows.get(row.terms)
        if old is None or (row.bound, not row.strict) < (old.bound, not old.strict):
            self.rows[row.terms] = row
        opposite = self.rows.get(_turned(row))
        return opposite is None or not self._impossible(_sum(self.rows[row.terms], opposite))

    def _impossible(self, row: _Row) -> bool:
        """A row without terms: `0 < bound`."""
        found = row.bound < -_CLEAR * row.size or (row.bound == 0 and row.strict)
        if found:
            self.sources = row.sources
        return found

    def _eliminate(self, term: Term) -> bool:
        above: list[_Row] = []
        below: list[_Row] = []
        others: list[_Row] = []
        for row in self.rows.values():
            factor = dict(row.terms).get(term, 0)
            (above if factor > 0 else below if factor < 0 else others).append(row)
        if len(above) * len(below) + len(others) > _MOST:
            self.rows = {}
            return True
        self.rows = {row.terms: row for row in others}
        for one in above:
            for other in below:
                own, their = dict(one.terms)[term], -dict(other.terms)[term]
                if not self._add(_scaled(_sum(_times(one, 1 / own), _times(other, 1 / their)))):
                    return False
        return True


def _row(inequality: Inequality) -> _Row:
    form = inequality.form
    terms = sorted(form.terms.items(), key=lambda entry: name(entry[0]))
    source = frozenset({inequality.source} - {""})
    return _scaled(_Row(tuple(terms), -form.constant, inequality.strict, abs(form.constant), source))


def _turned(row: _Row) -> tuple[tuple[Term, Fraction], ...]:
    return tuple((term, -factor) for term, factor in row.terms)


def _times(row: _Row, factor: Fraction) -> _Row:
    terms = tuple((term, f * factor) for term, f in row.terms)
    return row._replace(terms=terms, bound=row.bound * factor, size=row.size * factor)


def _sum(one: _Row, other: _Row) -> _Row:
    terms = dict(one.terms)
    for term, factor in other.terms:
        terms[term] = terms.get(term, Fraction(0)) + factor
    kept: Iterable[tuple[Term, Fraction]] = ((t, f) for t, f in terms.items() if f)
    return _Row(
        tuple(sorted(kept, key=lambda entry: name(entry[0]))),
        one.bound + other.bound,
        one.strict or other.strict,
        one.size + other.size,
        one.sources | other.sources,
    )


def _scaled(row: _Row) -> _Row:
    """With a first factor of plus or minus one, so that equal directions are equal keys."""
    return _times(row, 1 / abs(row.terms[0][1])) if row.terms else row
