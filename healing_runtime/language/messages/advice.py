"""What people write who know Python, NumPy or JAX, and what to write instead: names and modules, as data.

A name stands here only if the vocabulary does not hold it (a test checks). The rest of the message is made where the
name is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from healing_runtime.language import vocabulary

_LAPACK = "it calls LAPACK, which the gate refuses"
_COUNT = "how many elements it returns depends on data, and shapes are fixed"
_RANDOM = "a tick is deterministic and draws nothing"

NAMES: Mapping[str, str] = {
    "jnp.linalg.solve": f"{_LAPACK}; use tl.linalg.solve (n <= 8)",
    "jnp.linalg.inv": f"{_LAPACK}; use tl.linalg.inv (n <= 8)",
    "jnp.linalg.cholesky": f"{_LAPACK}; use tl.linalg.cholesky (n <= 8)",
    "jnp.linalg.lstsq": f"{_LAPACK}; use tl.linalg.lstsq (n <= 8)",
    "jnp.linalg.pinv": f"{_LAPACK}; use tl.linalg.lstsq (n <= 8)",
    "jnp.linalg.qr": f"{_LAPACK}; use tl.linalg.lstsq (n <= 8)",
    "jnp.linalg.det": f"{_LAPACK}; for a positive definite matrix use jnp.prod(jnp.diag(tl.linalg.cholesky(a))) ** 2",
    "jnp.linalg.matrix_power": f"{_LAPACK}; write a @ a @ a",
    "jnp.linalg.eigh": f"{_LAPACK}; compute the gains beforehand and write them in PARAMS",
    "jnp.linalg.eig": f"{_LAPACK}; compute the gains beforehand and write them in PARAMS",
    "jnp.linalg.eigvals": f"{_LAPACK}; compute the gains beforehand and write them in PARAMS",
    "jnp.linalg.svd": f"{_LAPACK}; compute the gains beforehand and write them in PARAMS",
    "scipy.linalg": f"{_LAPACK}; use tl.linalg.solve, inv, cholesky or lstsq (n <= 8)",
    "jnp.norm": "it lives one level down; write jnp.linalg.norm",
    "jnp.float64": "the tick has one dtype, chosen by the scenario; leave the dtype out",
    "jnp.float16": "the tick has one dtype, chosen by the scenario; leave the dtype out",
    "jnp.int64": "the width of integers is that of the tick; leave the dtype out, or write jnp.int32",
    "jnp.copysign": "only functions of the vocabulary exist; write jnp.where(y < 0.0, -jnp.abs(x), jnp.abs(x))",
    "jnp.diagonal": "only functions of the vocabulary exist; write jnp.diag(m)",
    "jnp.einsum": "strings are not data in TensorLang; write jnp.matmul, jnp.tensordot or jnp.vecdot",
    "jnp.vectorize": "jnp works on whole arrays already; write the arithmetic on them, or use lax.map",
    "jnp.piecewise": "only functions of the vocabulary exist; write nested jnp.where",
    "jnp.select": "only functions of the vocabulary exist; write jnp.where(a, x, jnp.where(b, y, z))",
    "jnp.nan": "NaN is never a value here; write the guard with jnp.where and a number",
    "math.nan": "NaN is never a constant here; write the guard with jnp.where and a number",
    "math.isnan": "math sees constants only; write jnp.isnan",
    "math.isfinite": "math sees constants only; write jnp.isfinite",
    "math.pow": "only functions of the vocabulary exist; write x ** y",
    "jnp.pow": "only functions of the vocabulary exist; write x ** y or jnp.power(x, y)",
    "jnp.nonzero": f"{_COUNT}; write jnp.where(x != 0.0, x, 0.0), or a sum over the mask",
    "jnp.argwhere": f"{_COUNT}; use the mask itself, as in jnp.sum(mask * x), or jnp.argmax(mask) for the first",
    "jnp.flatnonzero": f"{_COUNT}; use the mask itself, as in jnp.sum(mask * x)",
    "jnp.unique": f"{_COUNT}; compare the elements, as in jnp.abs(x[:, None] - x[None, :]) < tolerance",
    "jnp.extract": f"{_COUNT}; write jnp.where(mask, x, 0.0)",
    "jnp.compress": f"{_COUNT}; write jnp.where(mask, x, 0.0)",
    "jnp.sort": "nothing in a tick needs an order; use jnp.median, jnp.min, jnp.max, or jnp.minimum of two",
    "jnp.argsort": "nothing in a tick needs an order; use jnp.argmin or jnp.argmax",
    "jnp.append": "arrays never grow; write jnp.concatenate([x, y]), or jnp.roll(x, 1).at[0].set(y) for a history",
    "lax.while_loop": "its trip count depends on data; use tl.while_loop(cond, body, init, max_trips=N)",
    "tl.assert_": 'inside a source write the statement: assert condition, "label"',
    "np.nan": "NaN is never a value here; write the guard with jnp.where and a number",
    "jax.jit": "the whole tick is compiled already; call the function itself",
    "jax.vmap": "jnp works on whole arrays; write the arithmetic on them, or lax.map(f, xs)",
    "jax.grad": "nothing is differentiated inside a tick; write the derivative out",
    "jax.random": f"{_RANDOM}; let the scenario add the noise",
    "jax.debug": 'nothing is printed from a tick; write assert condition, "label": its margin is recorded',
    "np.random": f"{_RANDOM}; let the scenario add noise to the sensors",
    "random": f"{_RANDOM}; leave noise to the scenario",
    "time": 'a tick does not read the clock; add obs["dt_s"] up in the state',
    "functools": "functions are not values here; write def with all the arguments",
}
"""Dotted name, or a prefix of it -> why it is refused; what to write."""

BUILTINS: Mapping[str, str] = {
    "print": 'nothing is printed from a tick; write assert condition, "label": its margin is recorded at every tick',
    "open": "a controller reads and writes no files; write numbers into PARAMS",
    "input": "a controller asks nobody; its inputs are the signals in obs",
    "isinstance": "every value is an array or a dictionary made here; remove the test",
    "type": "every value is an array or a dictionary made here; remove the test",
    "all": "it decides at once, and arrays are data; write jnp.all",
    "any": "it decides at once, and arrays are data; write jnp.any",
    "sorted": "nothing in a tick needs an order; write jnp.median(x), or jnp.minimum and jnp.maximum of two",
    "pow": "the operator does it; write x ** y",
    "map": "it runs Python for every element; write the arithmetic on the whole array, or lax.map(f, xs)",
    "filter": "how many elements stay depends on data; write jnp.where(mask, x, 0.0)",
    "reversed": "only functions of the vocabulary exist; write jnp.flip(x), or range(n - 1, -1, -1)",
    "divmod": "only functions of the vocabulary exist; write x // y and x % y",
    "complex": "there are no complex numbers; write the real and the imaginary part as two",
    "dict": 'dictionaries are written out; write {"key": value}',
    "set": "sets are not part of TensorLang; write a tuple of constants",
    "str": "text is only a label or a key; leave it out",
}
"""Names of Python -> why they are not known; what to write."""

METHODS: Mapping[str, str] = {
    "append": "it changes a list in place; write the list in one expression, as in [f(k) for k in range(4)]",
    "extend": "it changes a list in place; write a + b",
    "pop": "it changes its container in place; build a new one without the element",
    "update": "it changes a dictionary in place; write {**d, **changes}",
    "get": 'every key is always there; write d["key"]',
    "items": "a dictionary is read by its keys; write the keys out",
    "keys": "a dictionary is read by its keys, which init fixes; write them out",
    "values": 'a dictionary is read by its keys; write the values out, as in (d["a"], d["b"])',
    "copy": "arrays never change, so nothing needs a copy; write x itself, or tl.copy(x) in a state",
    "item": "a scalar stays an array in a tick; write x itself",
    "tolist": "an array stays an array in a tick; write x itself",
    "dot": "the operator does it; write x @ y",
    "transpose": "the attribute does it; write x.T",
    "real": "there are no complex numbers; write x itself",
    "multiply": "operators do it; write x * y",
    "format": "text is only a label or a key; write it out",
    "block_until_ready": "nothing is asynchronous inside a tick; write x itself",
}
"""Methods and attributes of values -> why they are refused; what to write. Others may be functions of jnp."""

_IMPORTS: Mapping[str, str] = {
    "numpy": "numpy cannot compute with data; write import jax.numpy as jnp, and jnp where np stood",
    "random": f"{_RANDOM}; leave noise to the scenario, and remove the line",
    "time": 'a tick does not read the clock; add obs["dt_s"] up in the state, and remove the line',
    "typing": "there are no annotations, so nothing needs it; remove the line",
    "__future__": "there are no annotations that it could change; remove the line",
    "dataclasses": "there are no classes; keep values in dictionaries, and remove the line",
    "functools": "functions are not values here; write def with all the arguments, and remove the line",
    "scipy": "scipy itself cannot compute with data; write from jax import scipy",
    "math": "names are used with their namespace; write import math, and math.pi where pi stood",
    "jax.numpy": "the namespace has one name, jnp; write import jax.numpy as jnp, and jnp.sin where sin stood",
    "jax.lax": "the namespace has one name, lax; write from jax import lax",
    "jax.nn": "the namespace has one name, nn; write from jax import nn",
    "jax.random": f"{_RANDOM}, so there are no keys; let the scenario add the noise, and remove the line",
    "jax": "jax itself can reach files and processes; write import jax.numpy as jnp or from jax import lax",
}


def of_import(module: str, names: tuple[str, ...]) -> str:
    """Why an import is refused; what to write. `names` are those of a `from` import."""
    for found in (*(f"{module}.{name}" for name in names), module, module.split(".")[0]):
        if found in _IMPORTS:
            return _IMPORTS[found]
    return f"use one of these: {', '.join(vocabulary.IMPORTS.values())}"


def of_method(name: str, receiver: str) -> str:
    """Why a method or attribute is refused; what to write, with the receiver as its author wrote it. Empty if none."""
    return re.sub(r"\bx\b(?= itself|\)|\.T)", lambda _: receiver, METHODS.get(name, ""))


def of_name(path: str) -> str:
    """Why a dotted name is refused; what to write. Empty if nothing special is known."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        found = NAMES.get(".".join(parts[:length]))
        if found:
            return found
    return ""


def translated(path: str) -> str:
    """A dotted name of NumPy or JAX as the vocabulary's own: `np.sin`, `jax.numpy.sin` -> `jnp.sin`. Empty if none."""
    root, _, rest = path.partition(".")
    if root in ("np", "numpy"):
        return f"jnp.{rest}"
    if root == "jax" and rest.startswith("numpy."):
        return f"jnp.{rest.removeprefix('numpy.')}"
    if root == "jax" and rest.partition(".")[0] in ("lax", "nn", "scipy"):
        return rest
    return ""

OTHER_KEYWORDS: Mapping[str, str] = {
    "dim": "axis",
    "dims": "axis",
    "hi": "max",
    "high": "max",
    "keepdim": "keepdims",
    "lo": "min",
    "low": "min",
}
"""Keyword arguments of other libraries -> ours; left out, they would change what is computed."""
