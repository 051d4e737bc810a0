"""Formulas over whole recordings: the value at every sample, vectorised in JAX.

The operators' `reference` functions are the definition; the online machines are held against them. Arrays in, arrays
out: it can be jitted, vmapped over runs and, outside the ties of min and max, differentiated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import Array

from healing_runtime.core.errors import UnknownSignalError
from healing_runtime.core.records import Verdict
from healing_runtime.core.status import Status
from healing_runtime.stl import atoms, margin
from healing_runtime.stl.formula import Apply, Formula, Outside, Reference, references
from healing_runtime.stl.formula import atoms as atoms_of
from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import End
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.ticks import exact_period, in_ticks


def robustness(formula: Formula, signals: Mapping[str, Any], dt_s: float, *, end: End = "truncate") -> Array:
    """Robustness at every sample, in the formula's unit.

    Args:
        formula: from `parse`.
        signals: name -> samples [N], or [N, components]; `observed(x)` is looked up under that key first, then as `x`.
        dt_s: sampling period.
        end: `truncate` leaves samples after the last out of a window, as other tools do. `ended` and `running` give the
            upper bound of what is possible (see `verdicts` for both bounds).

    Returns:
        Array [N] in the dtype of the signals; NaN from where an atom is NaN.

    Raises:
        AssertionSyntaxError: a bound is not a whole number of samples.
        UnknownSignalError: a signal is missing.
    """
    return margin.rho(_span(formula, signals, dt_s, end)[0].hi)


def verdicts(formula: Formula, signals: Mapping[str, Any], dt_s: float, *, end: End = "ended") -> Verdict:
    """Status and bounds at every sample, arrays [N].

    `ended`: unbounded operators range over the samples there are, a window reaching past the last sample is unknown.
    `running`: unbounded operators are unknown too, until something decides them. `truncate`: nothing is unknown.
    A sample at which the formula rests on a NaN atom, anywhere in the recording, is `invalid`.
    """
    span, invalid = _span(formula, signals, dt_s, end)
    status = jnp.where(span.hi < 0, int(Status.FALSE), int(Status.UNKNOWN))
    status = jnp.where(span.lo > 0, int(Status.TRUE), status)
    status = jnp.where(invalid, int(Status.INVALID), status).astype(jnp.int32)
    # Where nothing is known above, the lower bound says how far the samples have come; else the upper one.
    best = jnp.where(jnp.isposinf(span.hi), span.lo, span.hi)
    best = jnp.where(jnp.isneginf(best) & jnp.isposinf(span.hi), span.hi, best)
    nan = jnp.asarray(jnp.nan, best.dtype)
    return Verdict(status, jnp.where(invalid, nan, margin.rho(best)), margin.rho(span.lo), margin.rho(span.hi))


def _span(formula: Formula, signals: Mapping[str, Any], dt_s: float, end: End) -> tuple[Span, Array]:
    resolved = in_ticks(formula, exact_period(dt_s))
    read, like = _reader(formula, signals)
    seen: dict[Formula, Span] = {}

    def evaluate(part: Formula) -> Span:
        if part not in seen:
            if isinstance(part, Apply):
                arguments = [evaluate(argument) for argument in part.arguments]
                ticks = part.window.ticks if part.window else None
                seen[part] = OPERATORS[part.operator].reference(end, ticks, *arguments)
            elif not isinstance(part, Outside):
                seen[part] = Span.exact(atoms.key(part, read, like))
        return seen[part]

    span = evaluate(resolved)
    broken = [jnp.any(jnp.isnan(seen[atom].lo)) for atom in atoms_of(resolved)]
    return span, jnp.broadcast_to(jnp.any(jnp.stack(broken)), like.shape)


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
