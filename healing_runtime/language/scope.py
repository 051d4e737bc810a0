"""Who is called what: the names of a module and of each function, and static values of constant expressions."""

from __future__ import annotations

import ast
import dataclasses
import operator
from collections.abc import Callable, Iterator, Mapping

MAX_INTEGER = 2**31 - 1

_ARITHMETIC: Mapping[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


class Unbounded(Exception):
    """A constant expression whose value is too large to be meant."""

    def __init__(self, node: ast.AST) -> None:
        self.node = node


@dataclasses.dataclass
class Module:
    """The names that a module binds.

    Attributes:
        roots: imported namespaces (`jnp`).
        constants: module constants -> their expression.
        values: the module constants that are plain numbers.
        functions: module-level functions.
        everywhere: functions at any depth, by name; no two share one.
        fixed: names that mean one thing in the whole source (constants and all functions); nothing may shadow them.
    """

    roots: set[str] = dataclasses.field(default_factory=set)
    constants: dict[str, ast.expr] = dataclasses.field(default_factory=dict)
    values: dict[str, float | int] = dataclasses.field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = dataclasses.field(default_factory=dict)
    everywhere: dict[str, ast.FunctionDef] = dataclasses.field(default_factory=dict)
    fixed: frozenset[str] = frozenset()


@dataclasses.dataclass
class Scope:
    """The names of one function: parameters, assigned names, functions defined inside; and the enclosing scope.

    `made` are the assigned names that only ever hold a dictionary or list written out in this function.
    """

    name: str
    parameters: frozenset[str]
    assigned: frozenset[str]
    functions: Mapping[str, ast.FunctionDef]
    outer: Scope | None = None
    made: frozenset[str] = frozenset()

    def chain(self) -> Iterator[Scope]:
        """The scope and its enclosing ones, innermost first."""
        scope: Scope | None = self
        while scope:
            yield scope
            scope = scope.outer

    def holds(self, name: str) -> bool:
        """Whether the name is bound here or in an enclosing function."""
        return any(name in s.parameters or name in s.assigned or name in s.functions for s in self.chain())

    def function(self, name: str) -> ast.FunctionDef | None:
        """The nested function of that name, if that is what the name means here."""
        for scope in self.chain():
            if name in scope.functions:
                return scope.functions[name]
            if name in scope.parameters or name in scope.assigned:
                return None
        return None

    @property
    def all_names(self) -> frozenset[str]:
        """Every name visible through functions."""
        return frozenset().union(*(s.parameters | s.assigned | set(s.functions) for s in self.chain()))


def scope_of(node: ast.FunctionDef, outer: Scope | None) -> Scope:
    """The scope of a function's body."""
    assigned: set[str] = set()
    displays: set[int] = set()
    elsewhere: set[str] = set()
    functions: dict[str, ast.FunctionDef] = {}
    pending: list[ast.AST] = list(node.body)
    while pending:
        item = pending.pop()
        if isinstance(item, ast.FunctionDef):
            functions[item.name] = item
            continue
        if isinstance(item, ast.Lambda | ast.ListComp | ast.DictComp | ast.GeneratorExp | ast.SetComp):
            continue
        if isinstance(item, ast.Assign) and isinstance(item.value, ast.Dict | ast.List | ast.DictComp | ast.ListComp):
            displays.update(id(target) for target in item.targets)
        if isinstance(item, ast.AugAssign):
            displays.add(id(item.target))  # runs as name = name + value: what it binds is new
        if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
            assigned.add(item.id)
            if id(item) not in displays:
                elsewhere.add(item.id)
        pending.extend(ast.iter_child_nodes(item))
    parameters = frozenset(a.arg for a in node.args.args)
    made = frozenset(assigned - elsewhere - parameters)
    return Scope(node.name, parameters, frozenset(assigned), functions, outer, made)


def dotted(node: ast.expr) -> str | None:
    """`jnp.linalg.norm` for an attribute chain on a name; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def static_number(node: ast.expr, module: Module) -> float | int | None:
    """Value of an expression made of numbers and module constants; None if it is not one.

    Raises:
        Unbounded: an integer beyond 32 bits, or a power that would take long to compute.
    """
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            pass
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            inner = static_number(node.operand, module)
            if inner is None:
                return None
            value = -inner if isinstance(node.op, ast.USub) else inner
        case ast.Name(id=name):
            return module.values.get(name)
        case ast.BinOp():
            left = static_number(node.left, module)
            right = static_number(node.right, module)
            if left is None or right is None:
                return None
            computed = _apply(node, left, right)
            if computed is None:
                return None
            value = computed
        case _:
            return None
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise Unbounded(node)
    return value


def _apply(node: ast.BinOp, left: float | int, right: float | int) -> float | int | None:
    try:
        if isinstance(node.op, ast.Pow):
            if abs(right) > 64 and isinstance(left, int) and isinstance(right, int):
                raise Unbounded(node)
            value = left**right
            return None if isinstance(value, complex) else value
        function = _ARITHMETIC.get(type(node.op))
        return function(left, right) if function else None
    except (ZeroDivisionError, OverflowError):
        raise Unbounded(node) from None
