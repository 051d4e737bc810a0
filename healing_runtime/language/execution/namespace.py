"""The closed, read-only namespaces in which a source runs: nothing but the vocabulary is in reach."""

from __future__ import annotations

import builtins
import functools
import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy import special

from healing_runtime.core import margins
from healing_runtime.language import linalg, primitive, vocabulary
from healing_runtime.language.execution import functions, indexing, runtime, truth, updates
from healing_runtime.language.messages.mistake import Mistake
from healing_runtime.language.syntax.asserts import PREFIX


class Namespace:
    """A name followed by a dot: holds allowed names, cannot be changed, leads nowhere else."""

    __slots__ = ("_members", "_name")

    def __init__(self, name: str, members: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_members", MappingProxyType(dict(members)))

    def __getattr__(self, name: str) -> Any:
        try:
            return self._members[name]
        except KeyError:
            raise AttributeError(f"{self._name}.{name} is not part of TensorLang") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self._name} cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self._name} cannot be changed")

    def __dir__(self) -> list[str]:
        return sorted(self._members)


def _bounded_range(*args: int) -> range:
    result = range(*args)
    if len(result) > runtime.MAX_LENGTH:
        raise Mistake(f"a range has more than {runtime.MAX_LENGTH} elements; use lax.fori_loop")
    return result


_REWRITTEN: Mapping[str, Callable[..., Any]] = {
    "assert": primitive.assert_,
    "less": runtime.less,
    "less_equal": runtime.less_equal,
    "greater": runtime.greater,
    "greater_equal": runtime.greater_equal,
    "equal": runtime.equal,
    "not_equal": runtime.not_equal,
    "both": margins.both,
    "either": margins.either,
    "negation": margins.negation,
    "implies": margins.implies,
    "worst": margins.worst,
    "best": runtime.best,
    "boolean": runtime.boolean,
    "add": runtime.guarded(operator.add),
    "multiply": runtime.guarded(operator.mul),
    "power": runtime.guarded(operator.pow),
    "unpacked": runtime.unpacked,
    "each": runtime.each,
    "grown": runtime.grown,
    "item": indexing.item,
    "slice": slice,
}


@functools.cache
def bindings() -> Mapping[str, Any]:
    """Every global name of a source before its own: namespaces, builtins, and what rewritten code calls."""
    found: dict[str, Any] = {root: _namespace(root) for root in vocabulary.ROOTS}
    found |= {name: getattr(builtins, name) for name in vocabulary.BUILTINS}
    found |= runtime.BUILTINS
    found["range"] = _bounded_range
    found |= {PREFIX + name: function for name, function in _REWRITTEN.items()}
    found["__builtins__"] = MappingProxyType({})
    found["__name__"] = "tensorlang"
    return MappingProxyType(found)


def _namespace(path: str) -> Namespace:
    members = {
        name: _member(path, name)
        for name in sorted(vocabulary.FUNCTIONS.get(path, frozenset()) | vocabulary.CONSTANTS.get(path, frozenset()))
    }
    for space in vocabulary.NAMESPACES:
        parent, _, name = space.rpartition(".")
        if parent == path:
            members[name] = _namespace(space)
    return Namespace(path, members)


def _member(path: str, name: str) -> Any:
    member = _found(path, name)
    return _called_from_here(member) if callable(member) and not isinstance(member, type) else member


def _called_from_here(function: Callable[..., Any]) -> Callable[..., Any]:
    """C code that imports on first use does it through its caller's builtins, and a source has none."""

    @functools.wraps(function, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


_CHECKED: Mapping[str, Callable[..., Any]] = {
    **indexing.FUNCTIONS,
    **truth.FUNCTIONS,
    "jnp.diff": runtime.differences,
    "jnp.full_like": updates.full_like,
    "jnp.round": runtime.rounding(jnp.round),
}
"""Functions of the vocabulary that refuse what JAX would change in silence."""


def _found(path: str, name: str) -> Any:
    checked = _CHECKED.get(f"{path}.{name}")
    if checked is not None:
        return checked
    match path:
        case "tl":
            return getattr(functions, name)
        case "tl.linalg":
            return getattr(linalg, name)
        case "math":
            return getattr(math, name)
        case "jnp" | "jnp.linalg":
            return getattr(jnp if path == "jnp" else jnp.linalg, name)
        case "lax":
            return getattr(functions if name in ("cond", "scan") else lax, name)
        case "nn":
            return getattr(jax.nn, name)
        case _:
            return getattr(special, name)
