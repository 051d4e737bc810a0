"""The statements of the subset, inside functions: an allowlist walk, and asserts (gate.md, "Syntax")."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from typing import NoReturn

from healing_runtime.language import vocabulary
from healing_runtime.language.messages import wording
from healing_runtime.language.syntax import conditions
from healing_runtime.language.syntax.asserts import slug
from healing_runtime.language.syntax.expressions import REFUSED, Expressions
from healing_runtime.language.syntax.scope import Scope, scope_of
from healing_runtime.language.syntax.targets import Targets

_LABEL = re.compile(r"[ !-;=?-Z\\^_a-z{|}~]*\Z")
"""Labels are shown in prompts, pages and terminals: printable ASCII without < > [ ] and backticks."""


class Statements:
    """Checks of functions and what stands in them; each method returns or refuses."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.names = expressions.names
        self.targets = Targets(expressions)

    def function(self, node: ast.FunctionDef, outer: Scope | None) -> None:
        """A whole function, and those defined inside it."""
        if node.decorator_list:
            self.decorator(node.decorator_list[0])
        if node.returns:
            self.names.refuse(
                node.returns,
                f"annotations of results are not part of TensorLang; leave '-> {wording.shown(node.returns)}' out",
            )
        self.expressions.arguments(node.args)
        scope = scope_of(node, outer)
        for name, inner in scope.functions.items():
            self.names.bindable(inner, name)
            if name in scope.assigned or name in scope.parameters or name in self.names.module.constants:
                self.names.refuse(inner, f"{name} has another meaning here; give the function a name of its own")
        self.block(node.body[1:] if is_text(node.body[0]) else node.body, scope)

    def decorator(self, node: ast.expr) -> NoReturn:
        """No decorator has a meaning here."""
        text = wording.shown(node, "it")
        because = ": the whole tick is compiled already" if "jit" in text else ""
        self.names.refuse(node, f"decorators are not part of TensorLang{because}; remove the line @{text}")

    def block(self, body: Iterable[ast.stmt], scope: Scope) -> None:
        """Statements one after the other."""
        for statement in body:
            self.statement(statement, scope)

    def statement(self, node: ast.stmt, scope: Scope) -> None:
        """Any statement inside a function."""
        match node:
            case ast.Assign():
                for target in node.targets:
                    self.targets.check(target, scope, node.value)
                self.expressions.expression(node.value, scope)
            case ast.AugAssign():
                self.expressions.operator(node, node.op)
                self.targets.check(node.target, scope, node.value, node.op)
                self.expressions.expression(node.value, scope)
            case ast.Return(value=None):
                self.names.refuse(node, f"return needs a value; write {RETURNS.get(scope.name, 'return value')}")
            case ast.Return(value=ast.expr() as value):
                self.expressions.expression(value, scope)
            case ast.If():
                self.expressions.expression(node.test, scope)
                self.block([*node.body, *node.orelse], scope)
            case ast.For():
                if node.orelse:
                    self.names.refuse(
                        node.orelse[0], "else after a for loop is not part of TensorLang; write it after the loop"
                    )
                self.targets.check(node.target, scope)
                self.expressions.expression(node.iter, scope)
                self.block(node.body, scope)
            case ast.FunctionDef():
                self.function(node, scope)
            case ast.Assert():
                self.assertion(node, scope)
            case ast.Pass() | ast.Break() | ast.Continue():
                pass
            case ast.Expr(value=ast.Constant(value=str())):
                self.names.refuse(node, "text is only a docstring, an assert label or a key; write a comment with #")
            case ast.Expr():
                self.expressions.expression(node.value, scope)
                self.without_effect(node.value)
            case ast.While():
                self.names.refuse(node, f"a while loop has no constant bound; {_while_loop(node)}")
            case ast.AnnAssign():
                self.annotated(node)
            case _:
                name = keyword(node)
                self.names.refuse(node, REFUSED.get(type(node), f"'{name}' is not part of TensorLang; leave it out"))

    def annotated(self, node: ast.AnnAssign) -> NoReturn:
        """`x: float = 1.0`."""
        value = wording.shown(node.value, "...") if node.value else "value"
        self.names.refuse(
            node,
            f"annotations of variables are not part of TensorLang; write {wording.shown(node.target)} = {value}",
        )

    def without_effect(self, node: ast.expr) -> NoReturn:
        """A value that nothing takes."""
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Subscript(value=ast.Attribute(attr="at") as at), attr=method)):
                array = at.value
                name = wording.shown(array)
                self.names.refuse(
                    node,
                    f".at[...].{method}(...) returns a new array and leaves {name} as it is; write"
                    f" {name if isinstance(array, ast.Name) else 'changed'} = {wording.shown(node, '...')}",
                )
            case ast.Compare(ops=[ast.Eq()], left=left, comparators=[right]):
                self.names.refuse(
                    node,
                    f"'==' compares and has no effect; write {wording.shown(left)} = {wording.shown(right, 'value')}",
                )
        self.names.refuse(
            node, f"this has no effect; assign or return its value, as in y = {wording.shown(node, '...')}"
        )

    # ------------------------------------------------------------ asserts
    def assertion(self, node: ast.Assert, scope: Scope) -> None:
        """An assert with a condition and a label."""
        test, label = node.test, node.msg
        names = vocabulary.CONTRACT_NAMES if scope.name == "control" and scope.outer is None else frozenset()
        if isinstance(test, ast.Tuple) and label is None:
            inside, last = test.elts[0] if test.elts else test, test.elts[-1] if test.elts else None
            text = last.value if isinstance(last, ast.Constant) else None
            labelled = isinstance(text, str) and _is_label(text)
            better = f'assert {wording.shown(inside, "condition")}, "{text}"' if labelled else wording.labelled(inside)
            self.names.refuse(node, f"an assert of a tuple always holds; write {better}, without the parentheses")
        if label is None:
            self.expressions.expression(test, scope, extra=names)
            self.names.refuse(
                node,
                f"an assert needs a label in quotes, by which it is owned and reported; write {wording.labelled(test)}",
            )
        if isinstance(label, ast.JoinedStr):
            self.names.refuse(
                label, f"the label of an assert is fixed text, not an f-string; write {wording.labelled(test)}"
            )
        if not (isinstance(label, ast.Constant) and isinstance(label.value, str)):
            self.names.refuse(label, f"the label of an assert is one text in quotes; write {wording.labelled(test)}")
        self.label(label, label.value)
        if isinstance(test, ast.Constant | ast.Dict | ast.List | ast.Tuple) and not _boolean(test):
            kind = type(test.value).__name__ if isinstance(test, ast.Constant) else type(test).__name__.lower()
            self.names.refuse(
                test,
                f"{_KINDS.get(kind, f'a {kind}')} decides nothing as the condition of an assert; write a comparison,"
                " as in x > 0.0",
            )
        self.expressions.expression(test, scope, extra=names)
        if (found := conditions.complaint(test)) is not None:
            self.names.refuse(*found)
        self.names.module.asserts.append(node)

    def label(self, node: ast.expr, label: str) -> None:
        """Plain words on one line."""
        if not _is_label(label):
            self.names.refuse(
                node,
                "an assert's label is one line of 1 to 100 characters with at least one letter or digit, without"
                " < > [ ] and backticks; write it as plain words",
            )
        if slug(label) in vocabulary.RESERVED_SLUGS:
            self.names.refuse(
                node, f'the label "{label}" is that of an assert which every controller has; write it in other words'
            )


