"""The expressions of the subset: names, attributes, calls, keys, operators (gate.md, "Syntax")."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Mapping
from typing import NoReturn

from healing_runtime.core.errors import Location, SubsetError
from healing_runtime.language import vocabulary as words
from healing_runtime.language.caps import MAX_NAME
from healing_runtime.language.scope import MAX_INTEGER, Module, Scope, Unbounded, dotted, static_number

MAX_SUGGESTED = 500
"""How many known names a misspelt one is compared with."""

REFUSED: Mapping[type, str] = {
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


class Expressions:
    """Checks of expressions in one module. Methods named after what they check; each either returns or refuses.

    `extra` holds names that are known only there (the contract names, in an assert).
    """

    def __init__(self, path: str, names: Module) -> None:
        self.path = path
        self.names = names

    def refuse(self, node: ast.AST, message: str) -> NoReturn:
        """Raise at a node."""
        raise SubsetError(
            message + ".", where=Location(self.path, getattr(node, "lineno", 0), getattr(node, "col_offset", -1) + 1)
        )

    def bindable(self, node: ast.AST, name: str) -> None:
        """A name that is about to be bound: not reserved, not ours."""
        if name.startswith("__"):
            self.refuse(node, f"names with two leading underscores are not part of TensorLang; rename {name}")
        if name in words.ROOTS or name in words.BUILTINS:
            self.refuse(node, f"{name} is a reserved name and cannot be rebound; choose another name")
        if name == "PARAMS":
            self.refuse(node, "PARAMS is the module's dictionary of parameters and cannot be rebound")

    def local(self, node: ast.AST, name: str) -> None:
        """A name bound inside a function: besides `bindable`, no module constant and no function anywhere.

        The bounds on loops and calls (`bounds`) read constants and functions by name, so a name has one meaning.
        """
        self.bindable(node, name)
        if name in self.names.fixed:
            kind = "function" if name in self.names.everywhere else "module constant"
            self.refuse(node, f"{name} is a {kind} of this source and cannot be bound again; choose another name")

    def arguments(self, args: ast.arguments) -> None:
        """Parameters of a function or lambda: plain and positional."""
        for value in [*args.defaults, *(d for d in args.kw_defaults if d)]:
            self.refuse(value, "default values are not part of TensorLang; pass the argument")
        for odd in [*args.posonlyargs, *args.kwonlyargs, *filter(None, [args.vararg, args.kwarg])]:
            self.refuse(odd, "only plain positional parameters are part of TensorLang")
        for argument in args.args:
            if argument.annotation:
                self.refuse(argument.annotation, "annotations are not part of TensorLang; remove it")
            self.local(argument, argument.arg)

    def expression(self, node: ast.expr, scope: Scope | None, extra: frozenset[str] = frozenset()) -> None:
        """Any expression in the place of a value."""
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
                self.refuse(node, REFUSED.get(type(node), f"{type(node).__name__} is not part of TensorLang"))

    def constant(self, node: ast.Constant) -> None:
        """A literal: numbers, None, `...`; text has no place here."""
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
        """A name read as a value."""
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
        near = _near(name, known)
        self.refuse(node, f"the name {name} is not known here" + (f"; did you mean {near[0]}?" if near else ""))

    def attribute(self, node: ast.Attribute, scope: Scope | None, extra: frozenset[str]) -> None:
        """A constant of a namespace, or one of the few attributes of values."""
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
        """Refuse a dotted name that the vocabulary does not hold."""
        hint = words.advice(path)
        if not hint:
            space, _, name = path.rpartition(".")
            near = _near(name, words.FUNCTIONS.get(space, ()))
            hint = (
                f"did you mean {space}.{near[0]}?"
                if near
                else "only the names of the vocabulary exist, see docs/controllers.md"
            )
        self.refuse(node, f"{path} is not part of TensorLang; {hint}")

    def call(self, node: ast.Call, scope: Scope | None, extra: frozenset[str]) -> None:
        """A call: who is called, with which keywords, and where functions may be handed over."""
        for keyword in node.keywords:
            if keyword.arg is None:
                self.refuse(keyword.value, "starred arguments are not part of TensorLang; write the arguments out")
        allowed, takes_functions = self.callee(node.func, scope, extra)
        for keyword in node.keywords:
            if keyword.arg is not None and keyword.arg not in allowed:
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
        """One argument of a call; a function only where the callee takes one."""
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
        """A comprehension; its names live inside it."""
        bound: set[str] = set()
        inner = scope
        for generator in node.generators:
            self.expression(generator.iter, inner, extra)
            for item in ast.walk(generator.target):
                if isinstance(item, ast.Name):
                    self.local(item, item.id)
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
        """A dictionary key or index: a word in quotes, or a value."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if not words.KEY.match(node.value):
                self.refuse(
                    node, f"the key {node.value[:40]!r} is not lower-case letters, digits and underscores (up to 64)"
                )
            return
        self.expression(node, scope, extra)

    def subscript(self, node: ast.expr, scope: Scope | None, extra: frozenset[str] = frozenset()) -> None:
        """What stands between square brackets."""
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
        """An operator of the list."""
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
        """Arithmetic of constants that stays inside 32 bits."""
        try:
            static_number(node, self.names)
        except Unbounded as error:
            self.refuse(
                error.node, "this constant expression overflows or divides by zero; write the number that is meant"
            )


def _near(name: str, known: Iterable[str]) -> list[str]:
    """The known name that was probably meant, if any; looks at a bounded number of them."""
    return difflib.get_close_matches(name[:MAX_NAME], sorted(known)[:MAX_SUGGESTED], n=1)


def _example(root: str) -> str:
    return {"jnp": "jnp.clip", "lax": "lax.cond", "nn": "nn.softplus", "math": "math.pi"}.get(root, f"{root}.linalg")
