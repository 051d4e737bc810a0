"""From a parsed source to callable functions: asserts rewritten to margins, executed in the closed namespace.

Runs the source's code, so it belongs into a confined worker wherever the source is not trusted.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

import jax.numpy as jnp
import numpy as np

from healing_runtime.core.margins import Margin, worst
from healing_runtime.language import namespace
from healing_runtime.language.asserts import PREFIX, margin, slug
from healing_runtime.language.source import Parsed
from healing_runtime.language.syntax_tree import compiled, syntax_tree

State = Any
Action = Mapping[str, Any]

_GUARDS = {ast.Add: "add", ast.Mult: "multiply", ast.Pow: "power"}


@dataclasses.dataclass(frozen=True)
class Controller:
    """A source as functions; pure, traceable, each call running the module afresh.

    Attributes:
        parsed: where it came from.
        params: PARAMS with float64 NumPy leaves; a list of numbers is one array.
        init: params -> state.
        control: (obs, state, params) -> (action, next state). Binds `tensorlang.assert` for diagnostic asserts.
        contract: (obs, state, action, next state, params) -> {label: worst margin} of the contract asserts.
        filename: what tracebacks of the source's code call it.
    """

    parsed: Parsed
    params: Any
    init: Callable[[Any], State]
    control: Callable[[Any, State, Any], tuple[Action, State]]
    contract: Callable[[Any, State, Action, State, Any], dict[str, Margin]]
    filename: str


def load(parsed: Parsed) -> Controller:
    """Make a parsed source callable. Nothing of it runs before a function of the controller is called."""
    filename = f"<tensorlang:{parsed.source.sha256.removeprefix('sha256:')[:16]}>"
    code = compiled(_rewrite(parsed), filename)

    def contract(obs: Any, state: State, action: Action, next_state: State, params: Any) -> dict[str, Margin]:
        found = _run(code)[PREFIX + "contract"](_own(obs), _own(state), _own(action), _own(next_state), _own(params))
        return {label: worst(value) for label, value in found.items()}

    return Controller(
        parsed=parsed,
        params=arrays(parsed.params),
        init=lambda params: _run(code)["init"](_own(params)),
        control=lambda obs, state, params: _run(code)["control"](_own(obs), _own(state), _own(params)),
        contract=contract,
        filename=filename,
    )


def arrays(params: Any) -> Any:
    """PARAMS as parsed -> the same dictionaries with float64 arrays as leaves."""
    if isinstance(params, Mapping):
        return {key: arrays(value) for key, value in params.items()}
    return np.asarray(params, dtype=np.float64)


def _own(tree: Any) -> Any:
    """Containers of its own for the source, and no NumPy arrays, whose methods are not the vocabulary's."""
    if isinstance(tree, Mapping):
        return {key: _own(value) for key, value in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(_own(value) for value in tree)
    return jnp.asarray(tree) if isinstance(tree, np.ndarray | np.generic) else tree


def _run(code: CodeType) -> dict[str, Any]:
    """Execute the module: fresh globals each time, so that no call can leave anything behind for the next."""
    names = dict(namespace.bindings())
    exec(code, names)
    return names


def _rewrite(parsed: Parsed) -> ast.Module:
    """The tree that runs: no imports, no PARAMS, asserts as margins, the contract as a function.

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
    return ast.fix_missing_locations(_Rewriter().visit(tree))


def _params(statement: ast.Assign) -> bool:
    return isinstance(statement.targets[0], ast.Name) and statement.targets[0].id == "PARAMS"


def _label(statement: ast.Assert) -> str:
    return str(ast.literal_eval(statement.msg)) if statement.msg else ""


def _contract_function(lifted: list[ast.Assert]) -> ast.FunctionDef:
    names = ("obs", "state", "action", "next_state", "params")
    parameters = ast.arguments([], [ast.arg(n) for n in names], None, [], [], None, [])
    values = ast.Dict([ast.Constant(_label(s)) for s in lifted], [margin(s.test) for s in lifted])
    return ast.FunctionDef(PREFIX + "contract", parameters, [ast.Return(values)], [], None, None)


_CONTAINERS = (ast.Tuple, ast.List, ast.Dict, ast.ListComp, ast.DictComp)


def _pattern(target: ast.expr) -> ast.expr:
    """What a target takes apart: nested tuples with None for each name."""
    if isinstance(target, ast.Tuple | ast.List):
        return ast.Tuple([_pattern(part) for part in target.elts], ast.Load())
    return ast.Constant(None)


def _index(node: ast.expr) -> ast.expr:
    """What stands between square brackets as a value: `1:` becomes a call of slice."""
    if isinstance(node, ast.Slice):
        bounds = [part or ast.Constant(None) for part in (node.lower, node.upper, node.step)]
        return ast.copy_location(ast.Call(ast.Name(PREFIX + "slice", ast.Load()), bounds, []), node)
    if isinstance(node, ast.Tuple):
        return ast.copy_location(ast.Tuple([_index(part) for part in node.elts], ast.Load()), node)
    return node


class _Rewriter(ast.NodeTransformer):
    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        self.generic_visit(node)
        call = ast.Call(ast.Name(PREFIX + "assert", ast.Load()), [margin(node.test), ast.Constant(_label(node))], [])
        return ast.copy_location(ast.Expr(ast.copy_location(call, node)), node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return self._guard(node, node.op, node.left, node.right)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        current = copy.deepcopy(node.target)
        current.ctx = ast.Load()
        value = self._guard(node, node.op, current, node.value)
        return ast.copy_location(ast.Assign([node.target], value), node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self.generic_visit(node)
        for target in node.targets:
            if isinstance(target, ast.Tuple | ast.List):
                node.value = self._call("unpacked", node.value, _pattern(target))
            elif isinstance(target, ast.Subscript):
                node.value = self._call("grown", node.value)
        return node

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        return self._loop(node)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        return self._loop(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        node.value = self.visit(node.value)
        if isinstance(node.slice, ast.Tuple):  # an index, not a new container
            node.slice.elts = [self.visit(part) for part in node.slice.elts]
        else:
            node.slice = self.visit(node.slice)
        if isinstance(node.ctx, ast.Store) or (
            isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
        ):
            return node
        return ast.copy_location(self._call("item", node.value, _index(node.slice)), node)

    def visit(self, node: Any) -> Any:
        # Numbers written out cannot grow; what mentions a name can.
        grows = isinstance(node, _CONTAINERS) and any(isinstance(part, ast.Name) for part in ast.walk(node))
        target = isinstance(getattr(node, "ctx", None), ast.Store)
        visited = super().visit(node)
        return self._call("grown", visited) if grows and not target else visited

    def _loop(self, node: Any) -> Any:
        if isinstance(node.target, ast.Tuple | ast.List):
            node.iter = self._call("each", node.iter, _pattern(node.target))
        return node

    @staticmethod
    def _call(name: str, value: ast.expr, *rest: ast.expr) -> ast.expr:
        return ast.copy_location(ast.Call(ast.Name(PREFIX + name, ast.Load()), [value, *rest], []), value)

    @staticmethod
    def _guard(node: ast.AST, op: ast.operator, left: ast.expr, right: ast.expr) -> ast.expr:
        if type(op) not in _GUARDS:
            return ast.copy_location(ast.BinOp(left, op, right), node)
        return ast.copy_location(ast.Call(ast.Name(PREFIX + _GUARDS[type(op)], ast.Load()), [left, right], []), node)
