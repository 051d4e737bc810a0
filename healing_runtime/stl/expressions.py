"""Raw tree -> expression: arithmetic, signals and their components, constants, and what a definition stands for.

The half of the check that deals with numbers; `check.py` is the half that deals with formulas. They need each other,
because a definition may stand for either and its arguments too.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import NoReturn

from healing_runtime.core import units
from healing_runtime.core.errors import InputError, UnitError, UnknownSignalError
from healing_runtime.core.signals import Signal
from healing_runtime.stl.dimensions import PER_SECOND, RADIANS_PER_SECOND, product
from healing_runtime.stl.elsewhere import FUNCTIONS_ELSEWHERE, NO_SIGNALS, nearest_names
from healing_runtime.stl.formula import Arithmetic, Expression, Formula, Number, Reference
from healing_runtime.stl.remedies import one_of, quotient, without_unit, word_elsewhere
from healing_runtime.stl.text import WORDS, Raw, Text
from healing_runtime.stl.vocabulary import FUNCTIONS, Definition, Vocabulary, quantity

EXPRESSIONS = (Number, Reference, Arithmetic)


@dataclasses.dataclass
class Written:
    """How many nodes have been read, and how deep the present one lies; definitions count as written out."""

    parts: int = 0
    levels: int = 0


@dataclasses.dataclass(frozen=True)
class ExpressionReader(abc.ABC):
    """Reads nodes that are numbers, one method `_on_<tag>` a kind of node.

    Attributes:
        source: the text that the nodes come from.
        words: what names mean.
        parameters: what the parameters of the definition being read stand for.
        inside: names of the definitions being read, outermost first.
        written: how much has been read so far, shared with the definitions inside.
        used_at: where the definition being read is used; None in the formula itself.
    """

    source: Text
    words: Vocabulary
    parameters: Mapping[str, Expression | Formula]
    inside: tuple[str, ...]
    written: Written
    used_at: int | None = None

    @abc.abstractmethod
    def either(self, raw: Raw) -> Expression | Formula:
        """A node that may be a formula or an expression."""

    def place(self, raw: Raw) -> int:
        """Offset in the formula itself; what a definition brings in stands where the definition is used."""
        return raw.start if self.used_at is None else self.used_at

    def fail(self, what: str, raw: Raw, kind: type[InputError] | None = None) -> NoReturn:
        """Refuse, with the node's place."""
        self.source.fail(what, raw.start, *([kind] if kind else []))

    def text(self, raw: Raw) -> str:
        """What stands there, on one line."""
        return " ".join(self.source.text[raw.start : raw.end].split())

    def number(self, raw: Raw) -> Expression:
        """A node that must be an expression."""
        return self.as_number(self.either(raw), raw)

    def as_number(self, found: Expression | Formula, raw: Raw) -> Expression:
        """What has been read, if it is an expression."""
        if not isinstance(found, EXPRESSIONS):
            self.fail(f"'{self.text(raw)}' is true or false, not a number; do not calculate with it.", raw)
        return found

    def same_dimension(self, left: Expression, right: Expression, left_raw: Raw, right_raw: Raw) -> None:
        """Refuse two numbers that cannot be compared or added."""
        if left.dimension == right.dimension:
            return
        for side, raw, other in ((right, right_raw, left), (left, left_raw, right)):
            if isinstance(side, Number) and not side.dimension:
                text = self.text(raw)
                self.fail(without_unit(side, text, other.dimension, text in self.parameters), raw, UnitError)
        advice = "make the units agree"
        if {left.dimension, right.dimension} == {PER_SECOND, RADIANS_PER_SECOND}:
            advice = "an angle's rate is written in 'rad/s', 'deg/s' or 'rpm', a frequency in 'Hz'"
        self.fail(
            f"{self._named(left_raw)} is in {units.symbols(left.dimension)} and {self._named(right_raw)} in "
            f"{units.symbols(right.dimension)}; {advice}.",
            right_raw,
            UnitError,
        )

    def _named(self, raw: Raw) -> str:
        """What stands there; of a parameter also what it stands for, since the mistake may be where it is given."""
        text = self.text(raw)
        given = self.parameters.get(text)
        return f"'{text}'" if given is None else f"'{text}' (here '{getattr(given, 'text', '')}')"

    def _on_number(self, raw: Raw) -> Expression:
        return self._quantity(raw)

    def _on_quantity(self, raw: Raw) -> Expression:
        text = self.text(raw)
        if "tick" in text:
            self.fail(f"'{text}': ticks are for bounds; compare with seconds.", raw, UnitError)
        return self._quantity(raw)

    def _quantity(self, raw: Raw) -> Number:
        try:
            return quantity(self.text(raw))
        except UnitError as error:
            self.fail(error.message, raw, UnitError)

    def _on_negative(self, raw: Raw) -> Expression:
        inner = self.number(raw.parts[-1])
        if isinstance(inner, Number):
            return Number(-inner.value, inner.dimension, f"-{inner.text}")
        return Arithmetic("negate", (inner,), inner.dimension, inner.size)

    def _on_arithmetic(self, raw: Raw) -> Expression:
        sign, left_raw, right_raw = raw.parts
        if sign == "/" and left_raw.tag == "quantity" and right_raw.tag == "name":
            self._refuse_unit(left_raw, right_raw)
        left, right = self.number(left_raw), self.number(right_raw)
        if left.size and right.size and left.size != right.size:
            what = f"{left.size} and {right.size} components do not go together; name one of each."
            self.fail(what, right_raw)
        size = left.size or right.size
        if sign in "+-":
            self.same_dimension(left, right, left_raw, right_raw)
            return Arithmetic(sign, (left, right), left.dimension, size)
        if sign == "/" and isinstance(right, Number) and right.value == 0:
            self.fail("nothing can be divided by 0; write another number.", right_raw)
        power = 1 if sign == "*" else -1
        return Arithmetic(sign, (left, right), product(left.dimension, right.dimension, power), size)

    def _refuse_unit(self, number: Raw, unit: Raw) -> None:
        """`3 km/h`, `3 m/sec`: a unit that there is not, where it would be looked up as a signal."""
        text, word = self.text(number), self.text(unit)
        if word in self.parameters or word in self.words.constants or word in self.words.definitions:
            return
        if self.words.true is None or word in self.words.true:
            return
        if (ours := quotient(text, word)) is not None:
            self.fail(f"'{word}' is not a unit; write '{ours}'.", unit, UnitError)

    def _on_component(self, raw: Raw) -> Expression:
        base_raw, name = raw.parts
        base, signal = self._vector(self.number(base_raw), base_raw)
        wanted = name.parts[0]
        if wanted not in signal.components:
            near, vector = nearest_names(wanted, signal.components), self.text(base_raw)
            known = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(signal.components)}."
            known = known if signal.components else f"its components have no names: write '{vector}[0]' for the first."
            self.fail(f"'{vector}' has no component '{wanted}'; {known}", name)
        return self._entry(base, signal.components.index(wanted), raw)

    def _on_entry(self, raw: Raw) -> Expression:
        base_raw, index = raw.parts
        (base, _), text = self._vector(self.number(base_raw), base_raw), index.parts[0]
        if not text.isdigit() or int(text) >= base.size:
            self.fail(f"'{self.text(base_raw)}' has entries 0 to {base.size - 1}; write one of them.", index)
        return self._entry(base, int(text), raw)

    def _vector(self, base: Expression, raw: Raw) -> tuple[Reference, Signal]:
        if not isinstance(base, Reference) or not base.size or self.words.true is None:
            self.fail(f"'{self.text(raw)}' has no components; use it as it is.", raw)
        return base, (self.words.observed if base.observed else self.words.true)[base.signal]

    def _entry(self, base: Reference, index: int, raw: Raw) -> Reference:
        return dataclasses.replace(base, index=index, size=0, text=self.text(raw))

    def _on_name(self, raw: Raw) -> Expression | Formula:
        name = self.text(raw)
        if name in self.parameters:
            return self.parameters[name]
        if name in self.words.constants:
            return self.words.constants[name]
        if name in self.words.definitions:
            return self._expand(self.words.definitions[name], (), raw)
        return self._signal(name, False, raw)

    def _signal(self, name: str, observed: bool, raw: Raw) -> Reference:
        if self.words.true is None:
            return Reference(name, observed, text=name)
        table = self.words.observed if observed else self.words.true
        if name not in table:
            self._unknown(name, table, raw)
        s = table[name]
        size = 0 if s.shape == () else s.size
        return Reference(name, observed, None, units.dimension(s.unit), size, s.scale, name)

    def _unknown(self, name: str, table: Mapping[str, Signal], raw: Raw) -> NoReturn:
        known = [*table, *self.words.constants, *self.words.definitions]
        vector, _, component = name.rpartition("_")
        by_key = next((s.name for s in table.values() if s.key == name), None)
        if vector in table and component in table[vector].components:
            advice = f"did you mean '{vector}.{component}'?"
        elif name.lower() in NO_SIGNALS:
            advice = NO_SIGNALS[name.lower()]
        elif near := [by_key] if by_key else nearest_names(name, known):
            advice = f"did you mean {' or '.join(repr(n) for n in near)}?"
        else:
            advice = f"known are {', '.join(sorted(known)) or 'none'}."
        self.fail(f"'{name}' is no signal, constant or definition; {advice}", raw, UnknownSignalError)

    def _on_call(self, raw: Raw) -> Expression | Formula:
        name, *arguments = raw.parts
        word = name.parts[0]
        if word == "observed":
            return self._observed(arguments, raw)
        if word in self.words.definitions:
            return self._expand(self.words.definitions[word], tuple(map(self.either, arguments)), raw)
        if word in WORDS:
            self._no_value(word, arguments, raw)
        if word not in FUNCTIONS:
            self._refuse_word(word, arguments, raw)
            near = nearest_names(word, [*FUNCTIONS_ELSEWHERE, *FUNCTIONS, "observed", *self.words.definitions, *WORDS])
            near = [FUNCTIONS_ELSEWHERE.get(n, n) for n in near if len(n) > 1]
            advice = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(sorted(FUNCTIONS))} and observed."
            self.fail(f"'{word}' is no function or definition; {advice}", raw, UnknownSignalError)
        low, high = FUNCTIONS[word]
        if not low <= len(arguments) <= high:
            takes = f"{low if low == high else f'{low} to {high}'} argument{'s' if high > 1 else ''}"
            self.fail(f"{word} takes {takes}, not {len(arguments)}; give it so many.", raw)
        return self._function(word, tuple(map(self.number, arguments)), arguments, raw)

    def _refuse_word(self, word: str, arguments: list[Raw], raw: Raw) -> None:
        """`never(p)`: a word of another language, written like a function."""
        said = word_elsewhere(word, self.text(arguments[0]) if len(arguments) == 1 else "…")
        if said is not None:
            self.fail(f"'{word}' is not part of the language; {said}.", raw)

    def _no_value(self, word: str, arguments: list[Raw], raw: Raw) -> NoReturn:
        """`altitude > prev(altitude)`: an operator where a number was to come."""
        found = self.either(arguments[0]) if len(arguments) == 1 else None
        if isinstance(found, EXPRESSIONS) and not could_be_flag(found):
            what = f"'{word}' takes a formula, not a number, and gives true or false"
            self.fail(f"{what}; compare inside it, as in '{word} ({self.text(arguments[0])} < …)'.", raw)
        self.fail(f"'{self.text(raw)}' is true or false, not a number; do not calculate with it.", raw)

    def _function(self, word: str, values: tuple[Expression, ...], raws: list[Raw], raw: Raw) -> Expression:
        for value, part in zip(values[1:], raws[1:], strict=True):
            self.same_dimension(values[0], value, raws[0], part)
        reduces = word in ("norm", "min", "max") and len(values) == 1
        if reduces and not values[0].size:
            self.fail(f"{word} of one number says nothing; write 'abs({self.text(raws[0])})', or give it more.", raw)
        if not reduces and word != "abs" and any(v.size for v in values):
            vector = next(value for value in values if value.size)
            self.fail(f"{word} of several arguments takes single numbers; {one_of(vector, self.words)}.", raw)
        return Arithmetic(word, values, values[0].dimension, values[0].size if word == "abs" else 0)

    def _observed(self, arguments: list[Raw], raw: Raw) -> Expression:
        if len(arguments) != 1:
            self.fail(f"observed takes one signal, not {len(arguments)}; write it as in 'observed(altitude)'.", raw)
        inner, path = arguments[0], []
        while inner.tag in ("component", "entry", "group"):
            path.append(inner)
            inner = inner.parts[0]
        if inner.tag != "name":
            what = f"observed takes a signal, not '{self.text(inner)}'; write it as in 'observed(altitude)'."
            self.fail(what, raw)
        found = self._signal(self.text(inner), True, inner)
        for step in reversed([p for p in path if p.tag != "group"]):
            found, read = self._vector(found, inner)
            wanted = step.parts[1].parts[0]
            names = [*read.components] if step.tag == "component" else [str(i) for i in range(read.size)]
            if wanted not in names:
                self.fail(f"'{self.text(inner)}' has no '{wanted}'; it has {', '.join(names)}.", step)
            found = self._entry(found, names.index(wanted), step)
        return dataclasses.replace(found, text=self.text(raw))

    def _expand(self, found: Definition, arguments: tuple[Expression | Formula, ...], raw: Raw) -> Expression | Formula:
        if found.name in self.inside:
            hides = self.words.true is not None and found.name in self.words.true
            advice = "it hides the signal of that name: rename it" if hides else "write one of them out"
            around = " -> ".join((*self.inside[self.inside.index(found.name) :], found.name))
            self.fail(f"'{found.name}' is defined by itself ({around}); {advice}.", raw)
        if len(arguments) != len(found.parameters):
            form = f"{found.name}({', '.join(found.parameters)})" if found.parameters else found.name
            many = f"{len(found.parameters)} argument{'' if len(found.parameters) == 1 else 's'}"
            self.fail(f"'{found.name}' takes {many}, not {len(arguments)}; write '{form}'.", raw)
        bound = dict(zip(found.parameters, arguments, strict=True))
        inside = (*self.inside, found.name)
        inner = dataclasses.replace(self, source=found.source, parameters=bound, inside=inside, used_at=self.place(raw))
        value = inner.either(found.body)
        # A definition keeps its name in readings and reports.
        return value if isinstance(value, Number | Arithmetic) else dataclasses.replace(value, text=self.text(raw))


def could_be_flag(found: Expression | Formula) -> bool:
    """Whether it may stand for true or false by itself: a signal without a unit."""
    return isinstance(found, Reference) and not found.dimension and not found.size
