"""Calls, branches and loops that do not fit: JAX's complaints about them in the language's words (see `fitting`).

Read from the texts of jax 0.10.2 and CPython 3.11.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from healing_runtime.language import vocabulary
from healing_runtime.language.messages import wording

Sentence = Callable[[str, ast.AST, str], str]
"""The complaint's text, the node where it arose, what the node is called -> the sentence of a message."""

_TYPE = re.compile(r"type (\w+\[[\d,]*\])")
_GIVEN = {
    "lax.scan": "two arguments, as in def body(carry, x), and returns carry, y",
    "lax.fori_loop": "two arguments, as in def body(i, x), and returns the next x",
    "lax.map": "one argument, an element",
    "lax.associative_scan": "two arguments, as in lambda a, b: a + b",
    "tl.while_loop": "one argument, the value",
    "lax.cond": "as many arguments as operands stand after the two functions",
    "lax.switch": "as many arguments as operands stand after the list",
}


def _arguments(text: str, node: ast.AST, subject: str) -> str:
    itself = text.startswith(f"{subject.rpartition('.')[2]}()")
    if subject in _GIVEN and not itself:
        return f"the function handed to {subject} takes the wrong number of arguments; write it with {_GIVEN[subject]}"
    if itself and "'max_trips'" in text:
        return "tl.while_loop lacks its bound; write max_trips=100 as its last argument"
    if "." not in subject:
        given = len(node.args) + len(node.keywords) if isinstance(node, ast.Call) else 0
        number = f"{given} argument{'s' * (given != 1)}"
        return f"{subject} is called with {number}, and its def takes another number; write one for each parameter"
    unknown = re.search(r"unexpected keyword argument '(\w+)'", text)
    if unknown:
        return f"{subject} has no argument {unknown[1]}; {wording.LOOK_UP}"
    return f"{subject} is called with the wrong number of arguments; {wording.LOOK_UP}"


def _branch_types(text: str, node: ast.AST, subject: str) -> str:
    types = wording.listed(_TYPE.findall(text)[:2])
    what = f", {types}" if types else ""
    return f"the branches of {subject} return different shapes or dtypes{what}; write both so that they return the same"


def _branch_trees(text: str, node: ast.AST, subject: str) -> str:
    return (
        f"the branches of {subject} return differently built values, such as a tuple and a number; write both with the"
        " same parts"
    )


def _predicate(text: str, node: ast.AST, subject: str) -> str:
    condition = wording.shown(node.args[0], "condition") if isinstance(node, ast.Call) and node.args else "condition"
    return (
        f"lax.cond decides once, and its condition is an array; write jnp.all({condition}), or jnp.where for elements"
    )


def _not_functions(text: str, node: ast.AST, subject: str) -> str:
    if isinstance(node, ast.Call) and len(node.args) > 2:
        return (
            f"{subject} takes two functions; write {wording.where(node.args[0], *map(wording.shown, node.args[1:3]))}"
        )
    return f"{subject} takes functions; write lambda x: value"


def _switch_index(text: str, node: ast.AST, subject: str) -> str:
    index = wording.shown(node.args[0], "i") if isinstance(node, ast.Call) and node.args else "i"
    return f"lax.switch chooses by an integer; write jnp.astype({index}, jnp.int32)"


def _carry_types(text: str, node: ast.AST, subject: str) -> str:
    before, after = [*_TYPE.findall(text), "", ""][:2]
    if not before:
        return f"the carry of {subject} changes shape or dtype in its body; start it as it comes back"
    dtype, _, shape = after.rstrip("]").partition("[")
    size = f"({shape}{',' * shape.isdigit()})"
    made = {"float64": f", write jnp.zeros({size})", "int64": f", write jnp.full({size}, 0)"}.get(dtype, "")
    if vocabulary.is_constant(f"jnp.{dtype}"):
        made = f", write jnp.zeros({size}, jnp.{dtype})"
    return f"the carry of {subject} starts as {before} and comes back as {after}; start it as it comes back{made}"


def _carry_trees(text: str, node: ast.AST, subject: str) -> str:
    if "NoneType" in text:
        return f"the function handed to {subject} returns nothing; write return with the next carry"
    return f"the carry of {subject} comes back with other parts than it started with; write it with the same parts"


def _pair(text: str, node: ast.AST, subject: str) -> str:
    return "the body of lax.scan returns one value; write return carry, y, and y may be None"


def _no_length(text: str, node: ast.AST, subject: str) -> str:
    if "leading axis" in text:
        better = wording.arrayed(node) or "jnp.array([...]) around it"
        return f"lax.scan goes over arrays, and is given a list of numbers; write {better}"
    return "lax.scan has neither elements nor a length; write length=10"


def _loop_bounds(text: str, node: ast.AST, subject: str) -> str:
    return "the bounds of lax.fori_loop are constant integers, and one is a float; write lax.fori_loop(0, 10, body, x)"


FAMILIES: tuple[tuple[str, Sentence], ...] = (
    (r"branches must have equal", _branch_types),
    (r"branch outputs must have the same", _branch_trees),
    (r"Pred must be a scalar", _predicate),
    (r"arguments should be callable", _not_functions),
    (r"Index type must be an integer", _switch_index),
    (r"carry output must have equal", _carry_types),
    (r"carry output must have the same|carry.*same pytree", _carry_trees),
    (r"body output must be a pair", _pair),
    (r"no values to scan over|no leading axis to scan", _no_length),
    (r"arguments to fori_loop must", _loop_bounds),
    (r"\bpositional argument|keyword argument|keyword-only argument|multiple values for|No input was", _arguments),
)
"""How a complaint is known, and the sentence that says it."""
