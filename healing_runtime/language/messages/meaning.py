"""What an error of Python or JAX means in a controller: one sentence about the user's own line, and what to write.

No word of JAX's own texts comes through. Most errors are known by their class; `fitting` reads the texts of the others,
as jax 0.10.2 and CPython 3.11 write them, and what it does not know gets a general sentence.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from healing_runtime.language import vocabulary
from healing_runtime.language.execution.runtime import NoCondition
from healing_runtime.language.messages import fitting, wording
from healing_runtime.language.messages.mistake import Mistake
from healing_runtime.language.syntax.scope import dotted

Path = Sequence[ast.AST]
"""The nodes around the place, outermost first."""


def meaning(error: Exception, path: Path, known: Mapping[str, Any]) -> str:
    """The message for an error raised at a place.

    Args:
        error: what was raised.
        path: the nodes around the place, outermost first; empty if there is none.
        known: the dictionaries that the function is given, by the name of the parameter.
    """
    node = path[-1] if path else ast.Module([], [])
    match error:
        case NoCondition():
            return _no_condition(error, node, known)
        case Mistake():
            return str(error)
        case KeyError(args=(key, *_)):
            return _unknown_key(key, node, known)
        case jax.errors.TracerBoolConversionError():
            return _decision(path)
        case ValueError() if "truth value of a" in str(error):  # of an array that is not one number
            return _decision(path)
        case jax.errors.NonConcreteBooleanIndexError():
            return _mask(node)
        case (
            jax.errors.ConcretizationTypeError()
            | jax.errors.TracerArrayConversionError()
            | jax.errors.TracerIntegerConversionError()
        ):
            return _constant(node)
        case TypeError() if "Only scalar arrays" in str(error):
            return _constant(node)
        case NameError():
            name = "".join(re.findall(r"'(\w+)'", str(error))[:1])
            return f"{name} has no value here: no line that ran before assigns it; assign {name} on every path first"
        case RecursionError():
            return "the code calls itself without end; write a loop with a constant bound"
        case ZeroDivisionError():
            return "a division of constants by zero; write the number that is meant"
        case MemoryError() | OverflowError():
            return f"{_named(node)} is too large; use smaller arrays and numbers"
    return fitting.sentence(error, node) or f"{_named(node)} does not take these values; {wording.LOOK_UP}"


def _named(node: ast.AST) -> str:
    return wording.shown(node, "this expression") if isinstance(node, ast.expr) else "this line"


# ---------------------------------------------------------------- Python decides, and JAX cannot know
def _decision(path: Path) -> str:
    """A condition on data where Python wants to know at once."""
    node, outer = path[-1] if path else None, path[-2] if len(path) > 1 else None
    match node, outer:
        case ast.Compare(ops=[_, _, *_]), _:
            return f"a chained comparison of data is two at once; write {wording.chained(node)}"
        case (ast.BoolOp(), _) | (_, ast.BoolOp()):
            both = node if isinstance(node, ast.BoolOp) else outer
            assert isinstance(both, ast.BoolOp)
            sign = "and" if isinstance(both.op, ast.And) else "or"
            return f"'{sign}' decides at once, and this is data; write {wording.logical(both)}"
        case _, ast.If(test=test) if test is node:
            kind = "elif" if len(path) > 2 and isinstance(path[-3], ast.If) and path[-3].orelse == [outer] else "if"
            return f"this {kind} depends on data, and a tick is traced once for all data; {wording.branch(outer)}"
        case _, ast.IfExp(test=test, body=body, orelse=orelse) if test is node:
            better = wording.where(test, wording.shown(body, "a"), wording.shown(orelse, "b"))
            return f"'a if condition else b' decides at once, and the condition is data; write {better}"
        case (ast.UnaryOp(op=ast.Not(), operand=operand), _) | (ast.expr() as operand, ast.UnaryOp(op=ast.Not())):
            return f"'not' decides at once, and this is data; write jnp.logical_not({wording.shown(operand, 'x')})"
        case ast.Call(func=ast.Name(id="max" | "min" as name), args=args), _:
            if len(args) == 1:
                array = wording.shown(wording.as_array(args[0]))
                return f"{name} compares the elements one by one; write jnp.{name}({array})"
            return f"{name} decides at once, and this is data; write {wording.pairwise(f'jnp.{name}imum', args)}"
        case ast.Call(func=ast.Name(id="bool"), args=[only]), _:
            return f"bool decides at once, and this is data; write {wording.shown(only, 'the comparison')} itself"
        case (ast.expr(), ast.ListComp(elt=element) | ast.GeneratorExp(elt=element)):
            return (
                "the 'if' of a comprehension depends on data, and so would the length; keep every element, and write"
                f" {wording.where(node, wording.shown(element), '0.0')}"
            )
        case ast.Call(func=func), _:
            return f"{wording.shown(func)} decides at once, and this is data; write it with jnp.where"
    return f"{_named(node) if node else 'this'} is a condition on data; write jnp.where(condition, a, b), or lax.cond"


def _mask(node: ast.AST) -> str:
    if isinstance(node, ast.Subscript):
        array, mask = wording.shown(node.value), wording.shown(node.slice, "mask")
        return (
            f"{wording.shown(node, 'this')} has as many elements as the data says, and shapes are fixed; write"
            f" jnp.where({mask}, {array}, 0.0)"
        )
    return "a mask picks as many elements as the data says, and shapes are fixed; write jnp.where(mask, x, 0.0)"


_SIZED = vocabulary.words("arange linspace eye identity zeros ones full broadcast_to reshape tile repeat")


def _constant(node: ast.AST) -> str:
    """A value that depends on data where a constant is needed."""
    match node:
        case ast.Call(func=ast.Name(id="float"), args=[only]):
            return f"float takes constants only, and a signal is a float already; write {wording.shown(only)} itself"
        case ast.Call(func=ast.Name(id="int"), args=[only]):
            return f"int takes constants only; write jnp.astype({wording.shown(only)}, jnp.int32)"
        case ast.Call(func=ast.Attribute(value=ast.Name(id="math"), attr=name), args=args):
            return f"math.{name} takes constants only, and this is data; write {_of_data(name, args)}"
        case ast.Call(func=ast.Attribute(attr=name) as func) if name in _SIZED:
            return (
                f"the size that {wording.shown(func)} is given depends on data, and shapes are fixed; write it as a"
                " number, the largest that can occur, and mask the rest with jnp.where"
            )
        case ast.Call(func=func) if dotted(func) in ("lax.scan", "tl.while_loop"):
            limit = "length" if dotted(func) == "lax.scan" else "max_trips"
            return f"the {limit} of {dotted(func)} depends on data; write a constant, the largest that can occur"
        case ast.Subscript(value=value, slice=index):
            return (
                f"{wording.shown(value)} is made by Python and its index is data; write"
                f" jnp.take(jnp.array({wording.shown(value)}), {wording.shown(index, 'i')})"
            )
    return f"{_named(node)} needs a constant and is given data; write the number, or keep it an array"


def _of_data(name: str, args: Sequence[ast.expr]) -> str:
    """What computes with data what a function of math computes with constants."""
    parts = [wording.shown(a) for a in args]
    match name, parts:
        case "copysign", [size, _] if isinstance(args[1], ast.Constant):
            return f"jnp.abs({size})"
        case "copysign", [size, sign]:
            return f"jnp.where({sign} < 0.0, -jnp.abs({size}), jnp.abs({size}))"
        case "log", [value, base]:
            return f"jnp.log({value}) / jnp.log({base})"
        case "hypot", [_, _]:
            pass
        case "hypot", _:
            return f"jnp.linalg.norm(jnp.array([{', '.join(parts)}]))"
    return f"jnp.{name}({', '.join(parts)})"


# ---------------------------------------------------------------- keys and conditions
def _unknown_key(key: object, node: ast.AST, known: Mapping[str, Any]) -> str:
    """A key that a dictionary does not have; what it has."""
    name, held = _dictionary(node, known)
    if held is None or key in held:
        return f'there is no key "{key}" in {name or "this dictionary"}; write a key that it was made with'
    if not isinstance(key, str):
        return f'{name} is a dictionary and has no element {key}; write a key, as in {name}["{next(iter(held), "x")}"]'
    united = [k for k in held if re.fullmatch(rf"{re.escape(key)}_[a-z0-9]+", k)]
    if united and name == "obs":
        return f'"{key}" is not a key of obs, whose keys carry their unit; write obs["{united[0]}"]'
    near = difflib.get_close_matches(key, list(held), n=2, cutoff=0.6)
    missing = f'"{key}" is not a key of {name}'
    if near:
        better = " or ".join(f'{name}["{k}"]' for k in near)
        return f"{missing}; did you mean {better}?"
    others = f"whose keys are {', '.join(held)}" if held else "which is empty"
    remedy = {
        "obs": "write one of them",
        "state": f'write "{key}" into the dictionary that init returns',
        "params": f'write "{key}" into PARAMS',
    }.get(name, "write one of them")
    return f"{missing}, {others}; {remedy}"


def _dictionary(node: ast.AST, known: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    """The dictionary that a subscript reads: how it is written, and its keys if it is one that was handed in."""
    if not isinstance(node, ast.Subscript):
        return "", None
    keys: list[str] = []
    inner = node.value
    while isinstance(inner, ast.Subscript) and isinstance(inner.slice, ast.Constant):
        keys.append(str(inner.slice.value))
        inner = inner.value
    held: Any = known.get(inner.id) if isinstance(inner, ast.Name) else None
    for key in reversed(keys):
        held = held.get(key) if isinstance(held, Mapping) else None
    return wording.shown(node.value, "this dictionary"), held if isinstance(held, Mapping) else None


def _no_condition(error: NoCondition, node: ast.AST, known: Mapping[str, Any]) -> str:
    match node:
        case ast.Call(func=func, args=[only]) if dotted(func) in ("jnp.all", "jnp.any"):
            better = f"{dotted(func)}({wording.shown(only)} > {error.bound})"
        case ast.expr() if error.number:
            better = f"{wording.shown(node)} > {error.bound}"
        case _:
            signal = next((f'obs["{key}"]' for key in known.get("obs", ())), "x")
            better = f"a comparison, as in {signal} > 0.0"
    return f"the condition of this assert is {error.what}, not a comparison that could fail; write {better}"
