"""What the condition of an assert may be made of: NaN is never a pass, and a promise looks at something.

A comparison with NaN is false. Where its answer is a margin, NaN stays NaN; where its answer is a value among others,
as in `(x > 5.0) == False` or `jnp.where(x > 5.0, 1.0, 0.0) < 0.5`, NaN is taken for an answer, and the assert holds. So
comparisons stand where margins are made: under `and`, `or`, `not`, `tl.implies`, `jnp.all`, `jnp.any` and the like.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from healing_runtime.language import vocabulary
from healing_runtime.language.syntax.asserts import ARITY
from healing_runtime.language.syntax.scope import dotted

_PLAIN = "write the comparison that is meant on the value itself"
HIDING: Mapping[str, str] = {
    "jnp.argmax": _PLAIN,
    "jnp.argmin": _PLAIN,
    "jnp.array_equal": "write jnp.all(a == b)",
    "jnp.astype": _PLAIN,
    "jnp.fmax": "write jnp.maximum, which keeps NaN",
    "jnp.fmin": "write jnp.minimum, which keeps NaN",
    "jnp.isclose": "write jnp.abs(a - b) <= 1e-6, with the tolerance that is meant",
    "jnp.nan_to_num": _PLAIN,
    "jnp.nanmax": "write jnp.max, which keeps NaN",
    "jnp.nanmin": "write jnp.min, which keeps NaN",
}
"""Functions that answer with something else where they are given NaN -> what to write in an assert instead."""


_COMPARING = vocabulary.words("jnp.equal jnp.greater jnp.greater_equal jnp.less jnp.less_equal jnp.not_equal")


def complaint(test: ast.expr) -> tuple[ast.expr, str] | None:
    """What is wrong with the condition of an assert, and where; None if nothing is."""
    if _is_constant(test):
        return test, "this condition looks at nothing and is the same for ever; write it over obs, action or the state"
    return next(_in_condition(test), None)


def _is_constant(test: ast.expr) -> bool:
    """Whether it reads no value; None is none, and is told where it is used."""
    nodes = list(ast.walk(test))
    named = any(isinstance(n, ast.Name) and n.id not in vocabulary.ROOTS | vocabulary.BUILTINS for n in nodes)
    return not named and not any(isinstance(n, ast.Constant) and n.value is None for n in nodes)


def _in_condition(test: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    match test:
        case ast.Compare(left=left, comparators=right):
            for side in (left, *right):
                yield from _in_value(side)
        case ast.BoolOp(values=parts):
            for part in parts:
                yield from _in_condition(part)
        case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr(), right=right):
            yield from _in_condition(left)
            yield from _in_condition(right)
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
            yield from _in_condition(operand)
        case ast.Call(func=func, args=args, keywords=[]) if ARITY.get(dotted(func) or "") == len(args):
            comparison = dotted(func) in _COMPARING
            for argument in args:
                yield from _in_value(argument) if comparison else _in_condition(argument)
        case _:
            yield from _in_value(test)


def _in_value(value: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    """Everything inside of a value: no comparison, and nothing that hides NaN."""
    for node in ast.walk(value):
        if not isinstance(node, ast.Compare | ast.Call):
            continue
        called = (dotted(node.func) if isinstance(node, ast.Call) else None) or ""
        if isinstance(node, ast.Compare) or called in _COMPARING:
            yield (
                node,
                "a comparison inside of a value takes NaN for an answer, and the assert would hold; write it with and,"
                " or, not, tl.implies, jnp.all or jnp.any",
            )
        if called in HIDING:
            yield node, f"{called} hides NaN, and the assert would hold; {HIDING[called]}"
