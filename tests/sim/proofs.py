"""Which scenarios a module's tests prove to be impossible.

A proof is a test function of the module that `proves` hands the scenario's name as `name`, that is not skipped, and
whose own body asserts something that was computed from what the name loads. A name that merely stands somewhere, or an
assertion of something else, proves nothing.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable
from types import FunctionType, ModuleType

import pytest

NOT_RUN = {"skip", "skipif", "xfail", "slow"}


def proves(*names: str) -> pytest.MarkDecorator:
    """The test is run once a scenario, with its name as `name`, and is its proof."""
    return pytest.mark.parametrize("name", names)


def proven(module: ModuleType) -> set[str]:
    """Scenario names that the module proves."""
    tests = [f for n, f in vars(module).items() if n.startswith("test_") and isinstance(f, FunctionType)]
    if _marks(module) & NOT_RUN or not getattr(module, "__test__", True):
        return set()
    return {name for test in tests for name in _names(test) if test.__module__ == module.__name__ and _is_proof(test)}


def _marks(marked: object) -> set[str]:
    marks = getattr(marked, "pytestmark", [])
    return {mark.name for mark in (marks if isinstance(marks, list) else [marks])}


def _names(test: FunctionType) -> Iterable[str]:
    given = [mark.args for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    return [name for keys, names in given if keys == "name" for name in names if isinstance(name, str)]


def _is_proof(test: FunctionType) -> bool:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(test))).body
    assert isinstance(tree, ast.FunctionDef)
    called = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    if _marks(test) & NOT_RUN or not getattr(test, "__test__", True) or called & {"skip", "xfail", "importorskip"}:
        return False
    fixtures = {argument.arg for argument in tree.args.args}
    follows: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Return | ast.Raise):
            break
        if isinstance(statement, ast.Assert) and _comes_from(statement.test, follows, fixtures):
            return True
        _follow(statement, follows, fixtures)
    return False


def _follow(statement: ast.stmt, follows: set[str], fixtures: set[str]) -> None:
    """Keep `follows`, the names whose values come from what a fixture loads for `name`, up to date."""
    comes = _comes_from(statement, follows, fixtures)
    if isinstance(statement, ast.FunctionDef):
        bound = {statement.name}
    else:
        bound = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    follows.difference_update(bound)
    follows.update(bound if comes else ())


def _comes_from(node: ast.AST, follows: set[str], fixtures: set[str]) -> bool:
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
    loaded = (c for c in calls if _read(c.func) & fixtures and any("name" in _read(a) for a in c.args))
    return bool(_read(node) & follows) or any(loaded)


def _read(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
