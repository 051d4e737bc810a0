"""Raw tree -> formula: names, shapes, units and definitions are settled here and in `expressions`, and nothing else is.

Every complaint carries the place in the text. Numbers become SI; a bare number never meets a quantity with a unit.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction

from healing_runtime.core import units
from healing_runtime.core.errors import UnitError
from healing_runtime.stl.expressions import EXPRESSIONS, ExpressionReader
from healing_runtime.stl.formula import (
    Apply,
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
from healing_runtime.stl.parse import Raw, Text, name_of
from healing_runtime.stl.vocabulary import Vocabulary

MAX_NODES = 2000


# ---------------------------------------------------------------- the check
def check(source: Text, raw: Raw, vocabulary: Vocabulary) -> Formula:
    """The formula a raw tree means.

    Raises:
        AssertionSyntaxError, UnitError, UnknownSignalError: with file, line and column.
    """
    return _Checker(source, vocabulary, {}, (), [0]).formula(raw)


@dataclasses.dataclass(frozen=True)
class _Checker(ExpressionReader):
    """Reads nodes that are formulas, and nodes that may be either."""

    def formula(self, raw: Raw) -> Formula:
        """A node that must be a formula."""
        found = self.either(raw)
        if isinstance(found, EXPRESSIONS):
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
        return getattr(self, f"_on_{raw.tag}")(raw)

    def _on_group(self, raw: Raw) -> Expression | Formula:
        return self.either(raw.parts[0])

    def _on_true(self, raw: Raw) -> Formula:
        return Literal(True, "true", self.place(raw))

    def _on_false(self, raw: Raw) -> Formula:
        return Literal(False, "false", self.place(raw))

    def _on_apply(self, raw: Raw) -> Formula:
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

    def _on_compare(self, raw: Raw) -> Formula:
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
