"""A refusal of a source: one sentence, at its place."""

from __future__ import annotations

import ast

from healing_runtime.core.errors import Location, SubsetError


def at_place(message: str, path: str, line: int = 0, column: int = 0) -> SubsetError:
    """The error for a message without its stop; line and column count from 1, 0 is unknown."""
    stop = "" if message.endswith("?") else "."
    return SubsetError(message + stop, where=Location(path, line, column))


def at_node(message: str, path: str, node: ast.AST) -> SubsetError:
    """`at_place`, where a node of the syntax tree begins."""
    return at_place(message, path, getattr(node, "lineno", 0), getattr(node, "col_offset", -1) + 1)
