"""Times of a scenario file: exact seconds, whole ticks, and physics steps, to which times of faults are rounded."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

from healing_runtime.core import units
from healing_runtime.core.errors import FileFormatError, UnitError
from healing_runtime.workspace.document import Document, KeyPath
from healing_runtime.workspace.models import Rates
from healing_runtime.workspace.validation import dotted

MAX_TICKS = 1_000_000
"""The longest run: what a log, a replay and the gate's flights can hold."""
MAX_STEPS = 100_000_000
"""Most physics steps of a run: an hour of computing, where a step is a body's."""


def checked_rates(document: Document, rates: Rates) -> Rates:
    """The rates, if the control rate divides the physics rate."""
    if rates.physics_hz % rates.control_hz == 0:
        return rates
    divisors = [d for d in range(1, rates.physics_hz + 1) if rates.physics_hz % d == 0]
    below = max((d for d in divisors if d < rates.control_hz), default=None)
    above = min((d for d in divisors if d > rates.control_hz), default=None)
    legal = " or ".join(str(d) for d in (below, above) if d is not None)
    message = (
        f"control_hz {rates.control_hz} does not divide physics_hz {rates.physics_hz}; "
        f"write control_hz {legal}, or a multiple of {rates.control_hz} as physics_hz."
    )
    raise FileFormatError(message, where=document.where(("rates", "control_hz")))


def seconds(document: Document, at: KeyPath, text: str) -> Fraction:
    """An exact time that is not negative."""
    try:
        found = units.exact_seconds(text)
    except UnitError as error:
        raise UnitError(f"{dotted(at)}: {error.message}", where=document.where(at)) from None
    if found < 0:
        raise FileFormatError(
            f"{dotted(at)}: a time is never negative; write one from 0 s on.", where=document.where(at)
        )
    return found


def whole_ticks(document: Document, at: KeyPath, text: str, hz: int) -> int:
    """A duration that is a whole, positive number of ticks, exactly."""
    ticks = seconds(document, at, text) * hz
    if ticks.denominator == 1 and ticks > 0:
        return int(ticks)
    below = next((n for n in range(math.floor(ticks), 0, -1) if _in_decimals(n, hz)), None)
    above = next(n for n in itertools.count(max(1, math.ceil(ticks))) if _in_decimals(n, hz))
    legal = [written(Fraction(n, hz)) for n in (below, above) if n is not None]
    message = f"{dotted(at)}: '{text}' is not a whole number of ticks at {hz} Hz; write {' or '.join(legal)}."
    raise FileFormatError(message, where=document.where(at))


def _in_decimals(ticks: int, hz: int) -> bool:
    """Whether so many ticks are a number of seconds that can be written exactly, with six decimals at most."""
    return ticks * 10**6 % hz == 0


def written(time: Fraction) -> str:
    """A time that can be written exactly as one writes it, in quotes."""
    return f"'{float(time):.16g} s'"


def length_in_ticks(document: Document, text: str, rates: Rates) -> int:
    """The scenario's duration, which a run can hold."""
    at: KeyPath = ("duration",)
    ticks = whole_ticks(document, at, text, rates.control_hz)
    most = min(MAX_TICKS, MAX_STEPS * rates.control_hz // rates.physics_hz)
    if ticks > most:
        what = f"{ticks} ticks; a run has at most {MAX_TICKS:,}"
        if most < MAX_TICKS:
            what = f"{ticks * rates.physics_hz // rates.control_hz} physics steps; a run has at most {MAX_STEPS:,}"
        hz = rates.control_hz
        longest = written(Fraction(next(n for n in range(most, 0, -1) if _in_decimals(n, hz)), hz))
        raise FileFormatError(f"duration: '{text}' is {what}, so {longest}.", where=document.where(at))
    return ticks


def nearest_step(document: Document, at: KeyPath, text: str, hz: int, notes: list[str]) -> int:
    """A time in physics steps, rounded; what was rounded is noted."""
    exact = seconds(document, at, text) * hz
    step = round(exact)
    if exact != step:
        notes.append(f"{dotted(at)}: {text} is rounded to physics step {step}, {step / hz:g} s")
    return step
