"""Controller sources as text: parsing into the subset, and writing parameters back.

Pure syntax: nothing here imports JAX or executes the source, and every input takes bounded time.
"""

from __future__ import annotations

import ast
import dataclasses
from typing import Any

import numpy as np

from healing_runtime.core.codec import digest
from healing_runtime.core.errors import InputError, Location, SubsetError
from healing_runtime.core.records import Source
from healing_runtime.language.syntax import asserts, bounds, caps, not_python, subset
from healing_runtime.language.syntax.asserts import AssertStatement
from healing_runtime.language.syntax.syntax_tree import compiled, syntax_tree

__all__ = ["AssertStatement", "Parsed", "parse", "with_params"]


@dataclasses.dataclass(frozen=True)
class Parsed:
    """A source inside TensorLang.

    Attributes:
        source: name, path, text and hash as found.
        tree: the module's syntax tree; never changed.
        params: PARAMS as floats, lists and dictionaries; a list of numbers is one array to the controller.
        contract: asserts that are evaluated outside the code and survive every patch.
        diagnostics: all other asserts.
        doc: the module's docstring.
    """

    source: Source
    tree: ast.Module = dataclasses.field(repr=False, compare=False)
    params: Any = dataclasses.field(compare=False)
    contract: tuple[AssertStatement, ...]
    diagnostics: tuple[AssertStatement, ...]
    doc: str


def parse(text: str, *, name: str = "controller", path: str = "controller.py") -> Parsed:
    """Text -> a source inside the subset.

    Raises:
        SubsetError: with line and column; the message names the construct, why it is refused, what to write instead.
    """
    caps.check_text(text, path)
    try:
        tree = syntax_tree(text)
    except SyntaxError as error:
        raise not_python.refusal(error, text, path) from None
    except (RecursionError, MemoryError, ValueError):
        raise SubsetError("code is nested too deep; name the parts.", where=Location(path)) from None
    bounds.check_shape(tree, path)
    try:
        names = subset.check(tree, path)
        bounds.check_work(names, path)
    except RecursionError:
        raise SubsetError("functions call one another too deep; make fewer of them.", where=Location(path)) from None
    _check_compiles(tree, text, path)
    params = _literal(names.constants["PARAMS"], path) if "PARAMS" in names.constants else {}
    found = asserts.statements(tree, names.asserts, path)
    return Parsed(
        source=Source(name, path, text, digest(text)),
        tree=tree,
        params=params,
        contract=tuple(a for a in found if a.kind == "contract"),
        diagnostics=tuple(a for a in found if a.kind == "diagnostic"),
        doc=ast.get_docstring(tree) or "",
    )


def _check_compiles(tree: ast.Module, text: str, path: str) -> None:
    """Refuse what parses and is not Python all the same: `break` outside a loop, an argument given twice."""
    try:
        compiled(tree, path)
    except SyntaxError as error:
        raise not_python.refusal(error, text, path) from None
    except (RecursionError, MemoryError, ValueError, OverflowError):
        raise SubsetError("code is nested too deep; name the parts.", where=Location(path)) from None


def _literal(node: ast.expr, path: str, *, top: bool = True) -> Any:
    """The value of PARAMS: dictionaries with constant keys, lists of equal shape, finite numbers."""
    where = Location(path, node.lineno, node.col_offset + 1)
    match node:
        case ast.Dict(keys=keys, values=values):
            out: dict[str, Any] = {}
            for key, value in zip(keys, values, strict=True):
                if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                    raise SubsetError(
                        'a key of PARAMS is no word in quotes; write one, as in {"kp": 4.0}.', where=where
                    )
                if key.value in out:
                    raise SubsetError(f'PARAMS has the key "{key.value}" twice; keep one.', where=where)
                out[key.value] = _literal(value, path, top=False)
            return out
        case _ if top:
            raise SubsetError('PARAMS is a dictionary of numbers; write PARAMS = {"kp": 4.0}.', where=where)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            numbers = [_literal(e, path, top=False) for e in elements]
            try:
                flat = np.asarray(numbers, dtype=np.float64)
            except (ValueError, TypeError):
                raise SubsetError(
                    "the rows of this list in PARAMS have no common length; write rows of equal length.", where=where
                ) from None
            if flat.size == 0:
                raise SubsetError(
                    "a list in PARAMS cannot be empty; write its numbers, or leave the key out.", where=where
                )
            return numbers
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            return -_literal(node.operand, path, top=False)
    raise SubsetError(f"PARAMS holds plain numbers, and this is {_other(node)}.", where=where)


def _other(node: ast.expr) -> str:
    """What stands in the place of a number in PARAMS, and what to write."""
    match node:
        case ast.Constant(value=bool() as value):
            return f"a Boolean; write {float(value)}, and compare it in control"
        case ast.Constant(value=None):
            return "None; write a number, or leave the key out"
    return "an expression; write the number out, or compute it in control"


def with_params(parsed: Parsed, params: Any) -> str:
    """The source with other numbers in PARAMS; every other character stays.

    Args:
        parsed: the source.
        params: a pytree of the same structure (dictionaries, lists or arrays, numbers). Numbers that are equal to the
            present ones keep their spelling.

    Raises:
        InputError: another structure, or a number that is not finite.
    """
    node = next(
        (s.value for s in parsed.tree.body if isinstance(s, ast.Assign) and _is_params(s)), ast.Dict(keys=[], values=[])
    )
    spans: list[tuple[int, int, str]] = []
    lines = parsed.source.text.split("\n")
    starts = np.concatenate([[0], np.cumsum([len(line) + 1 for line in lines])])
    _collect(node, params, "PARAMS", starts, spans)
    text = parsed.source.text
    for start, end, number in sorted(spans, reverse=True):
        text = text[:start] + number + text[end:]
    return text


def _is_params(statement: ast.Assign) -> bool:
    return isinstance(statement.targets[0], ast.Name) and statement.targets[0].id == "PARAMS"


def _collect(node: ast.expr, value: Any, name: str, starts: np.ndarray, out: list[tuple[int, int, str]]) -> None:
    match node:
        case ast.Dict():
            keys = [k.value for k in node.keys if isinstance(k, ast.Constant)]
            if not isinstance(value, dict) or set(value) != set(keys):
                raise InputError(f"{name}: expected the keys {', '.join(map(str, keys))}; give every one and no other.")
            for key, child in zip(keys, node.values, strict=True):
                _collect(child, value[key], f"{name}[{str(key)!r}]", starts, out)
        case ast.List() | ast.Tuple():
            if np.ndim(value) == 0 or len(value) != len(node.elts):
                raise InputError(f"{name}: expected {len(node.elts)} numbers.")
            for index, child in enumerate(node.elts):
                _collect(child, value[index], f"{name}[{index}]", starts, out)
        case _:
            if np.ndim(value) != 0 or not np.isfinite(float(value)):
                raise InputError(f"{name}: {value} is not one finite number.")
            if float(value) != float(ast.literal_eval(node)):
                start = int(starts[node.lineno - 1]) + node.col_offset
                end = int(starts[(node.end_lineno or node.lineno) - 1]) + (node.end_col_offset or 0)
                out.append((start, end, _shortest(value)))


def _shortest(value: Any) -> str:
    """The shortest text that reads back as the same number of the value's own type."""
    return repr(float(str(np.asarray(value)[()])))
