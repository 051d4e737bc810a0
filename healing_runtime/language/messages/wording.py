"""The user's own code in a message: expressions as text, and the line that does what was meant.

Pure syntax, bounded in length. Used only where something is refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

MAX_SHOWN = 80
"""Characters of the user's code that a message repeats."""
REFERENCE = "docs/tensorlang.md"
"""Where the language is described."""
LOOK_UP = f"look the function up in {REFERENCE}, and check number, shapes and dtypes of the arguments"

_METHODS = {"norm": "jnp.linalg.norm", "flatten": "jnp.ravel"}
_BOUNDS = {
    ast.Gt: "above", ast.GtE: "at least", ast.Lt: "below", ast.LtE: "at most", ast.Eq: "equal to", ast.NotEq: "not",
}  # fmt: skip


def shown(node: ast.AST, otherwise: str = "x") -> str:
    """An expression as its author would write it, on one line; `otherwise` where it is too long to repeat."""
    try:
        text = ast.unparse(node).replace("'", '"')
    except ValueError:  # an f-string that no quotes fit, an integer of thousands of digits
        return otherwise
    return text if len(text) <= MAX_SHOWN and text.isprintable() else otherwise


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def where(test: ast.expr, then: str, otherwise: str) -> str:
    """`jnp.where(test, then, otherwise)`, with a test that data can decide."""
    return f"jnp.where({condition(test)}, {then}, {otherwise})"


def condition(test: ast.expr) -> str:
    """A condition as data decides it: without `and`, `or`, `not` and chains of comparisons."""
    match test:
        case ast.BoolOp():
            return logical(test)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"jnp.logical_not({shown(operand, 'condition')})"
        case ast.Compare(ops=[_, _, *_]):
            return chained(test)
    return shown(test, "condition")


def logical(node: ast.BoolOp) -> str:
    """`a and b and c` -> `jnp.logical_and(jnp.logical_and(a, b), c)`."""
    name = "jnp.logical_and" if isinstance(node.op, ast.And) else "jnp.logical_or"
    text = pairwise(name, node.values)
    return text if len(text) <= 2 * MAX_SHOWN else f"{name}(a, b)"


def pairwise(function: str, operands: Sequence[ast.expr]) -> str:
    """A function of two, of all the operands: `f(f(a, b), c)`."""
    text = shown(operands[0])
    for operand in operands[1:]:
        text = f"{function}({text}, {shown(operand)})"
    return text


def chained(node: ast.Compare) -> str:
    """`a < x < b` -> `jnp.logical_and(a < x, x < b)`."""
    operands = [node.left, *node.comparators]
    pairs = [ast.Compare(a, [op], [b]) for a, op, b in zip(operands, node.ops, operands[1:], strict=False)]
    return logical(ast.BoolOp(ast.And(), list(pairs)))


def branch(node: ast.If) -> str:
    """An `if` that sets one name -> the line with jnp.where; a general remedy for any other."""
    then, otherwise = _only_assignment(node.body), _only_assignment(node.orelse)
    if then and (not node.orelse or (otherwise and otherwise[0] == then[0])):
        name = then[0]
        return (
            f"write {name} = {where(node.test, shown(then[1], 'a'), shown(otherwise[1], 'b') if otherwise else name)}"
        )
    return f"write {where(node.test, 'a', 'b')} for each value that differs, or lax.cond"


def _only_assignment(body: Sequence[ast.stmt]) -> tuple[str, ast.expr] | None:
    match body:
        case [ast.Assign(targets=[ast.Name(id=name)], value=value)]:
            return name, value
    return None


def stored(node: ast.Subscript, value: ast.expr | None, op: ast.operator | None = None) -> str:
    """The assignment that does what a store was meant to do.

    `x[0] = 1.0` -> `x = x.at[0].set(1.0)`; `s["a"] = 1.0` -> `s = {**s, "a": 1.0}`, or next_state for the state; and
    both where an array in a dictionary is meant.
    """
    held, indices = node, list[ast.expr]()
    while isinstance(held, ast.Subscript) and not _key(held.slice):
        indices.insert(0, held.slice)
        held = held.value
    new = shown(value, "value") if value is not None else "value"
    if indices and (op is None or isinstance(op, ast.Add)):
        new = f"{_at(held, indices)}.{'set' if op is None else 'add'}({new})"
    elif op is not None:
        new = shown(ast.BinOp(node, op, value or ast.Name("value")), "value")
        new = f"{_at(held, indices)}.set({new})" if indices else new
    while isinstance(held, ast.Subscript) and _key(held.slice):
        new = f"{{**{shown(held.value)}, {shown(held.slice)}: {new}}}"
        held = held.value
    if not isinstance(held, ast.Name):
        return f"changed = {new}"
    name = {"state": "next_state", "obs": "corrected", "params": "tuned"}.get(held.id, held.id)
    return f"{name} = {new}"


def _at(array: ast.expr, indices: Sequence[ast.expr]) -> str:
    """`x` at several indices, one after the other: `x.at[0, 1]`."""
    flat = [part for i in indices for part in (i.elts if isinstance(i, ast.Tuple) else [i])]
    return f"{shown(array)}.at[{', '.join(shown(i, 'i') for i in flat)}]"


_IN_PLACE = {
    "subtract": ast.Sub(), "multiply": ast.Mult(), "mul": ast.Mult(), "divide": ast.Div(), "power": ast.Pow(),
}  # fmt: skip


