"""Calls in a source: who may be called, with which keywords, and where functions may be handed over."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

from healing_runtime.language import vocabulary
from healing_runtime.language.messages import advice, wording
from healing_runtime.language.syntax.names import near
from healing_runtime.language.syntax.scope import Scope

if TYPE_CHECKING:
    from healing_runtime.language.syntax.expressions import Expressions


class Calls:
    """Checks of calls in one module; each method returns or refuses."""

    def __init__(self, expressions: Expressions) -> None:
        self.names = expressions.names
        self.expressions = expressions

    def call(self, node: ast.Call, scope: Scope | None, extra: frozenset[str]) -> None:
        """A call as a whole."""
        allowed, takes_functions = self.callee(node, node.func, scope, extra)
        for keyword in node.keywords:
            if keyword.arg is None:
                self.names.refuse(
                    keyword.value,
                    f"starred arguments are not part of TensorLang; write the keywords of"
                    f" {wording.shown(node.func, 'the function')} out",
                )
            if keyword.arg not in allowed:
                other = advice.OTHER_KEYWORDS.get(keyword.arg, "")
                meant = other if other in allowed else near(keyword.arg, allowed)
                remedy = f"did you mean {meant}?" if meant else "leave it out"
                self.names.refuse(
                    keyword, f"the keyword argument {keyword.arg} is not part of TensorLang here; {remedy}"
                )
            if (
                keyword.arg == "dtype"
                and isinstance(keyword.value, ast.Constant)
                and isinstance(keyword.value.value, str)
            ):
                self.names.refuse(
                    keyword.value, "a dtype is a name, not text; write dtype=jnp.float32, or leave it out"
                )
        for position, argument in enumerate(node.args):
            self.argument(argument, scope, extra, position in takes_functions)
        for keyword in node.keywords:
            self.argument(keyword.value, scope, extra, bool(takes_functions))

    def callee(
        self, node: ast.Call, func: ast.expr, scope: Scope | None, extra: frozenset[str]
    ) -> tuple[Iterable[str], tuple[int, ...]]:
        """Allowed keyword arguments of a call, and the positions at which it takes functions."""
        match func:
            case ast.Name(id=name):
                return self.by_name(node, func, name, scope, extra), ()
            case ast.Attribute():
                return self.by_attribute(node, func, scope, extra)
            case ast.Call() | ast.Lambda():
                self.expressions.expression(func, scope, extra)
        self.names.refuse(func, "only functions with a name are called; write def, and call that name")

    def by_name(
        self, node: ast.Call, func: ast.Name, name: str, scope: Scope | None, extra: frozenset[str]
    ) -> tuple[str, ...]:
        """A builtin, or a function of the source's own."""
        function = self.names.function(name, scope)
        if function is None and name in vocabulary.BUILTINS and not (scope and scope.holds(name)):
            self.builtin(node, name)
            return ()
        if function is None:
            if not (scope and scope.holds(name)):
                self.names.read(func, scope, extra)
            self.names.refuse(func, f"{name} is a value, not a function; only functions written with def are called")
        if scope is None:
            self.names.refuse(
                func, "module constants are made without calling own functions; compute it inside control"
            )
        return tuple(a.arg for a in function.args.args)

    def builtin(self, node: ast.Call, name: str) -> None:
        """What the trace could only say worse."""
        match name, node.args:
            case (("float" | "int"), [ast.JoinedStr() | ast.Constant(value=str()) as text]):
                message = f"{name} of text is not part of TensorLang, and NaN is never a value; write the number"
                self.names.refuse(text, message)

    def by_attribute(
        self, node: ast.Call, func: ast.Attribute, scope: Scope | None, extra: frozenset[str]
    ) -> tuple[Iterable[str], tuple[int, ...]]:
        """A function of a namespace, or one of the few methods of values."""
        path = self.names.namespaced(func, scope)
        if path:
            if vocabulary.is_constant(path):
                argument = wording.shown(node.args[0]) if node.args else "x"
                self.names.refuse(func, f"{path} is not a function; write jnp.astype({argument}, {path}) for a dtype")
            if not vocabulary.is_function(path):
                self.names.unknown(func, path)
            if path == "jnp.where" and len(node.args) + len(node.keywords) == 1:
                condition = wording.shown(node.args[0] if node.args else node.keywords[0].value, "condition")
                self.names.refuse(
                    node,
                    "jnp.where of one argument returns positions, and how many depends on data; write"
                    f" jnp.where({condition}, a, b), a where it holds and b elsewhere",
                )
            return vocabulary.KEYWORDS, vocabulary.HIGHER_ORDER.get(path, ())
        if func.attr not in vocabulary.METHODS:
            if isinstance(func.value, ast.Name):
                self.names.read(func.value, scope, extra)
            self.names.refuse(func, f".{func.attr}() is not part of TensorLang; {_instead(node, func)}")
        self.expressions.expression(func.value, scope, extra)
        return ("axis", "keepdims"), ()

    def argument(self, node: ast.expr, scope: Scope | None, extra: frozenset[str], may_be_function: bool) -> None:
        """One argument of a call; a function only where the callee takes one."""
        if isinstance(node, ast.Starred):
            self.names.refuse(
                node, "starred arguments are not part of TensorLang; write the arguments out, or hand over one array"
            )
        if not may_be_function:
            self.expressions.expression(node, scope, extra)
            return
        match node:
            case ast.Tuple() | ast.List():
                for element in node.elts:
                    self.argument(element, scope, extra, True)
            case ast.Lambda() if scope:
                self.expressions.arguments(node.args)
                parameters = frozenset(a.arg for a in node.args.args)
                inner = Scope("lambda", parameters, frozenset(), {}, scope)
                self.expressions.expression(node.body, inner, extra - parameters)
            case ast.Name(id=name) if scope and self.names.function(name, scope):
                pass
            case ast.Attribute():
                path = self.names.namespaced(node, scope)
                if not (path and vocabulary.is_function(path) and path not in vocabulary.HIGHER_ORDER):
                    self.expressions.expression(node, scope, extra)
            case _:
                self.expressions.expression(node, scope, extra)


