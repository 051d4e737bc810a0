"""TensorLang in NumPy and plain Python: the same source, run eagerly, with asserts as a log.

Shares nothing with the package: its own walk over the conditions, its own loops, its own worst margin.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

F = np.float32
_NUMPY = (
    "abs", "all", "any", "array", "clip", "dot", "isfinite", "max", "maximum", "min", "minimum", "sin", "sqrt", "sum",
    "tanh", "where",
)  # fmt: skip


class Seen(NamedTuple):
    """One time that an assert was reached. `truth` is what Python's own `assert` would have decided."""

    label: str
    rho: float
    truth: bool
    iteration: int


class Log:
    """What one tick did: every assert in order, and how close the nearest decision of a branch was."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.decisions: list[float] = []
        self._loops: list[int] = []

    @contextmanager
    def iteration(self, i: int) -> Iterator[None]:
        self._loops.append(i)
        yield
        self._loops.pop()

    def note(self, label: str, margin: Any, truth: Any) -> None:
        rho = np.asarray(margin(), F).ravel()
        worst = math.nan if np.isnan(rho).any() else float(rho.min()) if rho.size else math.inf
        self.seen.append(Seen(label, worst, bool(np.all(truth())), self._loops[0] if self._loops else -1))

    def compare(self, a: Any, b: Any) -> None:
        gaps = np.abs(np.asarray(a, float) - np.asarray(b, float))
        self.decisions.extend(gaps[~np.isnan(gaps)].ravel().tolist())


class _Conditions(ast.NodeTransformer):
    """Every assert becomes `LOG.note(label, lambda: margin, lambda: condition)`; other comparisons are watched."""

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        assert isinstance(node.msg, ast.Constant)
        text = f"LOG.note({node.msg.value!r}, lambda: {margin(node.test)}, lambda: {truth(node.test)})"
        return ast.parse(text).body[0]

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        a, op, b = ast.unparse(node.left), type(node.ops[0]).__name__, ast.unparse(node.comparators[0])
        return ast.parse(f"WATCHED({op!r}, {a}, {b})", mode="eval").body


def margin(test: ast.expr) -> str:
    """The text of an expression for the margin, by the table of tensorlang.md."""
    if isinstance(test, ast.Compare):
        sides = [ast.unparse(side) for side in [test.left, *test.comparators]]
        parts = [
            f"(({b}) - ({a}))" if isinstance(op, ast.Lt | ast.LtE) else f"(({a}) - ({b}))"
            for op, a, b in zip(test.ops, sides, sides[1:], strict=False)
        ]
        return f"MIN({', '.join(parts)})"
    if isinstance(test, ast.BoolOp):
        name = "MIN" if isinstance(test.op, ast.And) else "MAX"
        return f"{name}({', '.join(margin(value) for value in test.values)})"
    if isinstance(test, ast.UnaryOp):
        return f"(-{margin(test.operand)})"
    if isinstance(test, ast.Call):
        name = ast.unparse(test.func)
        if name == "tl.implies":
            return f"MAX(-{margin(test.args[0])}, {margin(test.args[1])})"
        if name in ("jnp.all", "jnp.any"):
            return f"np.{'min' if name == 'jnp.all' else 'max'}({margin(test.args[0])})"
    return f"np.where({ast.unparse(test)}, np.inf, -np.inf)"


def truth(test: ast.expr) -> str:
    """The text of the condition itself; only `tl.implies` is spelled out, and arrays are combined elementwise."""
    if isinstance(test, ast.BoolOp):
        join = " & " if isinstance(test.op, ast.And) else " | "
        return "(" + join.join(f"np.asarray({truth(value)})" for value in test.values) + ")"
    if isinstance(test, ast.UnaryOp):
        return f"np.logical_not({truth(test.operand)})"
    if isinstance(test, ast.Compare) and len(test.ops) > 1:
        sides = [test.left, *test.comparators]
        pairs = [ast.Compare(a, [op], [b]) for op, a, b in zip(test.ops, sides, sides[1:], strict=False)]
        return "(" + " & ".join(f"np.asarray({ast.unparse(pair)})" for pair in pairs) + ")"
    if isinstance(test, ast.Call) and ast.unparse(test.func) == "tl.implies":
        return f"(np.logical_not({truth(test.args[0])}) | np.asarray({truth(test.args[1])}))"
    return ast.unparse(test)


def run(source: str, contract: frozenset[str], obs: dict, state: dict, params: dict) -> tuple[dict, dict, Log]:
    """One tick. Asserts whose label is in `contract` are judged after it, over its arguments and results."""
    log = Log()
    tree = ast.parse(source)
    tree.body = [s for s in tree.body if not isinstance(s, ast.Import | ast.ImportFrom)]
    control = next(s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name == "control")
    after = [s for s in control.body if isinstance(s, ast.Assert) and s.msg.value in contract]  # type: ignore[union-attr]
    control.body = [s for s in control.body if s not in after]
    names = _names(log)
    with np.errstate(all="ignore"):
        exec(compile(ast.fix_missing_locations(_Conditions().visit(tree)), "reference", "exec"), names)
        action, following = names["control"](obs, state, params)
        judged = ast.fix_missing_locations(_Conditions().visit(ast.Module(after, [])))
        values = {"obs": obs, "state": state, "params": params, "action": action, "next_state": following}
        exec(compile(judged, "reference", "exec"), names | values)
    return action, following, log


def _names(log: Log) -> dict[str, Any]:
    def fori_loop(low: int, high: int, body: Any, carry: Any) -> Any:
        for i in range(low, high):
            with log.iteration(i - low):
                carry = body(i, carry)
        return carry

    def scan(body: Any, carry: Any, xs: Any) -> Any:
        ys = []
        for i, x in enumerate(xs):
            with log.iteration(i):
                carry, y = body(carry, x)
            ys.append(y)
        return carry, np.stack(ys)

    def while_loop(test: Any, body: Any, carry: Any, *, max_trips: int) -> Any:
        for i in range(max_trips):
            with log.iteration(i):
                if not test(carry):
                    break
                carry = body(carry)
        return carry

    def watched(op: str, a: Any, b: Any) -> Any:
        log.compare(a, b)
        return {"Lt": np.less, "LtE": np.less_equal, "Gt": np.greater, "GtE": np.greater_equal}[op](a, b)

    jnp = SimpleNamespace(
        **{name: getattr(np, name) for name in _NUMPY},
        astype=lambda x, dtype: np.asarray(x).astype(dtype),
        int32=np.int32,
    )
    lax = SimpleNamespace(
        cond=lambda test, yes, no, *args: yes(*args) if test else no(*args),
        switch=lambda i, branches, *args: branches[max(0, min(int(i), len(branches) - 1))](*args),
        fori_loop=fori_loop,
        scan=scan,
    )
    implies = SimpleNamespace(implies=lambda p, q: np.logical_or(np.logical_not(p), q), while_loop=while_loop)
    numbers = {"MIN": lambda *a: _fold(np.minimum, a), "MAX": lambda *a: _fold(np.maximum, a)}
    return {"np": np, "jnp": jnp, "lax": lax, "tl": implies, "LOG": log, "WATCHED": watched, **numbers}


def _fold(function: Any, values: tuple[Any, ...]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = function(result, value)
    return result
