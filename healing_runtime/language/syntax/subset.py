"""The subset of Python that TensorLang is: an allowlist walk over the syntax tree (gate.md, "Syntax").

Every refusal names the construct, why it is refused and what to write instead, with line and column. Here the module
level; `statements`, `expressions`, `calls` and `names` go on inside the functions.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import NoReturn

from healing_runtime.core.errors import Location, SubsetError
from healing_runtime.language import vocabulary
from healing_runtime.language.messages import advice, wording
from healing_runtime.language.syntax.expressions import REFUSED, Expressions
from healing_runtime.language.syntax.scope import Module, nested, static_number
from healing_runtime.language.syntax.statements import Statements, is_text, keyword
from healing_runtime.language.syntax.targets import SIGNATURES


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
        self.found = Module()
        self.expressions = Expressions(path, self.found)
        self.names = self.expressions.names
        self.statements = Statements(self.expressions)

    def module(self, tree: ast.Module) -> Module:
        body = tree.body[1:] if tree.body and is_text(tree.body[0]) else tree.body
        self.found.functions = {s.name: s for s in body if isinstance(s, ast.FunctionDef)}
        self.fixed_names(body)
        for statement in body:
            match statement:
                case ast.Import() | ast.ImportFrom():
                    self.imports(statement)
                case ast.Assign(targets=[ast.Name(id=name)]):
                    self.module_name(statement.targets[0], name)
                    self.expressions.expression(statement.value, None)
                    self.found.constants[name] = statement.value
                    value = static_number(statement.value, self.found)
                    if value is not None:
                        self.found.values[name] = value
                case ast.FunctionDef(name=name):
                    self.module_name(statement, name)
                case _:
                    self.module_statement(statement)
        self.signatures()
        for function in self.found.functions.values():
            self.statements.function(function, None)
        return self.found

    def signatures(self) -> None:
        """`init` and `control`, with exactly their parameters."""
        for name, parameters in SIGNATURES.items():
            wanted = f"def {name}({', '.join(parameters)})"
            if name not in self.found.functions:
                raise SubsetError(
                    f"{wanted} is missing, and every controller defines it; write it.", where=Location(self.path, 1, 1)
                )
            given = tuple(a.arg for a in self.found.functions[name].args.args)
            if given != parameters:
                self.names.refuse(self.found.functions[name], f"{name} takes ({', '.join(given)}); write {wanted}")

    def fixed_names(self, body: list[ast.stmt]) -> None:
        """Constants and functions, at whatever depth: each name has one meaning in the whole source."""
        self.functions_in(body)
        constants = {s.targets[0].id for s in body if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name)}
        self.found.fixed = frozenset(constants | set(self.found.everywhere))

    def functions_in(self, body: Iterable[ast.stmt]) -> None:
        for node in nested(body):
            if not isinstance(node, ast.FunctionDef):
                continue
            if node.name in self.found.everywhere:
                first = self.found.everywhere[node.name].lineno
                self.names.refuse(
                    node, f"{node.name} is defined twice, first in line {first}; give every function its own name"
                )
            self.found.everywhere[node.name] = node
            self.functions_in(node.body)

    def module_statement(self, statement: ast.stmt) -> NoReturn:
        if isinstance(statement, ast.Expr):
            self.expressions.expression(statement.value, None)
        if type(statement) in REFUSED:
            self.names.refuse(statement, REFUSED[type(statement)])
        if isinstance(statement, ast.AnnAssign):
            self.statements.annotated(statement)
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Attribute | ast.Subscript):
                    self.names.refuse(
                        target, "a module binds names only, and nothing of another value can be changed; leave it out"
                    )
            self.names.refuse(
                statement, f"a constant of the module is one name on a line of its own; {wording.one_by_one(statement)}"
            )
        kind = "an expression" if isinstance(statement, ast.Expr) else f"'{keyword(statement)}'"
        self.names.refuse(
            statement,
            f"{kind} at module level is not part of TensorLang: a module holds imports, PARAMS, named constants and"
            " functions; write it inside control",
        )

    def module_name(self, node: ast.AST, name: str) -> None:
        if not (name == "PARAMS" and isinstance(node, ast.Name)):
            self.names.bindable(node, name)
        if name in self.found.constants:
            self.names.refuse(node, f"{name} is bound twice, and constants are assigned once; keep one of the two")
        if isinstance(node, ast.Name) and name in self.found.functions:
            self.names.refuse(node, f"{name} is a function; give the constant another name")

    def imports(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            found = [
                (f"import {a.name}" + (f" as {a.asname}" if a.asname else ""), a.asname or a.name) for a in node.names
            ]
            module, names = node.names[0].name, ()
        else:
            module, names = f"{'.' * node.level}{node.module or ''}", tuple(a.name for a in node.names)
            found = [
                (f"from {module} import {a.name}" + (f" as {a.asname}" if a.asname else ""), a.asname or a.name)
                for a in node.names
            ]
        for written, name in found:
            if written == "from jax import numpy as jnp":
                written = vocabulary.IMPORTS["jnp"]
            if vocabulary.IMPORTS.get(name) != written:
                self.names.refuse(node, f"'{written}' is not part of TensorLang; {advice.of_import(module, names)}")
            self.found.roots.add(name)
