"""Formulas over whole recordings: the value at every sample, vectorised in JAX.

The operators' `reference` functions are the definition; the online machines are held against them. Arrays in, arrays
out: it can be jitted, vmapped over runs and, outside the ties of min and max, differentiated.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import Array

from healing_runtime.core.errors import UnknownSignalError
from healing_runtime.core.records import Verdict
from healing_runtime.core.status import Status
from healing_runtime.stl import atoms, margin
from healing_runtime.stl.formula import Apply, Atom, Formula, Outside, Reference, references
from healing_runtime.stl.formula import atoms as atoms_of
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import End
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.ticks import exact_period, in_ticks, ticks_of


def robustness(formula: Formula, signals: Mapping[str, Any], dt_s: float, *, end: End = "truncate") -> Array:
    """Robustness at every sample, in the formula's unit.

    Args:
        formula: from `parse`.
        signals: name -> samples [N], or [N, components]; `observed(x)` is looked up under that key first, then as `x`.
        dt_s: sampling period.
        end: `truncate` leaves samples after the last out of a window, as other tools do. `ended` and `running` give the
            upper bound of what is possible (see `verdicts` for both bounds).

    Returns:
        Array [N] in the dtype of the signals; NaN where it rests on a NaN atom (see `verdicts`).

    Raises:
        AssertionSyntaxError: a bound is not a whole number of samples.
        UnknownSignalError: a signal is missing.
    """
    span, invalid = _span(formula, signals, dt_s, end)
    return jnp.where(invalid, jnp.nan, margin.rho(span.hi))


def verdicts(formula: Formula, signals: Mapping[str, Any], dt_s: float, *, end: End = "ended") -> Verdict:
    """Status and bounds at every sample, arrays [N].

    `ended`: unbounded operators range over the samples there are, a window reaching past the last sample is unknown.
    `running`: unbounded operators are unknown too, until something decides them. `truncate`: nothing is unknown.

    A NaN atom within reach of the formula's windows makes a sample `invalid`, unless the samples before the first NaN
    of the recording decide its verdict: then that stands, as it does online. After the first NaN only the reach counts:
    a verdict that a monitor started there would have latched before a second NaN is `invalid` here.
    """
    span, invalid = _span(formula, signals, dt_s, end)
    status = jnp.where(span.hi < 0, int(Status.FALSE), int(Status.UNKNOWN))
    status = jnp.where(span.lo > 0, int(Status.TRUE), status)
    status = jnp.where(invalid, int(Status.INVALID), status).astype(jnp.int32)
    # Where nothing is known above, the lower bound says how far the samples have come; else the upper one.
    best = jnp.where(jnp.isposinf(span.hi), span.lo, span.hi)
    best = jnp.where(jnp.isneginf(best) & jnp.isposinf(span.hi), span.hi, best)
    nan = jnp.asarray(jnp.nan, best.dtype)
    return Verdict(
        status,
        jnp.where(invalid, nan, margin.rho(best)),
        jnp.where(invalid, -jnp.inf, margin.rho(span.lo)),
        jnp.where(invalid, jnp.inf, margin.rho(span.hi)),
    )


def _span(formula: Formula, signals: Mapping[str, Any], dt_s: float, end: End) -> tuple[Span, Array]:
    """Bounds at every sample, and where they are worth nothing because of a NaN."""
    resolved = in_ticks(formula, exact_period(dt_s))
    read, like = _reader(formula, signals)
    keys = {atom: atoms.key(atom, read, like) for atom in atoms_of(resolved)}
    broken = functools.reduce(jnp.logical_or, (jnp.isnan(key) for key in keys.values()), jnp.zeros(like.shape, bool))
    after = jnp.cumsum(broken) > 0  # from the first NaN on
    span = _evaluate(resolved, keys, broken, end)
    before = _evaluate(resolved, keys, after, end)
    decided = ~after & ((before.lo > 0) | (before.hi < 0))
    touched = _any_within(broken, *_reach(resolved))
    kept = touched & decided
    return Span(*(jnp.where(kept, one, other) for one, other in zip(before, span, strict=True))), touched & ~decided


def _evaluate(formula: Formula, keys: Mapping[Atom, Array], unknown: Array, end: End) -> Span:
    """Bounds at every sample; nothing is known of the atoms where `unknown`."""
    seen: dict[Formula, Span] = {}

    def evaluate(part: Formula) -> Span:
        if part not in seen:
            if isinstance(part, Apply):
                arguments = [evaluate(argument) for argument in part.arguments]
                seen[part] = OPERATORS[part.operator].reference(end, ticks_of(part), *arguments)
            elif not isinstance(part, Outside):
                key = keys[part]
                seen[part] = Span(jnp.where(unknown, -jnp.inf, key), jnp.where(unknown, jnp.inf, key))
        return seen[part]

    return evaluate(formula)


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


def _any_within(marks: Array, back: int | None, ahead: int | None) -> Array:
    """Whether a mark lies from `back` samples before to `ahead` samples after each one."""
    n = marks.shape[0]
    counts = jnp.concatenate([jnp.zeros((1,), jnp.int32), jnp.cumsum(marks.astype(jnp.int32))])
    at = jnp.arange(n)
    first = jnp.maximum(at - min(n, n if back is None else back), 0)
    last = jnp.minimum(at + min(n, n if ahead is None else ahead) + 1, n)
    return counts[last] > counts[first]


def _reader(formula: Formula, signals: Mapping[str, Any]) -> tuple[atoms.Read, Array]:
    arrays = {}
    for reference in references(formula):
        name = f"observed({reference.signal})"
        name = name if reference.observed and name in signals else reference.signal
        if name not in signals:
            known = ", ".join(sorted(signals)) or "none"
            raise UnknownSignalError(f"the recording has no signal '{name}'; it has {known}.")
        arrays[reference.signal, reference.observed] = jnp.asarray(signals[name])

    def read(reference: Reference) -> Array:
        found = arrays[reference.signal, reference.observed]
        if reference.index is None:
            return found
        return found.reshape(found.shape[0], -1)[:, reference.index]

    sample = next(iter(arrays.values()), None)
    if sample is None:
        sample = jnp.asarray(next(iter(signals.values())))
    dtype = (
        jnp.result_type(sample.dtype, jnp.float32) if not jnp.issubdtype(sample.dtype, jnp.floating) else sample.dtype
    )
    return read, jnp.zeros(sample.shape[:1], dtype)
