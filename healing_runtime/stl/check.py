"""Raw tree -> formula: names, shapes, units and definitions are settled here, and nothing else is.

Every complaint carries the place in the text. Numbers become SI; a bare number never meets a quantity with a unit.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from fractions import Fraction
from typing import NoReturn

from healing_runtime.core import units
from healing_runtime.core.errors import InputError, UnitError, UnknownSignalError
from healing_runtime.core.signals import Signal
from healing_runtime.stl.formula import (
    Apply,
    Arithmetic,
    Dimension,
    Duration,
    Expression,
    Flag,
    Formula,
    Literal,
    Number,
    Predicate,
    Reference,
    Window,
    references,
)
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.parse import WORDS, Raw, Text, name_of
from healing_runtime.stl.vocabulary import FUNCTIONS, Definition, Vocabulary, quantity

_EXPRESSIONS = (Number, Reference, Arithmetic)
MAX_NODES = 2000


# ---------------------------------------------------------------- the check
def check(source: Text, raw: Raw, vocabulary: Vocabulary) -> Formula:
    """The formula a raw tree means.

    Raises:
        AssertionSyntaxError, UnitError, UnknownSignalError: with file, line and column.
    """
    return _Checker(source, vocabulary, {}, (), [0]).formula(raw)


@dataclasses.dataclass(frozen=True)
class _Checker:
    source: Text
    words: Vocabulary
    parameters: Mapping[str, Expression | Formula]
    inside: tuple[str, ...]
    count: list[int]
    used_at: int | None = None

    def place(self, raw: Raw) -> int:
        """Offset in the formula itself; what a definition brings in stands where the definition is used."""
        return raw.start if self.used_at is None else self.used_at

    def fail(self, what: str, raw: Raw, kind: type[InputError] | None = None) -> NoReturn:
        self.source.fail(what, raw.start, *([kind] if kind else []))

    def text(self, raw: Raw) -> str:
        return " ".join(self.source.text[raw.start : raw.end].split())

    # ------------------------------------------------ formulas
    def formula(self, raw: Raw) -> Formula:
        """A node that must be a formula."""
        found = self.either(raw)
        if isinstance(found, _EXPRESSIONS):
            return self.as_flag(found, raw)
        return found

    def as_flag(self, found: Expression, raw: Raw) -> Formula:
        text = self.text(raw)
        if not isinstance(found, Reference):
            self.fail(f"'{text}' is a number, not a formula; compare it, as in '{text} < …'.", raw)
        if found.dimension:
            self.fail(f"'{text}' has a unit and is not true or false by itself; compare it, as in '{text} < …'.", raw)
        if found.size:
            self.fail(f"'{text}' has {found.size} components; name one.", raw)
        return Flag(found, found.text, self.place(raw))

    def either(self, raw: Raw) -> Expression | Formula:
        """A node that may be a formula or an expression."""
        self.count[0] += 1
        if self.count[0] > MAX_NODES:
            self.fail(f"with its definitions written out the formula has more than {MAX_NODES} parts; shorten it.", raw)
        return getattr(self, f"on_{raw.tag}")(raw)

    def on_group(self, raw: Raw) -> Expression | Formula:
        return self.either(raw.parts[0])

    def on_true(self, raw: Raw) -> Formula:
        return Literal(True, "true", self.place(raw))

    def on_false(self, raw: Raw) -> Formula:
        return Literal(False, "false", self.place(raw))

    def on_apply(self, raw: Raw) -> Formula:
        word, bounds, *arguments = raw.parts
        operator = OPERATORS[name_of(word.parts[0])]
        if bounds is not None and operator.window == "none":
            self.fail(f"'{operator.name}' takes no bounds; remove '{self.text(bounds)}'.", bounds)
        if bounds is None and operator.window == "duration":
            self.fail(f"'{operator.name}' needs a duration; write '{operator.name}[0.5 s] …'.", word)
        window = self.window(bounds, operator.window == "duration") if bounds is not None else None
        return Apply(operator.name, tuple(map(self.formula, arguments)), window, self.text(raw), self.place(raw))

    def window(self, raw: Raw, single: bool) -> Window:
        ends = [self.duration(part) for part in raw.parts]
        if len(ends) != (1 if single else 2):
            self.fail(
                "write one duration, as in '[0.5 s]'." if single else "write two bounds, as in '[0 s, 2 s]'.", raw
            )
        if single:
            ends.insert(0, Duration(Fraction(0), ends[0].in_ticks, "0", self.place(raw)))
        low, high = ends
        if low.in_ticks == high.in_ticks and low.amount > high.amount:
            self.fail(f"the lower bound {low.text} lies above the upper bound {high.text}; exchange them.", raw)
        return Window(low, high)

    def duration(self, raw: Raw) -> Duration:
        text = self.text(raw)
        if raw.tag == "name":
            value = self.words.constants.get(text) or self.parameters.get(text)
            if not isinstance(value, Number):
                self.fail(f"'{text}' is not a constant; write a duration, as in '2 s' or '20 ticks'.", raw)
            written = value.text
        else:
            written = text
        number, unit = units.split_quantity(written)
        if unit and units.dimension(unit) == units.dimension("ticks"):
            amount = Fraction(number)
            if amount.denominator != 1:
                self.fail(f"'{text}' is not a whole number of ticks; write one.", raw, UnitError)
            return Duration(amount, True, text, self.place(raw))
        if not unit or units.dimension(unit) != units.dimension("s"):
            self.fail(f"'{text}' is not a duration; write seconds or ticks, as in '2 s' or '20 ticks'.", raw, UnitError)
        return Duration(units.exact_seconds(written), False, text, self.place(raw))

    def on_compare(self, raw: Raw) -> Formula:
        left_raw, sign, right_raw = raw.parts
        left, right = self.number(left_raw), self.number(right_raw)
        for side, part in ((left, left_raw), (right, right_raw)):
            if side.size:
                name = self.text(part)
                self.fail(f"'{name}' has {side.size} components; name one, or write norm({name}).", part)
        self.same_dimension(left, right, left_raw, right_raw)
        relation, tolerance = sign.parts[0], 0.0
        if relation == "==":
            given = self.words.tolerance
            if given is None:
                self.fail("'==' needs a tolerance; give the key 'tolerance', or compare with '<' and '>'.", sign)
            if given.dimension != left.dimension:
                self.fail(f"the tolerance '{given.text}' has another unit than '{self.text(raw)}'.", sign, UnitError)
            tolerance = given.value
        scale = self.words.scales.get(left.dimension) or max(
            (r.scale for side in (left, right) for r in references(side)), default=1.0
        )
        return Predicate(relation, left, right, tolerance, scale, self.text(raw), self.place(raw))

    # ------------------------------------------------ expressions
    def number(self, raw: Raw) -> Expression:
        """A node that must be an expression."""
        found = self.either(raw)
        if not isinstance(found, _EXPRESSIONS):
            self.fail(f"'{self.text(raw)}' is true or false, not a number; do not calculate with it.", raw)
        return found

    def same_dimension(self, left: Expression, right: Expression, left_raw: Raw, right_raw: Raw) -> None:
        if left.dimension == right.dimension:
            return
        bare = isinstance(right, Number) and not right.dimension
        advice = f"give '{self.text(right_raw)}' a unit" if bare else "make the units agree"
        self.fail(
            f"'{self.text(left_raw)}' is in {unit_text(left.dimension)} and '{self.text(right_raw)}' in "
            f"{unit_text(right.dimension)}; {advice}.",
            right_raw,
            UnitError,
        )

    def on_number(self, raw: Raw) -> Expression:
        return Number(float(self.text(raw)), (), self.text(raw))

    def on_quantity(self, raw: Raw) -> Expression:
        text = self.text(raw)
        if "tick" in text:
            self.fail(f"'{text}': ticks are for bounds; compare with seconds.", raw, UnitError)
        return quantity(text, self.source.at(raw.start))

    def on_negative(self, raw: Raw) -> Expression:
        inner = self.number(raw.parts[-1])
        if isinstance(inner, Number):
            return Number(-inner.value, inner.dimension, f"-{inner.text}")
        return Arithmetic("negate", (inner,), inner.dimension, inner.size)

    def on_arithmetic(self, raw: Raw) -> Expression:
        sign, left_raw, right_raw = raw.parts
        left, right = self.number(left_raw), self.number(right_raw)
        if left.size and right.size and left.size != right.size:
            self.fail(f"{left.size} and {right.size} components do not go together.", right_raw)
        size = left.size or right.size
        if sign in "+-":
            self.same_dimension(left, right, left_raw, right_raw)
            return Arithmetic(sign, (left, right), left.dimension, size)
        power = 1 if sign == "*" else -1
        return Arithmetic(sign, (left, right), _product(left.dimension, right.dimension, power), size)

    def on_component(self, raw: Raw) -> Expression:
        base_raw, name = raw.parts
        base, signal = self.vector(self.number(base_raw), base_raw)
        wanted = name.parts[0]
        if wanted not in signal.components:
            known = ", ".join(signal.components) or "none by name; write an index, as in [0]"
            self.fail(f"'{self.text(base_raw)}' has no component '{wanted}'; it has {known}.", name)
        return self.entry(base, signal.components.index(wanted), raw)

    def on_entry(self, raw: Raw) -> Expression:
        base_raw, index = raw.parts
        (base, _), text = self.vector(self.number(base_raw), base_raw), index.parts[0]
        if not text.isdigit() or int(text) >= base.size:
            self.fail(f"'{self.text(base_raw)}' has entries 0 to {base.size - 1}; write one of them.", index)
        return self.entry(base, int(text), raw)

    def vector(self, base: Expression, raw: Raw) -> tuple[Reference, Signal]:
        if not isinstance(base, Reference) or not base.size or self.words.true is None:
            self.fail(f"'{self.text(raw)}' has no components; use it as it is.", raw)
        return base, (self.words.observed if base.observed else self.words.true)[base.signal]

    def entry(self, base: Reference, index: int, raw: Raw) -> Reference:
        return dataclasses.replace(base, index=index, size=0, text=self.text(raw))

    def on_name(self, raw: Raw) -> Expression | Formula:
        name = self.text(raw)
        if name in self.parameters:
            return self.parameters[name]
        if name in self.words.constants:
            return self.words.constants[name]
        if name in self.words.definitions:
            return self.expand(self.words.definitions[name], (), raw)
        return self.signal(name, False, raw)

    def signal(self, name: str, observed: bool, raw: Raw) -> Reference:
        if self.words.true is None:
            return Reference(name, observed, text=name)
        table = self.words.observed if observed else self.words.true
        if name not in table:
            self.unknown(name, table, raw)
        s = table[name]
        size = 0 if s.shape == () else s.size
        return Reference(name, observed, None, units.dimension(s.unit), size, s.scale, name)

    def unknown(self, name: str, table: Mapping[str, Signal], raw: Raw) -> NoReturn:
        known = {**dict.fromkeys(table), **dict.fromkeys(self.words.constants), **dict.fromkeys(self.words.definitions)}
        by_key = next((s.name for s in table.values() if s.key == name), None)
        near = [by_key] if by_key else difflib.get_close_matches(name, list(known), n=3, cutoff=0.4)
        advice = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(sorted(known)) or 'none'}."
        self.fail(f"'{name}' is no signal, constant or definition; {advice}", raw, UnknownSignalError)

    def on_call(self, raw: Raw) -> Expression | Formula:
        name, *arguments = raw.parts
        word = name.parts[0]
        if word == "observed":
            return self.observed(arguments, raw)
        if word in self.words.definitions:
            return self.expand(self.words.definitions[word], tuple(map(self.either, arguments)), raw)
        if word not in FUNCTIONS:
            known = [*WORDS, *FUNCTIONS, "observed", *self.words.definitions]
            near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
            advice = f"did you mean '{near[0]}'?" if near else "define it under 'definitions'."
            self.fail(f"'{word}' is no function or definition; {advice}", raw, UnknownSignalError)
        low, high = FUNCTIONS[word]
        if not low <= len(arguments) <= high:
            self.fail(f"{word} takes {low if low == high else f'{low} to {high}'} argument(s).", raw)
        return self.function(word, tuple(map(self.number, arguments)), arguments, raw)

    def function(self, word: str, values: tuple[Expression, ...], raws: list[Raw], raw: Raw) -> Expression:
        for value, part in zip(values[1:], raws[1:], strict=True):
            self.same_dimension(values[0], value, raws[0], part)
        reduces = word in ("norm", "min", "max") and len(values) == 1
        if reduces and not values[0].size:
            self.fail(f"{word} of one number is that number; give it a vector.", raw)
        if not reduces and word != "abs" and any(v.size for v in values):
            self.fail(f"{word} of several arguments takes single numbers; name components.", raw)
        return Arithmetic(word, values, values[0].dimension, values[0].size if word == "abs" else 0)

    def observed(self, arguments: list[Raw], raw: Raw) -> Expression:
        if len(arguments) != 1:
            self.fail("observed takes one signal, as in observed(altitude).", raw)
        inner, path = arguments[0], []
        while inner.tag in ("component", "entry", "group"):
            path.append(inner)
            inner = inner.parts[0]
        if inner.tag != "name":
            self.fail("observed takes a signal, as in observed(altitude).", raw)
        found = self.signal(self.text(inner), True, inner)
        for step in reversed([p for p in path if p.tag != "group"]):
            found, read = self.vector(found, inner)
            wanted = step.parts[1].parts[0]
            names = [*read.components] if step.tag == "component" else [str(i) for i in range(read.size)]
            if wanted not in names:
                self.fail(f"'{self.text(inner)}' has no '{wanted}'; it has {', '.join(names)}.", step)
            found = self.entry(found, names.index(wanted), step)
        return dataclasses.replace(found, text=self.text(raw))

    def expand(self, found: Definition, arguments: tuple[Expression | Formula, ...], raw: Raw) -> Expression | Formula:
        if found.name in self.inside:
            self.fail(f"'{found.name}' is defined by itself; write it out.", raw)
        if len(arguments) != len(found.parameters):
            self.fail(f"'{found.name}' takes {len(found.parameters)} argument(s), not {len(arguments)}.", raw)
        bound = dict(zip(found.parameters, arguments, strict=True))
        inner = _Checker(found.source, self.words, bound, (*self.inside, found.name), self.count, self.place(raw))
        value = inner.either(found.body)
        # A definition keeps its name in readings and reports.
        return value if isinstance(value, Number | Arithmetic) else dataclasses.replace(value, text=self.text(raw))


def _product(left: Dimension, right: Dimension, power: int) -> Dimension:
    out = dict(left)
    for base, exponent in right:
        out[base] = out.get(base, 0.0) + power * exponent
    return tuple(sorted((base, exponent) for base, exponent in out.items() if exponent))


_SYMBOLS = {"[length]": "m", "[time]": "s", "[mass]": "kg", "[angle]": "rad", "[tick]": "ticks"}


def unit_text(dimension: Dimension) -> str:
    """A dimension in SI symbols, for messages."""
    if not dimension:
        return "no unit"

    def power(base: str, exponent: float) -> str:
        return _SYMBOLS.get(base, base) + (f"{exponent:g}" if exponent != 1 else "")

    over = " ".join(power(b, e) for b, e in dimension if e > 0) or "1"
    under = "".join("/" + power(b, -e) for b, e in dimension if e < 0)
    return over + under
