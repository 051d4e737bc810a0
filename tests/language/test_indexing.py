"""Constant indices: NumPy is the judge of what exists, and what does not exist is refused instead of clamped."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_runtime.core.errors import SubsetError
from healing_runtime.language.execution.indexing import FUNCTIONS, item
from healing_runtime.language.messages.mistake import Mistake

BOUND = st.none() | st.integers(-5, 5)
PART = st.one_of(
    st.integers(-5, 5),
    st.builds(slice, BOUND, BOUND, st.sampled_from([None, 1, 2, -1])),
    st.none(),
    st.just(Ellipsis),
)
SHAPE = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


def numpy(array, index):
    """What NumPy reads; None where there is nothing."""
    try:
        found = array[index]
    except IndexError:
        return None
    return found if found.size else None


ANY_INDEX = given(SHAPE, st.lists(PART, min_size=1, max_size=4).map(tuple))


def counted(shape):
    return np.arange(float(np.prod(shape)), dtype=np.float32).reshape(shape)


@settings(max_examples=400, deadline=None)
@ANY_INDEX
def test_what_does_not_exist_is_refused_and_nothing_else(shape, index):
    """Without a compilation: JAX is asked for nothing that exists."""
    array = counted(shape)
    expected, ours = numpy(array, index), jnp.asarray(array)
    if expected is None:
        with pytest.raises((Mistake, IndexError)):
            item(ours, index)
        with pytest.raises((Mistake, IndexError)):
            item(ours.at, index).set(1.0)
    else:
        np.testing.assert_array_equal(item(array, index), expected)
        item(ours.at, index)


def reads(shape, index):
    array = counted(shape)
    expected = numpy(array, index)
    if expected is not None:
        np.testing.assert_array_equal(item(jnp.asarray(array), index), expected)


def writes(shape, index):
    array = np.zeros(shape, np.float32)
    if numpy(array, index) is not None:
        array[index] = 1.0
        np.testing.assert_array_equal(item(jnp.zeros(shape).at, index).set(1.0), array)


@pytest.mark.parametrize("does", [reads, writes])
def test_what_exists_is_numpys(does):
    settings(max_examples=60)(ANY_INDEX(does))()


@pytest.mark.slow
@pytest.mark.parametrize("does", [reads, writes])
def test_what_exists_is_numpys_at_every_shape(does):
    settings(max_examples=400)(ANY_INDEX(does))()


def test_indices_that_are_data_are_left_alone():
    def read(i):
        x = jnp.arange(3.0)
        return item(x, i), item(x.at, i).set(9.0), item(jnp.eye(3), (i, slice(None))), item(x, jnp.array([0, 1]))

    out = jax.jit(read)(7)
    assert float(out[0]) == 2.0 and out[1].tolist() == [0.0, 1.0, 2.0] and out[3].tolist() == [0.0, 1.0]


def test_containers_and_masks_are_not_its_business():
    assert item({0: "a"}, 0) == "a" and item((1, 2), -1) == 2 and item([1, 2, 3], slice(5, 9)) == []
    mask = np.array([True, False, True])
    assert item(jnp.arange(3.0), mask).tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("jnp.take", (-3,), 0.0),
        ("jnp.take", (3,), None),
        ("jnp.take", (-4,), None),
        ("jnp.take", (2, 0), 2.0),
        ("lax.dynamic_index_in_dim", (2, 0, False), 2.0),
        ("lax.dynamic_index_in_dim", (3,), None),
        ("lax.dynamic_update_index_in_dim", (9.0, -1, 0), [0.0, 1.0, 9.0]),
        ("lax.dynamic_update_index_in_dim", (9.0, 3, 0), None),
        ("lax.dynamic_slice_in_dim", (1, 2), [1.0, 2.0]),
        ("lax.dynamic_slice_in_dim", (2, 2), None),
        ("lax.dynamic_slice_in_dim", (-2, 2), [1.0, 2.0]),
        ("lax.dynamic_slice_in_dim", (-1, 2), None),
        ("lax.dynamic_update_slice_in_dim", (jnp.ones(2), 1, 0), [0.0, 1.0, 1.0]),
        ("lax.dynamic_update_slice_in_dim", (jnp.ones(2), 2, 0), None),
        ("lax.dynamic_slice", ((1,), (2,)), [1.0, 2.0]),
        ("lax.dynamic_slice", ((2,), (2,)), None),
        ("lax.dynamic_update_slice", (jnp.ones(2), (1,)), [0.0, 1.0, 1.0]),
        ("lax.dynamic_update_slice", (jnp.ones(2), (2,)), None),
    ],
)
def test_functions_with_a_constant_index(name, arguments, expected):
    x = jnp.arange(3.0)
    if expected is None:
        with pytest.raises(Mistake, match="in silence; write"):
            FUNCTIONS[name](x, *arguments)
    else:
        np.testing.assert_array_equal(FUNCTIONS[name](x, *arguments), expected)


def test_a_loop_that_runs_over_the_end_is_told(traced):
    body = 'x = 0.0\nfor i in range(4):\n    x += obs["velocity_mps"][i]\nreturn {"thrust_n": x}, {}'
    with pytest.raises(SubsetError, match="index 3 of 3 elements does not exist") as caught:
        traced(body)
    assert (caught.value.where.line, caught.value.where.column) == (14, 14)
    traced(body.replace("range(4)", "range(3)"))
