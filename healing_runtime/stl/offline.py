"""Formulas over whole recordings: the value at every sample, vectorised in JAX.

The operators' `reference` functions are the definition; the online machines are held against them. Arrays in, arrays
out, and no shape depends on data: it can be jitted, vmapped over runs and differentiated.
"""

from __future__ import annotations

import functools
import numbers
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.core import Tracer

from healing_runtime.core.errors import InputError
from healing_runtime.core.records import Verdict
from healing_runtime.core.status import Status
from healing_runtime.stl import atoms, margin
from healing_runtime.stl.formula import Apply, Atom, Formula, Outside
from healing_runtime.stl.formula import atoms as atoms_of
from healing_runtime.stl.lattice import EXACT, Lattice, smooth
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import End
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.samples import check_formula, recorded
from healing_runtime.stl.ticks import exact_period, in_ticks, ticks_of
from healing_runtime.stl.vacuity import triggers


def robustness(
    formula: Formula, signals: Mapping[str, Any], dt_s: float, *, end: End = "truncate", soft: Any = None
) -> Array:
    """Robustness at every sample, in the formula's unit.

    Args:
        formula: from `parse`.
        signals: name -> samples [N], or [N, components]; `observed(x)` is looked up under that key first, then as `x`.
        dt_s: sampling period.
        end: `truncate` leaves samples after the last out of a window, as other tools do. `ended` and `running` give the
            upper bound of what is possible (see `verdicts` for both bounds).
        soft: a temperature in the formula's unit, for search by gradients: min and max become log-sum-exp (see
            `lattice.smooth`). The result differs from the exact one by at most soft · log(4 N) for every operator on
            the longest path from the root to an atom, on either side, so its sign is no verdict. Gradients are finite
            everywhere, zero where a value is infinite (flags, empty windows). Atoms stay as written: `abs`, `min`,
            `max`, `clamp` and `norm` keep their kinks, and a product or norm of an infinite signal has no gradient.

    Returns:
        Array [N] in the widest floating dtype of the signals read, at least float32 for integers and Booleans; NaN
        where it rests on a NaN atom (see `verdicts`).

    Raises:
        AssertionSyntaxError: a bound is not a whole number of samples.
        UnknownSignalError: a signal is missing.
        InputError: anything else that is wrong with the signals, the period, `end` or `soft`.
    """
    judged = _judge(formula, signals, dt_s, end)
    if soft is None:
        return jnp.where(judged.invalid, jnp.nan, margin.rho(judged.span.hi))
    if not isinstance(soft, Tracer) and not (isinstance(soft, numbers.Real) and 0 < float(soft) < float("inf")):
        raise InputError(f"the temperature is {soft!r}; give a positive number, or leave 'soft' out for exact values.")
    values = {atom: atoms.rho(atom, judged.read, judged.like) for atom in judged.keys}
    before = _before(judged.formula, values, judged.unknown.after, smooth(soft))
    whole = _bounds(judged.formula, values, judged.unknown.broken, end, smooth(soft))
    span = _either(judged.unknown.kept, before, whole)
    return jnp.where(judged.invalid, jnp.nan, span.hi)


def verdicts(formula: Formula, signals: Mapping[str, Any], dt_s: float, *, end: End = "ended") -> Verdict:
    """Status and bounds at every sample, arrays [N]: the formula judged from that sample on.

    `ended`: unbounded operators range over the samples there are, a window reaching past the last sample is unknown.
    `running`: unbounded operators are unknown too, until something decides them. `truncate`: nothing is unknown.

    A true verdict is `vacuous` by the rule of `stl.vacuity`; not with `running`, as a monitor says it at the end only.

    A NaN atom within reach of the formula's windows makes a sample `invalid`, unless the samples before the first NaN
    of the recording decide its verdict: then that stands, as it does online. After the first NaN only the reach counts:
    a verdict that a monitor started there would have latched before a second NaN is `invalid` here.

    Raises:
        as `robustness`.
    """
    judged = _judge(formula, signals, dt_s, end)
    span, invalid = judged.span, judged.invalid
    status = jnp.where(span.hi < 0, int(Status.FALSE), int(Status.UNKNOWN))
    true = int(Status.TRUE) if end == "running" else jnp.where(_exercised(judged, end), *_TRUE_OR_VACUOUS)
    status = jnp.where(span.lo > 0, true, status)
    status = jnp.where(invalid, int(Status.INVALID), status).astype(jnp.int32)
    # Where nothing is known above, the lower bound says how far the samples have come; else the upper one.
    best = jnp.where(jnp.isposinf(span.hi), span.lo, span.hi)
    best = jnp.where(jnp.isneginf(best) & jnp.isposinf(span.hi), span.hi, best)
    best = margin.decided(span.lo, best, span.hi)
    nan = jnp.asarray(jnp.nan, best.dtype)
    return Verdict(
        status,
        jnp.where(invalid, nan, margin.rho(best)),
        jnp.where(invalid, -jnp.inf, margin.rho(span.lo)),
        jnp.where(invalid, jnp.inf, margin.rho(span.hi)),
    )


_TRUE_OR_VACUOUS = int(Status.TRUE), int(Status.VACUOUS)


class _Unknown(NamedTuple):
    """Which samples count as not known: two readings of one recording, and where the first of them is meant.

    Attributes:
        broken: samples with a NaN; what rests on none of them is known.
        after: samples from the first NaN on.
        kept: where the samples before the first NaN decide, and a later one is within reach.
    """

    broken: Array
    after: Array
    kept: Array


class _Judged(NamedTuple):
    formula: Formula
    read: atoms.Read
    like: Array
    keys: Mapping[Atom, Array]
    unknown: _Unknown
    span: Span
    invalid: Array


