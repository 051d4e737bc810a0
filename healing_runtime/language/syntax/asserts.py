"""The assert statements of a source: which are contract, which diagnostic, and their conditions as margins.

Ownership is pure syntax (tensorlang.md). A *contract* assert stands directly in the body of `control` and uses only
`obs action state next_state params`, literals and functions of the vocabulary. Every other assert is a *diagnostic*.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Sequence
from typing import Literal, cast

from healing_runtime.core.errors import Location, SubsetError
from healing_runtime.language import vocabulary
from healing_runtime.language.syntax.scope import dotted

PREFIX = "__tl_"
"""Prefix of the names that rewritten code uses; no source can write it."""

_COMPARISONS = {
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
}
_LOGIC = {
    "jnp.logical_and": "both",
    "jnp.logical_or": "either",
    "jnp.logical_not": "negation",
    "tl.implies": "implies",
    "jnp.less": "less",
    "jnp.less_equal": "less_equal",
    "jnp.greater": "greater",
    "jnp.greater_equal": "greater_equal",
    "jnp.equal": "equal",
    "jnp.not_equal": "not_equal",
}
_OVER_ELEMENTS = {"jnp.all": "worst", "jnp.any": "best"}
ARITY = {name: 1 if name in ("jnp.logical_not", *_OVER_ELEMENTS) else 2 for name in (*_LOGIC, *_OVER_ELEMENTS)}
"""Functions that combine or make margins, and how many arguments they then have."""


@dataclasses.dataclass(frozen=True)
class AssertStatement:
    """One assert of a source.

    Attributes:
        label: as written.
        slug: the label in lower case with hyphens; the id is `controller/<slug>`.
        text: the condition, normalised (comments and spacing gone): equal texts are equal conditions.
        line, column: where it stands, from 1.
        kind: contract or diagnostic.
    """

    label: str
    slug: str
    text: str
    line: int
    column: int
    kind: Literal["contract", "diagnostic"]


def slug(label: str) -> str:
    """`"Rotor speed: inside its limit"` -> `rotor-speed-inside-its-limit`."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")


def statements(tree: ast.Module, found: Sequence[ast.Assert], path: str) -> tuple[AssertStatement, ...]:
    """All asserts in the order of their lines.

    Args:
        tree: the module.
        found: its assert statements, each with a label.
        path: for messages.

    Raises:
        SubsetError: two asserts with the same label.
    """
    control = next(s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name == "control")
    lifted = {id(s) for s in control.body if isinstance(s, ast.Assert) and _contract_names_only(s.test)}
    known: dict[str, AssertStatement] = {}
    for node in sorted(found, key=lambda n: (n.lineno, n.col_offset)):
        label = cast(str, cast(ast.Constant, node.msg).value)
        kind: Literal["contract", "diagnostic"] = "contract" if id(node) in lifted else "diagnostic"
        statement = AssertStatement(label, slug(label), ast.unparse(node.test), node.lineno, node.col_offset + 1, kind)
        if statement.slug in known:
            first = known[statement.slug]
            raise SubsetError(
                f'the label "{label}" is used in line {first.line} already; give every assert its own.',
                where=Location(path, node.lineno, node.col_offset + 1),
            )
        known[statement.slug] = statement
    return tuple(known.values())


def _contract_names_only(test: ast.expr) -> bool:
    allowed = vocabulary.CONTRACT_NAMES | vocabulary.ROOTS | vocabulary.BUILTINS
    for node in ast.walk(test):
        if isinstance(node, ast.Lambda | ast.ListComp | ast.GeneratorExp | ast.DictComp):
            return False
        if isinstance(node, ast.Name) and node.id not in allowed:
            return False
    return True


def margin(test: ast.expr) -> ast.expr:
    """The condition of an assert as an expression that computes its margin (core.margins).

    Comparisons become differences, `and or not implies` min, max and minus; `==` and `!=` are plus or minus infinity,
    and NaN where a side is. What is none of these is a plain Boolean.
    """
    match test:
        case ast.Compare(left=left, ops=ops, comparators=right) if all(type(op) in _COMPARISONS for op in ops):
            operands = [left, *right]
            pairs = [
                _call(_COMPARISONS[type(op)], a, b, at=test)
                for op, a, b in zip(ops, operands, operands[1:], strict=False)
            ]
            return _fold("both", pairs, test)
        case ast.BoolOp(op=op, values=values):
            return _fold("both" if isinstance(op, ast.And) else "either", [margin(v) for v in values], test)
        case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr() as op, right=right):
            return _call("both" if isinstance(op, ast.BitAnd) else "either", margin(left), margin(right), at=test)
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
            return _call("negation", margin(operand), at=test)
        case ast.Call(func=func, args=args, keywords=[]):
            name = dotted(func)
            if name in _LOGIC and len(args) == ARITY[name]:
                comparison = _LOGIC[name] in _COMPARISONS.values()
                return _call(_LOGIC[name], *(args if comparison else map(margin, args)), at=test)
            if name in _OVER_ELEMENTS and len(args) == 1:
                return _call(_OVER_ELEMENTS[name], margin(args[0]), at=test)
    return _call("boolean", test, at=test)


def _fold(name: str, parts: list[ast.expr], at: ast.expr) -> ast.expr:
    result = parts[0]
    for part in parts[1:]:
        result = _call(name, result, part, at=at)
    return result


def _call(name: str, *args: ast.expr, at: ast.expr) -> ast.expr:
    function = ast.copy_location(ast.Name(PREFIX + name, ast.Load()), at)
    return ast.copy_location(ast.Call(function, list(args), []), at)
