"""What a statement of the subset assigns to: a name, several, or an entry of a dictionary made in the function."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from healing_runtime.language.messages import wording
from healing_runtime.language.syntax.expressions import REFUSED, Expressions
from healing_runtime.language.syntax.scope import Scope

SIGNATURES: Mapping[str, tuple[str, ...]] = {"init": ("params",), "control": ("obs", "state", "params")}
"""The two functions every controller defines, and their parameters."""


class Targets:
    """Checks of what is assigned to; returns or refuses."""

    def __init__(self, expressions: Expressions) -> None:
        self._expressions = expressions
        self._names = expressions.names

    def check(
        self, node: ast.expr, scope: Scope, value: ast.expr | None = None, op: ast.operator | None = None
    ) -> None:
        """What is assigned to; `value` and `op` are those of the statement, where it has them."""
        match node:
            case ast.Name(id=name):
                self._names.local(node, name)
                if scope.outer is None and scope.name in SIGNATURES and name in scope.parameters:
                    better = "next_state" if name == "state" else "another name"
                    self._names.refuse(
                        node,
                        f"{name} is the argument of {scope.name}, which asserts read, and cannot be rebound;"
                        f" use {better}",
                    )
            case ast.Tuple() | ast.List():
                for element in node.elts:
                    self.check(element, scope)
            case ast.Subscript():
                # A name that once held something else may still be another name of obs or of the state.
                if not (isinstance(node.value, ast.Name) and node.value.id in scope.made):
                    self._names.refuse(node, _unchangeable(node, value, op))
                if value is None:  # of a tuple or a loop: what arrives there is not checked for holding itself
                    better = f"{wording.shown(node)} = value"
                    self._names.refuse(node, f"an entry is changed on a line of its own; write {better}")
                self._expressions.expression(node.value, scope)
                self._expressions.subscript(node.slice, scope)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                better = wording.stored(_element("state", name), value, op)
                message = f"there is no self, and memory is the state; write {better}, and return next_state"
                self._names.refuse(node, message)
            case ast.Attribute(value=ast.Name(id="state" | "obs" | "params" as owner), attr=name):
                better = wording.stored(_element(owner, name), value, op)
                self._names.refuse(node, f"{owner} is a dictionary, and attributes cannot be assigned; write {better}")
            case ast.Attribute():
                self._names.refuse(node, "attributes cannot be assigned; for arrays write x = x.at[i].set(value)")
            case ast.Starred():
                self._names.refuse(node, "a starred name takes as many as there are; write every name out")
            case _:
                self._names.refuse(node, REFUSED.get(type(node), "this cannot be assigned to; write a name"))


def _unchangeable(node: ast.Subscript, value: ast.expr | None, op: ast.operator | None) -> str:
    """Why a store into something is refused, and the line that does what was meant."""
    better = wording.stored(node, value, op)
    match _root(node):
        case ast.Name(id="state" | "obs" | "params" as name):
            held = {"state": "next_state", "obs": "corrected", "params": "tuned"}[name]
            also = f", and return {held}" if name == "state" else f", and read {held} from there on"
            return f"{name} is given and cannot be changed; write {better}{also}"
    if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return (
            "only dictionaries made in this function can be changed: a name that is only ever assigned {...};"
            f" write {better}"
        )
    if op is not None:
        return f"arrays cannot be changed in place, by {wording.sign(op)}= either; write {better}"
    if isinstance(node.slice, ast.Slice | ast.Tuple):
        return f"a part of an array cannot be overwritten; write {better}"
    return f"arrays and tuples cannot be changed in place; write {better}"


def _element(dictionary: str, key: str) -> ast.Subscript:
    """`dictionary["key"]`."""
    return ast.Subscript(ast.Name(dictionary), ast.Constant(key))


def _root(node: ast.expr) -> ast.expr:
    """`x` of `x["a"][0]`."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node
