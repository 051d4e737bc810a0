"""The subset of Python that TensorLang is: an allowlist walk over the syntax tree (gate.md, "Syntax").

Every refusal names the construct, why it is refused and what to write instead, with line and column.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Mapping
from typing import NoReturn

from healing_runtime.core.errors import Location, SubsetError
from healing_runtime.language import vocabulary as words
from healing_runtime.language.scope import MAX_INTEGER, Module, Scope, Unbounded, dotted, scope_of, static_number

SIGNATURES: Mapping[str, tuple[str, ...]] = {"init": ("params",), "control": ("obs", "state", "params")}
"""The two functions every controller defines, and their parameters."""

_REFUSED: Mapping[type, str] = {
    ast.ClassDef: "classes are not part of TensorLang; keep values in dictionaries and arrays",
    ast.AsyncFunctionDef: "async functions are not part of TensorLang; write def",
    ast.While: "a while loop has no constant bound; use tl.while_loop(cond, body, init, max_trips=N) or lax.fori_loop",
    ast.With: "with blocks are not part of TensorLang; a controller has no resources",
    ast.Try: "try blocks are not part of TensorLang; guard the value with jnp.where or jnp.maximum",
    ast.Raise: 'raise is not part of TensorLang; write assert condition, "label"',
    ast.Delete: "del is not part of TensorLang; build a new dictionary without the key",
    ast.Global: "global names cannot be changed; keep memory in the state dictionary",
    ast.Nonlocal: "outer names cannot be changed; pass values as arguments and return them",
    ast.Import: "imports stand at the top of the file",
    ast.ImportFrom: "imports stand at the top of the file",
    ast.AnnAssign: "annotations are not part of TensorLang; write name = value",
    ast.NamedExpr: "':=' is not part of TensorLang; write the assignment on its own line",
    ast.JoinedStr: "f-strings are not part of TensorLang; text is only a label or a key",
    ast.Await: "await is not part of TensorLang",
    ast.Yield: "yield is not part of TensorLang; return the value",
    ast.YieldFrom: "yield is not part of TensorLang; return the value",
    ast.Starred: "starred arguments are not part of TensorLang; write the arguments out",
    ast.Set: "sets are not part of TensorLang; write a tuple",
    ast.SetComp: "sets are not part of TensorLang; write a list",
    ast.Match: "match is not part of TensorLang; use lax.switch, or if on constants",
}

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult, ast.BitAnd, ast.BitOr, ast.BitXor,
    ast.USub, ast.UAdd, ast.Not, ast.Invert, ast.And, ast.Or, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip

_VALUE_ADVICE: Mapping[str, str] = {
    "astype": "write jnp.astype(x, jnp.float32), or leave it out",
    "get": 'write the subscript, as in state["x"]',
    "items": "write the keys out",
    "keys": "write the keys out",
    "values": "write the keys out",
    "append": "build the list in one expression",
    "copy": "arrays never change; leave it out, or use tl.copy in a state",
    "mean": "write jnp.mean(x)",
    "reshape": "write jnp.reshape(x, shape)",
    "dot": "write x @ y",
    "item": "write the value itself; it stays an array",
}


def check(tree: ast.Module, path: str) -> Module:
    """Walk the whole module; return its names.

    Raises:
        SubsetError: at the first construct outside TensorLang.
    """
    return _Checker(path).module(tree)


class _Checker:
    """One walk. Methods named after what they check; each either returns or refuses."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.names = Module()

    def refuse(self, node: ast.AST, message: str) -> NoReturn:
        raise SubsetError(
            message + ".", where=Location(self.path, getattr(node, "lineno", 0), getattr(node, "col_offset", -1) + 1)
        )

    # ------------------------------------------------------------ module level
    def module(self, tree: ast.Module) -> Module:
        body = tree.body[1:] if tree.body and _is_text(tree.body[0]) else tree.body
        self.names.functions = {s.name: s for s in body if isinstance(s, ast.FunctionDef)}
        for statement in body:
            match statement:
                case ast.Import() | ast.ImportFrom():
                    self.imports(statement)
                case ast.Assign(targets=[ast.Name(id=name)]):
                    self.module_name(statement.targets[0], name)
                    self.expression(statement.value, None)
                    self.names.constants[name] = statement.value
                    value = static_number(statement.value, self.names)
                    if value is not None:
                        self.names.values[name] = value
                case ast.FunctionDef(name=name):
                    if self.names.functions[name] is not statement:
                        self.refuse(statement, f"{name} is defined twice; keep one")
                    self.module_name(statement, name)
                case _:
                    self.module_statement(statement)
        for name, parameters in SIGNATURES.items():
            wanted = f"def {name}({', '.join(parameters)})"
            if name not in self.names.functions:
                raise SubsetError(f"{wanted} is missing; every controller defines it.", where=Location(self.path, 1, 1))
            given = tuple(a.arg for a in self.names.functions[name].args.args)
            if given != parameters:
                self.refuse(self.names.functions[name], f"{name} takes ({', '.join(given)}); write {wanted}")
        for function in self.names.functions.values():
            self.function(function, None)
        return self.names

    def module_statement(self, statement: ast.stmt) -> NoReturn:
        if isinstance(statement, ast.Import | ast.ImportFrom) or type(statement) not in _REFUSED:
            kind = "an expression" if isinstance(statement, ast.Expr) else f"'{_keyword(statement)}'"
            self.refuse(
                statement,
                f"{kind} at module level is not part of TensorLang; a module holds imports, PARAMS, named constants and"
                " functions",
            )
        self.refuse(statement, _REFUSED[type(statement)])

    def module_name(self, node: ast.AST, name: str) -> None:
        self.bindable(node, name)
        if name in self.names.constants:
            self.refuse(node, f"{name} is bound twice; constants are assigned once")
        if isinstance(node, ast.Name) and name in self.names.functions:
            self.refuse(node, f"{name} is a function; give the constant another name")

    def imports(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            found = [
                (f"import {a.name}" + (f" as {a.asname}" if a.asname else ""), a.asname or a.name) for a in node.names
            ]
        else:
            start = f"from {'.' * node.level}{node.module or ''} import "
            found = [(start + a.name + (f" as {a.asname}" if a.asname else ""), a.asname or a.name) for a in node.names]
        for written, name in found:
            if written == "from jax import numpy as jnp":
                written = words.IMPORTS["jnp"]
            if words.IMPORTS.get(name) != written:
                allowed = "; ".join(words.IMPORTS.values())
                self.refuse(node, f"'{written}' is not part of TensorLang; the imports are: {allowed}")
            self.names.roots.add(name)

    # ------------------------------------------------------------ functions and statements
    def function(self, node: ast.FunctionDef, outer: Scope | None) -> None:
        if node.decorator_list:
            self.refuse(node.decorator_list[0], "decorators are not part of TensorLang; remove it")
        if node.returns:
            self.refuse(node.returns, "annotations are not part of TensorLang; remove it")
        self.arguments(node.args)
        scope = scope_of(node, outer)
        for name, inner in scope.functions.items():
            self.bindable(inner, name)
            if name in scope.assigned or name in scope.parameters or name in self.names.functions:
                self.refuse(inner, f"{name} has another meaning here; give the function a name of its own")
        defined = [s.name for s in _statements(node.body) if isinstance(s, ast.FunctionDef)]
        if len(defined) != len(set(defined)):
            self.refuse(node, f"{node.name} defines a function twice; keep one")
        body = node.body[1:] if _is_text(node.body[0]) else node.body
        for statement in body:
            self.statement(statement, scope)

    def arguments(self, args: ast.arguments) -> None:
        for value in [*args.defaults, *(d for d in args.kw_defaults if d)]:
            self.refuse(value, "default values are not part of TensorLang; pass the argument")
        for odd in [*args.posonlyargs, *args.kwonlyargs, *filter(None, [args.vararg, args.kwarg])]:
            self.refuse(odd, "only plain positional parameters are part of TensorLang")
        for argument in args.args:
            if argument.annotation:
                self.refuse(argument.annotation, "annotations are not part of TensorLang; remove it")
            self.bindable(argument, argument.arg)

    def statement(self, node: ast.stmt, scope: Scope) -> None:
        match node:
            case ast.Assign():
                for target in node.targets:
                    self.target(target, scope)
                self.expression(node.value, scope)
            case ast.AugAssign():
                self.operator(node, node.op)
                self.target(node.target, scope)
                self.expression(node.value, scope)
            case ast.Return():
                if node.value is None:
                    self.refuse(node, "return needs a value")
                self.expression(node.value, scope)
            case ast.If():
                self.expression(node.test, scope)
                self.block([*node.body, *node.orelse], scope)
            case ast.For():
                if node.orelse:
                    self.refuse(
                        node.orelse[0], "else after a for loop is not part of TensorLang; write it after the loop"
                    )
                self.target(node.target, scope)
                self.expression(node.iter, scope)
                self.block(node.body, scope)
            case ast.FunctionDef():
                self.function(node, scope)
            case ast.Assert():
                self.assertion(node, scope)
            case ast.Pass() | ast.Break() | ast.Continue():
                pass
            case ast.Expr(value=ast.Constant(value=str())):
                self.refuse(node, "text is only a docstring, an assert label or a key; write a comment")
            case ast.Expr():
                self.refuse(node, "this expression has no effect; assign or return its value")
            case _:
                self.refuse(node, _REFUSED.get(type(node), f"'{_keyword(node)}' is not part of TensorLang"))

    def block(self, body: Iterable[ast.stmt], scope: Scope) -> None:
        for statement in body:
            self.statement(statement, scope)

    def assertion(self, node: ast.Assert, scope: Scope) -> None:
        if not (isinstance(node.msg, ast.Constant) and isinstance(node.msg.value, str)):
            self.refuse(node.msg or node, 'an assert needs a label in quotes: assert condition, "label"')
        label = node.msg.value
        if not (0 < len(label) <= 100) or not any(c.isalnum() for c in label) or "\n" in label:
            self.refuse(
                node.msg, "an assert's label is one line of 1 to 100 characters with at least one letter or digit"
            )
        names = words.CONTRACT_NAMES if scope.name == "control" and scope.outer is None else frozenset()
        self.expression(node.test, scope, extra=names)

    def target(self, node: ast.expr, scope: Scope) -> None:
        match node:
            case ast.Name(id=name):
                self.bindable(node, name)
                if name in self.names.functions:
                    self.refuse(node, f"{name} is a function and cannot be rebound; choose another name")
                if scope.outer is None and scope.name in SIGNATURES and name in scope.parameters:
                    better = "next_state" if name == "state" else "another name"
                    self.refuse(
                        node,
                        f"{name} is the argument of {scope.name} and cannot be rebound, because asserts read it; use {better}",
                    )
            case ast.Tuple() | ast.List():
                for element in node.elts:
                    self.target(element, scope)
            case ast.Subscript():
                root = node.value
                while isinstance(root, ast.Subscript):
                    root = root.value
                if not (isinstance(root, ast.Name) and root.id in scope.assigned):
                    self.refuse(
                        node,
                        "only dictionaries made in this function can be changed; build a new one, as in"
                        ' {**state, "x": value}',
                    )
                self.expression(node.value, scope)
                self.subscript(node.slice, scope)
            case ast.Attribute():
                self.refuse(node, "attributes cannot be assigned; for arrays write x = x.at[i].set(value)")
            case _:
                self.refuse(node, _REFUSED.get(type(node), "this cannot be assigned to"))

    def bindable(self, node: ast.AST, name: str) -> None:
        if name.startswith("__"):
            self.refuse(node, f"names with two leading underscores are not part of TensorLang; rename {name}")
        if name in words.ROOTS or name in words.BUILTINS:
            self.refuse(node, f"{name} is a reserved name and cannot be rebound; choose another name")
        if name == "PARAMS" and not (isinstance(node, ast.Name) and node.col_offset == 0):
            self.refuse(node, "PARAMS is the module's dictionary of parameters and cannot be rebound")

    # ------------------------------------------------------------ expressions
    def expression(self, node: ast.expr, scope: Scope | None, extra: frozenset[str] = frozenset()) -> None:
        match node:
            case ast.Constant():
                self.constant(node)
            case ast.Name():
                self.name(node, scope, extra)
            case ast.Attribute():
                self.attribute(node, scope, extra)
            case ast.Call():
                self.call(node, scope, extra)
            case ast.Subscript():
                self.expression(node.value, scope, extra)
                self.subscript(node.slice, scope, extra)
            case ast.BinOp():
                self.operator(node, node.op)
                self.expression(node.left, scope, extra)
                self.expression(node.right, scope, extra)
                self.bounded(node)
            case ast.UnaryOp():
                self.operator(node, node.op)
                self.expression(node.operand, scope, extra)
            case ast.BoolOp():
                for value in node.values:
                    self.expression(value, scope, extra)
            case ast.Compare():
                for op in node.ops:
                    self.operator(node, op)
                for value in [node.left, *node.comparators]:
                    self.expression(value, scope, extra)
            case ast.IfExp():
                for value in [node.test, node.body, node.orelse]:
                    self.expression(value, scope, extra)
            case ast.Tuple() | ast.List():
                for value in node.elts:
                    self.expression(value, scope, extra)
            case ast.Dict():
                for key, value in zip(node.keys, node.values, strict=True):
                    if key is not None:
                        self.key(key, scope, extra)
                    self.expression(value, scope, extra)
            case ast.ListComp() | ast.GeneratorExp() | ast.DictComp():
                self.comprehension(node, scope, extra)
            case ast.Lambda():
                self.refuse(
                    node, "a lambda is written only as an argument of lax.cond, lax.scan and the like; write def"
                )
            case _:
                self.refuse(node, _REFUSED.get(type(node), f"{type(node).__name__} is not part of TensorLang"))

    def constant(self, node: ast.Constant) -> None:
        match node.value:
            case bool() | None:
                pass
            case int() if abs(node.value) > MAX_INTEGER:
                self.refuse(node, "this integer does not fit into 32 bits")
            case float() if node.value in (float("inf"),):
                self.refuse(node, "this number is not finite; write jnp.inf if that is meant")
            case int() | float():
                pass
            case ellipsis if ellipsis is Ellipsis:
                pass
            case str():
                self.refuse(node, "text is only a docstring, an assert label or a key")
            case _:
                self.refuse(node, f"a {type(node.value).__name__} is not part of TensorLang; write numbers")

    def name(self, node: ast.Name, scope: Scope | None, extra: frozenset[str]) -> None:
        name = node.id
        if name in extra:
            return
        is_function = scope.function(name) is not None if scope else False
        if is_function or (name in self.names.functions and not (scope and scope.holds(name))):
            self.refuse(
                node, f"the function {name} can be called, or handed to lax.scan and the like, and nothing else"
            )
        if name == "PARAMS":
            self.refuse(node, 'PARAMS is read through the argument params, so that it can be tuned; write params["x"]')
        if scope and scope.holds(name):
            return
        if name in self.names.constants:
            return
        if name in words.ROOTS:
            self.refuse(node, f"{name} is a namespace, not a value; name what you need from it, as in {_example(name)}")
        if name in words.BUILTINS:
            self.refuse(node, f"{name} is a function; call it")
        if name == "jax":
            self.refuse(node, "jax itself is not in scope; use jnp, lax and nn")
        known = set(self.names.constants) | set(self.names.functions) | words.BUILTINS | self.names.roots
        known |= scope.all_names if scope else set()
        near = difflib.get_close_matches(name, sorted(known), n=1)
        self.refuse(node, f"the name {name} is not known here" + (f"; did you mean {near[0]}?" if near else ""))

    def attribute(self, node: ast.Attribute, scope: Scope | None, extra: frozenset[str]) -> None:
        path = self.namespaced(node, scope)
        if path:
            if words.is_constant(path):
                return
            if words.is_function(path):
                self.refuse(node, f"{path} is a function; call it, or hand it to lax.map and the like")
            self.unknown(node, path)
        if node.attr not in words.ATTRIBUTES:
            hint = _VALUE_ADVICE.get(node.attr, f"the attributes of a value are {', '.join(sorted(words.ATTRIBUTES))}")
            self.refuse(node, f".{node.attr} is not part of TensorLang; {hint}")
        self.expression(node.value, scope, extra)

    def namespaced(self, node: ast.expr, scope: Scope | None) -> str | None:
        """The dotted name if its root is a namespace; refuses one that was not imported."""
        path = dotted(node)
        root = path.split(".", 1)[0] if path else ""
        if not path or (scope and scope.holds(root)) or root in self.names.constants:
            return None
        if root in words.ROOTS and root not in self.names.roots:
            self.refuse(node, f"{root} is not imported; add the line: {words.IMPORTS[root]}")
        if root == "jax":
            self.refuse(node, f"{path}: jax itself is not in scope; use jnp, lax and nn")
        return path if root in words.ROOTS else None

    def unknown(self, node: ast.AST, path: str) -> NoReturn:
        hint = words.advice(path)
        if not hint:
            space, _, name = path.rpartition(".")
            near = difflib.get_close_matches(name, sorted(words.FUNCTIONS.get(space, ())), n=1)
            hint = f"did you mean {space}.{near[0]}?" if near else "only the names of docs/tensorlang.md exist"
        self.refuse(node, f"{path} is not part of TensorLang; {hint}")

    def call(self, node: ast.Call, scope: Scope | None, extra: frozenset[str]) -> None:
        for keyword in node.keywords:
            if keyword.arg is None:
                self.refuse(keyword.value, "starred arguments are not part of TensorLang; write the arguments out")
        allowed, takes_functions = self.callee(node.func, scope, extra)
        for keyword in node.keywords:
            if keyword.arg not in allowed:
                self.refuse(keyword, f"the keyword argument {keyword.arg} is not part of TensorLang here; leave it out")
        for position, argument in enumerate(node.args):
            self.argument(argument, scope, extra, position in takes_functions)
        for keyword in node.keywords:
            self.argument(keyword.value, scope, extra, bool(takes_functions))

    def callee(
        self, node: ast.expr, scope: Scope | None, extra: frozenset[str]
    ) -> tuple[Iterable[str], tuple[int, ...]]:
        """Allowed keyword arguments of a call, and the positions at which it takes functions."""
        match node:
            case ast.Name(id=name):
                function = scope.function(name) if scope else None
                if function is None and not (scope and scope.holds(name)):
                    function = self.names.functions.get(name)
                    if name in words.BUILTINS:
                        return (), ()
                    if function is None:
                        self.name(node, scope, extra)
                if function is None:
                    self.refuse(node, f"{name} is a value, not a function; only functions written with def are called")
                if scope is None:
                    self.refuse(
                        node, "module constants are made without calling own functions; compute it inside control"
                    )
                return tuple(a.arg for a in function.args.args), ()
            case ast.Attribute(attr=name):
                path = self.namespaced(node, scope)
                if path:
                    if not words.is_function(path):
                        self.unknown(node, path)
                    return words.KEYWORDS, words.HIGHER_ORDER.get(path, ())
                if name not in words.METHODS:
                    hint = _VALUE_ADVICE.get(name, "use a function of jnp")
                    self.refuse(node, f".{name}() is not part of TensorLang; {hint}")
                self.expression(node.value, scope, extra)
                return ("axis", "keepdims"), ()
            case _:
                self.refuse(node, "only functions with a name are called")

    def argument(self, node: ast.expr, scope: Scope | None, extra: frozenset[str], may_be_function: bool) -> None:
        if not may_be_function:
            self.expression(node, scope, extra)
            return
        match node:
            case ast.Tuple() | ast.List():
                for element in node.elts:
                    self.argument(element, scope, extra, True)
            case ast.Lambda() if scope:
                self.arguments(node.args)
                parameters = frozenset(a.arg for a in node.args.args)
                inner = Scope("lambda", parameters, frozenset(), {}, scope)
                self.expression(node.body, inner, extra - parameters)
            case ast.Name(id=name) if scope and (
                scope.function(name) or (name in self.names.functions and not scope.holds(name))
            ):
                pass
            case ast.Attribute():
                path = self.namespaced(node, scope)
                if not (path and words.is_function(path) and path not in words.HIGHER_ORDER):
                    self.expression(node, scope, extra)
            case _:
                self.expression(node, scope, extra)

    def comprehension(
        self, node: ast.ListComp | ast.GeneratorExp | ast.DictComp, scope: Scope | None, extra: frozenset[str]
    ) -> None:
        bound: set[str] = set()
        inner = scope
        for generator in node.generators:
            self.expression(generator.iter, inner, extra)
            for item in ast.walk(generator.target):
                if isinstance(item, ast.Name):
                    self.bindable(item, item.id)
                    bound.add(item.id)
                elif not isinstance(item, ast.Tuple | ast.expr_context):
                    self.refuse(item, "a comprehension binds plain names")
            inner = Scope("comprehension", frozenset(bound), frozenset(), {}, scope)
            for test in generator.ifs:
                self.expression(test, inner, extra - bound)
        if isinstance(node, ast.DictComp):
            self.key(node.key, inner, extra - bound)
            self.expression(node.value, inner, extra - bound)
        else:
            self.expression(node.elt, inner, extra - bound)

    # ------------------------------------------------------------ keys, subscripts, operators
    def key(self, node: ast.expr, scope: Scope | None, extra: frozenset[str]) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if not words.KEY.match(node.value):
                self.refuse(
                    node, f"the key {node.value[:40]!r} is not lower-case letters, digits and underscores (up to 64)"
                )
            return
        self.expression(node, scope, extra)

    def subscript(self, node: ast.expr, scope: Scope | None, extra: frozenset[str] = frozenset()) -> None:
        match node:
            case ast.Slice():
                for part in filter(None, [node.lower, node.upper, node.step]):
                    self.expression(part, scope, extra)
            case ast.Tuple():
                for part in node.elts:
                    self.subscript(part, scope, extra)
            case _:
                self.key(node, scope, extra)

    def operator(self, node: ast.AST, op: ast.AST) -> None:
        if isinstance(op, _OPERATORS):
            return
        hints = {
            ast.Is: "compare numbers with == or <",
            ast.IsNot: "compare numbers with != or <",
            ast.In: "write the comparisons out",
            ast.NotIn: "write the comparisons out",
            ast.LShift: "write a multiplication",
            ast.RShift: "write a division",
        }
        self.refuse(node, f"this operator is not part of TensorLang; {hints.get(type(op), 'write arithmetic')}")

    def bounded(self, node: ast.BinOp) -> None:
        try:
            static_number(node, self.names)
        except Unbounded as error:
            self.refuse(error.node, "this constant expression overflows; write the number that is meant")


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _statements(body: Iterable[ast.stmt]) -> Iterable[ast.stmt]:
    """The statements of one function, nested blocks included, nested functions not entered."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.For):
            yield from _statements([*statement.body, *statement.orelse])


def _keyword(node: ast.AST) -> str:
    return type(node).__name__.lower()


def _example(root: str) -> str:
    return {"jnp": "jnp.clip", "lax": "lax.cond", "nn": "nn.softplus", "math": "math.pi"}.get(root, f"{root}.linalg")
