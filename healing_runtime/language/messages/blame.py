"""Where in the user's source something happened."""

from __future__ import annotations

import ast
import contextlib
import itertools
from collections.abc import Iterator, Mapping
from types import CodeType, TracebackType
from typing import Any, NamedTuple

from healing_runtime.core.errors import HealingError, SubsetError
from healing_runtime.language.controller import Controller
from healing_runtime.language.messages.meaning import meaning
from healing_runtime.language.messages.refusal import at_place


class Span(NamedTuple):
    """From where to where, as in a syntax tree: lines count from 1, columns from 0."""

    line: int
    column: int
    end_line: int
    end_column: int


def equation_position(controller: Controller, eqn: Any) -> tuple[int, int]:
    """Line and column, from 1, of the source that made an equation; (0, 0) if it is not the source's doing."""
    traceback = eqn.source_info.traceback
    if traceback is None:
        return 0, 0
    for code, instruction in zip(*traceback.raw_frames(), strict=True):
        if code.co_filename == controller.filename:
            found = _span(code, instruction)
            return found.line, found.column + 1
    return 0, 0


def refusal(controller: Controller, function: str, message: str, *, line: int = 0, column: int = 0) -> SubsetError:
    """An error at a place of the source; without one, at the last return of the function it is about."""
    if not line:
        line, column = return_position(controller, function)
    return at_place(message, controller.parsed.source.path, line, column)


@contextlib.contextmanager
def blaming(controller: Controller, function: str, known: Mapping[str, Any]) -> Iterator[None]:
    """Whatever the source raises inside becomes a SubsetError at its line, in the language's own words.

    Around calls of the controller's functions and nothing else: an exception that never met the source is a defect of
    the runtime, and comes out as itself.

    `known` are the dictionaries that the function is given, by the name of the parameter.
    """
    try:
        yield
    except HealingError:
        raise
    except Exception as error:
        span = _innermost(controller, error.__traceback__)
        if span is None:
            raise
        path = enclosing(controller.parsed.tree, span)
        line, column = span.line, span.column + 1
        test = _test_of(path[-1])
        if test is not None:  # Python gives a jump the place of the whole statement where the condition is one name
            path, line, column = [*path, test], test.lineno, test.col_offset + 1
        raise refusal(controller, function, meaning(error, path, known), line=line, column=column) from error


def enclosing(tree: ast.AST, span: Span) -> list[ast.AST]:
    """The nodes around a span, outermost first; the last is the innermost that fills it, or holds it."""
    path: list[ast.AST] = [tree]
    while True:
        inner = next((child for child in _children(path[-1]) if _holds(child, span)), None)
        if inner is None:
            return path
        path.append(inner)


def _test_of(node: ast.AST) -> ast.expr | None:
    match node:
        case ast.If(test=test) | ast.IfExp(test=test):
            return test
        case ast.ListComp(generators=generators) | ast.GeneratorExp(generators=generators):
            return next((test for generator in generators for test in generator.ifs), None)
    return None


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Children that have a place; those of a comprehension's clause count as the comprehension's."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.comprehension | ast.arguments):
            yield from ast.iter_child_nodes(child)
        else:
            yield child


def _holds(node: ast.AST, span: Span) -> bool:
    if not isinstance(node, ast.expr | ast.stmt):
        return False
    starts = (node.lineno, node.col_offset) <= (span.line, span.column)
    return starts and (span.end_line, span.end_column) <= (node.end_lineno or 0, node.end_col_offset or 0)


def _innermost(controller: Controller, traceback: TracebackType | None) -> Span | None:
    """The place of the innermost frame that runs the controller's source."""
    found = None
    while traceback:
        code = traceback.tb_frame.f_code
        if code.co_filename == controller.filename:
            found = _span(code, traceback.tb_lasti)
        traceback = traceback.tb_next
    return found


def _span(code: CodeType, instruction: int) -> Span:
    """Where a bytecode offset comes from."""
    line, end_line, column, end_column = next(itertools.islice(code.co_positions(), instruction // 2, None))
    line = line or code.co_firstlineno
    return Span(line, column or 0, end_line or line, end_column or column or 0)


def return_position(controller: Controller, function: str) -> tuple[int, int]:
    """Line and column of the last return of `init` or `control` (which the contract is a part of)."""
    place = return_of(controller, function)
    return place.lineno, place.col_offset + 1


def return_of(controller: Controller, function: str) -> ast.stmt:
    """The last return of a function of the controller; the function itself if it has none."""
    name = "control" if function == "contract" else function
    body = next(s for s in controller.parsed.tree.body if isinstance(s, ast.FunctionDef) and s.name == name)
    returns = [s for s in ast.walk(body) if isinstance(s, ast.Return)]
    return max(returns, key=lambda s: s.lineno) if returns else body
