"""Verdicts and their reasons in words, with the values that the signals had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from healing_runtime.core import units
from healing_runtime.core.numerals import significant
from healing_runtime.core.recording import Recording
from healing_runtime.core.signals import SignalTable
from healing_runtime.core.status import Status
from healing_runtime.stl import atoms as atom_values
from healing_runtime.stl.diagnosis import Decision
from healing_runtime.stl.formula import (
    Apply,
    Expression,
    Flag,
    Formula,
    Literal,
    Number,
    Outside,
    Predicate,
    Reference,
    references,
)
from healing_runtime.stl.judged import Judged
from healing_runtime.stl.ticks import ticks_of

_ASKS = {"<": "less than ", "<=": "at most ", ">": "more than ", ">=": "at least ", "==": ""}


class Reasons:
    """Words for one recording."""

    def __init__(self, recording: Recording, table: SignalTable) -> None:
        self._recording, self._table = recording, table

    def at(self, tick: int) -> str:
        """`1.271 s`."""
        return f"{float(self._recording.t_s[tick]):.6g} s"

    def sentence(self, judged: Judged) -> str:
        """Status, instant, values, and what was asked."""
        found, first = judged.decided_by, judged.violated_by
        match judged.status:
            case Status.TRUE:
                return f"true{self._closest(found, holds=False)}"
            case Status.VACUOUS:
                return f"vacuous: never triggered{self._closest(found, holds=True)}"
            case Status.UNKNOWN:
                return f"unknown: {self._said(found)}" if found else "unknown"
        assert judged.violated_at is not None
        word = f"{judged.status.word} at {self.at(judged.violated_at)}"
        if first is None:
            return word
        said = f"{word}: {self._sides(first, judged.violated_at)}"
        if found is None or found.why != "value" or (found.part, found.tick) == (first.part, first.tick):
            return said
        return f"{said}; worst at {self.at(found.tick)}: {self._sides(found, found.tick)}"

    def _sides(self, found: Decision, told_at: int) -> str:
        """What decided and what failed beside it, in the order of the text; each at its instant, if not told yet."""
        said = []
        for side in _in_the_text((found, *_all_beside(found))):
            words = self._said(side, holds=True)
            if side.why in ("value", "nan"):  # the others name their instant, or have none
                words = words if side.tick == told_at else f"at {self.at(side.tick)} {words}"
                told_at = side.tick
            said.append(words)
        return " and ".join(said)

    def _closest(self, found: Decision | None, *, holds: bool) -> str:
        if found is None or found.why != "value":
            return ""
        if isinstance(found.part, Flag):
            return f"; {found.part.text} is {_truth(found.sign * found.value > 0)} at {self.at(found.tick)}"
        if not isinstance(found.part, Predicate):
            return ""
        return f"; closest at {self.at(found.tick)}: {self._said(found, holds=holds)}"

    def _said(self, found: Decision, *, holds: bool = True) -> str:
        """A part and its values; `holds` is whether it does where it is read negated."""
        part = found.part
        clause = f"'{text}'" if (text := text_of(part)) else "a clause"
        if found.why == "end" and isinstance(part, Apply):
            return f"{clause}, asked at {self.at(found.tick)}, is open at the end{self._missing(part, found.tick)}"
        if found.why == "begin":
            return f"{clause} looks back to before the first sample"
        if isinstance(part, Literal):
            return f"{clause} stands in the formula"
        if found.why == "nan":
            broken = [name for name, entry in self.signals(part, found.tick).items() if entry["value"] is None]
            what = f"{', '.join(broken)} has no value" if broken else "it cannot be calculated"
            return f"{what}, so {clause} cannot be judged"
        if isinstance(part, Flag):
            return f"{part.text} is {_truth(found.sign < 0)}"
        if isinstance(part, Predicate):
            return self._compared(part, found, holds=_told_to_hold(found, holds))
        return f"{clause} decides"

    def _missing(self, part: Apply, tick: int) -> str:
        ticks = ticks_of(part)
        if ticks is None:
            return ""
        short = tick + ticks[1] - (len(self._recording) - 1)
        return f"; {short * self._recording.dt_s:.6g} s are missing" if short > 0 else ""

    def _compared(self, part: Predicate, found: Decision, *, holds: bool | None) -> str:
        tested, limit, relation = part.left, part.right, part.relation
        if not any(references(tested)):
            tested, limit = limit, tested
            relation = relation.translate(str.maketrans("<>", "><"))
        unit = self._unit(part, tested)
        value, bound = self._value(tested, found.tick), self._value(limit, found.tick)
        shown, asked = _apart(value / _factor(unit), bound / _factor(unit), unit)
        if relation == "==":
            asked = f"{asked} ± {_quantity(part.tolerance / _factor(unit), unit)}"
        said = [f"{tested.text or tested.signal} is {shown}"] if isinstance(tested, Reference) else []
        others = [r for r in dict.fromkeys(references(part)) if r is not tested and r != tested]
        said += [f"{r.text or r.signal} is {self._shown(r, found.tick, part)}" for r in others]
        asking = f"'{part.text}' asks for {_ASKS[relation]}{asked}"
        if not isinstance(tested, Reference):
            asking += f" and gets {shown}"
        if holds is not None:
            asking = f"so '{part.text}' {'holds' if holds else 'does not hold'} ({_ASKS[relation]}{asked})"
            if not isinstance(tested, Reference):
                asking += f" with {shown}"
        return f"{', '.join(said)}, {asking}" if said else asking

    def _shown(self, reference: Reference, tick: int, part: Predicate) -> str:
        unit = self._unit(part, reference)
        value = np.ravel(self._read(reference)[tick]) / _factor(unit)
        if value.size == 1:
            return _quantity(float(value[0]), unit)
        return f"({', '.join(significant(v, 4) for v in value)}){' ' + unit if unit else ''}"

    # ------------------------------------------------ values
    def signals(self, part: Formula, tick: int) -> dict[str, dict[str, Any]]:
        """Name -> value and unit, in SI, of everything the part reads."""
        out: dict[str, dict[str, Any]] = {}
        for reference in references(part):
            value = np.ravel(self._read(reference)[tick]).tolist()
            entries = [number if np.isfinite(number) else None for number in value]
            name = _name(reference)
            out[name] = {
                "value": entries[0] if len(entries) == 1 else None if None in entries else entries,
                "unit": self._signal_unit(reference),
            }
        return out

    def _signal_unit(self, reference: Reference) -> str:
        return (self._table.observed if reference.observed else self._table.true).by_name[reference.signal].unit

    def _unit(self, part: Predicate, expression: Expression) -> str:
        """The unit in which the author wrote a number of the expression's dimension; else the signal's, else SI."""
        for text, dimension in (*_numbers(part.left), *_numbers(part.right)):
            if dimension == expression.dimension and text:
                return units.split_quantity(text)[1]
        if isinstance(expression, Reference):
            return self._signal_unit(expression)
        return units.symbols(expression.dimension) if expression.dimension else ""

    def _read(self, reference: Reference) -> np.ndarray:
        signals: Mapping[str, np.ndarray] = self._recording.signals
        name = f"observed({reference.signal})"
        found = signals[name if reference.observed and name in signals else reference.signal]
        return found if reference.index is None else found.reshape(len(found), -1)[:, reference.index]

    def _value(self, expression: Expression, tick: int) -> float:
        return float(atom_values.value(expression, lambda r: jnp.asarray(self._read(r)[tick])))


def _all_beside(found: Decision) -> list[Decision]:
    return [side for other in found.beside for side in (other, *_all_beside(other))]


def _told_to_hold(found: Decision, negated: bool) -> bool | None:
    """Whether a comparison is told as one that holds, or does not; None where it is told as what was asked for."""
    if found.sign < 0:
        return negated
    return False if found.given else None


def _in_the_text(sides: Iterable[Decision]) -> list[Decision]:
    """Each once, in the order of the text; what stands at one place in the order of time."""
    once = {(side.part, side.tick, side.sign, side.why): side for side in sides}
    return sorted(once.values(), key=lambda d: (0 if isinstance(d.part, Outside) else d.part.place, d.tick))


def text_of(part: Formula) -> str:
    """A part of a formula as its author wrote it; empty for one that was made up."""
    return "" if isinstance(part, Outside) else part.text


def _name(reference: Reference) -> str:
    return reference.text or (f"observed({reference.signal})" if reference.observed else reference.signal)


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _numbers(expression: Expression) -> list[tuple[str, Any]]:
    if isinstance(expression, Number):
        return [(expression.text, expression.dimension)] if expression.dimension else []
    if isinstance(expression, Reference):
        return []
    return [found for argument in expression.arguments for found in _numbers(argument)]


def _factor(unit: str) -> float:
    return units.si_factor(unit)


def _quantity(value: float, unit: str) -> str:
    return f"{significant(value, 4)} {unit}".rstrip()


def _apart(value: float, bound: float, unit: str) -> tuple[str, str]:
    """Both numbers with as many digits as tell them apart."""
    digits = next((d for d in range(4, 18) if significant(value, d) != significant(bound, d)), 4)
    return f"{significant(value, digits)} {unit}".rstrip(), f"{significant(bound, digits)} {unit}".rstrip()
