"""Shapes, dtypes and arguments that do not fit: JAX's and Python's complaints in the language's words.

Each entry knows one family of complaints by its text, as jax 0.10.2 and CPython 3.11 write it, and takes nothing from
it but shapes, dtypes and counts. A text that no entry knows gets the general sentence of `meaning`.
"""

from __future__ import annotations

import ast
import re

from healing_runtime.language.messages import calling, wording
from healing_runtime.language.messages.calling import Sentence
from healing_runtime.language.syntax.scope import dotted

_SHAPE = re.compile(r"\((?:\d+,|\d+(?:, ?\d+)+)?\)")
_CLASS = re.compile(r"<class '(\w+)'>|'(\w+)'")
_NAMES = {
    "dict": "a dictionary", "list": "a list", "tuple": "a tuple", "NoneType": "None", "float": "a number",
    "int": "a number", "str": "text", "function": "a function", "DynamicJaxprTracer": "an array",
    "ArrayImpl": "an array",
}  # fmt: skip


def sentence(error: Exception, node: ast.AST) -> str:
    """What an error says about the node where it arose; empty if it is of no known family."""
    text = str(error)
    for pattern, write in _FAMILIES:
        if re.search(pattern, text):
            return write(text, node, _subject(node))
    return ""


def _subject(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        return dotted(node.func) or "this call"
    return wording.shown(node, "this expression") if isinstance(node, ast.expr) else "this line"


def _shapes(text: str) -> str:
    return wording.listed(_SHAPE.findall(text)[:3])


# ---------------------------------------------------------------- arithmetic
def _broadcast(text: str, node: ast.AST, subject: str) -> str:
    return f"the shapes {_shapes(text)} in {subject} do not fit each other; write operands of one shape, or a scalar"


def _contraction(text: str, node: ast.AST, subject: str) -> str:
    return f"the inner sizes of {subject} differ, shapes {_shapes(text)}; write a matrix of matching size, or its .T"


def _matmul_scalar(text: str, node: ast.AST, subject: str) -> str:
    return f"one side of {subject} is a scalar, and @ multiplies vectors and matrices; write *"


def _operands(text: str, node: ast.AST, subject: str) -> str:
    kinds = [_NAMES.get(a or b, f"a {a or b}") for a, b in _CLASS.findall(text.split(":")[-1])]
    if "None" in kinds:
        return f"one side of {subject} is None; write return value at the end of the function that makes it"
    if "a dictionary" in kinds:
        return f"{subject} computes with a whole dictionary; write one of its keys, as in {_keyed(node)}"
    better = wording.arrayed(node) or "jnp.array([...]) around the list first"
    return f"{subject} computes with {wording.listed(kinds)}; write {better}"


def _keyed(node: ast.AST) -> str:
    """A key of the dictionary among the operands, if it is one by its name."""
    names = [n.id for n in ast.iter_child_nodes(node) if isinstance(n, ast.Name)]
    return f'{names[0] if len(names) == 1 else "d"}["key"]'


def _sequence_times(text: str, node: ast.AST, subject: str) -> str:
    better = wording.arrayed(node) or "jnp.array([...]) around the list first"
    return f"{subject} would repeat a list, not scale it; write {better}"


def _not_an_array(text: str, node: ast.AST, subject: str) -> str:
    found = re.search(r"<class '(?:\w+\.)*(\w+)'>|of (\{|\[|None)|Value '(\{|\[)", text)
    said = next((group for group in found.groups() if group), "") if found else ""
    kind = {"{": "a dictionary", "[": "a list", "None": "None"}.get(said, _NAMES.get(said, "no array"))
    better = {
        "a dictionary": "write one of its keys",
        "None": "write return value at the end of the function that makes it",
    }.get(kind, f"write {wording.arrayed(node) or 'jnp.array([...]) around it'}")
    return f"{subject} takes arrays and is given {kind}; {better}"


def _bits(text: str, node: ast.AST, subject: str) -> str:
    match node:
        case ast.BinOp(op=ast.BitXor(), left=left, right=right):
            return (
                f"'^' works on bits, not on floats; write {wording.shown(left)} ** {wording.shown(right)} for a power"
            )
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr() as op):
            sign = wording.sign(op)
            return (
                f"'{sign}' works on Booleans and binds tighter than a comparison; write parentheses, as in (a > b)"
                f" {sign} (c < d)"
            )
        case ast.UnaryOp(op=ast.Invert(), operand=operand):
            return f"'~' works on Booleans, not on floats; write -{wording.shown(operand)}, or compare it first"
    if "bool" in text.split("Accepted")[0]:
        return f"{subject} computes with a Boolean; write jnp.where({_operand(node)}, 1.0, 0.0) for a number"
    return f"{subject} does not take values of this dtype; write jnp.astype(x, jnp.float32), or compare first"


