"""Why a verdict is what it is: which clause, at which sample, made it so.

Robustness is a min and max over values of atoms, so it *is* the value of one of them, or minus it, at one sample. The
descent follows what attains it; among equals the earliest sample, then the leftmost clause. Keys are used throughout
(`margin`), so that truth decides at zero as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from healing_runtime.core.status import Status
from healing_runtime.stl import margin
from healing_runtime.stl.attaining import Choice, Interval, Reaches, Stretch, rests_on
from healing_runtime.stl.formula import Apply, Atom, Formula, atoms
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.ticks import ticks_of
from healing_runtime.stl.vacuity import triggers

Keys = Mapping[Atom, np.ndarray]
"""Key of every atom of a formula at every sample (`atoms.key`), equally long; NaN where a sample is invalid."""


class Decision(NamedTuple):
    """What decided.

    Attributes:
        part: an atom; or the operator whose window lies before the first sample (`why` is `begin`), or reaches past the
            last one (`end`).
        tick: the sample at which the atom had the deciding value, or for which the operator was asked.
        sign: 1 where the formula holds the better the larger the atom's margin is, -1 under a negation.
        value: robustness of the formula: `sign` times the atom's at `tick`.
        why: what is told of the part.
        beside: of a violated `or` or `implies`, the other side's decision: it failed as well. Of an edge that came
            where it must not, the sample on the other side of it.
        given: it is a circumstance and not what was asked for: part of a trigger, or of an edge.
    """

    part: Formula
    tick: int
    sign: int
    value: float
    why: Literal["value", "nan", "begin", "end"]
    beside: tuple[Decision, ...] = ()
    given: bool = False


def diagnose(
    formula: Formula, keys: Keys, status: Status, *, start: int = 0, end: Literal["ended", "running"] = "ended"
) -> Decision | None:
    """What made a formula's verdict at sample `start`.

    `false`: what violated it most. `true`: what came closest to violating it. `unknown`: the window that is still open.
    `vacuous`: what came closest to triggering it. `invalid`: the first atom without a value.

    Args:
        formula: windows in ticks.
        keys: of every atom of the formula.
        status: the verdict to be explained.
        start: the sample at which the formula is judged.
        end: `running` for the samples of a run that went on, as in `offline.verdicts`.

    Returns:
        None where there is nothing to name.
    """
    if status is Status.INVALID:
        return _first_nan(formula, keys, start)
    if status is Status.VACUOUS:
        return _closest_trigger(formula, keys, start, end)
    choose = {Status.FALSE: _by_upper, Status.TRUE: _by_lower, Status.UNKNOWN: _by_gap}[status]
    return _Descent(formula, keys, end).follow(Stretch(formula, start, start), choose)


def violation(formula: Formula, keys: Keys, seen: int) -> Decision | None:
    """What violates a formula, judged from the first sample, when `seen` samples are there and others are to come.

    None while nothing does: while the upper bound, over all that may come, is not violated.
    """
    descent, at = _Descent(formula, keys, "running", seen), Stretch(formula, 0, 0)
    return descent.follow(at, _by_upper) if descent.bounds(formula)[1][0] < 0 else None


def _first_nan(formula: Formula, keys: Keys, start: int) -> Decision | None:
    broken = [(atom, np.flatnonzero(np.isnan(keys[atom][start:]))) for atom in atoms(formula)]
    found = [(start + int(ticks[0]), atom) for atom, ticks in broken if ticks.size]
    if not found:
        return None
    tick, atom = min(found, key=lambda pair: pair[0])
    return Decision(atom, tick, 1, np.nan, "nan")


def _closest_trigger(formula: Formula, keys: Keys, start: int, end: Literal["ended", "running"]) -> Decision | None:
    best: Decision | None = None
    for trigger, (low, high) in triggers(formula, (start, start)):
        descent = _Descent(trigger, keys, end)
        judged = descent.bounds(trigger)[0][low : None if high is None else high + 1]
        if judged.size:
            at = low + int(np.argmax(judged))
            found = descent.follow(Stretch(trigger, at, at), _by_lower)
            best = found if best is None or found.value > best.value else best
    return best


# ---------------------------------------------------------------- which way down
Choose = Callable[[Interval, tuple[float, float]], int]
"""(bounds of what is to be chosen from, bounds of the whole) -> the one to follow, the first of several."""


def _by_upper(options: Interval, whole: tuple[float, float]) -> int:
    return int(np.argmax(options[1] == whole[1]))


def _by_lower(options: Interval, whole: tuple[float, float]) -> int:
    return int(np.argmax(options[0] == whole[0]))


def _by_gap(options: Interval, whole: tuple[float, float]) -> int:
    """What is not known yet; of that, what the lower bound rests on."""
    lo, hi = options
    open_ = lo < hi
    resting = open_ & (lo == whole[0])
    return int(np.argmax(resting if resting.any() else open_))


_SIDES = ("and", "or", "implies", "rise", "fall")
"""Operators with two sides; where it is the greater one that counts, both have failed. An edge has two samples."""


class _Descent:
    """Bounds of every part of a formula at every sample, and the way from a formula to what has its value."""

    def __init__(self, formula: Formula, keys: Keys, end: Literal["ended", "running"], seen: int | None = None) -> None:
        self._end: Literal["ended", "running"] = end
        some = next(iter(keys.values()))
        self._length, self._dtype = len(some), some.dtype
        self._bounds: dict[Formula, Interval] = {atom: _as_bounds(key, seen) for atom, key in keys.items()}
        self.bounds(formula)

    def bounds(self, part: Formula) -> Interval:
        """Of a part at every sample."""
        if part not in self._bounds:
            assert isinstance(part, Apply)
            arguments = [Span(*map(jnp.asarray, self.bounds(argument))) for argument in part.arguments]
            lo, hi = OPERATORS[part.operator].reference(self._end, ticks_of(part), *arguments)
            self._bounds[part] = np.asarray(lo), np.asarray(hi)
        return self._bounds[part]

    def follow(self, at: Stretch, choose: Choose, given: bool = False) -> Decision:
        """Down to the atom, or to the operator whose window the recording does not hold."""
        value, beside = self._rho(_told(self._whole(at), choose)), list[Decision]()
        while isinstance(at.part, Apply):
            found = rests_on(at.part, at.first, self._length, self._end)
            if isinstance(found, Reaches):
                found = found.reaching(found.first + choose(self._of_goals(found, at.sign), self._whole(at)))
            if found is None:
                break
            if not found.stretches:
                return Decision(at.part, at.first, at.sign, value, "begin", tuple(beside), given)
            below = self._chosen(found, at, choose)
            if below.first >= self._length:
                return Decision(at.part, at.first, at.sign, value, "end", tuple(beside), given)
            sides = [s._replace(sign=s.sign * at.sign) for s in found.stretches]
            circumstances = given, given
            if choose is _by_upper and at.part.operator in _SIDES and found.least == (at.sign < 0):
                circumstances = _circumstances(at.part, given)
                beside += [
                    self.follow(side, choose, told)
                    for side, told in zip(sides, circumstances, strict=False)
                    if side != below
                ]
            given = circumstances[sides.index(below)] if below in sides else given
            at = below
        return Decision(at.part, at.first, at.sign, value, "value", tuple(beside), given)

    def _rho(self, key: float) -> float:
        return float(margin.rho(jnp.asarray(key, self._dtype)))

    def _chosen(self, choice: Choice, at: Stretch, choose: Choose) -> Stretch:
        """The one sample of the one part, read as `at` reads it."""
        stretches = [stretch._replace(sign=stretch.sign * at.sign) for stretch in choice.stretches]
        lows, highs = zip(*map(self._read, stretches), strict=True)
        index = choose((np.concatenate(lows), np.concatenate(highs)), self._whole(at))
        for stretch in stretches:
            size = stretch.last - stretch.first + 1
            if index < size:
                return stretch._replace(first=stretch.first + index, last=stretch.first + index)
            index -= size
        raise AssertionError("a choice lies in one of its stretches")

    def _of_goals(self, reaches: Reaches, sign: int) -> Interval:
        p, q = reaches.formula.arguments
        between = reaches.between
        held = self._read(Stretch(p, *between)) if between[0] <= between[1] else (np.zeros(0), np.zeros(0))
        return _read_as(sign, reaches.values(held, self._read(Stretch(q, reaches.first, reaches.last))))

    def _whole(self, at: Stretch) -> tuple[float, float]:
        lo, hi = self._read(at)
        return float(lo[0]), float(hi[0])

    def _read(self, stretch: Stretch) -> Interval:
        """Bounds over a stretch; nothing is known beyond the last sample."""
        inside = slice(stretch.first, min(stretch.last + 1, self._length))
        lo, hi = (bound[inside] for bound in self.bounds(stretch.part))
        beyond = stretch.last - stretch.first + 1 - len(lo)
        return _read_as(stretch.sign, (np.append(lo, [-np.inf] * beyond), np.append(hi, [np.inf] * beyond)))


def _circumstances(part: Apply, given: bool) -> tuple[bool, bool]:
    """Of both sides of an operator whether they are only given: a trigger, and an edge that came."""
    edge = part.operator in ("rise", "fall")
    return given or edge or part.operator == "implies", given or edge


def _as_bounds(key: np.ndarray, seen: int | None) -> Interval:
    """A sample that is invalid, or not there yet, may have any value."""
    unknown = np.isnan(key) if seen is None else np.isnan(key) | (np.arange(len(key)) >= seen)
    infinity = key.dtype.type(np.inf)
    return np.where(unknown, -infinity, key), np.where(unknown, infinity, key)


def _read_as(sign: int, bounds: Interval) -> Interval:
    return bounds if sign > 0 else (-bounds[1], -bounds[0])


def _told(whole: tuple[float, float], choose: Choose) -> float:
    """Key of the formula: of both bounds the one that the descent follows."""
    if choose is _by_gap:
        return whole[0] if np.isinf(whole[1]) else whole[1]
    return whole[1] if choose is _by_upper else whole[0]
