"""Who is called what: the names of a module and of each function, and static values of constant expressions."""

from __future__ import annotations

import ast
import dataclasses
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping

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
        asserts: all assert statements, in the order in which they were checked.
    """

    roots: set[str] = dataclasses.field(default_factory=set)
    constants: dict[str, ast.expr] = dataclasses.field(default_factory=dict)
    values: dict[str, float | int] = dataclasses.field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = dataclasses.field(default_factory=dict)
    everywhere: dict[str, ast.FunctionDef] = dataclasses.field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    asserts: list[ast.Assert] = dataclasses.field(default_factory=list)


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


def nested(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements and those inside their blocks, but not inside functions; what is outside the subset may hide some."""
    for statement in body:
        yield statement
        if not isinstance(statement, ast.FunctionDef):
            yield from nested(getattr(statement, "body", ()))
            yield from nested(getattr(statement, "orelse", ()))


def scope_of(node: ast.FunctionDef, outer: Scope | None) -> Scope:
    """The scope of a function's body. Names are bound by statements alone: `:=` is outside the subset."""
    assigned: set[str] = set()
    elsewhere: set[str] = set()
    functions: dict[str, ast.FunctionDef] = {}
    for item in nested(node.body):
        match item:
            case ast.FunctionDef(name=name):
                functions[name] = item
            case ast.Assign(targets=targets, value=value):
                made = isinstance(value, ast.Dict | ast.List | ast.DictComp | ast.ListComp) or _repeated(value)
                for target in targets:
                    bound = set(_bound(target))
                    assigned |= bound
                    if not (made and isinstance(target, ast.Name)):
                        elsewhere |= bound
            case ast.AugAssign(target=target):
                assigned.update(_bound(target))  # runs as name = name + value: what it binds is new
            case ast.For(target=target):
                bound = set(_bound(target))
                assigned |= bound
                elsewhere |= bound
    parameters = frozenset(a.arg for a in node.args.args)
    return Scope(
        node.name, parameters, frozenset(assigned), functions, outer, frozenset(assigned - elsewhere - parameters)
    )


def _repeated(value: ast.expr) -> bool:
    """`[0.0] * 3`: a list made here, too."""
    return isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult) and isinstance(value.left, ast.List)


def _bound(target: ast.expr) -> Iterator[str]:
    """The names that a target binds."""
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _bound(part)
        case ast.Starred(value=value):
            yield from _bound(value)


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
