"""What a message tells people to write is itself accepted, put where the mistake stood."""

from __future__ import annotations

import ast
import math
import re

import jax.numpy as jnp
import numpy as np
import pytest
from mistake_table import MISTAKES
from test_mistakes import told, whole

from healing_runtime.core.errors import SubsetError
from healing_runtime.language import vocabulary
from healing_runtime.language.messages import advice

SAID = re.compile(r"(?:\b(?:write|use) |did you mean |add the line: )(.+)")
ENDS = re.compile(r"$|, |: | (?:itself|for|or|around|and|at|in|here|to|with|inside|where|as|\()\b")
INIT = 9
"""The line of what `init` returns."""
NAMES = re.compile(r"\b(?:jnp|lax|nn|math|scipy|tl)(?:\.\w+)+")


ADVICE = [*advice.NAMES.values(), *advice.BUILTINS.values(), *advice.METHODS.values()]


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


@pytest.mark.parametrize("text", [m.remedy for m in MISTAKES] + ADVICE)
def test_a_remedy_names_what_exists(text):
    for name in NAMES.findall(text):
        assert vocabulary.known(name), name


def takes(name, count):
    try:
        getattr(math, name)(*CONSTANTS[:count])
    except TypeError:
        return False
    return True


CONSTANTS = (0.3, 0.7, 0.2)
MATH = [(name, n) for name in sorted(vocabulary.FUNCTIONS["math"]) for n in (1, 2, 3) if takes(name, n)]


@pytest.mark.parametrize(("name", "count"), MATH)
def test_what_stands_in_for_math_computes_the_same(name, count, write, table):
    constants = CONSTANTS[:count]
    for sign in (1.0, -1.0) if name in ("copysign", "fmod", "floor", "ceil", "fabs", "atan2") else (1.0,):
        for place in range(count):
            values = [sign * c if k == place else c for k, c in enumerate(constants)]
            expected = getattr(math, name)(*values)
            arguments = [str(v) if k != place else 'obs["altitude_m"]' for k, v in enumerate(values)]
            text = write(f'x = math.{name}({", ".join(arguments)})\nreturn {{"thrust_n": 1.0}}, state')
            message, _, _ = told(text, table)
            found = eval(
                code(message.partition("; ")[2].rstrip(".")), {"jnp": jnp, "obs": {"altitude_m": values[place]}}
            )
            np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("body", "init"),
    [
        ('return {"thrust_n": 1.0}, {"n": jnp.argmax(obs["velocity_mps"] + state["n"])}', "0.0"),
        ('return {"thrust_n": jnp.argmax(obs["velocity_mps"])}, {"n": state["n"]}', "0.0"),
        ('x = lax.fori_loop(0, 4, lambda i, c: c + obs["velocity_mps"], 0.0)\nreturn {"thrust_n": 1.0}, state', "0.0"),
    ],
)
def test_remedies_fit_a_tick_of_float64_too(body, init, traced):
    with pytest.raises(SubsetError) as caught:
        traced(body, init=f'return {{"n": {init}}}', dtype=np.float64)
    for name in NAMES.findall(caught.value.message.partition("; ")[2]):
        assert vocabulary.known(name), caught.value.message
