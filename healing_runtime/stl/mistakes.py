"""What is wrong with a text that is no formula: the sign, word or number that people write elsewhere, and ours for it.

Each rule looks at where the parser stopped and says what is wrong and what to write, or nothing; the first that speaks
counts. What it says of the same mistakes is tabled in `tests/stl/mistake_table.py`.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple, NoReturn

import lark

from healing_runtime.core.errors import AssertionSyntaxError, InputError, UnitError
from healing_runtime.stl.elsewhere import (
    KILOMETRES_PER_HOUR,
    SAID_ELSEWHERE,
    SIGNS,
    SIGNS_IN_WORDS,
    UNITS_ELSEWHERE,
    WORDS_ELSEWHERE,
)
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.text import NUMBER, QUANTITY, WORDS, Text


class _Stop(NamedTuple):
    """Where the parser stopped, and what stands before and after."""

    source: Text
    place: int
    before: str
    rest: str

    @property
    def previous(self) -> re.Match[str] | None:
        """The word just before."""
        return re.search(r"([A-Za-z_]\w*)\s*$", self.before)

    @property
    def wants_operand(self) -> bool:
        """Whether something that can be compared or combined was to come."""
        previous = self.previous
        return (
            not self.before.strip()
            or self.before.rstrip()[-1] in "(,<>=+-*/"
            or (previous is not None and previous[1] in WORDS)
        )


class _Advice(NamedTuple):
    """What is wrong and what to do, at an offset."""

    text: str
    place: int
    kind: type[InputError] = AssertionSyntaxError


_Rule = Callable[[_Stop], _Advice | None]


def explain(source: Text, error: lark.UnexpectedInput) -> NoReturn:
    """Raise for a text that does not parse, with the place and what to write instead."""
    ended = isinstance(error, lark.UnexpectedEOF) or (
        isinstance(error, lark.UnexpectedToken) and error.token.type == "$END"
    )
    place = len(source.text.rstrip()) if ended else error.pos_in_stream or 0
    stop = _Stop(source, place, source.text[:place], source.text[place:] if not ended else "")
    found = next(advice for rule in (_ENDED if ended else _RULES) if (advice := rule(stop)) is not None)
    source.fail(found.text, found.place, found.kind)


# ---------------------------------------------------------------- the end of the text
def _nothing(stop: _Stop) -> _Advice | None:
    if stop.before.strip():
        return None
    return _Advice("there is no formula; write one, as in 'always (altitude < 3 m)'.", stop.place)


def _open(stop: _Stop) -> _Advice | None:
    opened: list[int] = []
    for place, character in enumerate(stop.before):
        if character in "([":
            opened.append(place)
        elif character in ")]" and opened:
            opened.pop()
    if not opened:
        return None
    sign = stop.before[opened[-1]]
    what = f"the '{sign}' {_spot(stop, opened[-1])} is not closed"
    return _Advice(f"{what}: '{')' if sign == '(' else ']'}' is missing; write it where the part ends.", stop.place)


def _full_stop(stop: _Stop) -> _Advice | None:
    if not stop.before.rstrip().endswith("."):
        return None
    return _Advice("a formula ends without a full stop; remove the '.'.", len(stop.before.rstrip()) - 1)


def _missing_after(stop: _Stop) -> _Advice | None:
    previous, last = stop.previous, stop.before.rstrip()[-1:]
    if previous and previous[1] in WORDS:
        return _Advice(f"a formula is missing after '{previous[1]}'; complete it.", stop.place)
    if last and last in "<>=+-*/":
        sign = re.search(r"[<>=+*/-]+$", stop.before.rstrip())
        return _Advice(f"a number is missing after '{sign[0] if sign else last}'; complete it.", stop.place)
    return None


def _too_early(stop: _Stop) -> _Advice:
    return _Advice("the formula stops too early; complete it.", stop.place)


# ---------------------------------------------------------------- signs and characters
def _absolute(stop: _Stop) -> _Advice | None:
    inner = re.match(r"\|([^|]+)\|", stop.rest)
    if inner is None or not stop.wants_operand:
        return None
    return _Advice(f"'|' is not part of the language; write 'abs({inner[1].strip()})'.", stop.place)


def _brace(stop: _Stop) -> _Advice | None:
    inner = re.match(r"[{(]([^(){}]*,[^(){}]*)[)}]", stop.rest)
    previous = stop.previous
    if inner is None or previous is None or previous[1] not in WORDS:
        return None
    return _Advice(f"bounds stand in square brackets; write '{previous[1]}[{inner[1].strip()}]'.", stop.place)


def _sign(stop: _Stop) -> _Advice | None:
    text = stop.source.text
    for sign in sorted({**SIGNS, **SIGNS_IN_WORDS}, key=len, reverse=True):
        # The sign may have begun before the place: '-' of '->' is a minus until '>' follows.
        for begin in range(max(0, stop.place - len(sign) + 1), stop.place + 1):
            if text.startswith(sign, begin):
                advice = f"write '{SIGNS[sign]}'" if sign in SIGNS else SIGNS_IN_WORDS[sign]
                advice += ", or '>=' between numbers" if sign == "=>" else ""
                return _Advice(f"'{sign}' is not part of the language; {advice}.", begin)
    return None


def _character(stop: _Stop) -> _Advice | None:
    character = stop.rest[0]
    if (character.isascii() and character.isprintable()) or character in "µμ°":
        return None
    code = f"U+{ord(character):04X}"
    named = unicodedata.name(character, "").lower()
    if unicodedata.category(character) in ("Cf", "Cc", "Zs", "Zl", "Zp"):
        return _Advice(f"an invisible character stands here, {code} {named}".rstrip() + "; delete it.", stop.place)
    return _Advice(f"'{character}' is {code} {named}, which no formula has; type it again.", stop.place)


# ---------------------------------------------------------------- bounds
def _operator_for_number(stop: _Stop) -> _Advice | None:
    """`x > once[0 s, 1 s](x)`: where a number was to come, the bounds read like an index."""
    found = re.search(r"[<>=+*/-]\s*([A-Za-z_]\w*)\s*\[[^\]]*$", stop.before)
    if found is None or found[1] not in WORDS:
        return None
    what = f"'{found[1]}' takes a formula, not a number, and gives true or false"
    return _Advice(f"{what}; compare inside it, as in '{found[1]}[…] (… < …)'.", found.start(1))


def _bounds(stop: _Stop) -> _Advice | None:
    opened = stop.before.rfind("[")
    if opened <= stop.before.rfind("]"):
        return None
    word = re.search(r"([A-Za-z_]\w*)\s*$", stop.before[:opened])
    if word is not None and word[1] not in WORDS:
        return _bounds_of_no_operator(stop, word[1], opened)
    inside = stop.before[opened + 1 :].strip()
    if stop.rest.startswith("]"):
        return _Advice("bounds are missing; write two, as in '[0 s, 2 s]', or remove the brackets.", opened)
    if stop.rest.startswith("-"):
        return _Advice("a bound is never negative; look back with 'once' or 'historically'.", stop.place)
    if re.match(r"(?:\s*(?:;|:|\.\.+|to\b|-)\s*)?(?=[\d.])|;|:|\.\.", stop.rest) and re.fullmatch(QUANTITY, inside):
        second = re.match(rf"\W*(?:to\s*)?({QUANTITY})", stop.rest)
        shown = f"[{inside}, {second[1]}]" if second else "[0 s, 2 s]"
        return _Advice(f"bounds are separated by a comma; write '{shown}'.", stop.place)
    return None


def _bounds_of_no_operator(stop: _Stop, word: str, opened: int) -> _Advice:
    if advice := _other_word(word, opened - len(word)):
        return advice
    entry = re.match(r"([A-Za-z_]\w*)\]", stop.rest)
    if entry:
        return _Advice(f"an index is a whole number; write '{word}.{entry[1]}' for a component.", stop.place)
    if re.match(r"-\d", stop.rest):
        return _Advice("entries count from 0; write '[0]' for the first.", stop.place)
    return _Advice(f"'{word}' takes no bounds; '[…]' after a signal holds the index of an entry.", opened)


def _bounds_in_parentheses(stop: _Stop) -> _Advice | None:
    inside = re.search(rf"([A-Za-z_]\w*)\s*\(({QUANTITY})$", stop.before)
    rest = re.match(rf"\s*,\s*({QUANTITY})\)", stop.rest)
    if inside is None or rest is None or inside[1] not in WORDS:
        return None
    shown = f"{inside[1]}[{inside[2]}, {rest[1]}]"
    return _Advice(f"bounds stand in square brackets; write '{shown}'.", stop.place)


# ---------------------------------------------------------------- numbers and units
def _number(stop: _Stop) -> _Advice | None:
    head, rest = re.search(r"(\d+)(\s*)$", stop.before), stop.rest
    comma = re.match(r",(\d+)", rest)
    if head and comma:
        return _Advice(f"the decimal sign is a point; write '{head[1]}.{comma[1]}'.", stop.place)
    group = re.match(r"_?(\d{3})(?!\d)", rest)
    if head and group and head[1]:
        return _Advice(f"the digits of a number stand together; write '{head[1]}{group[1]}'.", stop.place)
    if head and head[1] == "0" and not head[2] and re.match(r"[xXbBoO][0-9A-Fa-f]+", rest):
        return _Advice("numbers are decimal; write this one in digits 0 to 9.", stop.place)
    plus = re.match(rf"\+\s*({QUANTITY}|{NUMBER})", rest)
    if plus and stop.wants_operand:
        return _Advice(f"a number needs no '+'; write '{plus[1]}'.", stop.place)
    return None


def _unit(stop: _Stop) -> _Advice | None:
    number = re.search(rf"({NUMBER})\s*$", stop.before)
    in_parentheses = re.match(r"\(([\w/* ^%]+)\)", stop.rest)
    if number and in_parentheses:
        return _Advice(f"a unit needs no parentheses; write '{number[1]} {in_parentheses[1]}'.", stop.place)
    word = re.match(r"[A-Za-zµμ°_][\w/]*", stop.rest)
    if number is None or word is None or word[0] in WORDS or word[0].lower() in WORDS:
        return None
    near = UNITS_ELSEWHERE.get(word[0]) or UNITS_ELSEWHERE.get(word[0].lower())
    if word[0].lower() in KILOMETRES_PER_HOUR:
        near = f"{number[1]} km / (3600 s)"
    advice = f"write '{near}'" if near else "write for example m, m/s, deg, rad/s, N, s or ticks"
    return _Advice(f"'{word[0]}' is not a unit; {advice}.", stop.place, UnitError)


# ---------------------------------------------------------------- parentheses and words
def _parenthesis(stop: _Stop) -> _Advice | None:
    if not stop.rest.startswith(")"):
        return None
    if stop.before.rstrip().endswith("("):
        return _Advice("nothing stands between the parentheses; write a formula there.", stop.place)
    if stop.before.count("(") <= stop.before.count(")"):
        return _Advice("this ')' has no '('; remove it.", stop.place)
    return _missing_after(stop)


def _other_word(word: str, place: int) -> _Advice | None:
    """A word of another language or a mistyped one of ours."""
    if word in SAID_ELSEWHERE or word.lower() in SAID_ELSEWHERE:
        said = SAID_ELSEWHERE.get(word) or SAID_ELSEWHERE[word.lower()]
        return _Advice(f"'{word}' is not part of the language; {said}.", place)
    if ours := WORDS_ELSEWHERE.get(word.lower()):
        return _Advice(f"'{word}' is not part of the language; write '{ours}'.", place)
    if word not in WORDS and (near := _nearest_word(word)):
        return _Advice(f"'{word}' is not part of the language; did you mean '{near}'?", place)
    return None


def _nearest_word(word: str) -> str | None:
    if word.lower() in WORDS:
        return word.lower()
    near = difflib.get_close_matches(word.lower(), sorted(w for w in WORDS if len(w) > 1), n=1, cutoff=0.7)
    return near[0] if near else None


def _observed(stop: _Stop) -> _Advice | None:
    previous, word = stop.previous, re.match(r"[A-Za-z_]\w*", stop.rest)
    if previous is None or previous[1] != "observed" or word is None:
        return None
    return _Advice(f"observed takes its signal in parentheses; write 'observed({word[0]})'.", stop.place)


def _word(stop: _Stop) -> _Advice | None:
    word, previous = re.match(r"[A-Za-z_]\w*", stop.rest), stop.previous
    if word and (advice := _other_word(word[0], stop.place)):
        return advice
    if previous is None:
        return None
    if previous[1] not in WORDS:
        return _other_word(previous[1], previous.start(1))
    operator = next((o for o in OPERATORS.values() if previous[1] in (o.name, o.short)), None)
    if operator is not None and operator.arity == 2 and word:
        return _Advice(f"a formula is missing before '{previous[1]}'; complete it.", previous.start(1))
    return _missing_after(stop)


def _relation(stop: _Stop) -> _Advice | None:
    sign = re.match(r"[<>]=?|==|[*/]", stop.rest)
    if sign is None or not stop.wants_operand:
        return None
    return _Advice(f"a number is missing before '{sign[0]}'; complete it.", stop.place)


def _unexpected(stop: _Stop) -> _Advice:
    found = re.match(rf"[A-Za-z_]\w*|{NUMBER}", stop.rest)
    shown = found[0] if found else stop.rest[:1]
    if stop.wants_operand:
        return _Advice(f"'{shown}' cannot stand here; a signal, a number or '(' is missing before it.", stop.place)
    return _Advice(f"'{shown}' cannot stand here; an operator such as 'and' or '<' is missing before it.", stop.place)


def _spot(stop: _Stop, place: int) -> str:
    where = stop.source.at(place)
    return f"in line {where.line}, column {where.column}," if where and where.column else f"at character {place + 1}"


_ENDED: tuple[_Rule, ...] = (_nothing, _full_stop, _open, _missing_after, _too_early)
_RULES: tuple[_Rule, ...] = (
    _absolute, _brace, _operator_for_number, _number, _bounds_in_parentheses, _bounds, _sign, _unit, _character,
    _parenthesis, _observed, _word, _relation, _unexpected,
)  # fmt: skip