def at_element(element: ast.Subscript, name: str, args: Sequence[ast.expr]) -> str:
    """`x.at[0].multiply(y)` -> `x.at[0].set(x[0] * y)`; without a known operator, what `.at` has."""
    if name == "get":
        return f"write {shown(element)}"
    if name in _IN_PLACE and len(args) == 1:
        new = shown(ast.BinOp(element, _IN_PLACE[name], args[0]), "value")
        return f"write {_at(element.value, [element.slice])}.set({new})"
    return f"write {_at(element.value, [element.slice])}.set(value)"


def _key(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def sign(op: ast.operator) -> str:
    """`+` of an addition."""
    return ast.unparse(ast.BinOp(ast.Name("a"), op, ast.Name("b")))[2:-2].strip()


def arrayed(node: ast.AST) -> str:
    """An operation or a call, with `jnp.array` around the lists that are written out in it; empty if there are none."""
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            new: ast.expr = ast.BinOp(as_array(left), op, as_array(right))
        case ast.UnaryOp(op=op, operand=operand):
            new = ast.UnaryOp(op, as_array(operand))
        case ast.Call(func=func, args=args, keywords=keywords):
            new = ast.Call(func, [as_array(a) for a in args], keywords)
        case _:
            return ""
    text = shown(new, "")
    return text if text != shown(node, "") else ""


def as_array(node: ast.expr) -> ast.expr:
    """A list or tuple that is written out with `jnp.array` around it; anything else as it is."""
    return ast.Call(ast.Name("jnp.array"), [node], []) if isinstance(node, ast.List | ast.Tuple) else node


def converted(node: ast.expr, dtype: ast.expr | None) -> str:
    """`x.astype(dtype)` in the vocabulary, whose floats are all of one dtype."""
    said = dtype.value if isinstance(dtype, ast.Constant) else shown(dtype, "") if dtype is not None else ""
    kind = re.sub(r"[\d_]+\Z", "", str(said).rpartition(".")[2])
    known = {"int": "jnp.int32", "uint": "jnp.int32", "bool": "jnp.bool_"}.get(kind)
    if known or said == "jnp.float32" or kind == "dtype":
        return f"jnp.astype({shown(node)}, {known or said})"
    return shown(ast.BinOp(ast.Constant(1.0), ast.Mult(), node), "1.0 * x")


def method(node: ast.expr, name: str, args: Sequence[ast.expr], keywords: Sequence[ast.keyword]) -> str:
    """`x.mean(axis=0)` -> `jnp.mean(x, axis=0)`, for a function of that name."""
    parts = [shown(node), *(shown(a, "y") for a in args), *(f"{k.arg}={shown(k.value, 'y')}" for k in keywords)]
    if name == "reshape" and len(args) > 1:
        parts = [shown(node), f"({', '.join(shown(a, 'n') for a in args)})"]
    return f"{_METHODS.get(name, f'jnp.{name}')}({', '.join(parts)})"


def one_by_one(node: ast.Assign) -> str:
    """`A, B = 1.0, 2.0` and `A = B = 1.0` -> an assignment for each name."""
    match node.targets, node.value:
        case [ast.Tuple(elts=names)], ast.Tuple(elts=values) if len(names) == len(values):
            pairs = list(zip(names, values, strict=True))
        case [_, _, *_], value:
            pairs = [(name, value) for name in node.targets]
        case _:
            pairs = []
    if not pairs or not all(isinstance(name, ast.Name) for name, _ in pairs):
        return "write NAME = value for each"
    return f"write {' and '.join(f'{shown(name)} = {shown(value)}' for name, value in pairs)}, each on its own line"


# ---------------------------------------------------------------- asserts
def label(test: ast.expr) -> str:
    """Plain words for a condition: `obs["altitude_m"] > -0.5` -> `altitude_m above -0.5`."""
    text = _words(test)
    return text if 0 < len(text) <= MAX_SHOWN else "what must hold here"


def labelled(test: ast.expr) -> str:
    """The assert statement with a label made from its condition."""
    return f'assert {shown(test, "condition")}, "{label(test)}"'


def _words(node: ast.expr) -> str:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=right) if all(type(op) in _BOUNDS for op in ops):
            if len(ops) == 2 and all(isinstance(op, ast.Lt | ast.LtE) for op in ops):
                return f"{_words(right[0])} between {_words(left)} and {_words(right[1])}"
            parts = [f"{_BOUNDS[type(op)]} {_words(b)}" for op, b in zip(ops, right, strict=True)]
            return " ".join([_words(left), *parts])
        case ast.BoolOp(op=op, values=values):
            return f" {'and' if isinstance(op, ast.And) else 'or'} ".join(map(_words, values))
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
            return f"not {_words(operand)}"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"-{_words(operand)}"
        case ast.Call(func=ast.Attribute(attr="all"), args=[only]):
            return f"all {_words(only)}"
        case ast.Call(func=ast.Attribute(attr="any"), args=[only]):
            return f"any {_words(only)}"
        case ast.Call(func=ast.Attribute(attr="isfinite"), args=[only]):
            return f"{_words(only)} is finite"
        case ast.Call(func=ast.Attribute(attr="abs") | ast.Name(id="abs"), args=[only]):
            return f"size of {_words(only)}"
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=args):
            return " ".join([name.replace("_", " "), *map(_words, args)])
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return key
        case ast.Subscript(value=value, slice=ast.Constant(value=int(index))):
            return f"{_words(value)} {index}"
    return "".join(c for c in shown(node, "") if c.isalnum() or c in " _.-+*/")
