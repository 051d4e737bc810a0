"""How much work a trace of the source can be, as an upper bound from syntax alone.

Loops have constant trip counts, nothing calls itself, and the product of nested trips and call fan-out is capped.
"""

from __future__ import annotations

import ast
import re
from typing import NoReturn

from healing_runtime.language.messages import refusal, wording
from healing_runtime.language.syntax.caps import MAX_DEPTH, MAX_NODES
from healing_runtime.language.syntax.scope import Module, Unbounded, dotted, static_number

_ODD = re.compile(r"[^\n\t\x20-\x7e]")
MAX_TRIPS = 1_024
MAX_WORK = 50_000
ASSOCIATIVE_CALLS = 46
"""How often lax.associative_scan traces its function: 2 log2(n) + 2, at the longest array that fits the budget."""


def check_shape(tree: ast.AST, path: str) -> None:
    """Refuse a syntax tree that is too deep or too large, or holds odd text, before anything walks it recursively.

    Raises:
        SubsetError: at the first node beyond a cap.
    """
    level: list[tuple[ast.AST, int]] = [(tree, 1)]
    count = depth = 0
    while level:
        count += len(level)
        if depth > MAX_DEPTH:
            line = min(line for _, line in level)
            raise refusal.at_place(f"code is nested more than {MAX_DEPTH} deep; name the parts", path, line)
        if count > MAX_NODES:
            raise refusal.at_place(f"the source has more than {MAX_NODES} syntax nodes; make it smaller", path)
        for node, line in level:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _ODD.search(node.value):
                message = "this text holds an escape for a character that is not printable ASCII; write plain letters"
                raise refusal.at_place(message, path, line, node.col_offset + 1)
        level = [(child, getattr(child, "lineno", line)) for node, line in level for child in _children(node)]
        depth += 1


def _children(node: ast.AST) -> list[ast.AST]:
    """`ast.iter_child_nodes` as a list, several times as fast; contexts such as `Load` left out."""
    found: list[ast.AST] = []
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST) and field != "ctx":
            found.append(value)
    return found


def check_work(names: Module, path: str) -> int:
    """The number of expressions that one trace evaluates, an upper bound.

    Raises:
        SubsetError: recursion, a loop without a constant trip count, or more than `MAX_WORK`.
    """
    measure = _Work(names, path)
    constants = sum(measure.node(value, ()) for value in names.constants.values())
    return constants + max(measure.function(function, ()) for function in names.functions.values())


class _Work:
    """A name means the one function of that name, wherever it stands: `subset` lets nothing shadow or repeat it."""

    def __init__(self, names: Module, path: str) -> None:
        self.names = names
        self.path = path
        self.done: dict[ast.FunctionDef, int] = {}

    def refuse(self, node: ast.AST, message: str) -> NoReturn:
        raise refusal.at_node(message, self.path, node)

    def function(self, node: ast.FunctionDef, stack: tuple[ast.FunctionDef, ...], at: ast.AST | None = None) -> int:
        if node in stack:
            others = [f.name for f in stack[stack.index(node) + 1 :]]
            through = f" through {wording.listed(others)}" if others else ""
            self.refuse(at or node, f"{node.name} calls itself{through}; write a loop with a constant bound")
        if node not in self.done:
            self.done[node] = sum(self.node(s, (*stack, node)) for s in node.body)
        return self.done[node]

    def node(self, node: ast.AST, stack: tuple[ast.FunctionDef, ...]) -> int:
        """Work of a node. A function costs where it is mentioned: called, or handed to lax.scan and the like."""
        match node:
            case ast.FunctionDef():
                self.function(node, stack)
                return 0
            case ast.Name(id=name):
                called = self.names.everywhere.get(name)
                work = 1 if called is None else 1 + self.function(called, stack, node)
            case ast.For():
                body = sum(self.node(s, stack) for s in node.body)
                work = 1 + self.node(node.iter, stack) + self.trips(node.iter) * body
            case ast.ListComp() | ast.GeneratorExp() | ast.DictComp():
                work = self.comprehension(node, stack)
            case ast.Call(func=func) if dotted(func) == "lax.associative_scan":
                work = 1 + ASSOCIATIVE_CALLS * sum([self.node(child, stack) for child in _children(node)])
            case ast.Constant():
                return 1
            case _:
                work = 1 + sum([self.node(child, stack) for child in _children(node)])
        if work > MAX_WORK:
            self.refuse(
                node,
                f"loops and calls multiply to more than {MAX_WORK} steps; use lax.scan or lax.fori_loop, or do less",
            )
        return work

    def comprehension(
        self,
        node: ast.ListComp | ast.GeneratorExp | ast.DictComp,
        stack: tuple[ast.FunctionDef, ...],
    ) -> int:
        trips, work = 1, 0
        for generator in node.generators:
            work += trips * self.node(generator.iter, stack)
            trips *= self.trips(generator.iter)
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        parts += [test for generator in node.generators for test in generator.ifs]
        return work + trips * sum(self.node(part, stack) for part in parts)

    def trips(self, node: ast.expr) -> int:
        """Trip count of a static iterable."""
        match node:
            case ast.Tuple() | ast.List():
                return len(node.elts)
            case ast.Name(id=name) if isinstance(self.names.constants.get(name), ast.Tuple | ast.List):
                return len(self.names.constants[name].elts)  # type: ignore[attr-defined]
            case ast.Call(func=ast.Name(id="range"), args=arguments) if 1 <= len(arguments) <= 3:
                return self.range_trips(node, arguments)
            case ast.Call(func=ast.Name(id="enumerate"), args=[only]):
                return self.trips(only)
            case ast.Call(func=ast.Name(id="zip"), args=[_, *_]):
                return min(self.trips(part) for part in node.args)
        if isinstance(node, ast.Name) and node.id in ("obs", "state", "params"):
            self.refuse(
                node,
                f'a dictionary has no order and is not looped over; write its values out, as in ({node.id}["a"],'
                f' {node.id}["b"])',
            )
        what = wording.shown(node, "this")
        self.refuse(
            node,
            f"the trip count of a loop over {what} is not a constant in the text; compute with the whole array, or"
            f" write for i in range(4) and {what}[i] inside, or lax.scan",
        )

    def range_trips(self, node: ast.expr, arguments: list[ast.expr]) -> int:
        try:
            values = [static_number(a, self.names) for a in arguments]
        except Unbounded:
            values = [None]
        if not all(isinstance(v, int) for v in values):
            lengths = [n for n in ast.walk(node) if isinstance(n, ast.Attribute | ast.Name) and _of_array(n)]
            if lengths:
                self.refuse(
                    node, "range needs constant integers, and lengths are not in the text; write the number: range(4)"
                )
            self.refuse(node, "range needs constant integers; write range(4), or use lax.fori_loop")
        numbers = [v for v in values if isinstance(v, int)]
        if len(numbers) == 3 and numbers[2] == 0:
            self.refuse(node, "the step of a range cannot be zero; write 1 or -1")
        trips = len(range(*numbers))
        if trips > MAX_TRIPS:
            self.refuse(node, f"{trips} unrolled iterations are too many (at most {MAX_TRIPS}); use lax.fori_loop")
        return trips


def _of_array(node: ast.Name | ast.Attribute) -> bool:
    return node.id == "len" if isinstance(node, ast.Name) else node.attr in ("shape", "size")
