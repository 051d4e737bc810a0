"""Text -> raw tree: the grammar, and the refusal of what could be misread.

Where tools disagree about precedence (`always p implies q` means one thing here and another there) no reading is
chosen: the text is refused and both readings are shown.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any, NoReturn

import lark

from healing_runtime.stl.mistakes import explain
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.text import NUMBER, QUANTITY, WORDS, Raw, Text

__all__ = ["WORDS", "Raw", "Text", "name_of", "parse_text"]

MAX_LENGTH, MAX_DEPTH, LONG_CHAIN = 4000, 40, 16
_MAX_LEVELS = 250
"""Of the grammar's tree, which has several for each pair of parentheses; the passes over it recurse."""


@functools.lru_cache(maxsize=2048)
def parse_text(source: Text) -> Raw:
    """Raw tree of a formula. Kept, since a file's definitions are read again for each of its assertions.

    Raises:
        AssertionSyntaxError: not a formula, or one that could be misread; with line, column, caret and suggestion.
        UnitError: a number followed by something that is no unit.
    """
    if len(source.text) > MAX_LENGTH:
        source.fail(f"the formula is longer than {MAX_LENGTH} characters; name parts of it under 'definitions'.", 0)
    if (place := _too_deep(source.text)) is not None:
        source.fail(f"parentheses nest deeper than {MAX_DEPTH}; name parts of it under 'definitions'.", place)
    try:
        tree = _parser().parse(source.text)
    except lark.UnexpectedInput as error:
        explain(source, error)
    _refuse_levels(source, tree)
    return _Nest(source).visit(tree.children[0])