def _operand(node: ast.AST) -> str:
    """The first operand of an operation, where a Boolean stands."""
    match node:
        case ast.UnaryOp(operand=operand):
            return wording.shown(operand, "condition")
        case ast.BinOp(left=left):
            return wording.shown(left, "condition")
    return "condition"


def _domain(text: str, node: ast.AST, subject: str) -> str:
    return f"{subject} has no value for this constant; write a number inside its domain"


# ---------------------------------------------------------------- shapes of containers
def _joined(text: str, node: ast.AST, subject: str) -> str:
    if subject == "lax.select":
        return f"lax.select takes cases of one shape, and these are {_shapes(text)}; write jnp.where, which fits them"
    if subject in ("jnp.array", "jnp.asarray"):
        return f"the elements of {subject} have different shapes; write jnp.concatenate([x, jnp.array([y])]) of vectors"
    return f"{subject} joins parts of one shape, and these are {_shapes(text)}; write jnp.concatenate of vectors"


def _scalars_joined(text: str, node: ast.AST, subject: str) -> str:
    if isinstance(node, ast.Call) and len(node.args) > 1 and not isinstance(node.args[0], ast.List | ast.Tuple):
        parts = ", ".join(wording.shown(a) for a in node.args)
        return f"{subject} takes one list; write {subject}([{parts}])"
    parts = wording.shown(node.args[0], "[...]") if isinstance(node, ast.Call) and node.args else "[...]"
    return f"{subject} joins arrays with an axis, and these are scalars; write jnp.stack({parts})"


def _reshaped(text: str, node: ast.AST, subject: str) -> str:
    old, new = [*_SHAPE.findall(text), "", ""][:2]
    return f"the elements of shape {old} do not fill {new}; write a shape with the same product"


def _axis(text: str, node: ast.AST, subject: str) -> str:
    found = re.search(r"axis (-?\d+) .* dimension (\d+)", text)
    axis, count = found.groups() if found else ("", "")
    remedy = {"0": "leave it out", "1": "write axis=0"}.get(count, "write axis=0 or axis=1")
    return f"{subject} is given axis {axis}, and its array has {count or 'fewer'}; {remedy}"


def _cross(text: str, node: ast.AST, subject: str) -> str:
    return f"{subject} takes vectors of 3; write the three elements, as in x[:3]"


def _indices(text: str, node: ast.AST, subject: str) -> str:
    found = re.search(r"array is (\d+)-dimensional, but (\d+)", text)
    has, given = found.groups() if found else ("", "")
    if isinstance(node, ast.Subscript) and has == "0":
        return f"{wording.shown(node.value)} is a scalar and has no elements; write it without an index"
    return f"{subject} has {given} indices, and the array {has} axes; write {has} of them"


def _index_type(text: str, node: ast.AST, subject: str) -> str:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.List):
        return f"a list is no index; write {wording.shown(node.value)}[{wording.shown(wording.as_array(node.slice))}]"
    if isinstance(node, ast.Subscript):
        number = node.slice.value if isinstance(node.slice, ast.Constant) else None
        index = wording.shown(node.slice, "i")
        better = str(int(number)) if isinstance(number, float) else f"jnp.astype({index}, jnp.int32)"
        return f"an index is an integer, and {wording.shown(node.slice, 'this')} is none; write {better}"
    return f"{subject} is given an index that is no integer; write jnp.astype(i, jnp.int32)"


def _integer_only(text: str, node: ast.AST, subject: str) -> str:
    if isinstance(node, ast.Call) and subject == "tl.while_loop":
        return "the max_trips of tl.while_loop depends on data; write a constant, the largest that can occur"
    if isinstance(node, ast.Subscript):
        array = wording.shown(node.value)
        index = wording.shown(node.slice, "i")
        better = f"jnp.array({array})[jnp.astype({index}, jnp.int32)]"
        return f"{array} is made by Python and {index} is a float; write {better}"
    return f"{subject} needs a constant integer; write the number"


