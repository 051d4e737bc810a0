"""Evaluation without a compiler gives what XLA gives, bit for bit, or leaves it to XLA."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from healing_runtime.language import fold

FLOATS = [0.0, -0.0, 1.0, -1.5, 3e38, -np.inf, np.nan, -1e-40, 2147483500.0, 3e9]
INTEGERS = [0, 1, -1, 2**31 - 1, -(2**31), 7, -3]
OPERATIONS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: lax.div(a, b),
    "neg": lambda a, b: -a,
    "to int": lambda a, b: a.astype(jnp.int32),
    "to uint": lambda a, b: a.astype(jnp.uint32),
    "to bool": lambda a, b: a.astype(bool),
    "to float": lambda a, b: a.astype(jnp.float32),
    "stack": lambda a, b: jnp.stack([a, b]),
    "concatenate": lambda a, b: jnp.concatenate([a[None], b[None]]),
    "broadcast": lambda a, b: jnp.broadcast_to(a, (2, 3)) + b,
    "squeeze": lambda a, b: jnp.squeeze(a.reshape(1, 1)),
    "nested": lambda a, b: -jax.jit(lambda x: x * 2)(a),
}


@pytest.mark.parametrize("values", [np.array(FLOATS, np.float32), np.array(INTEGERS, np.int32)], ids=["float", "int"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_bit_for_bit(name, values):
    compiled = jax.jit(OPERATIONS[name])
    jaxpr = jax.make_jaxpr(OPERATIONS[name])(values[0], values[0])
    for a in values:
        for b in values:
            (got,), wanted = fold.evaluate(jaxpr, [np.asarray(a), np.asarray(b)]), np.asarray(compiled(a, b))
            assert got.dtype == wanted.dtype and got.shape == wanted.shape
            np.testing.assert_array_equal(got, wanted, err_msg=f"{a} {b}")
            if got.dtype.kind == "f":
                finite = ~np.isnan(wanted)
                np.testing.assert_array_equal(np.signbit(got)[finite], np.signbit(wanted)[finite])


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (lambda x: jnp.sin(x), (np.float32(1.0),)),
        (lambda x: x * 1e-30, (np.float32(1e-10),)),
        (lambda x: x.astype(jnp.int32), (np.float32(3e9),)),
        (lambda x: jnp.broadcast_to(x, (300, 300)), (np.float32(1.0),)),
        (lambda x: x // 3, (np.int32(-7),)),
    ],
)
def test_what_is_left_to_xla(function, args):
    jaxpr = jax.make_jaxpr(function)(*args)
    with pytest.raises(fold._NotSimple), np.errstate(all="ignore"):
        fold._numpy(jaxpr, args)
    np.testing.assert_array_equal(fold.evaluate(jaxpr, args)[0], jax.jit(function)(*args))


def test_zeros_and_parameters_start_no_compiler(monkeypatch):
    monkeypatch.setattr(jax, "jit", None)
    jaxpr = jax.make_jaxpr(lambda k: (jnp.zeros(3), k * 2.0, jnp.stack([k, k]) / 4.0))(np.float32(3.0))
    assert [leaf.tolist() for leaf in fold.evaluate(jaxpr, [np.asarray(3.0, np.float32)])] == [
        [0, 0, 0],
        6.0,
        [0.75, 0.75],
    ]
