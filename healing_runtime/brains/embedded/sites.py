"""Places of a source that can be edited: constants that are written out, and signs.

What the asserts say is no such place, nor an index, nor a whole number, which counts something.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from healing_runtime.brains.embedded.space import FACTORS, UNITS, Leaf
from healing_runtime.language.source import Parsed

PREFIX = "edit_"
"""Heads the names that sites have in the PARAMS of the copy."""


class Site(NamedTuple):
    """One place: its number in the copy's PARAMS, and the characters that stand for it in the original.

    Attributes:
        leaf: the number; a sign is a 1 that can only be turned.
        start, end: what is replaced: the constant, or the one character of the sign.
        turned: the sign turned round (nothing for a minus in front); None for a constant.
        bare: whether a negative number may stand there without brackets.
    """

    leaf: Leaf
    start: int
    end: int
    turned: str | None = None
    bare: bool = False

    def written(self, value: float) -> str:
        """What stands there instead."""
        if self.turned is not None:
            return self.turned
        return repr(value) if self.bare or value >= 0.0 else f"({value!r})"


def open_sites(copy: ast.Module, parsed: Parsed) -> tuple[Site, ...]:
    """Turn every site of a copy of the source into a number of `params`; the sites, in the order they stand."""
    opening = _Opening(copy, parsed)
    for name in opening.functions:
        opening.open(name)
    return tuple(opening.sites)


class _Opening(ast.NodeTransformer):
    """Walks the functions that have `params`, or can be given them."""

    def __init__(self, copy: ast.Module, parsed: Parsed) -> None:
        self._text = parsed.source.text
        self._lines = np.concatenate([[0], np.cumsum([len(line) + 1 for line in self._text.split("\n")])])
        self._taken = set(parsed.params)
        self._copy = copy
        found = {s.name: s for s in copy.body if isinstance(s, ast.FunctionDef)}
        self._helpers = set(found) - {"init", "control"}
        if not _can_be_given_params(copy, found, self._helpers):
            self._helpers = set()
        self.functions = {name: found[name] for name in found if name == "control" or name in self._helpers}
        self._constants = _constants(copy, self.functions.values())
        self._by_name: dict[str, Site] = {}
        self.sites: list[Site] = []

    def open(self, name: str) -> None:
        function = self.functions[name]
        function.body = [self.visit(statement) for statement in function.body]
        if name in self._helpers:
            function.args.args.append(ast.arg("params"))

    # ------------------------------------------------------------ what stays as it is
    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        node.value = self.visit(node.value)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    # ------------------------------------------------------------ what opens
    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return self._constant(node, ast.literal_eval(node)) if _is_open(node) else node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self._constants.get(node.id)
        if value is None or not isinstance(node.ctx, ast.Load):
            return node
        if node.id not in self._by_name:
            self._constant(value, ast.literal_eval(value), node.id)
            self._by_name[node.id] = self.sites[-1]
        return _number(self._by_name[node.id].leaf)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in self._helpers:
            node.args.append(ast.Name("params", ast.Load()))
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if not isinstance(node.op, ast.USub):
            return self.generic_visit(node)
        if isinstance(node.operand, ast.Constant):
            return self._constant(node, ast.literal_eval(node)) if _is_open(node.operand) else node
        start = self._start(node)
        sign = self._sign(node, start, start + 1, "")
        return ast.UnaryOp(ast.USub(), ast.BinOp(sign, ast.Mult(), self.visit(node.operand)))

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        whole = any(isinstance(side, ast.Constant) and not _is_open(side) for side in (node.left, node.right))
        if whole or not isinstance(node.op, ast.Add | ast.Sub):
            return self.generic_visit(node)
        left = self.visit(node.left)
        at = self._operator(self._end(node.left), self._start(node.right))
        sign = self._sign(node, at, at + 1, "-" if isinstance(node.op, ast.Add) else "+")
        return ast.BinOp(left, node.op, ast.BinOp(sign, ast.Mult(), self.visit(node.right)))

    # ------------------------------------------------------------ sites
    def _constant(self, node: ast.expr, value: float, name: str = "") -> ast.AST:
        title = name or f"line {node.lineno}: {value:g}"
        leaf = Leaf((self._key(),), value, title, (*FACTORS, *UNITS), together=False)
        bare = bool(name) or isinstance(node, ast.UnaryOp)
        self.sites.append(Site(leaf, self._start(node), self._end(node), bare=bare))
        return _number(leaf)

    def _sign(self, node: ast.expr, start: int, end: int, turned: str) -> ast.expr:
        leaf = Leaf((self._key(),), 1.0, f"line {node.lineno}: sign of {ast.unparse(node)}", (), together=False)
        self.sites.append(Site(leaf, start, end, turned))
        return _number(leaf)

    def _key(self) -> str:
        key = f"{PREFIX}{len(self.sites)}"
        while key in self._taken:
            key += "_"
        return key

    def _start(self, node: ast.expr) -> int:
        return int(self._lines[node.lineno - 1]) + node.col_offset

    def _end(self, node: ast.expr) -> int:
        return int(self._lines[(node.end_lineno or node.lineno) - 1]) + (node.end_col_offset or 0)

    def _operator(self, start: int, end: int) -> int:
        """Where the operator stands between its operands: no comment, no bracket, no line end."""
        comment = False
        for at in range(start, end):
            comment = (comment or self._text[at] == "#") and self._text[at] != "\n"
            if not comment and self._text[at] in "+-":
                return at
        raise AssertionError("there is an operator between its operands")


def _number(leaf: Leaf) -> ast.expr:
    return ast.Subscript(ast.Name("params", ast.Load()), ast.Constant(leaf.path[0]), ast.Load())


def _is_open(node: ast.Constant) -> bool:
    """A number with a point, not zero: zero has no size and no sign, and whole numbers count."""
    return isinstance(node.value, float) and node.value != 0.0 and bool(np.isfinite(node.value))


def _can_be_given_params(copy: ast.Module, found: dict[str, ast.FunctionDef], helpers: set[str]) -> bool:
    """Whether helpers are only ever called, by functions that have params or can be given them."""
    if any(a.arg == "params" for name in helpers for a in ast.walk(found[name]) if isinstance(a, ast.arg)):
        return False
    called = {id(n.func) for f in found.values() for n in ast.walk(f) if isinstance(n, ast.Call) and not n.keywords}
    return all(id(n) in called for n in ast.walk(copy) if isinstance(n, ast.Name) and n.id in helpers)


def _constants(copy: ast.Module, functions: Iterable[ast.FunctionDef]) -> dict[str, ast.expr]:
    """Constants of the module that are one number and are read in the opened functions alone, outside asserts."""
    named: dict[str, ast.expr] = {}
    for statement in copy.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant() as value) if _is_open(value):
                named[name] = value
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as value)
            ) if _is_open(value):
                named[name] = statement.value
    opened = {id(node) for function in functions for node in _read(function)}
    top = {id(target) for statement in copy.body if isinstance(statement, ast.Assign) for target in statement.targets}
    for node in ast.walk(copy):
        if isinstance(node, ast.arg):
            named.pop(node.arg, None)
        elif isinstance(node, ast.Name):
            # Read elsewhere as well, or another thing of the same name in a function.
            elsewhere = id(node) not in (opened if isinstance(node.ctx, ast.Load) else top)
            if elsewhere:
                named.pop(node.id, None)
    return named


def _read(node: ast.AST) -> Iterable[ast.AST]:
    """What `_Opening` visits below a node."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Assert) or (isinstance(node, ast.Subscript) and child is node.slice):
            continue
        yield child
        yield from _read(child)