def _instead(node: ast.Call, func: ast.Attribute) -> str:
    """What to write in place of a method call, from the user's own words where a function of jnp does the same."""
    name, receiver = func.attr, wording.shown(func.value)
    match func.value:
        case ast.Subscript(value=ast.Attribute(attr="at", value=array), slice=index):
            return wording.at_element(ast.Subscript(array, index), name, node.args)
    match name, node.args:
        case "astype", _:
            dtype = next(iter([*node.args, *(k.value for k in node.keywords)]), None)
            return f"write {wording.converted(func.value, dtype)}, or leave it out"
        case "get", [key, *_]:
            return f"every key is always there; write {receiver}[{wording.shown(key)}]"
        case "update", [changes]:
            new = "next_state" if receiver == "state" else receiver
            merged = f"{{**{receiver}, **{wording.shown(changes, 'changes')}}}"
            return f"it changes a dictionary in place; write {new} = {merged}"
        case "dot", [other]:
            return f"the operator does it; write {wording.shown(ast.BinOp(func.value, ast.MatMult(), other), 'x @ y')}"
        case "multiply", [other]:
            return f"operators do it; write {wording.shown(ast.BinOp(func.value, ast.Mult(), other), 'x * y')}"
    hint = advice.of_method(name, receiver)
    if hint:
        return hint
    if vocabulary.is_function(f"jnp.{name}") or name in ("norm", "flatten"):
        return f"write {wording.method(func.value, name, node.args, node.keywords)}"
    hint = advice.of_name(f"jnp.{name}")
    return hint or "values have no such method; use a function of jnp"
