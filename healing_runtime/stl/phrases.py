"""The words that readings are made of: expressions, clauses with their verbs, windows, and names with their meanings.

Windows are told from a `Moment`: from the start of the run at the outermost layer, from the moment judged below an
outermost `always`, and from the moment just spoken of inside another temporal operator.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Literal as Choice

from healing_runtime.core import units
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
)
from healing_runtime.stl.parse import WORDS
from healing_runtime.stl.vocabulary import FUNCTIONS

Moment = Choice["start", "now", "then"]
_RELATIONS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": "equal to"}
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "negate": 3}


# ---------------------------------------------------------------- names
@dataclasses.dataclass
class Glossary:
    """What the names in a reading stand for, in the order of their first use.

    Attributes:
        meanings: name of a definition, with its arguments -> what it stands for.
        constants: name -> value, of the constants that a calculation uses.
    """

    meanings: dict[str, Formula | Expression] = dataclasses.field(default_factory=dict)
    constants: dict[str, str] = dataclasses.field(default_factory=dict)

    def name(self, node: Formula) -> str | None:
        """The definition's name that a formula goes by; None if it goes by its parts."""
        if isinstance(node, Flag):
            text = "" if _own_name(node.signal) else node.signal.text
        else:
            text = node.text if isinstance(node, Predicate | Apply) else ""
        # The same words may stand for two things where the argument is itself a parameter; then neither is a name.
        return text if is_name(text) and self.meanings.setdefault(text, node) == node else None


def is_name(text: str) -> bool:
    """Whether a text is a definition's name, perhaps with arguments, and nothing more."""
    call = re.fullmatch(r"([A-Za-z_]\w*)\s*(\(.*\))?", text)
    if call is None or call[1] in WORDS or call[1] in FUNCTIONS or call[1] == "observed":
        return False
    depth = 0
    for place, character in enumerate(call[2] or ""):
        depth += (character == "(") - (character == ")")
        if depth == 0 and place < len(call[2]) - 1:
            return False  # the first parenthesis closes before the end: 'f(a) and g(b)'
    return True


def _own_name(reference: Reference) -> bool:
    """Whether a reference goes by the signal's name, not by a definition's."""
    base = re.split(r"[.\[]", reference.text.removeprefix("observed(").rstrip(")"))[0]
    component = reference.index is not None and re.search(r"[.\]]", reference.text)
    return not reference.text or base.strip() == reference.signal or bool(component)


# ---------------------------------------------------------------- expressions
def side(expression: Expression, glossary: Glossary) -> str:
    """One side of a comparison; a constant that stands alone has its value beside it."""
    if isinstance(expression, Number) and expression.name:
        return f"{expression.name} ({_written(expression)})"
    return _expression(expression, glossary)[0]


def _expression(expression: Expression, glossary: Glossary) -> tuple[str, int]:
    """Text, and how tightly it binds."""
    if isinstance(expression, Number):
        if expression.name:
            glossary.constants[expression.name] = _written(expression)
            return expression.name, 4
        return _written(expression), 4
    if isinstance(expression, Reference):
        return reference(expression, glossary), 4
    texts = [_expression(argument, glossary) for argument in expression.arguments]
    operation = expression.operation
    if operation not in _BINDING:
        return f"{operation}({', '.join(text for text, _ in texts)})", 4
    own = _BINDING[operation]
    if operation == "negate":
        return f"-{_bracketed(*texts[0], own)}", own
    # Calculations nest to the left; what stands to the right in brackets was written so.
    left, right = _bracketed(*texts[0], own), _bracketed(*texts[1], own + 1)
    return f"{left} {operation} {right}", own


def _bracketed(text: str, binding: int, wanted: int) -> str:
    compound = re.match(r"-?[\d.]", text) and re.search(r"[/*]", text)  # a quantity such as '5 m/s'
    return f"({text})" if binding < wanted or (binding == 4 and compound) else text


def _written(number: Number) -> str:
    return _plain(number.text) or f"{number.value:g}"


def _plain(quantity: str) -> str:
    """Without the dot of '5.', which would end the sentence."""
    return re.sub(r"(?<=\d)\.(?!\d)", "", quantity)


def reference(found: Reference, glossary: Glossary, *, bare: bool = False) -> str:
    """A signal by its name, or by the definition's name that stands for it unless `bare`."""
    if not bare and not _own_name(found) and glossary.meanings.setdefault(found.text, found) == found:
        return found.text
    part = re.search(r"\s*(\.\s*\w+|\[\s*\d+\s*\])\s*\)?$", found.text)
    text = found.signal
    if found.index is not None:
        text += re.sub(r"\s", "", part[1]) if part else f"[{found.index}]"
    return f"the observed {text}" if found.observed else text


