"""What a message tells people to write is itself accepted, put where the mistake stood."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest
from mistake_table import MISTAKES
from test_mistakes import told, whole

from healing_runtime.language import vocabulary

SAID = re.compile(r"(?:\b(?:write|use) |did you mean |add the line: )(.+)")
ENDS = re.compile(r"$|, |: | (?:itself|for|or|around|and|at|in|here|to|with|inside|where|as|\()\b")
INIT = 9
"""The line of what `init` returns."""
NAMES = re.compile(r"\b(?:jnp|lax|nn|math|scipy|tl)(?:\.\w+)+")


def code(remedy):
    """The code of a remedy: the part after its verb that is Python; empty if it is all prose.

    The longest such part if it is a statement, whose commas belong to it; the shortest if it is an expression. A word
    alone is prose, unless it is meant in place of another.
    """
    said = SAID.search(remedy.rstrip("?"))
    parts = [said[1][: end.start()] for end in ENDS.finditer(said[1])] if said else []
    parts = [part for part in parts if parses(part)]
    if not parts:
        return ""
    found = parts[0] if is_expression(parts[0]) else parts[-1]
    return "" if found.isalpha() and "did you mean" not in remedy else found


def parses(text):
    try:
        return bool(ast.parse(text).body)
    except SyntaxError:
        return False


def is_expression(text):
    return isinstance(ast.parse(text).body[0], ast.Expr)


def span(node):
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def replaced(text, node, new):
    """The text with other code in the place of a node."""
    starts = np.cumsum([0, *(len(line) + 1 for line in text.split("\n"))])
    (line, column), (end_line, end_column) = span(node)
    return text[: starts[line - 1] + column] + new + text[starts[end_line - 1] + end_column :]


def mended(row, text, new):
    """The sources in which the remedy stands where the mistake stood: at the place itself, around it, inside it."""
    if not parses(text):
        lines = text.split("\n")
        lines[row.line - 1] = f"    {new}"
        return ["\n".join(lines)]
    nodes = [n for n in ast.walk(ast.parse(text)) if hasattr(n, "lineno")]
    place = (INIT, 4) if f"{new} in init" in row.remedy else (row.line, row.column - 1)
    around = [n for n in nodes if span(n)[0] <= place < span(n)[1]]
    name = new.partition("=")[0]
    misspelt = [k for k in around if isinstance(k, ast.keyword) and new in vocabulary.KEYWORDS]
    if misspelt:
        return [replaced(text, k, f"{new}={ast.unparse(k.value)}") for k in misspelt]
    if "=" in new and name in vocabulary.KEYWORDS:
        return list(with_keyword(text, [n for n in around if isinstance(n, ast.Call)], name, new))
    kind = ast.expr if is_expression(new) else ast.stmt
    around = sorted((n for n in around if isinstance(n, kind)), key=lambda n: span(n)[0], reverse=True)
    inside = [n for n in nodes if isinstance(n, kind) and place <= span(n)[0] and n.end_lineno == place[0]]
    return [replaced(text, node, new) for node in [*around, *inside]]


def with_keyword(text, calls, name, new):
    """The sources in which a call has this keyword argument."""
    for call in calls:
        present = [k for k in call.keywords if k.arg == name]
        if present:
            yield replaced(text, present[0], new)
        else:
            parts = [ast.unparse(part) for part in [*call.args, *call.keywords]]
            yield replaced(text, call, f"{ast.unparse(call.func)}({', '.join([*parts, new])})")


@pytest.mark.parametrize("row", [m for m in MISTAKES if code(m.remedy)], ids=lambda m: m.name)
def test_a_remedy_is_accepted_where_the_mistake_stood(row, write, table):
    new = code(row.remedy)
    sources = mended(row, whole(row, write), new)
    found = [told(source, table) for source in sources]
    works = any(message == "accepted" or line not in (row.line, INIT) for message, line, _ in found)
    assert works != row.sketch, (new, found)


@pytest.mark.parametrize("row", MISTAKES, ids=lambda m: m.name)
def test_a_remedy_names_what_exists(row):
    for name in NAMES.findall(row.remedy):
        assert vocabulary.known(name), name
