"""Raw tree -> formula: names, shapes, units and definitions are settled here and in `expressions`, and nothing else is.

Every complaint carries the place in the text. Numbers become SI; a bare number never meets a quantity with a unit.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import NoReturn

from healing_runtime.core import units
from healing_runtime.core.errors import UnitError
from healing_runtime.stl.dimensions import usual_unit
from healing_runtime.stl.expressions import EXPRESSIONS, ExpressionReader, Written, could_be_flag
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
from healing_runtime.stl.remedies import one_of
from healing_runtime.stl.vocabulary import Vocabulary

MAX_NODES, MAX_LEVELS, MAX_WINDOWS = 2000, 120, 10
"""Parts, levels and operators with a future or a past inside one another, definitions written out."""

_ENDLESS = ("inf", "infinity", "end", "oo")


# ---------------------------------------------------------------- the check
def check(source: Text, raw: Raw, vocabulary: Vocabulary) -> Formula:
    """The formula a raw tree means.

    Raises:
        AssertionSyntaxError, UnitError, UnknownSignalError: with file, line and column.
    """
    formula = _Checker(source, vocabulary, {}, (), Written()).formula(raw)
    _refuse_towers(source, formula)
    return formula


def _refuse_towers(source: Text, formula: Formula) -> None:
    """A monitor's work can double with every temporal operator inside another."""
    waiting = [(formula, 0)]
    while waiting:
        part, above = waiting.pop()
        if isinstance(part, Apply):
            above += OPERATORS[part.operator].kind != "boolean"
            if above > MAX_WINDOWS:
                source.fail(
                    f"more than {MAX_WINDOWS} temporal operators stand inside one another; write fewer, with wider "
                    "windows.",
                    part.place,
                )
            waiting += [(argument, above) for argument in part.arguments]


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
            self.fail(f"'{text}' has {found.size} components; write '{text}[0]' for the first, and so on.", raw)
        return Flag(found, found.text, self.place(raw))

    def either(self, raw: Raw) -> Expression | Formula:
        """A node that may be a formula or an expression."""
        self.written.parts += 1
        if self.written.parts > MAX_NODES:
            self.fail(f"with its definitions written out the formula has more than {MAX_NODES} parts; shorten it.", raw)
        if self.written.levels >= MAX_LEVELS:
            what = f"with its definitions written out the formula nests deeper than {MAX_LEVELS} levels; flatten it."
            self.fail(what, raw)
        self.written.levels += 1
        found = getattr(self, f"_on_{raw.tag}")(raw)
        self.written.levels -= 1
        return found

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
            self.fail(f"'{operator.name}' needs a duration; write '{operator.name}[0.5 s]'.", word)
        window = self.window(bounds, operator.window == "duration") if bounds is not None else None
        return Apply(operator.name, tuple(map(self.formula, arguments)), window, self.text(raw), self.place(raw))

    def window(self, raw: Raw, single: bool) -> Window:
        if len(raw.parts) == 2 and self.text(raw.parts[1]).lower() in _ENDLESS:
            self._refuse_endless(*raw.parts)
        ends = [self.duration(part) for part in raw.parts]
        if len(ends) != (1 if single else 2):
            one = ends[0].text
            self.fail(
                f"there is one duration to give, not {len(ends)}; write '[{ends[-1].text}]'."
                if single
                else f"there are two bounds to give; write '[0 s, {one}]', or '[{one}, {one}]' for that moment alone.",
                raw,
            )
        if single:
            ends.insert(0, Duration(Fraction(0), ends[0].in_ticks, "0", self.place(raw)))
        low, high = ends
        if low.in_ticks == high.in_ticks and low.amount > high.amount:
            exchanged = f"[{high.text}, {low.text}]"
            self.fail(f"the lower bound {low.text} lies above {high.text}; exchange them: write '{exchanged}'.", raw)
        return Window(low, high)

    def _refuse_endless(self, low_raw: Raw, high_raw: Raw) -> NoReturn:
        """`[2 s, inf]`: without bounds an operator looks from here to the end, which is not from 2 s on."""
        low = self.duration(low_raw)
        advice = "leave both bounds out to look to the end of the run"
        if low.amount:
            advice = f"'(once[{low.text}, {low.text}] true) implies (…)' under 'always' asks for it from {low.text} on"
        self.fail(f"'{self.text(high_raw)}' is no bound; {advice}.", high_raw)

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
        if number.startswith("-"):
            self.fail(f"'{text}' is negative, and a bound never is; look back with 'once' or 'historically'.", raw)
        if unit and units.dimension(unit) == units.dimension("ticks"):
            amount = Fraction(number) if len(number) < 20 and "e" not in number.lower() else Fraction(1, 2)
            if amount.denominator != 1:
                self.fail(f"'{text}' is not a whole number of ticks; write one.", raw, UnitError)
            return Duration(amount, True, text, self.place(raw))
        if not unit or units.dimension(unit) != units.dimension("s"):
            self.fail(f"'{text}' is not a duration; write seconds or ticks, as in '2 s' or '20 ticks'.", raw, UnitError)
        try:
            return Duration(units.exact_seconds(written), False, text, self.place(raw))
        except UnitError as error:
            self.fail(error.message, raw, UnitError)

    def _on_compare(self, raw: Raw) -> Formula:
        left_raw, sign, right_raw = raw.parts
        sides = [self.either(left_raw), self.either(right_raw)]
        if sign.parts[0] == "==":
            self._refuse_truth(sides, [left_raw, right_raw], sign)
        left, right = self.as_number(sides[0], left_raw), self.as_number(sides[1], right_raw)
        for side, part in ((left, left_raw), (right, right_raw)):
            if side.size:
                name = self.text(part)
                self.fail(
                    f"'{name}' has {side.size} components; {one_of(side, self.words)}, or write 'norm({name})'.", part
                )
        self.same_dimension(left, right, left_raw, right_raw)
        relation, tolerance = sign.parts[0], 0.0
        if relation == "==":
            given = self.words.tolerance
            if given is None and not left.dimension and all(isinstance(s, Reference) for s in (left, right)):
                self.fail("'==' needs a tolerance; give the key 'tolerance', or write 'iff' for true or false.", sign)
            if given is None:
                self.fail("'==' needs a tolerance; give the key 'tolerance', or compare with '<' and '>'.", sign)
            if given.dimension != left.dimension:
                unit = units.symbols(left.dimension)
                what = f"the tolerance '{given.text}' has another unit than '{self.text(raw)}'; write it in {unit}."
                if not given.dimension:
                    usual = usual_unit(left.dimension)
                    what = f"the tolerance '{given.text}' has no unit; give it one, as in '{given.text} {usual}'."
                self.fail(what, sign, UnitError)
            tolerance = given.value
            if tolerance < 0:
                self.fail(f"the tolerance '{given.text}' is negative, so '==' would never hold; write its size.", sign)
        scale = self.words.scales.get(left.dimension) or max(
            (r.scale for side in (left, right) for r in references(side)), default=1.0
        )
        return Predicate(relation, left, right, tolerance, scale, self.text(raw), self.place(raw))

    def _refuse_truth(self, sides: list[Expression | Formula], raws: list[Raw], sign: Raw) -> None:
        """`contact == true`: both sides are true or false, and at least one of them cannot be a number."""
        formulas = [not isinstance(side, EXPRESSIONS) for side in sides]
        if not any(formulas) or not all(f or could_be_flag(s) for f, s in zip(formulas, sides, strict=True)):
            return
        one, other = (self.text(raw) if raw.tag in ("group", "name") else f"({self.text(raw)})" for raw in raws)
        ours = f"{one} iff {other}"
        for side, rest in zip(sides, (other, one), strict=True):
            if isinstance(side, Literal):
                ours = rest if side.value else f"not {rest}"
        self.fail(
            f"'==' compares numbers, and '{self.text(raws[formulas.index(True)])}' is none; write '{ours}'.", sign
        )
