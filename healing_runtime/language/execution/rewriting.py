"""The tree that runs: asserts as margins; arithmetic, containers and indices through what keeps them in bounds.

Every new node stands where the one it replaces stood, so that whatever happens is told at the user's own place.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from typing import Any

from healing_runtime.language.source import Parsed
from healing_runtime.language.syntax.asserts import PREFIX, margin, slug
from healing_runtime.language.syntax.syntax_tree import syntax_tree

_GUARDS = {ast.Add: "add", ast.Mult: "multiply", ast.Pow: "power"}
_CONTAINERS = (ast.Tuple, ast.List, ast.Dict, ast.ListComp, ast.DictComp)


def rewritten(parsed: Parsed) -> ast.Module:
    """The module that runs: no imports, no PARAMS, asserts as margins, the contract as a function.

    `+ * **`, new containers, unpacking and indices are guarded (`runtime`, `indexing`); `x += y` is `x = x + y`, which
    changes nothing.
    """
    contract = {a.slug for a in parsed.contract}
    tree = syntax_tree(parsed.source.text)
    tree.body = [
        s for s in tree.body if isinstance(s, ast.FunctionDef) or (isinstance(s, ast.Assign) and not _params(s))
    ]
    control = next(s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name == "control")
    lifted = [s for s in control.body if isinstance(s, ast.Assert) and slug(_label(s)) in contract]
    control.body = [s for s in control.body if s not in lifted]
    tree.body.append(_contract_function(lifted))
    rewrite = _Rewriter()
    tree.body = [rewrite(statement) for statement in tree.body]
    ast.fix_missing_locations(tree.body[-1])
    return tree


def _params(statement: ast.Assign) -> bool:
    return isinstance(statement.targets[0], ast.Name) and statement.targets[0].id == "PARAMS"


def _label(statement: ast.Assert) -> str:
    return str(ast.literal_eval(statement.msg)) if statement.msg else ""


def _contract_function(lifted: list[ast.Assert]) -> ast.FunctionDef:
    """A function of the contract's names that returns the margins by label; places are those of the conditions."""
    names = ("obs", "state", "action", "next_state", "params")
    parameters = ast.arguments([], [ast.arg(n) for n in names], None, [], [], None, [])
    values = ast.Dict([ast.Constant(_label(s)) for s in lifted], [margin(s.test) for s in lifted])
    function = ast.FunctionDef(PREFIX + "contract", parameters, [ast.Return(values)], [], None, None)
    return ast.fix_missing_locations(function)


class _Rewriter:
    """Calling it rewrites a node in place, from the inside out, and returns what is to stand there."""

    def __call__(self, node: Any) -> Any:
        if isinstance(node, ast.Name | ast.Constant):
            return node
        # Numbers written out cannot grow; what mentions a name can.
        grows = isinstance(node, _CONTAINERS) and any(isinstance(part, ast.Name) for part in ast.walk(node))
        stored = isinstance(getattr(node, "ctx", None), ast.Store)
        if isinstance(node, ast.Subscript):
            visited = self.subscript(node)
        else:
            self.inside(node)
            rule = _RULES.get(type(node))
            visited = rule(node) if rule else node
        return _call("grown", visited) if grows and not stored else visited

    def inside(self, node: ast.AST) -> None:
        """All the parts of a node."""
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                value[:] = [self(item) if isinstance(item, ast.AST) else item for item in value]
            elif isinstance(value, ast.AST) and field not in ("ctx", "op"):
                setattr(node, field, self(value))

    def subscript(self, node: ast.Subscript) -> ast.expr:
        """An index is checked where it is one; a word in quotes is a key."""
        node.value = self(node.value)
        if isinstance(node.slice, ast.Tuple):  # an index, not a new container
            node.slice.elts = [self(part) for part in node.slice.elts]
        else:
            node.slice = self(node.slice)
        keyed = isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
        if keyed or isinstance(node.ctx, ast.Store):
            return node
        return _at(node, _call("item", node.value, _index(node.slice)))


# ---------------------------------------------------------------- one rule a kind of node
def _assertion(node: ast.Assert) -> ast.stmt:
    label = _at(node.test, ast.Constant(_label(node)))
    function = _at(node.test, ast.Name(PREFIX + "assert", ast.Load()))
    call = ast.Call(function, [margin(node.test), label], [])
    return _at(node, ast.Expr(_at(node, call)))


def _operation(node: ast.BinOp) -> ast.expr:
    return _guard(node, node.op, node.left, node.right)


def _augmented(node: ast.AugAssign) -> ast.stmt:
    current = copy.deepcopy(node.target)
    current.ctx = ast.Load()
    return _at(node, ast.Assign([node.target], _guard(node, node.op, current, node.value)))


def _assigned(node: ast.Assign) -> ast.stmt:
    for target in node.targets:
        if isinstance(target, ast.Tuple | ast.List):
            node.value = _call("unpacked", node.value, _pattern(target))
        elif isinstance(target, ast.Subscript):
            node.value = _call("grown", node.value, copy.deepcopy(target.value))
    return node


def _loop(node: Any) -> Any:
    if isinstance(node.target, ast.Tuple | ast.List):
        node.iter = _call("each", node.iter, _pattern(node.target))
    return node


_RULES: dict[type, Callable[[Any], Any]] = {
    ast.Assert: _assertion,
    ast.Assign: _assigned,
    ast.AugAssign: _augmented,
    ast.BinOp: _operation,
    ast.For: _loop,
    ast.comprehension: _loop,
}


# ---------------------------------------------------------------- new nodes
def _at(old: ast.AST, new: Any) -> Any:
    """A new node at the place of an old one."""
    return ast.copy_location(new, old)


def _call(name: str, value: ast.expr, *rest: ast.expr) -> ast.expr:
    """A call of what rewritten code uses, at the place of its first argument."""
    function = _at(value, ast.Name(PREFIX + name, ast.Load()))
    return _at(value, ast.Call(function, [value, *rest], []))


def _guard(node: ast.AST, op: ast.operator, left: ast.expr, right: ast.expr) -> ast.expr:
    if type(op) not in _GUARDS:
        return _at(node, ast.BinOp(left, op, right))
    function = _at(node, ast.Name(PREFIX + _GUARDS[type(op)], ast.Load()))
    return _at(node, ast.Call(function, [left, right], []))


def _pattern(target: ast.expr) -> ast.expr:
    """What a target takes apart: nested tuples with None for each name."""
    if isinstance(target, ast.Tuple | ast.List):
        return _at(target, ast.Tuple([_pattern(part) for part in target.elts], ast.Load()))
    return _at(target, ast.Constant(None))


def _index(node: ast.expr) -> ast.expr:
    """What stands between square brackets as a value: `1:` becomes a call of slice."""
    if isinstance(node, ast.Slice):
        bounds = [part or _at(node, ast.Constant(None)) for part in (node.lower, node.upper, node.step)]
        function = _at(node, ast.Name(PREFIX + "slice", ast.Load()))
        return _at(node, ast.Call(function, bounds, []))
    if isinstance(node, ast.Tuple):
        return _at(node, ast.Tuple([_index(part) for part in node.elts], ast.Load()))
    return node