def _too_deep(text: str) -> int | None:
    """Where the parentheses nest too deep."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth > MAX_DEPTH:
            return place
    return None


def _refuse_levels(source: Text, tree: Any) -> None:
    """What nests without parentheses: `not not …`, `- - …`, `x.y.z…`. A loop, since recursion is what it guards."""
    waiting = [(tree, 0)]
    while waiting:
        node, level = waiting.pop()
        if level > _MAX_LEVELS:
            source.fail("operators nest too deep; name parts of it under 'definitions'.", _start(node))
        waiting += [(child, level + 1) for child in getattr(node, "children", ())]


@functools.cache
def _parser() -> lark.Lark:
    def words(arity: int) -> str:
        found = [w for o in OPERATORS.values() if o.arity == arity for w in (o.name, o.short) if w]
        return "|".join(sorted(found, key=len, reverse=True))

    grammar = resources.files("healing_runtime.stl").joinpath("grammar.lark").read_text("utf-8")
    for hole, value in (("PREFIX", words(1)), ("INFIX", words(2)), ("QUANTITY", QUANTITY), ("NUMBER", NUMBER)):
        grammar = grammar.replace(f"%{hole}%", value.replace("/", r"\/"))
    return lark.Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=False)


# ---------------------------------------------------------------- nesting
_NUMERIC = ("comparison", "sum", "term", "component", "entry")
"""What may go on after a closed bracket without ending the operand of a prefix operator."""
_TRUE_OR_FALSE = ("prefix", "comparison", "true", "false")


class _Nest:
    """Lark tree -> Raw, with chains nested or refused."""

    def __init__(self, source: Text) -> None:
        self.source = source

    def visit(self, node: Any) -> Raw:
        if isinstance(node, lark.Token):
            return Raw("token", (str(node),), _start(node), _end(node))
        start, end = node.meta.start_pos, node.meta.end_pos
        if node.data == "chain":
            return self.chain(node)
        if node.data == "prefix":
            operator, window = self.operator(node.children[:-1])
            return Raw("apply", (operator, window, self.visit(node.children[-1])), start, end)
        if node.data == "comparison":
            if len(node.children) > 3:
                self.refuse_comparisons(node.children)
            return Raw("compare", tuple(self.visit(c) for c in node.children), start, end)
        if node.data in ("sum", "term"):
            return self.arithmetic(node)
        return Raw(node.data, tuple(self.visit(c) for c in node.children), start, end)

    def refuse_comparisons(self, children: list[Any]) -> NoReturn:
        """`a < b < c`, which is two comparisons."""
        text = self.source.text
        a, b, c = (text[_start(child) : _end(child)] for child in children[0:5:2])
        one, other = children[1], children[3]
        self.source.fail(f"comparisons do not chain; write '({a} {one} {b}) and ({b} {other} {c})'.", _start(other))

    def operator(self, children: list[Any]) -> tuple[Raw, Raw | None]:
        word = self.visit(children[0])
        window = self.visit(children[1]) if len(children) > 1 else None
        return word, window

    def arithmetic(self, node: Any) -> Raw:
        left = self.visit(node.children[0])
        for sign, right in zip(node.children[1::2], node.children[2::2], strict=True):
            other = self.visit(right)
            left = Raw("arithmetic", (str(sign), left, other), left.start, other.end)
        return left

    def chain(self, node: Any) -> Raw:
        operands = node.children[0::2]
        for operand in operands:
            self.refuse_number(operand)
        if len(operands) == 1:
            return self.visit(operands[0])
        infixes = node.children[1::2]
        self.refuse_open_prefix(node, operands)
        words = [name_of(str(infix.children[0])) for infix in infixes]
        self.refuse_mixture(node, operands, infixes, words)
        parts = [self.visit(operand) for operand in operands]
        # `and` binds tighter than `or`, `or` tighter than the one arrow that may be left.
        for level in (("and",), ("or",), tuple({*words} - {"and", "or"})):
            parts, words, infixes = self.fold(parts, words, infixes, level)
        return parts[0]

    def fold(
        self, parts: list[Raw], words: list[str], infixes: list[Any], level: tuple[str, ...]
    ) -> tuple[list[Raw], list[str], list[Any]]:
        """Join what the operators of one level stand between; the others are left."""
        runs: list[list[Raw]] = [[parts[0]]]
        joints: list[list[Any]] = [[]]
        kept_words, kept = [], []
        for word, infix, right in zip(words, infixes, parts[1:], strict=True):
            if word in level:
                runs[-1].append(right)
                joints[-1].append(infix)
            else:
                runs.append([right])
                joints.append([])
                kept_words.append(word)
                kept.append(infix)
        return [self.nest(run, own) for run, own in zip(runs, joints, strict=True)], kept_words, kept

    def nest(self, run: list[Raw], infixes: list[Any]) -> Raw:
        """`a and b and c` from the left; a long one by halves, which means the same and keeps the tree shallow."""
        if len(run) == 1:
            return run[0]
        at = len(run) // 2 if len(run) > LONG_CHAIN else len(run) - 1
        left, right = self.nest(run[:at], infixes[: at - 1]), self.nest(run[at:], infixes[at:])
        operator, window = self.operator(infixes[at - 1].children)
        return Raw("apply", (operator, window, left, right), left.start, right.end)

    def refuse_number(self, operand: Any) -> None:
        """`prev(x) - y < c`, which looks like the value of x one sample before and would be `prev (x - y < c)`."""
        prefix = None
        while getattr(operand, "data", None) == "prefix":
            prefix, operand = operand, operand.children[-1]
        group = operand
        while getattr(group, "data", None) in _NUMERIC:
            group = group.children[0]
        if prefix is None or group is operand or getattr(group, "data", None) != "group":
            return
        text, (inner,) = self.source.text, group.children
        if len(inner.children) > 1 or getattr(inner.children[0], "data", None) in _TRUE_OR_FALSE:
            return  # A formula in the bracket: the check says what it cannot be part of.
        head, word = text[_start(prefix) : _start(operand)].strip(), str(prefix.children[0])
        bracket, rest = text[_start(group) : _end(group)], text[_end(group) : _end(operand)]
        single = getattr(inner.children[0], "data", None) not in ("sum", "term", "negative")
        whole = (bracket[1:-1].strip() if single else bracket) + rest
        whole += "" if operand.data == "comparison" else " < …"
        truth = operand.data == "comparison" and str(operand.children[1]) == "=="
        self.source.fail(
            f"'{word}' takes a formula, and the bracket '{' '.join(bracket.split())}' after it holds a number; write "
            f"'{head} ({' '.join(whole.split())})' if the whole comparison is meant"
            + (", or 'iff' for '==' between what is true or false." if truth else "."),
            _start(prefix),
        )

    def refuse_open_prefix(self, node: Any, operands: list[Any]) -> None:
        """A prefix operator whose scope the text does not close, followed by a binary one."""
        for position, operand in enumerate(operands[:-1]):
            if getattr(operand, "data", None) != "prefix" or _closed(operand):
                continue
            text = self.source.text
            begin, end = operand.meta.start_pos, operand.meta.end_pos
            inner = operand
            while getattr(inner, "data", None) == "prefix":
                inner = inner.children[-1]
            stop = operands[position + 1].meta.end_pos if hasattr(operands[position + 1], "meta") else len(text)
            head = text[begin : _start(inner)]
            tail = text[_start(inner) : stop]
            word = str(operand.children[0])
            self.source.fail(
                f"'{word}' can be read in two ways; write '({text[begin:end].strip()}){text[end:stop]}' "
                f"or '{head.strip()} ({tail.strip()})'.",
                begin,
            )

    def refuse_mixture(self, node: Any, operands: list[Any], infixes: list[Any], words: list[str]) -> None:
        """Anything but chains of `and` and `or` around at most one other operator."""
        arrows = [i for i, word in enumerate(words) if word not in ("and", "or")]
        if not arrows:
            return
        text = self.source.text
        if len(arrows) > 1:
            first, second = arrows[0], arrows[1]
        elif words[arrows[0]] in ("until", "since") and len(words) > 1:
            first, second = sorted((arrows[0], arrows[0] + 1 if arrows[0] + 1 < len(words) else arrows[0] - 1))
        else:
            return
        begin = _start(operands[first])
        one = text[begin : _end(operands[second])]
        tail = text[_end(operands[second]) : _end(operands[second + 1])]
        head = text[begin : _start(operands[first + 1])]
        rest = text[_start(operands[first + 1]) : _end(operands[second + 1])]
        again = words[first] == words[second]
        what = (
            f"'{words[first]}' does not chain" if again else f"'{words[first]}' beside '{words[second]}' is ambiguous"
        )
        self.source.fail(
            f"{what}; write '({one.strip()}){tail}' or '{head}({rest.strip()})'.", infixes[second].meta.start_pos
        )


def _start(node: Any) -> int:
    return int(node.start_pos or 0) if isinstance(node, lark.Token) else node.meta.start_pos


def _end(node: Any) -> int:
    return int(node.end_pos or 0) if isinstance(node, lark.Token) else node.meta.end_pos


def _closed(prefix: Any) -> bool:
    """`rise(p)`, `not (p)`: the parenthesis closes the scope in every tool; `always (p)` it does not."""
    inner = prefix.children[-1]
    word = name_of(str(prefix.children[0]))
    if getattr(inner, "data", None) == "prefix":
        return (word == "not" or OPERATORS[word].call_like) and _closed(inner)
    return getattr(inner, "data", None) == "group" and (word == "not" or OPERATORS[word].call_like)


@functools.cache
def _names() -> dict[str, str]:
    return {word: o.name for o in OPERATORS.values() for word in (o.name, o.short) if word}


def name_of(word: str) -> str:
    """The operator's full name, for a full name or a short form."""
    return _names()[word]
