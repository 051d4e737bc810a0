"""What Python's own parser refuses: where, in its words, and what to write instead."""

from __future__ import annotations

import re

from healing_runtime.core.errors import SubsetError
from healing_runtime.language.messages.refusal import at_place

_HINTS: tuple[tuple[str, str, str], ...] = (
    # in Python's message, in the line, what to write
    ("", r"&&|\|\|", "write jnp.logical_and(a, b) or jnp.logical_or(a, b)"),
    ("", r"\belse if\b", "write elif"),
    ("", r"\+\+|--\s*$", "write x += 1"),
    ("print", r"\bprint\b", 'nothing is printed from a tick: write assert condition, "label"'),
    ("expected ':'", "", "write ':' at the end of the line"),
    ("instead of '='", "", "write == to compare"),
    ("cannot assign to", "", "write a name on the left of ="),
    ("unexpected indent", "", "write it as far to the right as the line above"),
    ("expected an indented block", "", "write the block four spaces to the right, or pass"),
    ("unterminated string", "", "write the closing quote"),
    ("was never closed", "", "write the closing bracket"),
    ("outside", "", "write it inside the loop or function it belongs to"),
    ("duplicate argument", "", "write another name"),
    ("keyword argument repeated", "", "write it once"),
    ("Perhaps you forgot a comma", "", "write the comma"),
)


def refusal(error: SyntaxError, text: str, path: str) -> SubsetError:
    """The SubsetError for a SyntaxError of Python."""
    lines = text.split("\n")
    number = error.lineno or 0
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    message = (error.msg or "invalid syntax").rstrip(".?")
    hint = next((hint for said, seen, hint in _HINTS if said in message and re.search(seen, line)), "mend the line")
    return at_place(f"not Python: {message}; {hint}", path, number, error.offset or 0)
