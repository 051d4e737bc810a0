"""The language reference says what the code says: functions, names, limits, and what people write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mistake_table import MISTAKES

from healing_runtime.language import linalg, trace, vocabulary
from healing_runtime.language.execution import runtime
from healing_runtime.language.passes import Budget
from healing_runtime.language.syntax import bounds, caps

PAGE = (Path(__file__).parents[2] / "docs" / "tensorlang.md").read_text()
LIMITS = {
    "characters of a source, all of them printable ASCII": caps.MAX_CHARACTERS,
    "lines": caps.MAX_LINES,
    "characters of a line": caps.MAX_LINE,
    "characters of a name": caps.MAX_NAME,
    "tokens": caps.MAX_TOKENS,
    "tokens of a statement": caps.MAX_STATEMENT_TOKENS,
    "brackets inside each other": caps.MAX_BRACKETS,
    "prefix operators in a row": caps.MAX_PREFIX,
    "levels of nested code": caps.MAX_DEPTH,
    "syntax nodes": caps.MAX_NODES,
    "trips of an unrolled loop": bounds.MAX_TRIPS,
    "expressions that one trace evaluates": bounds.MAX_WORK,
    "elements of a list or tuple, nested ones counted": runtime.MAX_LENGTH,
    "bits of a Python integer": runtime.MAX_INTEGER_BITS,
    "numbers in the state": trace.MAX_STATE_ELEMENTS,
    "rows or columns in `tl.linalg`": linalg.MAX_N,
    "trips of all nested loops of a tick": Budget().trips,
    "floating-point operations of a tick": Budget().flops,
    "bytes read and written in a tick": Budget().traffic_bytes,
    "bytes alive at once": Budget().live_bytes,
    "bytes of constants": Budget().constant_bytes,
    "operations in the program": Budget().equations,
}


def rows(heading):
    """The rows of the first table under a heading, as cells."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.split("\n") if line.startswith("|")][2:]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def quoted(text):
    return re.findall(r"`([^`]+)`", text)


def after(start):
    """The words in the first backticks after a text."""
    return frozenset(quoted(PAGE.split(start, 1)[1])[0].replace("\n", " ").split())


def test_every_function_of_the_vocabulary_is_listed():
    listed = {space.strip("`"): frozenset(names.split()) for space, names in rows("Functions")}
    assert listed == dict(vocabulary.FUNCTIONS)


def test_the_other_names_are_listed():
    constants = {f"{space}.{name}" for space, names in vocabulary.CONSTANTS.items() for name in names}
    assert after("\nConstants: ") == constants
    assert after("Attributes of values: ") == vocabulary.ATTRIBUTES
    assert after("Methods: ") == vocabulary.METHODS
    assert after("Builtins: ") == vocabulary.BUILTINS
    imports = PAGE.split("## Names", 1)[1].split("```python\n", 1)[1].split("```", 1)[0]
    assert set(imports.strip().split("\n")) == set(vocabulary.IMPORTS.values())


def test_limits_are_those_of_the_code():
    assert {what: float(number.replace(",", "")) for what, number in rows("Limits")} == LIMITS


@pytest.mark.parametrize(("written", "instead"), rows("What people write"), ids=lambda cell: cell[:40])
def test_what_people_write_is_told_so(written, instead):
    (line,) = quoted(written)
    told = [m for m in MISTAKES if line in map(str.strip, m.body.split("\n")[max(m.line - 12, 0) : m.line - 11])]
    assert any(all(piece in m.problem + m.remedy for piece in quoted(instead)) for m in told), (line, told)
