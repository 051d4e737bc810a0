"""Python text as a syntax tree, and a tree as code, safely from any thread."""

from __future__ import annotations

import ast
import threading
import warnings
from types import CodeType
from typing import Literal, overload

# CPython 3.11 counts the depth of the tree it builds in the interpreter, not in the thread: two threads that build
# trees at once spoil each other's count and one gets a SystemError (python/cpython#106905). Re-entrant, because a
# finaliser that runs while a tree is built may itself parse.
_ONE_AT_A_TIME = threading.RLock()


@overload
def syntax_tree(text: str) -> ast.Module: ...
@overload
def syntax_tree(text: str, mode: Literal["eval"]) -> ast.Expression: ...
def syntax_tree(text: str, mode: Literal["exec", "eval"] = "exec") -> ast.Module | ast.Expression:
    """`ast.parse` for concurrent threads, without the warnings that Python has about sources.

    Raises:
        SyntaxError, RecursionError, MemoryError, ValueError: as `ast.parse` does.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text, mode=mode)
    assert isinstance(tree, ast.Module | ast.Expression)
    return tree


def compiled(tree: ast.Module, filename: str) -> CodeType:
    """`compile` without the warnings that Python has about sources.

    Raises:
        SyntaxError, RecursionError, MemoryError, ValueError, OverflowError: as `compile` does.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(tree, filename, "exec", dont_inherit=True)
