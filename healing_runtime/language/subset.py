"""The subset of Python that TensorLang is: an allowlist walk over the syntax tree (gate.md, "Syntax").

Every refusal names the construct, why it is refused and what to write instead, with line and column.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from typing import NoReturn

from healing_runtime.core.errors import Location, SubsetError
from healing_runtime.language import vocabulary as words
from healing_runtime.language.expressions import REFUSED, Expressions
from healing_runtime.language.scope import Module, Scope, scope_of, static_number

SIGNATURES: Mapping[str, tuple[str, ...]] = {"init": ("params",), "control": ("obs", "state", "params")}
"""The two functions every controller defines, and their parameters."""


_LABEL = re.compile(r"[^<>\[\]`\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z")
"""Labels are shown in prompts, pages and terminals: no markup, no control characters."""


def check(tree: ast.Module, path: str) -> Module:
    """Walk the whole module; return its names.

    Raises:
        SubsetError: at the first construct outside TensorLang.
    """
    return _Checker(path).module(tree)


class _Checker:
    """One walk. Methods named after what they check; each either returns or refuses."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.names = Module()
        self.expressions = Expressions(path, self.names)

    # ------------------------------------------------------------ module level
    def module(self, tree: ast.Module) -> Module:
        body = tree.body[1:] if tree.body and _is_text(tree.body[0]) else tree.body
        self.names.functions = {s.name: s for s in body if isinstance(s, ast.FunctionDef)}
        self.fixed_names(tree, body)
        for statement in body:
            match statement:
                case ast.Import() | ast.ImportFrom():
                    self.imports(statement)
                case ast.Assign(targets=[ast.Name(id=name)]):
                    self.module_name(statement.targets[0], name)
                    self.expressions.expression(statement.value, None)
                    self.names.constants[name] = statement.value
                    value = static_number(statement.value, self.names)
                    if value is not None:
                        self.names.values[name] = value
                case ast.FunctionDef(name=name):
                    self.module_name(statement, name)
                case _:
                    self.module_statement(statement)
        for name, parameters in SIGNATURES.items():
            wanted = f"def {name}({', '.join(parameters)})"
            if name not in self.names.functions:
                raise SubsetError(f"{wanted} is missing; every controller defines it.", where=Location(self.path, 1, 1))
            given = tuple(a.arg for a in self.names.functions[name].args.args)
            if given != parameters:
                self.expressions.refuse(
                    self.names.functions[name], f"{name} takes ({', '.join(given)}); write {wanted}"
                )
        for function in self.names.functions.values():
            self.function(function, None)
        return self.names

    def fixed_names(self, tree: ast.Module, body: Iterable[ast.stmt]) -> None:
        """Constants and functions, at whatever depth: each name has one meaning in the whole source."""
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                if node.name in self.names.everywhere:
                    first = self.names.everywhere[node.name].lineno
                    self.expressions.refuse(
                        node, f"{node.name} is defined twice, first in line {first}; give every function its own name"
                    )
                self.names.everywhere[node.name] = node
        constants = {s.targets[0].id for s in body if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name)}
        self.names.fixed = frozenset(constants | set(self.names.everywhere))

    def module_statement(self, statement: ast.stmt) -> NoReturn:
        if isinstance(statement, ast.Expr):
            self.expressions.expression(statement.value, None)
        if type(statement) not in REFUSED:
            kind = "an expression" if isinstance(statement, ast.Expr) else f"'{_keyword(statement)}'"
            self.expressions.refuse(
                statement,
                f"{kind} at module level is not part of TensorLang; a module holds imports, PARAMS, named constants and"
                " functions",
            )
        self.expressions.refuse(statement, REFUSED[type(statement)])

    def module_name(self, node: ast.AST, name: str) -> None:
        if not (name == "PARAMS" and isinstance(node, ast.Name)):
            self.expressions.bindable(node, name)
        if name in self.names.constants:
            self.expressions.refuse(node, f"{name} is bound twice; constants are assigned once")
        if isinstance(node, ast.Name) and name in self.names.functions:
            self.expressions.refuse(node, f"{name} is a function; give the constant another name")

    def imports(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            found = [
                (f"import {a.name}" + (f" as {a.asname}" if a.asname else ""), a.asname or a.name) for a in node.names
            ]
        else:
            start = f"from {'.' * node.level}{node.module or ''} import "
            found = [(start + a.name + (f" as {a.asname}" if a.asname else ""), a.asname or a.name) for a in node.names]
        for written, name in found:
            if written == "from jax import numpy as jnp":
                written = words.IMPORTS["jnp"]
            if words.IMPORTS.get(name) != written:
                allowed = "; ".join(words.IMPORTS.values())
                self.expressions.refuse(node, f"'{written}' is not part of TensorLang; the imports are: {allowed}")
            self.names.roots.add(name)

    # ------------------------------------------------------------ functions and statements
    def function(self, node: ast.FunctionDef, outer: Scope | None) -> None:
        if node.decorator_list:
            self.expressions.refuse(node.decorator_list[0], "decorators are not part of TensorLang; remove it")
        if node.returns:
            self.expressions.refuse(node.returns, "annotations are not part of TensorLang; remove it")
        self.expressions.arguments(node.args)
        scope = scope_of(node, outer)
        for name, inner in scope.functions.items():
            self.expressions.bindable(inner, name)
            if name in scope.assigned or name in scope.parameters or name in self.names.constants:
                self.expressions.refuse(inner, f"{name} has another meaning here; give the function a name of its own")
        body = node.body[1:] if _is_text(node.body[0]) else node.body
        for statement in body:
            self.statement(statement, scope)

    def statement(self, node: ast.stmt, scope: Scope) -> None:
        match node:
            case ast.Assign():
                for target in node.targets:
                    self.target(target, scope)
                self.expressions.expression(node.value, scope)
            case ast.AugAssign():
                self.expressions.operator(node, node.op)
                self.target(node.target, scope)
                self.expressions.expression(node.value, scope)
            case ast.Return():
                if node.value is None:
                    self.expressions.refuse(node, "return needs a value")
                self.expressions.expression(node.value, scope)
            case ast.If():
                self.expressions.expression(node.test, scope)
                self.block([*node.body, *node.orelse], scope)
            case ast.For():
                if node.orelse:
                    self.expressions.refuse(
                        node.orelse[0], "else after a for loop is not part of TensorLang; write it after the loop"
                    )
                self.target(node.target, scope)
                self.expressions.expression(node.iter, scope)
                self.block(node.body, scope)
            case ast.FunctionDef():
                self.function(node, scope)
            case ast.Assert():
                self.assertion(node, scope)
            case ast.Pass() | ast.Break() | ast.Continue():
                pass
            case ast.Expr(value=ast.Constant(value=str())):
                self.expressions.refuse(node, "text is only a docstring, an assert label or a key; write a comment")
            case ast.Expr():
                self.expressions.expression(node.value, scope)
                self.expressions.refuse(node, "this expression has no effect; assign or return its value")
            case _:
                self.expressions.refuse(node, REFUSED.get(type(node), f"'{_keyword(node)}' is not part of TensorLang"))

    def block(self, body: Iterable[ast.stmt], scope: Scope) -> None:
        for statement in body:
            self.statement(statement, scope)

    def assertion(self, node: ast.Assert, scope: Scope) -> None:
        if not (isinstance(node.msg, ast.Constant) and isinstance(node.msg.value, str)):
            self.expressions.refuse(node.msg or node, 'an assert needs a label in quotes: assert condition, "label"')
        label = node.msg.value
        if not (0 < len(label) <= 100) or not any(c.isalnum() for c in label) or not _LABEL.match(label):
            self.expressions.refuse(
                node.msg,
                "an assert's label is one line of 1 to 100 characters with at least one letter or digit, without"
                " < > [ ] and backticks; write it as plain words",
            )
        names = words.CONTRACT_NAMES if scope.name == "control" and scope.outer is None else frozenset()
        self.expressions.expression(node.test, scope, extra=names)

    def target(self, node: ast.expr, scope: Scope) -> None:
        match node:
            case ast.Name(id=name):
                self.expressions.local(node, name)
                if scope.outer is None and scope.name in SIGNATURES and name in scope.parameters:
                    better = "next_state" if name == "state" else "another name"
                    self.expressions.refuse(
                        node,
                        f"{name} is the argument of {scope.name}, which asserts read, and cannot be rebound;"
                        f" use {better}",
                    )
            case ast.Tuple() | ast.List():
                for element in node.elts:
                    self.target(element, scope)
            case ast.Subscript():
                # A name that once held something else may still be another name of obs or of the state.
                if not (isinstance(node.value, ast.Name) and node.value.id in scope.made):
                    self.expressions.refuse(
                        node,
                        "only dictionaries made in this function can be changed: a name that is only ever assigned"
                        ' {...} or [...]; build a new one, as in {**state, "x": value}',
                    )
                self.expressions.expression(node.value, scope)
                self.expressions.subscript(node.slice, scope)
            case ast.Attribute():
                self.expressions.refuse(node, "attributes cannot be assigned; for arrays write x = x.at[i].set(value)")
            case _:
                self.expressions.refuse(node, REFUSED.get(type(node), "this cannot be assigned to"))


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _keyword(node: ast.AST) -> str:
    return type(node).__name__.lower()
