"""Every function that a source may call exists, traces, and traces to allowed primitives only."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from healing_runtime.language import vocabulary
from healing_runtime.language.execution.namespace import bindings
from healing_runtime.language.holders import subjaxprs
from healing_runtime.language.messages import advice
from healing_runtime.language.passes.primitives import ALLOWED

X, M, INDEX = np.full(3, 0.5, np.float32), np.eye(3, dtype=np.float32) * 2, np.int32(1)
CALLS = {
    "jnp.arange": lambda f: f(4),
    "jnp.array": lambda f: f([1.0, 2.0]),
    "jnp.asarray": lambda f: f([1.0, 2.0]),
    "jnp.astype": lambda f, x: f(x, np.int32),
    "jnp.broadcast_to": lambda f, x: f(x, (2, 3)),
    "jnp.concatenate": lambda f, x: f([x, x]),
    "jnp.expand_dims": lambda f, x: f(x, 0),
    "jnp.eye": lambda f: f(3),
    "jnp.full": lambda f: f((2,), 1.0),
    "jnp.full_like": lambda f, x: f(x, 1.0),
    "jnp.hstack": lambda f, x: f([x, x]),
    "jnp.identity": lambda f: f(3),
    "jnp.interp": lambda f, x: f(x, np.arange(3.0, dtype=np.float32), x),
    "jnp.linspace": lambda f: f(0.0, 1.0, 5),
    "jnp.moveaxis": lambda f, m: f(m, 0, 1),
    "jnp.ones": lambda f: f(3),
    "jnp.repeat": lambda f, x: f(x, 2),
    "jnp.reshape": lambda f, x: f(x, (3, 1)),
    "jnp.roll": lambda f, x: f(x, 1),
    "jnp.stack": lambda f, x: f([x, x]),
    "jnp.swapaxes": lambda f, m: f(m, 0, 1),
    "jnp.take": lambda f, x, i: f(x, i),
    "jnp.take_along_axis": lambda f, x: f(x, np.array([0, 2]), axis=0),
    "jnp.tensordot": lambda f, m: f(m, m),
    "jnp.tile": lambda f, x: f(x, 2),
    "jnp.vstack": lambda f, x: f([x, x]),
    "jnp.where": lambda f, x: f(x > 0, x, -x),
    "jnp.zeros": lambda f: f(3),
    "lax.associative_scan": lambda f, x: f(lambda a, b: a + b, x),
    "lax.clamp": lambda f, x: f(np.float32(0), x, np.float32(1)),
    "lax.cond": lambda f, x: f(x[0] > 0, lambda y: y, lambda y: -y, x),
    "lax.dynamic_index_in_dim": lambda f, x, i: f(x, i),
    "lax.dynamic_slice": lambda f, x, i: f(x, (i,), (2,)),
    "lax.dynamic_slice_in_dim": lambda f, x, i: f(x, i, 2),
    "lax.dynamic_update_index_in_dim": lambda f, x, i: f(x, x[0], i, 0),
    "lax.dynamic_update_slice": lambda f, x, i: f(x, x[:2], (i,)),
    "lax.dynamic_update_slice_in_dim": lambda f, x, i: f(x, x[:2], i, 0),
    "lax.fori_loop": lambda f, x: f(0, 5, lambda i, c: c * 2, x),
    "lax.map": lambda f, x: f(lambda y: y * 2, x),
    "lax.scan": lambda f, x: f(lambda c, y: (c + y, c), np.float32(0), x),
    "lax.select": lambda f, x: f(x > 0, x, -x),
    "lax.switch": lambda f, x, i: f(i, [lambda y: y, lambda y: -y], x),
    "tl.while_loop": lambda f, x: f(lambda y: y[0] < 9, lambda y: y * 2, x, max_trips=7),
}
MATRIX = {"dot", "kron", "matmul", "trace", "transpose", "tril", "triu", "cholesky", "inv", "lstsq", "solve"}
BOOLEAN = {
    "jnp.all",
    "jnp.any",
    "jnp.invert",
    "jnp.logical_and",
    "jnp.logical_not",
    "jnp.logical_or",
    "jnp.logical_xor",
}
BOOLEAN |= {"tl.implies"}
NAMES = sorted(f"{space}.{name}" for space, names in vocabulary.FUNCTIONS.items() for name in names if space != "math")


def member(path):
    root, *rest = path.split(".")
    found = bindings()[root]
    for part in rest:
        found = getattr(found, part)
    return found


def primitives(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn.primitive.name
        for sub in subjaxprs(eqn):
            yield from primitives(sub)


@pytest.mark.parametrize("path", NAMES)
def test_function_traces_to_allowed_primitives(path):
    function, call = member(path), CALLS.get(path)
    x = M if path.rsplit(".", 1)[1] in MATRIX else X
    x = x > 0 if path in BOOLEAN else x
    if call is None:
        attempts = [lambda f, *a: f(a[0]), lambda f, *a: f(a[0], a[0])]
        jaxpr = None
        for attempt in attempts:
            try:
                jaxpr = jax.make_jaxpr(lambda y, attempt=attempt: attempt(function, y))(x)
                break
            except TypeError:
                continue
        assert jaxpr is not None, f"{path} takes neither one array nor two"
    else:
        count = call.__code__.co_argcount - 1
        kinds = {"x": X, "m": M, "i": INDEX}
        args = [kinds[name] for name in call.__code__.co_varnames[1 : 1 + count]]
        jaxpr = jax.make_jaxpr(lambda *a: call(function, *a))(*args)
    assert set(primitives(jaxpr.jaxpr)) <= ALLOWED - {"while"}


def test_constants_and_math_exist():
    for space, names in vocabulary.CONSTANTS.items():
        for name in names:
            member(f"{space}.{name}")
    assert all(callable(member(f"math.{name}")) for name in vocabulary.FUNCTIONS["math"])


def test_namespaces_are_closed():
    jnp = bindings()["jnp"]
    for name in ("save", "load", "fromfile", "__class__x", "lax", "frompyfunc"):
        assert not hasattr(jnp, name)
    with pytest.raises(AttributeError, match="cannot be changed"):
        jnp.clip = None
    with pytest.raises(AttributeError, match="cannot be changed"):
        del jnp.clip


def test_nothing_is_both_allowed_and_advised_against():
    assert not [path for path in advice.NAMES if vocabulary.known(path)]