_WORDS: Mapping[type, str] = {
    ast.Assign: "=",
    ast.AnnAssign: "=",
    ast.AsyncFor: "async for",
    ast.AsyncFunctionDef: "async def",
    ast.AsyncWith: "async with",
    ast.ClassDef: "class",
    ast.Delete: "del",
    ast.FunctionDef: "def",
    ast.ImportFrom: "from",
    ast.TryStar: "try",
}
"""Statements that are not called after their class."""

RETURNS: Mapping[str, str] = {"init": "return {} for no memory", "control": "return action, next_state"}
"""How the functions of a controller end."""

_KINDS = {
    "NoneType": "None",
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bytes": "text",
    "dict": "a dictionary",
}


def _is_label(text: str) -> bool:
    return 0 < len(text) <= 100 and any(c.isalnum() for c in text) and bool(_LABEL.match(text))


def _boolean(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _while_loop(node: ast.While) -> str:
    """The same loop with a bound."""
    names = {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name) and n.id not in vocabulary.ROOTS}
    if len(names) != 1:
        return "write tl.while_loop(cond, body, init, max_trips=N), or lax.fori_loop"
    (name,) = names
    test = wording.shown(node.test, "...")
    return f"write {name} = tl.while_loop(lambda {name}: {test}, body, {name}, max_trips=100)"


def is_text(statement: ast.stmt) -> bool:
    """A statement that is text alone: a docstring, if it stands first."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def keyword(node: ast.AST) -> str:
    """What Python itself calls a statement."""
    if isinstance(node, ast.AugAssign):
        return f"{wording.sign(node.op)}="
    return _WORDS.get(type(node)) or type(node).__name__.lower()
