"""One kernel where a program only writes elements, many where it asks for more."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax

from healing_runtime.compile import kernels

ROW = jax.ShapeDtypeStruct((8,), jnp.float32)
MORE = {
    "a loop": lambda x: lax.fori_loop(0, 8, lambda i, c: 0.5 * c, x),
    "an index that is data": lambda x: x[jnp.argmax(x)],
    "a write where data says": lambda x: x.at[jnp.argmax(x)].set(0.0),
    "a product of matrices": lambda x: jnp.outer(x, x) @ x,
    "an order": jnp.sort,
}


def exported(function, platform="cpu"):
    return export.export(jax.jit(function), platforms=[platform])(ROW)


def test_sums_and_choices_only_write_elements():
    assert kernels.emitted_whole(exported(lambda x: jnp.where(x > jnp.min(x), jnp.sin(x) + jnp.sum(x), -x)))


@pytest.mark.parametrize("what", MORE)
def test_what_asks_for_more_is_not_taken_for_one_kernel(what):
    assert not kernels.emitted_whole(exported(MORE[what]))


def test_another_device_is_not_asked_for_what_the_cpu_can():
    assert not kernels.emitted_whole(exported(jnp.sin, "cuda"))


@pytest.mark.parametrize("lanes", [4, 33, 200])
def test_a_batch_is_one_kernel_however_many_lanes_it_has(lanes):
    def tick(params, memory, sample):
        worst = jnp.minimum(memory[:, 0], jnp.min(sample, axis=1) * params)
        return worst[:, None], jnp.stack([jnp.sum(sample, axis=1), worst], axis=1)

    memory = np.zeros((lanes, 1), np.float32)
    sample = np.random.default_rng(2).normal(size=(lanes, 40)).astype(np.float32)
    compiled = kernels.compiled(tick, np.float32(2.0), memory.copy(), sample, one_kernel=True)
    assert compiled.as_text().count("xla_cpu_small_call") == 1
    worst = np.minimum(0.0, 2.0 * sample.min(axis=1))
    found = compiled(np.float32(2.0), memory, sample)
    np.testing.assert_array_equal(found[0][:, 0], worst)
    np.testing.assert_allclose(found[1], np.stack([sample.sum(axis=1), worst], axis=1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("used", range(3))
def test_what_a_tick_does_not_use_takes_the_place_of_nothing(used):
    arguments = [np.full(3, 10.0 * n + 1.0, np.float32) for n in range(3)]

    def tick(*given):
        return given[1] + 1.0, 2.0 * given[used]

    compiled = kernels.compiled(tick, *(a.copy() for a in arguments), one_kernel=True)
    assert "xla_cpu_small_call" in compiled.as_text()
    np.testing.assert_array_equal(compiled(*(a.copy() for a in arguments))[1], 2.0 * arguments[used])


def test_arrays_without_elements_are_not_for_one_kernel():
    empty = export.export(jax.jit(lambda x, none: (x + 1.0, none)))(ROW, jax.ShapeDtypeStruct((0,), jnp.float32))
    assert not kernels.emitted_whole(empty)


def test_where_one_kernel_cannot_be_written_the_usual_way_is_taken():
    x = np.arange(4, dtype=np.float32)

    def function(x, memory):
        return memory.at[x.astype(jnp.int32)].add(x)

    usual = kernels.compiled(function, x, x.copy(), one_kernel=True)
    assert "xla_cpu_small_call" not in usual.as_text()
    np.testing.assert_array_equal(usual(x, x.copy()), 2.0 * x)