def _slice(text: str, node: ast.AST, subject: str) -> str:
    array = wording.shown(node.value) if isinstance(node, ast.Subscript) else "x"
    return f"the bounds of a slice are constants, and these are data; write lax.dynamic_slice_in_dim({array}, i, n)"


def _data_shape(text: str, node: ast.AST, subject: str) -> str:
    return f"the shape that {subject} is given depends on data, and shapes are fixed; write it as numbers"


def _element(text: str, node: ast.AST, subject: str) -> str:
    if isinstance(node, ast.Call):
        return f"{subject} takes an array with an axis and is given a scalar; write jnp.array([x])"
    return f"{subject} does not exist: the sequence is shorter; write an index inside its length"


def _text_index(text: str, node: ast.AST, subject: str) -> str:
    array = wording.shown(node.value) if isinstance(node, ast.Subscript) else "this"
    return f"{array} is an array and has no keys; write an index, as in {array}[0]"


def _unpacked(text: str, node: ast.AST, subject: str) -> str:
    wanted = re.search(r"expected (\d+)(?:, got (\d+))?", text)
    count, got = wanted.groups() if wanted else ("", None)
    return (
        f"{count} names take a value apart that has {got or 'more'} elements; write as many names as elements, or use"
        " indices"
    )


def _scalar_unpacked(text: str, node: ast.AST, subject: str) -> str:
    if isinstance(node, ast.Call):
        return _element(text, node, subject)
    return "a scalar cannot be taken apart; write one name"


def _length(text: str, node: ast.AST, subject: str) -> str:
    if isinstance(node, ast.Call) and subject != "len" and len(node.args) == 1:
        return f"{subject} takes a list and is given a scalar; write {subject}([{wording.shown(node.args[0])}])"
    return f"{subject} is asked of a scalar, which has no length; leave it out"


def _axis_second(text: str, node: ast.AST, subject: str) -> str:
    if (
        isinstance(node, ast.Call)
        and len(node.args) > 1
        and subject.rpartition(".")[2] in ("max", "min", "sum", "prod")
    ):
        better = {"max": "jnp.maximum", "min": "jnp.minimum"}.get(subject.rpartition(".")[2])
        parts = ", ".join(wording.shown(a) for a in node.args)
        instead = wording.pairwise(better, node.args) if better else f"{subject}(jnp.array([{parts}]))"
        return f"{subject} takes one array, and then an axis; write {instead}"
    return f"{subject} takes a list or an array apart, and this is a scalar; write [x]"


def _attribute(text: str, node: ast.AST, subject: str) -> str:
    found = re.search(r"'([\w.]+)' object has no attribute '(\w+)'", text)
    kind, name = found.groups() if found else ("value", "that")
    what = "a dtype" if kind.endswith("DType") else _NAMES.get(kind, f"a {kind}")
    return f"{what} has no .{name}; write the array that is meant, or jnp.array([...]) around a list"


_FAMILIES: tuple[tuple[str, Sentence], ...] = (
    *calling.FAMILIES,
    (r"incompatible shapes for broadcasting|Incompatible shapes", _broadcast),
    (r"requires contracting dimensions|contracting dimension", _contraction),
    (r"must have ndim at least 1", _matmul_scalar),
    (r"unsupported operand type|bad operand type|not supported between", _operands),
    (r"can't multiply sequence", _sequence_times),
    (r"does not accept dtype", _bits),
    (r"math domain error|math range error", _domain),
    (r"[Cc]annot stack arrays|different numbers of dimensions|must have the same shape|that differ in", _joined),
    (r"Zero-dimensional arrays", _scalars_joined),
    (r"cannot reshape array", _reshaped),
    (r"axis .* out of bounds", _axis),
    (r"for cross product", _cross),
    (r"Too many indices", _indices),
    (r"Indexer must have|non-tuple sequence", _index_type),
    (r"Only integer scalar arrays|cannot be interpreted as an integer", _integer_only),
    (r"Slice entries must be static", _slice),
    (r"Shapes must be 1D sequences", _data_shape),
    (r"index out of range", _element),
    (r"string indexing", _text_index),
    (r"values to unpack", _unpacked),
    (r"iteration over a 0-d|cannot unpack non-iterable", _scalar_unpacked),
    (r"len\(\) of unsized", _length),
    (r"is not iterable", _axis_second),
    (r"requires ndarray or scalar|Cannot determine dtype|not a valid JAX|as a JAX value", _not_an_array),
    (r"object has no attribute", _attribute),
)
"""How a complaint is known, and the sentence that says it. The first that fits counts."""
