"""The expressions of the subset: an allowlist walk, operators, keys and subscripts (gate.md, "Syntax")."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from healing_runtime.language import vocabulary
from healing_runtime.language.messages import advice, wording
from healing_runtime.language.syntax.calls import Calls
from healing_runtime.language.syntax.names import Names
from healing_runtime.language.syntax.scope import MAX_INTEGER, Module, Scope, Unbounded, static_number

REFUSED: Mapping[type, str] = {
    ast.ClassDef: "classes are not part of TensorLang; write functions, and keep memory in the dictionary of init",
    ast.AsyncFunctionDef: "async functions are not part of TensorLang; write def",
    ast.While: "a while loop has no constant bound; use tl.while_loop(cond, body, init, max_trips=N) or lax.fori_loop",
    ast.With: "with blocks are not part of TensorLang: a controller has no resources; write the lines without it",
    ast.Try: "try blocks are not part of TensorLang: numbers raise nothing; guard them with jnp.where or jnp.maximum",
    ast.TryStar: "try blocks are not part of TensorLang: numbers raise nothing; guard them with jnp.where",
    ast.AsyncFor: "async loops are not part of TensorLang; write for",
    ast.AsyncWith: "with blocks are not part of TensorLang: a controller has no resources; write the lines without it",
    ast.Raise: 'raise is not part of TensorLang; write assert condition, "label"',
    ast.Delete: "del is not part of TensorLang; build a new dictionary without the key",
    ast.Global: "global names cannot be changed; keep memory in the state dictionary",
    ast.Nonlocal: "outer names cannot be changed; pass values as arguments and return them",
    ast.Import: "imports stand at the top of the file; move the line there",
    ast.ImportFrom: "imports stand at the top of the file; move the line there",
    ast.NamedExpr: "':=' is not part of TensorLang; write the assignment on its own line",
    ast.JoinedStr: "f-strings are not part of TensorLang: text is only a label or a key; write it out in plain quotes",
    ast.Await: "await is not part of TensorLang; leave it out",
    ast.Yield: "yield is not part of TensorLang; return the value",
    ast.YieldFrom: "yield is not part of TensorLang; return the value",
    ast.Starred: "starred elements are not part of TensorLang; write the elements out",
    ast.Set: "sets are not part of TensorLang; write a tuple",
    ast.SetComp: "sets are not part of TensorLang; write a list",
    ast.Match: "match is not part of TensorLang; use lax.switch, or if on constants",
}

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult, ast.BitAnd, ast.BitOr, ast.BitXor,
    ast.USub, ast.UAdd, ast.Not, ast.Invert, ast.And, ast.Or, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip


class Expressions:
    """Checks of expressions in one module. Methods named after what they check; each either returns or refuses.

    `extra` holds names that are known only there (the contract names, in an assert).
    """

    def __init__(self, path: str, module: Module) -> None:
        self.module = module
        self.names = Names(path, module)
        self.calls = Calls(self)

    def arguments(self, args: ast.arguments) -> None:
        """Parameters of a function or lambda: plain and positional."""
        for value in [*args.defaults, *(d for d in args.kw_defaults if d)]:
            self.names.refuse(
                value,
                "default values are not part of TensorLang; leave"
                f" '={wording.shown(value)}' out and pass it in the call",
            )
        for odd in [*args.posonlyargs, *args.kwonlyargs, *filter(None, [args.vararg, args.kwarg])]:
            star = "*" if odd is args.vararg else "**" if odd is args.kwarg else ""
            self.names.refuse(
                odd,
                f"{star}{odd.arg}: only plain positional parameters are part of TensorLang; write each one by its name",
            )
        for argument in args.args:
            if argument.annotation:
                self.names.refuse(
                    argument.annotation,
                    f"annotations are not part of TensorLang; write {argument.arg} without"
                    f" ': {wording.shown(argument.annotation)}'",
                )
            self.names.local(argument, argument.arg)

    def expression(self, node: ast.expr, scope: Scope | None, extra: frozenset[str] = frozenset()) -> None:
        """Any expression in the place of a value."""
        match node:
            case ast.Constant():
                self.constant(node)
            case ast.Name():
                self.names.read(node, scope, extra)
            case ast.Attribute():
                self.attribute(node, scope, extra)
            case ast.Call():
                self.calls.call(node, scope, extra)
            case ast.Subscript(value=ast.Name(id="PARAMS")):
                self.names.parameters(node, wording.shown(node.slice, ""), scope)
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
                self.comparison(node)
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
                        self.word(key, scope, extra)
                    self.expression(value, scope, extra)
            case ast.ListComp() | ast.GeneratorExp() | ast.DictComp():
                self.comprehension(node, scope, extra)
            case ast.Lambda():
                parameters = ", ".join(a.arg for a in node.args.args)
                self.names.refuse(
                    node,
                    "a lambda is written only as an argument of lax.cond, lax.scan and the like; write def"
                    f" f({parameters}): and below it return {wording.shown(node.body, '...')}",
                )
            case _:
                self.names.refuse(node, REFUSED.get(type(node), "this is not part of TensorLang; write arithmetic"))

    def constant(self, node: ast.Constant) -> None:
        """A literal: numbers, None, `...`; text has no place here."""
        match node.value:
            case bool() | None:
                pass
            case int() if abs(node.value) > MAX_INTEGER:
                self.names.refuse(node, "this integer does not fit into 32 bits; write it as a float, with a point")
            case float() if node.value in (float("inf"),):
                self.names.refuse(node, "this number is not finite; write jnp.inf if that is meant")
            case int() | float():
                pass
            case ellipsis if ellipsis is Ellipsis:
                pass
            case str():
                self.names.refuse(
                    node, "text is only a docstring, an assert label or a key in square brackets; write it there"
                )
            case complex():
                self.names.refuse(node, "a complex number is not part of TensorLang; write its two parts as numbers")
            case _:
                kind = type(node.value).__name__
                self.names.refuse(node, f"a {kind} is not part of TensorLang; write numbers")

    def attribute(self, node: ast.Attribute, scope: Scope | None, extra: frozenset[str]) -> None:
        """A constant of a namespace, or one of the few attributes of values."""
        path = self.names.namespaced(node, scope)
        if path:
            if vocabulary.is_constant(path):
                return
            if vocabulary.is_function(path):
                self.names.refuse(node, f"{path} is a function; call it, or hand it to lax.map and the like")
            self.names.unknown(node, path)
        if node.attr not in vocabulary.ATTRIBUTES:
            hint = f"the attributes of a value are {', '.join(sorted(vocabulary.ATTRIBUTES))}"
            if isinstance(node.value, ast.Name) and node.value.id in vocabulary.CONTRACT_NAMES:
                hint = f'{node.value.id} is a dictionary; write {node.value.id}["{node.attr}"]'
            hint = advice.of_method(node.attr, wording.shown(node.value)) or hint
            self.names.refuse(node, f".{node.attr} is not part of TensorLang; {hint}")
        self.expression(node.value, scope, extra)

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
                    self.names.local(item, item.id)
                    bound.add(item.id)
                elif not isinstance(item, ast.Tuple | ast.expr_context):
                    self.names.refuse(item, "a comprehension binds plain names; write for x in ...")
            inner = Scope("comprehension", frozenset(bound), frozenset(), {}, scope)
            for test in generator.ifs:
                self.expression(test, inner, extra - bound)
        if isinstance(node, ast.DictComp):
            self.word(node.key, inner, extra - bound)
            self.expression(node.value, inner, extra - bound)
        else:
            self.expression(node.elt, inner, extra - bound)

    # ------------------------------------------------------------ keys, subscripts, operators
    def word(self, node: ast.expr, scope: Scope | None, extra: frozenset[str]) -> None:
        """The key of a dictionary that is written out: constant, since memory is moved and told by its keys."""
        self.key(node, scope, extra)
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            self.names.refuse(node, 'a key of a dictionary is a word in quotes; write one, as in {"x": 1.0}')

    def key(self, node: ast.expr, scope: Scope | None, extra: frozenset[str]) -> None:
        """A dictionary key or index: a word in quotes, or a value."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if not vocabulary.KEY.match(node.value):
                self.names.refuse(
                    node,
                    f"the key {node.value[:40]!r} is not lower-case letters, digits and underscores (up to 64);"
                    " rename it",
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

    def comparison(self, node: ast.Compare) -> None:
        """Comparisons of numbers; for the others, what is probably meant."""
        for op, right in zip(node.ops, node.comparators, strict=True):
            match op, right:
                case ((ast.Is() | ast.IsNot()), ast.Constant(value=None)):
                    self.names.refuse(
                        node, "nothing is ever None in a tick: every key has its value, always; remove the test"
                    )
                case ((ast.In() | ast.NotIn()), ast.Name(id="state" | "obs" | "params" as name)):
                    self.names.refuse(
                        node, f"the keys of {name} never change, so the answer is known beforehand; remove the test"
                    )
            self.operator(node, op)

    def operator(self, node: ast.AST, op: ast.AST) -> None:
        """An operator of the list."""
        if isinstance(op, _OPERATORS):
            return
        sign, hint = {
            ast.Is: ("is", "compare numbers with == or <"),
            ast.IsNot: ("is not", "compare numbers with != or <"),
            ast.In: ("in", "write the comparisons out, joined with jnp.logical_or"),
            ast.NotIn: ("not in", "write the comparisons out, joined with jnp.logical_and"),
            ast.LShift: ("<<", "write a multiplication"),
            ast.RShift: (">>", "write a division"),
        }.get(type(op), ("this", "write arithmetic"))
        self.names.refuse(node, f"the operator '{sign}' is not part of TensorLang; {hint}")

    def bounded(self, node: ast.BinOp) -> None:
        """Arithmetic of constants that stays inside 32 bits."""
        try:
            static_number(node, self.module)
        except Unbounded as error:
            self.names.refuse(
                error.node, "this constant expression overflows or divides by zero; write the number that is meant"
            )
