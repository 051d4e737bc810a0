"""Names in a source: what may be bound, what a name or a dotted name means where it is read (gate.md, "Syntax")."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from typing import NoReturn

from healing_runtime.language import vocabulary
from healing_runtime.language.messages import advice, refusal, wording
from healing_runtime.language.syntax.caps import MAX_NAME
from healing_runtime.language.syntax.scope import Module, Scope, dotted

MAX_SUGGESTED = 500
"""How many known names a misspelt one is compared with."""


class Names:
    """The names of one module. Methods named after what they check; each either returns or refuses.

    `extra` holds names that are known only there (the contract names, in an assert).
    """

    def __init__(self, path: str, module: Module) -> None:
        self.path = path
        self.module = module

    def refuse(self, node: ast.AST, message: str) -> NoReturn:
        """Raise at a node."""
        raise refusal.at_node(message, self.path, node)

    # ------------------------------------------------------------ bound
    def bindable(self, node: ast.AST, name: str) -> None:
        """A name that is about to be bound: not reserved, not ours."""
        if name.startswith("__"):
            self.refuse(node, f"names with two leading underscores are not part of TensorLang; rename {name}")
        if name in vocabulary.ROOTS or name in vocabulary.BUILTINS:
            self.refuse(node, f"{name} is a reserved name and cannot be rebound; choose another name")
        if name == "PARAMS":
            self.refuse(node, "PARAMS is the module's dictionary of parameters and cannot be rebound; rename this one")

    def local(self, node: ast.AST, name: str) -> None:
        """A name bound inside a function: besides `bindable`, no module constant and no function anywhere.

        The bounds on loops and calls (`bounds`) read constants and functions by name, so a name has one meaning.
        """
        self.bindable(node, name)
        if name in self.module.fixed:
            kind = "function" if name in self.module.everywhere else "module constant"
            self.refuse(node, f"{name} is a {kind} of this source and cannot be bound again; choose another name")

    # ------------------------------------------------------------ read
    def read(self, node: ast.Name, scope: Scope | None, extra: frozenset[str]) -> None:
        """A name read as a value."""
        name = node.id
        if name in extra:
            return
        if name == "PARAMS":
            self.parameters(node, None, scope)
        if self.function(name, scope):
            self.refuse(
                node,
                f"the function {name} can be called, or handed to lax.scan and the like, and nothing else; write"
                f" {name}(...)",
            )
        if (scope and scope.holds(name)) or name in self.module.constants:
            return
        if name in vocabulary.ROOTS:
            self.refuse(node, f"{name} is a namespace, not a value; name what you need from it, as in {_example(name)}")
        if name in vocabulary.BUILTINS:
            self.refuse(node, f"{name} is a function; call it{_DTYPES.get(name, '')}")
        self.unheard_of(node, name, scope)

    def unheard_of(self, node: ast.AST, name: str, scope: Scope | None) -> NoReturn:
        """Refuse a name that nothing binds."""
        known = f"the name {name} is not known here"
        if name in advice.BUILTINS:
            self.refuse(node, f"{known}: {advice.BUILTINS[name]}")
        if name == "jax":
            self.refuse(node, "jax itself is not in scope; use jnp, lax and nn")
        if name in ("np", "numpy"):
            self.refuse(node, f"{known}: it cannot compute with data; use jnp")
        near = self._near_names(name, scope)
        remedy = f"did you mean {near}?" if near else "assign it first, or take it from obs, state or params"
        self.refuse(node, f"{known}; {remedy}")

    def parameters(self, node: ast.AST, key: str | None, scope: Scope | None) -> NoReturn:
        """Refuse PARAMS read directly; `key` is the text between the square brackets after it."""
        if scope is None:
            self.refuse(
                node,
                f"a constant cannot be made from PARAMS, which are tuned; compute it in control, from {_param(key)}",
            )
        self.refuse(node, f"PARAMS is read through the argument params, so that it can be tuned; write {_param(key)}")

    def function(self, name: str, scope: Scope | None) -> ast.FunctionDef | None:
        """The source's own function that a name means here, if it is one."""
        found = scope.function(name) if scope else None
        if found is None and not (scope and scope.holds(name)):
            found = self.module.functions.get(name)
        return found

    # ------------------------------------------------------------ dotted
    def namespaced(self, node: ast.expr, scope: Scope | None) -> str | None:
        """The dotted name if its root is a namespace; refuses one that was not imported."""
        path = dotted(node)
        root = path.split(".", 1)[0] if path else ""
        if not path or (scope and scope.holds(root)) or root in self.module.constants:
            return None
        if root in vocabulary.ROOTS:
            if root not in self.module.roots:
                self.refuse(node, f"{root} is not imported; add the line: {vocabulary.IMPORTS[root]}")
            return path
        ours, hint = advice.translated(path), advice.of_name(path)
        if vocabulary.known(ours):
            hint = f"write {ours}"
        elif ours and not hint:
            hint = f"the vocabulary has no {ours}; {self._remedy(ours)}"
        if root == "jax":
            self.refuse(node, f"{path}: jax itself is not in scope; {hint or 'use jnp, lax and nn'}")
        if hint and root not in self.module.functions:
            self.refuse(
                node, f"{path} is not known here: {hint}" if ";" in hint else f"{root} is not known here; {hint}"
            )
        return None

    def unknown(self, node: ast.AST, path: str) -> NoReturn:
        """Refuse a dotted name that the vocabulary does not hold."""
        self.refuse(node, f"{path} is not part of TensorLang; {self._remedy(path)}")

    def _remedy(self, path: str) -> str:
        hint = advice.of_name(path)
        if hint:
            return hint
        space, _, name = path.rpartition(".")
        if vocabulary.is_function(f"jnp.{name}"):
            return f"write jnp.{name}"
        meant = near(name, vocabulary.FUNCTIONS.get(space, ()))
        return f"did you mean {space}.{meant}?" if meant else f"use a function that {wording.REFERENCE} lists"

    def _near_names(self, name: str, scope: Scope | None) -> str:
        known = set(self.module.constants) | set(self.module.functions) | vocabulary.BUILTINS | self.module.roots
        return near(name, known | (scope.all_names if scope else set()))


_DTYPES = {
    "float": ", or leave the dtype out",
    "int": ", or write jnp.int32 as a dtype",
    "bool": ", or write jnp.bool_ as a dtype",
}


def near(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, if any; looks at a bounded number of them."""
    found = difflib.get_close_matches(name[:MAX_NAME], sorted(known)[:MAX_SUGGESTED], n=1)
    return found[0] if found else ""


def _example(root: str) -> str:
    return {"jnp": "jnp.clip", "lax": "lax.cond", "nn": "nn.softplus", "math": "math.pi"}.get(root, f"{root}.linalg")


def _param(key: str | None) -> str:
    return f"params[{key}]" if key else 'params["x"]'