# ---------------------------------------------------------------- clauses
@dataclasses.dataclass(frozen=True)
class Clause:
    """A subject and what is said of it; `verb` tells which words say that it holds, begins and ceases."""

    subject: str
    verb: Choice["is", "flag", "holds"]
    rest: str = ""
    positive: bool = True

    def __neg__(self) -> Clause:
        return dataclasses.replace(self, positive=not self.positive)

    def holds(self) -> str:
        """It holds now."""
        if self.verb == "holds":
            return f"{self.subject} {'holds' if self.positive else 'does not hold'}"
        return f"{self.subject} is {self._rest()}"

    def begins(self, *, negated: bool = False) -> str:
        """It begins to hold now; `negated`, it does not."""
        word, rest = {
            "is": ("come" if self.positive else "cease", f"to be {self.rest}"),
            "flag": ("become", self._rest()),
            "holds": ("begin" if self.positive else "cease", "to hold"),
        }[self.verb]
        return f"{self.subject} {f'does not {word}' if negated else f'{word}s'} {rest}"

    def lasts(self, duration: str) -> str:
        """It has held for a while."""
        if self.verb == "holds":
            return f"{self.subject} has {'held' if self.positive else 'been false'} for {duration}"
        return f"{self.subject} has been {self._rest()} for {duration}"

    def _rest(self) -> str:
        if self.verb == "flag":
            return "true" if self.positive else "false"
        return self.rest if self.positive else f"not {self.rest}"


def atom(formula: Predicate | Flag | Literal, glossary: Glossary) -> Clause:
    """An atom by its parts."""
    if isinstance(formula, Literal):
        return Clause("true" if formula.value else "false", "holds")
    if isinstance(formula, Flag):
        return Clause(reference(formula.signal, glossary, bare=True), "flag")
    rest = f"{_RELATIONS[formula.relation]} {side(formula.right, glossary)}"
    if formula.relation == "==":
        rest += f" to within {_tolerance(formula)}"
    return Clause(side(formula.left, glossary), "is", rest)


def _tolerance(formula: Predicate) -> str:
    """In the unit of the comparison's own numbers; without one in SI, or in degrees where that is rounder."""
    dimension = formula.left.dimension
    if not dimension:
        return f"{formula.tolerance:g}"
    found = [units.split_quantity(n.text)[1] for n in _numbers(formula) if n.text and n.dimension == dimension]
    choices = [unit for unit in found if unit][:1] or [units.symbols(dimension)]
    if not any(found) and dimension == units.dimension("deg"):
        choices.append("deg")
    return min((f"{formula.tolerance / units.si_factor(unit):g} {unit}" for unit in choices), key=len)


def _numbers(part: Predicate | Expression) -> Iterator[Number]:
    if isinstance(part, Number):
        yield part
    elif not isinstance(part, Reference):
        for inner in (part.left, part.right) if isinstance(part, Predicate) else part.arguments:
            yield from _numbers(inner)


# ---------------------------------------------------------------- windows
def window(found: Window | None, operator: str, kind: str, moment: Moment) -> str:
    """The bounds in words, with a space before them; empty where there is nothing to say."""
    if found is None:
        return _unbounded(operator, kind, moment)
    low, high = duration(found.low), duration(found.high)
    if kind == "past":
        side = "before then" if moment == "then" else "ago"
        short = f"within the {high} before then" if moment == "then" else f"within the last {high}"
    else:
        side = {"start": "after the start", "now": "from now", "then": "from then"}[moment]
        short = {
            "start": f"within the first {high}",
            "now": f"within the next {high}",
            "then": f"within {high} from then",
        }[moment]
    if found.low == found.high:
        return f" exactly {low} {side}"
    return f" {short}" if found.low.amount == 0 else f" between {low} and {high} {side}"


def _unbounded(operator: str, kind: str, moment: Moment) -> str:
    if kind == "past":
        return " up to then" if moment == "then" else " so far"
    if operator == "until":
        return " before the run ends"
    return {"start": " in the run", "now": " from now on", "then": " from then on"}[moment]


def duration(end: Duration) -> str:
    """As written; a name with its value."""
    if re.match(r"[\d.]", end.text) and end.text != "0":
        return "1 tick" if end.in_ticks and end.amount == 1 else _plain(end.text)
    if end.in_ticks:
        value = f"{end.amount} tick{'s' if end.amount != 1 else ''}"
    else:
        seconds = float(end.amount)
        value = f"{seconds:.12g} s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:.12g} ms"
    return f"{end.text} ({value})" if re.match(r"[A-Za-z_]", end.text) else value
