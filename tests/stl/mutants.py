"""A module's source changed in one place, put into its running functions and taken out again."""

from __future__ import annotations

import ast
import contextlib
import copy
import inspect
import types
from typing import NamedTuple

SWAPS = {
    "minimum": "maximum",
    "fmin": "fmax",
    "lesser": "greater",
    "lo": "hi",
    "min": "max",
    "least_ahead": "least_before",
}
SWAPS |= {after: before for before, after in SWAPS.items()}
COMPARISONS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq}
CONNECTIVES = ("both", "either", "implies", "iff")
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}


class Mutant(NamedTuple):
    """`name` says where and what; `codes` are the changed functions of the module, by qualified name."""

    name: str
    codes: dict[str, object]


def _changes(node):
    """Other nodes that could stand in a node's place, by what was done."""
    if isinstance(node, ast.Attribute) and node.attr in SWAPS:
        yield SWAPS[node.attr], ast.Attribute(node.value, SWAPS[node.attr], node.ctx)
    if isinstance(node, ast.Name) and node.id in ("min", "max", "any", "all"):
        other = {"min": "max", "max": "min", "any": "all", "all": "any"}[node.id]
        yield other, ast.Name(other, node.ctx)
    if ast.unparse(node) in ("INFINITY", "jnp.inf"):
        yield "other infinity", ast.UnaryOp(ast.USub(), node)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        yield "other comparison", ast.Compare(node.left, [COMPARISONS[type(node.ops[0])]()], node.comparators)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "minus dropped", node.operand
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield "other sign", ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield "one more", ast.Constant(node.value + 1)
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        yield "other truth", ast.Constant(not node.value)
    if isinstance(node, ast.Subscript) and ast.unparse(node.slice) == "::-1":
        yield "not reversed", node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "where":
        test, yes, no = node.args
        yield "branches exchanged", ast.Call(node.func, [test, no, yes], [])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CONNECTIVES:
        yield "first argument alone", node.args[0]
    if isinstance(node, ast.IfExp):
        yield "branches exchanged", ast.IfExp(node.test, node.orelse, node.body)


def broken(module, piece, other):
    """The mutant with `other` in place of a piece of source that occurs exactly once.

    Raises:
        LookupError: it does not.
    """
    source = inspect.getsource(module)
    if source.count(piece) != 1:
        raise LookupError(f"{module.__file__} holds {source.count(piece)} times, not once: {piece}")
    code = compile(source.replace(piece, other), module.__file__, "exec")
    return Mutant(f"{piece} -> {other}", _codes(code))


def _functions(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and not inner.decorator_list:
                    yield f"{node.name}.{inner.name}", inner


def mutants(module):
    """Every mutant of the module's functions, in the order of its text."""
    tree = ast.parse(inspect.getsource(module))
    seen = {}
    for qualified, function in _functions(tree):
        for statement in function.body:
            for node in list(ast.walk(statement)):
                for what, other in _changes(node):
                    # A docstring and an annotation mean nothing at run time.
                    name = f"{qualified}: {ast.unparse(node)}: {what}"
                    seen[name] = seen.get(name, 0) + 1
                    suffix = f" #{seen[name]}" if seen[name] > 1 else ""
                    yield Mutant(name + suffix, _compiled(tree, node, other, module.__file__))


def _compiled(tree, node, other, path):
    class Replace(ast.NodeTransformer):
        def visit(self, here):
            return self.generic_visit(here) if here is not node else ast.copy_location(other, node)

    marked = Replace().visit(_shared_copy(tree, node))
    return _codes(compile(ast.fix_missing_locations(copy.deepcopy(marked)), path, "exec"))


def _codes(code):
    """The functions in a compiled module, and in its classes."""
    found = {}
    for constant in code.co_consts:
        if inspect.iscode(constant):
            found[constant.co_name] = constant
            for inner in constant.co_consts:
                if inspect.iscode(inner):
                    found[f"{constant.co_name}.{inner.co_name}"] = inner
    return found


def _shared_copy(tree, node):
    """A copy of the tree in which the one node is still itself."""
    return copy.deepcopy(tree, {id(node): node})


@contextlib.contextmanager
def planted(module, mutant):
    """The mutant in place of the real functions, whoever holds them.

    In the module itself a function is another object meanwhile: JAX remembers what a scan steps over by its function.
    """
    real, held = {}, {}
    try:
        for qualified, _ in _functions(ast.parse(inspect.getsource(module))):
            owner = module
            for part in qualified.split("."):
                owner = getattr(owner, part)
            real[owner] = owner.__code__
            owner.__code__ = mutant.codes[qualified]
            if "." not in qualified:
                held[qualified] = owner
                setattr(module, qualified, _copied(owner))
        yield
    finally:
        for function, code in real.items():
            function.__code__ = code
        for name, function in held.items():
            setattr(module, name, function)


def _copied(function):
    """Another object that does the same."""
    copied = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied
