import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_runtime.compile.vectors import Vectors, join, packing_of, part, parted

TREE = {
    "gain": np.float32(2.5),
    "memory": {"integral": np.arange(3, dtype=np.float32), "count": np.int32(-7)},
    "flags": np.array([True, False]),
    "key": np.array([1, 4294967295], dtype=np.uint32),
}


def test_a_tree_survives_the_way_through_vectors_inside_a_trace():
    packing = packing_of(TREE)
    back = jax.jit(lambda t: packing.unpack(packing.pack(t, jnp.float32)))(TREE)
    for before, after in zip(jax.tree.leaves(TREE), jax.tree.leaves(back), strict=True):
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)


def test_concrete_and_traced_packing_give_the_same_vectors():
    packing = packing_of(TREE)
    concrete, traced = packing.pack_values(TREE, np.float32), packing.pack(TREE, jnp.float32)
    np.testing.assert_array_equal(concrete.floats, traced.floats)
    np.testing.assert_array_equal(concrete.ints, traced.ints)
    assert packing.sizes == (concrete.floats.size, concrete.ints.size)


def test_leaf_paths_are_readable():
    assert {leaf.path for leaf in packing_of(TREE).leaves} == {
        "gain",
        "memory.integral",
        "memory.count",
        "flags",
        "key",
    }


def test_an_empty_tree_packs_to_empty_vectors():
    packing = packing_of({})
    vectors = packing.pack_values({}, np.float32)
    assert vectors.floats.shape == vectors.ints.shape == (0,)
    assert packing.unpack(Vectors(jnp.zeros(0), jnp.zeros(0, jnp.int32))) == {}


def test_a_tree_of_another_structure_is_refused():
    with pytest.raises(ValueError, match="zip"):
        packing_of(TREE).pack_values({"gain": np.float32(1)}, np.float32)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["float32", "int32", "bool", "uint32"]), st.lists(st.integers(0, 3), max_size=2)),
        max_size=5,
    ),
    st.integers(0, 2**31 - 1),
)
def test_any_mix_of_dtypes_and_shapes_round_trips(leaves, seed):
    rng = np.random.default_rng(seed)
    tree = [rng.integers(0, 2 if d == "bool" else 2**20, shape).astype(d) for d, shape in leaves]
    packing = packing_of(tree)
    back = packing.unpack(Vectors(*map(jnp.asarray, packing.pack_values(tree, np.float32))))
    for before, after in zip(tree, back, strict=True):
        assert before.dtype == after.dtype and before.shape == after.shape
        np.testing.assert_array_equal(before, after)


DELICATE = np.array([1.5, -0.0, np.inf, 1e-42, np.nan])
"""Among them a number that XLA would flush to zero in a sum."""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_goes_from_tick_to_tick_is_the_same_bit_for_bit(dtype):
    jax.config.update("jax_enable_x64", dtype == "float64")
    try:
        vectors = Vectors(DELICATE.astype(dtype), np.array([7, -1, 2**31 - 1], np.int32))
        memory = vectors.joined()
        onwards = jax.jit(lambda given: join(part(given, DELICATE.size, dtype)))(memory)
        for found in (parted(memory, vectors), parted(onwards, vectors)):
            assert [one.tobytes() for one in found] == [one.tobytes() for one in vectors]
        lanes = Vectors(*(np.tile(one, (2, 1)) for one in vectors))
        assert (lanes.joined() == memory).all() and lanes.joined().shape == (2, memory.size)
        assert [one.tobytes() for one in parted(lanes.joined(), lanes)] == [one.tobytes() for one in lanes]
    finally:
        jax.config.update("jax_enable_x64", False)