def _judge(formula: Formula, signals: Mapping[str, Any], dt_s: float, end: End) -> _Judged:
    """Bounds at every sample, and where they are worth nothing because of a NaN."""
    check_formula(formula)
    if end not in typing.get_args(End):
        raise InputError(f"end is '{end}'; write one of {', '.join(typing.get_args(End))}.")
    resolved = in_ticks(formula, exact_period(dt_s))
    read, like = recorded(formula, signals)
    keys = {atom: atoms.key(atom, read, like) for atom in atoms_of(resolved)}
    broken = _any_nan(keys.values())
    after = _from_the_first(broken)
    before = _before(resolved, keys, after, EXACT)
    decided = ~after & ((before.lo > 0) | (before.hi < 0))
    back, ahead = _reach(resolved)
    touched = _any_within(broken, None if back is None else -back, ahead)
    unknown = _Unknown(broken, after, touched & decided)
    span = _either(unknown.kept, before, _bounds(resolved, keys, broken, end, EXACT))
    return _Judged(resolved, read, like, keys, unknown, span, touched & ~decided)


def _exercised(judged: _Judged, end: End) -> Array:
    """Whether a trigger came true at a start that counts, for the formula judged from each sample."""
    exercised = jnp.zeros(judged.like.shape, bool)
    found = triggers(judged.formula)
    for trigger, (low, high) in found:
        after = _from_the_first(_any_nan(judged.keys[atom] for atom in atoms_of(trigger)))
        before = _before(trigger, judged.keys, after, EXACT).lo > 0
        whole = _bounds(trigger, judged.keys, judged.unknown.broken, end, EXACT).lo > 0
        exercised |= jnp.where(judged.unknown.kept, *(_any_within(fired, low, high) for fired in (before, whole)))
    return exercised if found else jnp.ones(judged.like.shape, bool)


def _any_nan(values: Iterable[Array]) -> Array:
    return functools.reduce(jnp.logical_or, map(jnp.isnan, values))


def _either(which: Array, one: Span, other: Span) -> Span:
    return Span(*(jnp.where(which, a, b) for a, b in zip(one, other, strict=True)))


def _bounds(formula: Formula, values: Mapping[Atom, Array], unknown: Array, end: End, lattice: Lattice) -> Span:
    """Bounds at every sample; nothing is known of the atoms where `unknown`."""
    known = {atom: _masked(Span.exact(value), unknown) for atom, value in values.items()}
    return _fold(formula, end, lattice, lambda atom: known[atom], lambda span: span)


def _before(formula: Formula, values: Mapping[Atom, Array], after: Array, lattice: Lattice) -> Span:
    """Bounds by the samples up to a mark alone, as a monitor had them when the next one came."""
    return _fold(formula, "running", lattice, lambda atom: Span.exact(values[atom]), lambda span: _masked(span, after))


def _fold(
    formula: Formula,
    end: End,
    lattice: Lattice,
    leaf: Callable[[Atom], Span],
    known: Callable[[Span], Span],
) -> Span:
    """Every operator over its arguments, equal parts once; `known` of a part is what the operators above it get."""
    seen: dict[Formula, Span] = {}

    def evaluate(part: Formula) -> Span:
        if part not in seen:
            if isinstance(part, Apply):
                spans = [evaluate(argument) for argument in part.arguments]
                seen[part] = known(OPERATORS[part.operator].reference(end, ticks_of(part), *spans, lattice=lattice))
            elif not isinstance(part, Outside):
                seen[part] = known(leaf(part))
        return seen[part]

    return evaluate(formula)


def _masked(span: Span, unknown: Array) -> Span:
    return Span(jnp.where(unknown, -jnp.inf, span.lo), jnp.where(unknown, jnp.inf, span.hi))


def _reach(formula: Formula) -> tuple[int | None, int | None]:
    """How many samples before and after its own the formula reads; None for all of them."""
    if not isinstance(formula, Apply):
        return 0, 0
    reaches = [_reach(argument) for argument in formula.arguments]
    back, ahead = (None if None in side else max(side) for side in zip(*reaches, strict=True))
    operator, ticks = OPERATORS[formula.operator], ticks_of(formula)
    if operator.kind == "boolean":
        return back, ahead
    far = 1 if operator.window == "none" else None if ticks is None else ticks[1]
    if operator.kind == "past":
        return None if back is None or far is None else back + far, ahead
    return back, None if ahead is None or far is None else ahead + far


def _from_the_first(marks: Array) -> Array:
    """True from the first mark on; no prefix sum, which would cost as much as an operator."""
    first = jnp.where(jnp.any(marks), jnp.argmax(marks), marks.shape[0])
    return jnp.arange(marks.shape[0]) >= first


def _any_within(marks: Array, low: int | None, high: int | None) -> Array:
    """Whether a mark lies from `low` to `high` samples ahead of each one; None for as far as there are any."""
    n = marks.shape[0]
    if high is None:
        last = jnp.where(jnp.any(marks), n - 1 - jnp.argmax(marks[::-1]), -1)
        return jnp.maximum(jnp.arange(n) + (-n if low is None else min(max(low, -n), n)), 0) <= last
    counts = jnp.concatenate([jnp.zeros((1,), jnp.int32), jnp.cumsum(marks.astype(jnp.int32))])
    at = jnp.arange(n)
    first = jnp.clip(at + (-n if low is None else min(max(low, -n), n)), 0, n)
    last = jnp.clip(at + (n if high is None else min(high, n)) + 1, first, n)
    return counts[last] > counts[first]
